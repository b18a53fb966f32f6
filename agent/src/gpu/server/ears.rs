//! One thread that listens to what the driver tells of its own accord.
//!
//! ```text
//!   driver ── happening ──► error board (counts all) ── once a second a GPU ──► supervisor
//! ```

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::StopFlag;
use super::driver::Driver;
use super::supervisor::Event;
use super::worker::Common;

/// How long the thread waits in the driver at a time: that long it needs to end.
const WAIT: Duration = Duration::from_millis(500);
/// A driver that cannot be listened to is asked again after this.
const AGAIN: Duration = Duration::from_secs(3);

/// The thread and the way to end it.
pub(super) struct Ears {
    stop: StopFlag,
    thread: JoinHandle<()>,
}

impl Ears {
    /// Listens to the first `gpus` GPUs.
    pub(super) fn open(driver: &Arc<dyn Driver>, gpus: u8, common: &Arc<Common>) -> io::Result<Self> {
        let stop = StopFlag::default();
        let (driver, common, flag) = (Arc::clone(driver), Arc::clone(common), stop.clone());
        let thread = std::thread::Builder::new()
            .name("events".to_owned())
            .spawn(move || listen(&*driver, gpus, &common, &flag))?;
        Ok(Self { stop, thread })
    }

    /// Asks the thread to end.
    pub(super) fn close(&self) {
        self.stop.raise();
    }

    /// Whether it has ended because it was asked to.
    pub(super) fn have_closed_as_told(&self) -> bool {
        self.stop.is_raised() && self.are_closed()
    }

    /// Whether it has ended.
    pub(super) fn are_closed(&self) -> bool {
        self.thread.is_finished()
    }
}

fn listen(driver: &dyn Driver, gpus: u8, common: &Common, stop: &StopFlag) {
    let mut said = false;
    while !stop.is_raised() {
        let error = match driver.events(gpus) {
            Ok(mut events) => loop {
                if stop.is_raised() {
                    return;
                }
                match events.wait(WAIT) {
                    Ok(None) => said = false,
                    Ok(Some(happening)) => {
                        if let Some(event) = common.errors.count(happening, common.clock.now())
                            && common.events.send(Event::Happened(event)).is_err()
                        {
                            return;
                        }
                    }
                    Err(error) => break error,
                }
            },
            Err(error) => error,
        };
        if !said {
            tracing::warn!(%error, retry_s = AGAIN.as_secs(), "errors of GPUs cannot be listened to");
            said = true;
        }
        let _raised = stop.wait(AGAIN);
    }
}
