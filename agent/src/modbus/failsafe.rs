//! Driving devices to their safe state once, when the service has stopped or cannot start.
//!
//! ```text
//!   for each device at the same time, until proven or the deadline:
//!     connect ─► identity ─► presets ─► write ─► read back ─► next write
//! ```
//!
//! It never fails as a whole: what one device does not take keeps no other from its safe state.

use std::fmt;
use std::time::Duration;

use eisbach_protocol::registers::{Control, Profile};
use eisbach_protocol::units::Millis;
use thiserror::Error;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::bus::Connector as _;
use super::device::DeviceSettings;
use super::gate::{Gate, Verdict, Wish};
use super::probe::{ProbeError, probe};
use super::session::{Proof, Session};
use super::state::{LinkCounters, Stranger};
use super::tcp::{TcpBus, TcpConnector};
use crate::clock::Clock;

/// Enough for a few attempts at a device that is just letting go of the service's own connection, and short enough
/// for a service manager that waits.
pub const DEADLINE: Duration = Duration::from_secs(2);
/// Between two attempts at the same device.
const PAUSE: Duration = Duration::from_millis(200);

/// One set-point that makes a device safe.
#[derive(Clone, Debug, PartialEq)]
pub struct SafeWrite {
    /// The device's name in the settings.
    pub device: String,
    /// What to set.
    pub control: Control,
    /// To what, in the control's unit.
    pub value: f32,
}

/// What became of one [`SafeWrite`].
#[derive(Debug)]
pub struct Outcome {
    /// What was to be done.
    pub write: SafeWrite,
    /// Whether the device was seen to hold it.
    pub result: Result<(), FailsafeError>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SafeWrite { device, control, value } = &self.write;
        match &self.result {
            Ok(()) => write!(f, "{device}: {control:?} = {value}: held"),
            Err(error) => write!(f, "{device}: {control:?} = {value}: {error}"),
        }
    }
}

/// Why a device may not be in its safe state.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum FailsafeError {
    /// No such device in the settings.
    #[error("no such device is configured; name one that is")]
    UnknownDevice,
    /// The profile does not have the control.
    #[error("its profile has no such control; choose another profile or control")]
    UnknownControl,
    /// The profile does not allow the value.
    #[error("the profile does not allow this value; choose one in its range")]
    OutOfRange,
    /// It is another device.
    #[error("not the device of its profile, nothing written: {0}")]
    Stranger(Stranger),
    /// Not proven before the deadline; the last reason.
    #[error("not proven in time: {0}")]
    Late(String),
}

/// Brings every device of `safe` to its safe state, all at the same time, each within `deadline`.
///
/// The outcomes come in the order of `safe`.
pub async fn drive_safe(settings: &[DeviceSettings], safe: &[SafeWrite], deadline: Duration) -> Vec<Outcome> {
    let mut tasks = JoinSet::new();
    for device in settings {
        let jobs: Vec<_> = jobs(safe, &device.name).collect();
        if !jobs.is_empty() {
            let device = device.clone();
            tasks.spawn(async move { drive_device(&device, jobs, deadline).await });
        }
    }
    let mut results: Vec<_> = safe.iter().map(|_| Err(FailsafeError::UnknownDevice)).collect();
    while let Some(done) = tasks.join_next().await {
        for job in done.unwrap_or_default() {
            if let (Some(cell), Some(result)) = (results.get_mut(job.place), job.result) {
                *cell = result;
            }
        }
    }
    safe.iter().cloned().zip(results).map(|(write, result)| Outcome { write, result }).collect()
}

fn jobs<'a>(safe: &'a [SafeWrite], device: &'a str) -> impl Iterator<Item = Job> + 'a {
    safe.iter().enumerate().filter(move |(_, write)| write.device == device).map(|(place, write)| Job {
        place,
        write: write.clone(),
        gate: Gate::default(),
        result: None,
    })
}

/// One write on its way.
struct Job {
    /// Its place in what was asked.
    place: usize,
    write: SafeWrite,
    gate: Gate,
    result: Option<Result<(), FailsafeError>>,
}

async fn drive_device(device: &DeviceSettings, mut jobs: Vec<Job>, deadline: Duration) -> Vec<Job> {
    let clock = Clock::start();
    let mut cause = "the device did not answer".to_owned();
    let _late = timeout(deadline, async {
        loop {
            if let Err(failure) = attempt(device, clock, &mut jobs).await {
                cause = failure;
            }
            if jobs.iter().all(|job| job.result.is_some()) {
                break;
            }
            sleep(PAUSE).await;
        }
    })
    .await;
    for job in &mut jobs {
        job.result.get_or_insert_with(|| Err(FailsafeError::Late(cause.clone())));
    }
    jobs
}

/// Does over one connection what is not yet done; an error says what came in the way.
async fn attempt(device: &DeviceSettings, clock: Clock, jobs: &mut [Job]) -> Result<(), String> {
    let connector = TcpConnector { address: device.address.clone() };
    let bus = connector.connect().await.map_err(|error| error.to_string())?;
    let mut session =
        Session::new(bus, device.unit, device.profile.timeout_ms, clock, LinkCounters::default());
    match probe(&mut session, &device.profile, &device.name).await {
        Ok(()) => {}
        Err(ProbeError::Stranger(stranger)) => {
            for job in jobs {
                job.result.get_or_insert_with(|| Err(FailsafeError::Stranger(stranger.clone())));
            }
            return Ok(());
        }
        Err(ProbeError::Failed(failure)) => return Err(failure.to_string()),
    }
    let mut outcome = Ok(());
    for job in jobs.iter_mut().filter(|job| job.result.is_none()) {
        outcome = outcome.and(job.advance(&mut session, &device.profile, clock.now()).await);
    }
    outcome
}

impl Job {
    /// Writes if the gate allows it now. On a broken session every further write fails at once.
    async fn advance(
        &mut self,
        session: &mut Session<TcpBus>,
        profile: &Profile,
        now: Millis,
    ) -> Result<(), String> {
        let Some(command) = profile.commands.iter().find(|command| command.control == self.write.control)
        else {
            self.result = Some(Err(FailsafeError::UnknownControl));
            return Ok(());
        };
        match self.gate.judge(command, Some(Wish { value: self.write.value, at: now }), now) {
            Verdict::Refused(_) => self.result = Some(Err(FailsafeError::OutOfRange)),
            Verdict::Wait(_) | Verdict::Closed => {}
            Verdict::Write(write) => {
                self.gate.attempt(write, now);
                let proof = session.set(command.address, write.word).await;
                if matches!(proof, Ok(Proof::Held)) {
                    self.result = Some(Ok(()));
                    return Ok(());
                }
                self.gate.doubt();
                return Err(proof.map_or_else(|failure| failure.to_string(), |other| other.to_string()));
            }
        }
        Ok(())
    }
}
