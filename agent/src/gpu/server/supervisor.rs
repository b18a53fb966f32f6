//! The server's only loop: it hears everybody and waits for nobody.
//!
//! ```text
//!   loader thread ── Loaded, NoDriver ──────┐
//!   worker threads ─ Fresh, Answer, Left ───┤
//!   reader thread ── Beat, Throttle, Closed ┴──► queue ──► handle ──► client (never waits)
//!                                                 │
//!                                                 └─ every TICK: accept, look for stuck calls and dead
//!                                                    workers, say again what nobody has said for a period
//! ```
//!
//! A worker may be stuck in the driver for ever and the loader too: they are only looked at, never joined.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use eisbach_protocol::gpu_link::{Beat, DriverState, Frame, Hello, MAX_GPUS, Outcome, Verdict};
use eisbach_protocol::units::Millis;

use super::driver::{CallWatch, Driver, DriverError, Load};
use super::seat::Seat;
use super::slot::Request;
use super::socket::{Connection, Ended, Listener};
use super::worker::Common;
use super::{ServerError, StopFlag};

/// How soon a stuck call, a new client or the stop flag is noticed.
const TICK: Duration = Duration::from_millis(50);
/// A client hears something at least this often, GPUs or not.
const HELLO: Millis = Millis::from_secs(1);
/// A missing driver is looked for this often.
const RELOAD: Duration = Duration::from_secs(3);

/// Everything that can happen.
pub(super) enum Event {
    Loaded { driver: Arc<dyn Driver>, gpus: u32 },
    NoDriver(DriverError),
    DriverReplaced,
    Fresh(u8),
    Answer { request: Request, verdict: Verdict },
    Left(u8),
    Beat { connection: u64, beat: Beat },
    Throttle(Request),
    Closed { connection: u64, ended: Ended },
}

/// The loop's state.
pub(super) struct Supervisor {
    common: Arc<Common>,
    call_deadline: Millis,
    queue: Receiver<Event>,
    listener: Listener,
    client: Option<Connection>,
    /// Connections that ended for another reason than that the client went.
    broken: u64,
    loading: Arc<CallWatch>,
    loading_hangs: bool,
    driver: DriverState,
    seats: Vec<Seat>,
    said: Option<(Hello, Millis)>,
    next_tick: Millis,
}

impl Supervisor {
    pub(super) fn new(
        common: Arc<Common>,
        call_deadline: Millis,
        queue: Receiver<Event>,
        listener: Listener,
    ) -> Self {
        Self {
            call_deadline,
            queue,
            listener,
            client: None,
            broken: 0,
            loading: Arc::new(CallWatch::new(common.clock)),
            loading_hangs: false,
            driver: DriverState::Starting,
            seats: Vec::new(),
            said: None,
            next_tick: Millis::ZERO,
            common,
        }
    }

    /// Looks for the driver until it is found, on a thread of its own.
    pub(super) fn start_loading(&self, loader: impl Load, stop: &StopFlag) -> io::Result<()> {
        let (events, watch) = (self.common.events.clone(), Arc::clone(&self.loading));
        let stop = stop.clone();
        std::thread::Builder::new().name("driver".to_owned()).spawn(move || {
            loop {
                let found = loader.load(&watch).map(|(driver, gpus)| Event::Loaded { driver, gpus });
                let done = found.is_ok();
                let heard = events.send(found.unwrap_or_else(Event::NoDriver));
                if done || heard.is_err() || stop.wait(RELOAD) {
                    return;
                }
            }
        })?;
        Ok(())
    }

    /// Serves until `stop` is raised.
    pub(super) fn run(mut self, stop: &StopFlag, mut alive: impl FnMut()) -> Result<(), ServerError> {
        while !stop.is_raised() {
            if let Ok(event) = self.queue.recv_timeout(TICK) {
                self.handle(event)?;
            }
            let now = self.common.clock.now();
            if now >= self.next_tick {
                self.next_tick = now + millis(TICK);
                self.tick(now);
                alive();
            }
        }
        self.leave();
        Ok(())
    }

