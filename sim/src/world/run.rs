//! The world's own thread: plant time beside real time, orders from outside, events from the script.
//!
//! ```text
//!   script ───┐
//!   orders ───┴─► event ─► World ─► Happened ─► whoever owns broker and processes
//!                            └────► Truth (latest)
//! ```
//!
//! A thread of its own, because the world must go on however busy the runtime is.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, info};

use super::{Entry, Event, NoSuchGpu, Script, Truth, World};
use crate::clock::{Clock, Pace};

/// Orders that wait for the next step.
const ORDERS: usize = 64;
/// Happenings that may wait for their listener.
const HAPPENINGS: usize = 1024;

/// An event that happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Happened {
    /// Plant time, ms.
    pub at_ms: u64,
    /// What happened.
    pub event: Event,
}

/// An order from outside, and where its answer goes: the plant time at which it was carried out, ms.
#[derive(Debug)]
pub struct Order {
    /// What shall happen.
    pub event: Event,
    /// Who wants to know.
    pub answer: oneshot::Sender<Result<u64, NoSuchGpu>>,
}

/// The world's thread is gone, or far behind with its orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the simulated world does not take orders any more")]
pub struct Stopped;

/// The running world. It stops when this is dropped.
pub struct WorldThread {
    orders: Option<SyncSender<Order>>,
    truth: watch::Receiver<Arc<Truth>>,
    thread: Option<JoinHandle<()>>,
}

impl WorldThread {
    /// Starts the world at plant time zero. What happens in it is told to the receiver.
    ///
    /// # Errors
    /// If the script names a GPU that is not there, or the thread cannot be started.
    pub fn start(
        world: World,
        script: Script,
        clock: Clock,
    ) -> Result<(Self, mpsc::Receiver<Happened>), StartError> {
        script.entries().iter().try_for_each(|entry| world.check(entry.event))?;
        let (orders, inbox) = sync_channel(ORDERS);
        let (tell, happened) = mpsc::channel(HAPPENINGS);
        let (publish, truth) = watch::channel(Arc::new(world.truth()));
        let runner = Runner { world, script, inbox, tell, publish };
        let thread = std::thread::Builder::new().name("world".into()).spawn(move || runner.run(clock))?;
        Ok((Self { orders: Some(orders), truth, thread: Some(thread) }, happened))
    }

    /// The newest truth.
    #[must_use]
    pub fn truth(&self) -> Arc<Truth> {
        Arc::clone(&self.truth.borrow())
    }

    /// Whether the world still turns.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.truth.has_changed().is_ok()
    }

    /// Lets an event happen at the next step, and waits for that.
    ///
    /// # Errors
    /// If it cannot happen, or the world stands still.
    pub async fn order(&self, event: Event) -> Result<u64, OrderError> {
        let (answer, answered) = oneshot::channel();
        self.send(Order { event, answer })?;
        Ok(answered.await.map_err(|_| Stopped)??)
    }

    /// Lets an event happen at the next step.
    ///
    /// # Errors
    /// If the world stands still.
    pub fn send(&self, order: Order) -> Result<(), Stopped> {
        let orders = self.orders.as_ref().ok_or(Stopped)?;
        orders.try_send(order).map_err(|refused| match refused {
            TrySendError::Full(_) | TrySendError::Disconnected(_) => Stopped,
        })
    }
}

impl Drop for WorldThread {
    fn drop(&mut self) {
        // Without a sender the thread ends at its next step.
        drop(self.orders.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("the simulated world panicked");
        }
    }
}

impl fmt::Debug for WorldThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorldThread").field("running", &self.is_running()).finish_non_exhaustive()
    }
}

/// Why the world cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The script asks for what is not there.
    #[error("the script cannot be run: {0}")]
    Script(#[from] NoSuchGpu),
    /// No thread.
    #[error("the world's thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// Why an order was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The world stands still.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// It cannot happen in this world.
    #[error(transparent)]
    NoSuchGpu(#[from] NoSuchGpu),
}

struct Runner {
    world: World,
    script: Script,
    inbox: Receiver<Order>,
    tell: mpsc::Sender<Happened>,
    publish: watch::Sender<Arc<Truth>>,
}

impl Runner {
    fn run(mut self, clock: Clock) {
        let mut pace = Pace::new(clock.now());
        while self.obey() {
            for _ in 0..pace.due(clock.now()) {
                while let Some(Entry { event, .. }) = self.script.due(self.world.now_ms()) {
                    let _checked_at_start = self.happen(event);
                }
                self.world.step();
            }
            self.publish.send_replace(Arc::new(self.world.truth()));
            std::thread::sleep(pace.next().saturating_sub(clock.now()));
        }
        let slipped_ms = pace.slipped().as_millis();
        info!(plant_ms = self.world.now_ms(), slipped_ms, "the world stands still");
    }

    /// Carries out what was ordered; false when nobody is left to order anything.
    fn obey(&mut self) -> bool {
        loop {
            match self.inbox.try_recv() {
                Ok(Order { event, answer }) => {
                    let outcome = self.happen(event);
                    // Who has gone away does not want the answer.
                    let _gone = answer.send(outcome);
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn happen(&mut self, event: Event) -> Result<u64, NoSuchGpu> {
        self.world.happen(event)?;
        let at_ms = self.world.now_ms();
        if self.tell.try_send(Happened { at_ms, event }).is_err() {
            error!(%event, "nobody listens to what happens in the world");
        }
        Ok(at_ms)
    }
}
