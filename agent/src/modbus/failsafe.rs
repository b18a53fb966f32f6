//! Driving devices to their safe state once, when the service has stopped or cannot start; and handing them back to
//! their own regulation, for maintenance and when the agent is removed.
//!
//! ```text
//!   each wire at the same time, its devices in turns, until all is proven or the deadline:
//!     connect ─► identity ─► a person has it? ─► presets ─► look ─► write ─► read back
//!                                 │ yes
//!                                 └─► left to the local operator
//! ```
//!
//! It never fails as a whole: what one device does not take keeps no other from its safe state.

mod drive;

use std::fmt;
use std::time::Duration;

use eisbach_protocol::registers::Control;
use thiserror::Error;
use tokio::task::JoinSet;

use self::drive::{Device, drive_wire};
use super::bus::Connector;
use super::device::DeviceSettings;
use super::state::Stranger;
use super::wire::{Wire, WireConnector};

/// Enough for a few attempts at a device that is just letting go of the service's own connection, and short enough
/// for a service manager that waits.
pub const DEADLINE: Duration = Duration::from_secs(2);

/// One set-point that makes a device safe.
#[derive(Clone, Debug, PartialEq)]
pub struct SafeWrite {
    /// The device's name in the settings.
    pub device: String,
    /// What to set.
    pub control: Control,
    /// To what, in the control's unit; what the profile calls safe if nothing is given.
    pub value: Option<f32>,
}

/// What became of one [`SafeWrite`], or of one control's release.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The device's name in the settings.
    pub device: String,
    /// What was to be set.
    pub control: Control,
    /// To what.
    pub target: Target,
    /// Whether it came about.
    pub result: Result<(), FailsafeError>,
}

/// What a control was to be set to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// This value, in the control's unit; seen to be held.
    Value(f32),
    /// What the profile calls safe, but there is no such device or control.
    Unknown,
    /// Back to the device's own regulation; the device echoed it.
    Release,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, control, target, result } = self;
        write!(f, "{device}: {control:?}")?;
        match target {
            Target::Value(value) => write!(f, " = {value}")?,
            Target::Unknown => {}
            Target::Release => write!(f, " to its own regulation")?,
        }
        match (result, target) {
            (Ok(()), Target::Value(_) | Target::Unknown) => f.write_str(": held"),
            (Ok(()), Target::Release) => f.write_str(": taken"),
            (Err(error), _) => write!(f, ": {error}"),
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
    /// A person has it.
    #[error("left to the local operator, nothing written")]
    Local,
    /// Not proven before the deadline; the last reason.
    #[error("not proven in time: {0}")]
    Late(String),
}

/// Brings every device of `safe` to its safe state: wires at the same time, the devices of one wire in turns, each wire
/// within `deadline` for every device on it that is to be written to.
///
/// The outcomes come in the order of `safe`.
pub async fn drive_safe(settings: &[DeviceSettings], safe: &[SafeWrite], deadline: Duration) -> Vec<Outcome> {
    drive_safe_over(connector, settings, safe, deadline).await
}

/// Hands every device back to its own regulation where its profile knows how, within the same times.
///
/// The outcomes come in the order of `settings`. A device without such a thing has none.
pub async fn release_devices(settings: &[DeviceSettings], deadline: Duration) -> Vec<Outcome> {
    release_over(connector, settings, deadline).await
}

/// As [`drive_safe`], over the wires that `connect` makes.
pub(super) async fn drive_safe_over<C: Connector + 'static>(
    connect: impl Fn(&Wire) -> C,
    settings: &[DeviceSettings],
    safe: &[SafeWrite],
    deadline: Duration,
) -> Vec<Outcome> {
    let orders = safe.iter().map(|write| Order::safe(settings, write)).collect();
    drive_all(connect, settings, orders, deadline).await
}

/// As [`release_devices`], over the wires that `connect` makes.
pub(super) async fn release_over<C: Connector + 'static>(
    connect: impl Fn(&Wire) -> C,
    settings: &[DeviceSettings],
    deadline: Duration,
) -> Vec<Outcome> {
    let orders = settings.iter().enumerate().flat_map(|(place, device)| Order::releases(place, device));
    drive_all(connect, settings, orders.collect(), deadline).await
}

fn connector(wire: &Wire) -> WireConnector {
    WireConnector::new(wire.clone())
}

/// What is to be done, and what has become of it so far.
struct Order {
    /// The places of its device and its command, if there are such.
    place: Option<(usize, usize)>,
    outcome: Outcome,
}

impl Order {
    fn safe(settings: &[DeviceSettings], write: &SafeWrite) -> Self {
        let device = settings.iter().position(|device| device.name == write.device);
        let profile = device.and_then(|device| settings.get(device)).map(|device| &device.profile);
        let mut commands = profile.into_iter().flat_map(|profile| profile.commands.iter().enumerate());
        let command = commands.find(|(_, command)| command.control == write.control);
        let value = write.value.or_else(|| command.map(|(_, command)| command.safe));
        let error = match device {
            None => FailsafeError::UnknownDevice,
            Some(_) if command.is_none() => FailsafeError::UnknownControl,
            Some(_) => FailsafeError::unanswered(),
        };
        Self {
            place: device.zip(command.map(|(index, _)| index)),
            outcome: Outcome {
                device: write.device.clone(),
                control: write.control,
                target: value.map_or(Target::Unknown, Target::Value),
                result: Err(error),
            },
        }
    }

    fn releases(place: usize, device: &DeviceSettings) -> impl Iterator<Item = Self> {
        let commands = device.profile.commands.iter().enumerate();
        commands.filter(|(_, command)| command.release.is_some()).map(move |(index, command)| Self {
            place: Some((place, index)),
            outcome: Outcome {
                device: device.name.clone(),
                control: command.control,
                target: Target::Release,
                result: Err(FailsafeError::unanswered()),
            },
        })
    }
}

impl FailsafeError {
    fn unanswered() -> Self {
        Self::Late("the device did not answer".to_owned())
    }
}

async fn drive_all<C: Connector + 'static>(
    connect: impl Fn(&Wire) -> C,
    settings: &[DeviceSettings],
    orders: Vec<Order>,
    deadline: Duration,
) -> Vec<Outcome> {
    let mut wires: Vec<(&Wire, Vec<Device>)> = Vec::new();
    for (place, settings) in settings.iter().enumerate() {
        let device = Device::new(settings, place, &orders);
        match wires.iter_mut().find(|(wire, _)| *wire == &settings.wire) {
            _ if device.is_done() => {}
            Some((_, devices)) => devices.push(device),
            None => wires.push((&settings.wire, vec![device])),
        }
    }
    let mut tasks = JoinSet::new();
    for (wire, devices) in wires {
        let patience = deadline.saturating_mul(u32::try_from(devices.len()).unwrap_or(u32::MAX));
        tasks.spawn(drive_wire(connect(wire), devices, patience));
    }
    let mut outcomes: Vec<_> = orders.into_iter().map(|order| order.outcome).collect();
    while let Some(done) = tasks.join_next().await {
        for (place, result) in done.unwrap_or_default() {
            if let Some(outcome) = outcomes.get_mut(place) {
                outcome.result = result;
            }
        }
    }
    outcomes
}