    fn handle(&mut self, event: Event) -> Result<(), ServerError> {
        match event {
            Event::Loaded { driver, gpus } => return self.seat_workers(&driver, gpus),
            Event::NoDriver(error) => self.note_absent(&error),
            Event::DriverReplaced => {
                self.seats.iter().for_each(|seat| seat.slot.leave(false));
                return Err(ServerError::DriverReplaced);
            }
            Event::Fresh(index) => self.hear_worker(index),
            Event::Answer { request, verdict } => self.answer(request, verdict),
            Event::Left(index) => self.seat(index).into_iter().for_each(|seat| seat.left = true),
            Event::Beat { connection, beat } => {
                if self.is_current(connection) {
                    self.common.pulse.hear(self.common.clock.now(), beat);
                }
            }
            Event::Throttle(request) => {
                if self.is_current(request.connection) {
                    self.pass_on(request);
                }
            }
            Event::Closed { connection, ended } => {
                if self.is_current(connection) {
                    self.drop_client(&ended);
                }
            }
        }
        Ok(())
    }

    fn tick(&mut self, now: Millis) {
        if let Some(connection) = self.listener.accept(&self.common.events) {
            self.welcome(connection, now);
        }
        if let Some(call) = self.loading.stuck(now, self.call_deadline) {
            self.note_loading_hangs(call);
        }
        self.look_after_workers(now);
        self.say_again(now);
    }

    fn seat_workers(&mut self, driver: &Arc<dyn Driver>, gpus: u32) -> Result<(), ServerError> {
        let served = u8::try_from(gpus.min(u32::try_from(MAX_GPUS).unwrap_or(u32::MAX))).unwrap_or(u8::MAX);
        tracing::info!(gpus, served, "NVIDIA driver is there");
        self.driver = DriverState::Ready;
        for index in 0..served {
            let seat = Seat::start(index, driver, &self.common)
                .map_err(|source| ServerError::Thread { name: "gpu", source })?;
            self.seats.push(seat);
        }
        self.introduce(self.common.clock.now());
        Ok(())
    }

    fn note_absent(&mut self, error: &DriverError) {
        if self.driver != DriverState::Absent {
            tracing::warn!(%error, retry_s = RELOAD.as_secs(), "no NVIDIA driver; looking for it again and again");
        }
        self.driver = DriverState::Absent;
        self.loading_hangs = false;
    }

    fn note_loading_hangs(&mut self, call: &'static str) {
        if !self.loading_hangs {
            tracing::error!(call, "NVIDIA driver does not come back from being initialised");
        }
        self.loading_hangs = true;
        self.driver = DriverState::Starting;
    }

    /// Names those that are stuck and answers for them; starts those again that died.
    fn look_after_workers(&mut self, now: Millis) {
        let mut unreachable = Vec::new();
        for seat in &mut self.seats {
            seat.restart_if_dead(now, &self.common);
            if seat.has_got_stuck(now, self.call_deadline) {
                unreachable.extend(seat.slot.unanswered());
            }
        }
        for request in unreachable {
            self.answer(request, Verdict::Unreachable);
        }
    }

    /// A request goes to its worker even if that is stuck: it will be met as soon as the driver lets go.
    fn pass_on(&mut self, request: Request) {
        let (replaced, reachable) = match self.seat(request.throttle.gpu) {
            Some(seat) => (seat.slot.put(request), !seat.is_hung()),
            None => (None, false),
        };
        if let Some(replaced) = replaced {
            self.answer(replaced, Verdict::Superseded);
        }
        if !reachable {
            self.answer(request, Verdict::Unreachable);
        }
    }

    fn answer(&mut self, request: Request, verdict: Verdict) {
        if self.is_current(request.connection) {
            let outcome = Outcome { of: request.sequence, gpu: request.throttle.gpu, verdict };
            self.say(&Frame::Outcome(outcome));
        }
    }

    fn hear_worker(&mut self, index: u8) {
        if let Some(seat) = self.seat(index) {
            seat.heard();
        }
        self.say_sample(index, self.common.clock.now());
    }

    fn welcome(&mut self, connection: Connection, now: Millis) {
        if self.client.is_some() {
            self.drop_client(&Ended::Replaced);
        }
        tracing::info!(connection = connection.id, "agent connected");
        self.client = Some(connection);
        self.said = None;
        self.introduce(now);
    }

    /// Who serves, and then every GPU in order, read or not.
    fn introduce(&mut self, now: Millis) {
        self.say_hello(now);
        self.all_indices().for_each(|index| self.say_sample(index, now));
    }

    /// Says what nobody has said for a while: a stuck worker's readings, growing older, and the driver's state.
    fn say_again(&mut self, now: Millis) {
        self.say_hello(now);
        let patience = self.common.period.get() * 3 / 2;
        for index in self.all_indices() {
            if self.seat(index).is_some_and(|seat| now.since(seat.said_at).get() > patience) {
                self.say_sample(index, now);
            }
        }
    }

    fn say_hello(&mut self, now: Millis) {
        let hello = Hello {
            gpu_count: u8::try_from(self.seats.len()).unwrap_or(u8::MAX),
            driver: self.driver,
            may_throttle: self.common.permitted.load(Ordering::Relaxed),
        };
        if self.said.is_none_or(|(said, at)| said != hello || now.since(at) >= HELLO) {
            self.said = Some((hello, now));
            self.say(&Frame::Hello(hello));
        }
    }

    fn say_sample(&mut self, index: u8, now: Millis) {
        let Some(seat) = self.seat(index) else { return };
        seat.said_at = now;
        let sample = seat.look(now);
        self.say(&Frame::Sample(sample));
    }

    fn say(&mut self, frame: &Frame) {
        if let Some(Err(ended)) = self.client.as_mut().map(|client| client.send(frame)) {
            self.drop_client(&ended);
        }
    }

    fn drop_client(&mut self, ended: &Ended) {
        self.client = None;
        match ended {
            Ended::Closed | Ended::Replaced => tracing::info!(%ended, "agent disconnected"),
            Ended::Stuck | Ended::Malformed(_) | Ended::WrongDirection | Ended::Io(_) => {
                self.broken += 1;
                tracing::warn!(%ended, broken = self.broken, "connection to the agent dropped");
            }
        }
    }

    /// Lets the workers give limits back if the agent's last word allows it, and waits for those that can.
    fn leave(&mut self) {
        let now = self.common.clock.now();
        let restore = self.common.pulse.may_restore_at_stop(now);
        self.client = None;
        self.seats.iter().for_each(|seat| seat.slot.leave(restore));
        let give_up_at = now + self.call_deadline;
        while restore && self.seats.iter().any(|seat| !seat.left && !seat.is_hung()) {
            let left = give_up_at.since(self.common.clock.now());
            match self.queue.recv_timeout(Duration::from_millis(left.get())) {
                Ok(Event::Left(index)) => self.seat(index).into_iter().for_each(|seat| seat.left = true),
                Ok(_) if left > Millis::ZERO => {}
                Ok(_) | Err(_) => break,
            }
        }
        let stuck = self.seats.iter().filter(|seat| seat.is_hung()).count();
        tracing::info!(restore, stuck, "GPU process stops");
    }

    fn seat(&mut self, index: u8) -> Option<&mut Seat> {
        self.seats.get_mut(usize::from(index))
    }

    fn all_indices(&self) -> impl Iterator<Item = u8> + use<> {
        (0..u8::MAX).take(self.seats.len())
    }

    fn is_current(&self, connection: u64) -> bool {
        self.client.as_ref().is_some_and(|client| client.id == connection)
    }
}

fn millis(duration: Duration) -> Millis {
    Millis::new(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
