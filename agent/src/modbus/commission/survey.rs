//! One look at every device, for people who commission a node: who is there, what it says, what protects it.
//!
//! ```text
//!   for each wire at the same time, for each of its devices in turn:
//!     connect ─► identity ─► presets ─► watchdog ─► every point once        (reads only, never a write)
//! ```

use std::sync::Arc;
use std::time::Duration;

use eisbach_protocol::registers::{PollClass, Signal};
use eisbach_protocol::units::Millis;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Inspection, Protection, RegisterCheck, inspect};
use crate::clock::Clock;
use crate::modbus::bus::{Bus, Connector, Span};
use crate::modbus::device::DeviceSettings;
use crate::modbus::poller::Poller;
use crate::modbus::probe::{ProbeError, identify};
use crate::modbus::session::{Broken, Failure, Line, Session};
use crate::modbus::state::{Cells, LinkCounters};
use crate::modbus::wire::{Wire, WireConnector};

/// Reads for each point at most: a busy device is asked again, and a declined block is taken apart.
const READS_PER_POINT: usize = 6;
/// A wire that an answer was lost on is quiet for so many deadlines of the device before it goes on.
const QUIET_FACTOR: u32 = 2;
/// A busy device is never given longer than this before it is asked again.
const MOST_PAUSE_MS: u64 = 100;
/// However slow the device, what this look has just read is not stale.
const A_MINUTE: Millis = Millis::from_secs(60);

/// What one device said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeviceCheck {
    /// Its name in the configuration.
    pub name: String,
    /// The way to it.
    pub wire: String,
    /// Its Modbus unit.
    pub unit: u8,
    /// The profile it should fit.
    pub profile: String,
    /// Whether it answered at all.
    pub reached: bool,
    /// Whether it is the profile's device: nothing if it did not say, or the profile knows no identity.
    pub identity_ok: Option<bool>,
    /// What it is instead.
    pub stranger: Option<String>,
    /// Why the look ended early.
    pub error: Option<String>,
    /// What the agent would set after connecting.
    pub presets: Vec<PresetCheck>,
    /// The registers of its watchdog.
    pub watchdog: Vec<RegisterCheck>,
    /// What becomes of it when the agent falls silent.
    pub protection: Protection,
    /// Every point of the profile, read once.
    pub points: Vec<PointCheck>,
    /// How fast it answered.
    pub round_trips: RoundTrips,
}

/// A register that the agent sets after connecting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PresetCheck {
    /// The register, zero-based.
    pub address: u16,
    /// What it selects.
    pub meaning: String,
    /// What the agent would write.
    pub wanted: u16,
    /// What it holds now; nothing if it cannot be read.
    pub found: Option<u16>,
}

/// One point, read once.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PointCheck {
    /// What it means.
    pub signal: Signal,
    /// In the signal's unit; nothing if it is bad.
    pub value: Option<f32>,
    /// One word.
    pub quality: &'static str,
}

/// How fast a device answered, µs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RoundTrips {
    /// Requests sent.
    pub requests: u64,
    /// Of the last answered request.
    pub last_us: u64,
    /// Of the slowest answered request.
    pub longest_us: u64,
}

/// Looks at every device of `settings` once, writes nothing, and says what was found, in the same order.
///
/// Wires are looked at all at the same time; a device that does not answer costs its wire a few deadlines.
pub async fn probe_devices(settings: &[DeviceSettings], clock: Clock) -> Vec<DeviceCheck> {
    probe_devices_over(|wire| WireConnector::new(wire.clone()), settings, clock).await
}

/// As [`probe_devices`], over the wires that `connect` makes.
pub(in crate::modbus) async fn probe_devices_over<C: Connector + 'static>(
    connect: impl Fn(&Wire) -> C,
    settings: &[DeviceSettings],
    clock: Clock,
) -> Vec<DeviceCheck> {
    let mut tasks = JoinSet::new();
    let mut wires: Vec<&Wire> = Vec::new();
    for wire in settings.iter().map(|device| &device.wire) {
        if !wires.contains(&wire) {
            wires.push(wire);
            let on_it = |(_, device): &(usize, &DeviceSettings)| device.wire == *wire;
            let devices = settings.iter().enumerate().filter(on_it);
            let devices: Vec<_> = devices.map(|(place, device)| (place, Arc::new(device.clone()))).collect();
            let connector = connect(wire);
            tasks.spawn(async move {
                let mut checks = Vec::new();
                for (place, device) in devices {
                    checks.push((place, look(&connector, &device, clock).await));
                }
                checks
            });
        }
    }
    let mut checks: Vec<_> = settings.iter().map(blank).collect();
    while let Some(done) = tasks.join_next().await {
        for (place, check) in done.unwrap_or_default() {
            if let Some(cell) = checks.get_mut(place) {
                *cell = check;
            }
        }
    }
    checks
}

/// Nothing known yet.
fn blank(device: &DeviceSettings) -> DeviceCheck {
    DeviceCheck {
        name: device.name.clone(),
        wire: device.wire.to_string(),
        unit: device.unit,
        profile: device.profile.name.as_str().to_owned(),
        reached: false,
        identity_ok: None,
        stranger: None,
        error: None,
        presets: Vec::new(),
        watchdog: Vec::new(),
        protection: Protection::unseen(),
        points: Vec::new(),
        round_trips: RoundTrips::default(),
    }
}

async fn look<C: Connector>(connector: &C, device: &Arc<DeviceSettings>, clock: Clock) -> DeviceCheck {
    let mut check = blank(device);
    let mut counters = LinkCounters::default();
    match connector.connect().await {
        Ok(bus) => {
            let limits = &device.profile.link;
            sleep(Duration::from_millis(limits.post_connect_ms.into())).await;
            let mut line = Line::new(bus);
            let mut session = Session::new(&mut line, device.unit, limits, clock, &mut counters);
            if let Err(why) = ask(&mut check, &mut session, device, clock).await {
                check.error = Some(why);
                // Its answer may yet come, and must not be in the way of the next device.
                sleep(Duration::from_millis(limits.timeout_ms.into()) * QUIET_FACTOR).await;
            }
        }
        Err(error) => check.error = Some(error.to_string()),
    }
    let LinkCounters { requests, timeouts, broken, latency_last_us, latency_max_us, .. } = counters;
    check.reached = requests > timeouts + broken;
    check.round_trips = RoundTrips { requests, last_us: latency_last_us, longest_us: latency_max_us };
    check
}

/// Fills in `check`; an error says what ended it early.
async fn ask<B: Bus>(
    check: &mut DeviceCheck,
    session: &mut Session<'_, B>,
    device: &Arc<DeviceSettings>,
    clock: Clock,
) -> Result<(), String> {
    match identify(session, &device.profile).await {
        Ok(()) => check.identity_ok = device.profile.identity.as_ref().map(|_| true),
        Err(ProbeError::Stranger(stranger)) => {
            check.identity_ok = Some(false);
            check.stranger = Some(stranger.to_string());
            return Ok(());
        }
        Err(ProbeError::Failed(failure)) => return Err(failure.to_string()),
    }
    for preset in &device.profile.presets {
        let found = match session.read_one(Span::register(preset.address)).await {
            Ok(found) => Some(found),
            Err(Failure::Declined(_)) => None,
            Err(Failure::Broken(broken)) => return Err(broken.to_string()),
        };
        let (address, wanted, meaning) = (preset.address, preset.value, preset.meaning.as_str().to_owned());
        check.presets.push(PresetCheck { address, meaning, wanted, found });
    }
    let Inspection { registers, protection } =
        inspect(session, &device.profile).await.map_err(|broken| broken.to_string())?;
    (check.watchdog, check.protection) = (registers, protection);
    let outcome = read_all(check, session, device, clock).await;
    outcome.map_err(|broken| broken.to_string())
}

/// Every point once, by the same reads, decoding and judgement as in operation.
async fn read_all<B: Bus>(
    check: &mut DeviceCheck,
    session: &mut Session<'_, B>,
    device: &Arc<DeviceSettings>,
    clock: Clock,
) -> Result<(), Broken> {
    let cells = Arc::new(Cells::waking(Arc::default(), clock.now()));
    let points = &device.profile.points;
    // With the longest period, each read is due only once, and the next is always one that was not made yet.
    let once = Arc::new(DeviceSettings { poll_ms: u64::MAX, ..DeviceSettings::clone(device) });
    let mut poller = Poller::new(once, Arc::clone(&cells), clock);
    let mut outcome = Ok(());
    for _ in 0..points.len() * READS_PER_POINT {
        let all_read = cells.image.borrow().points.iter().take(points.len()).all(Option::is_some);
        if all_read || outcome.is_err() {
            break;
        }
        if let Some(due) = poller.next(clock.now()) {
            sleep(Duration::from_millis(due.at.since(clock.now()).get().min(MOST_PAUSE_MS))).await;
        }
        outcome = poller.turn(session).await;
    }
    let now = clock.now();
    let image = cells.image.borrow();
    check.points = points
        .iter()
        .enumerate()
        .map(|(index, point)| {
            let reading = image.reading(index, device.limit(PollClass::Slow).max(A_MINUTE), now);
            PointCheck { signal: point.signal, value: reading.usable(), quality: reading.quality().as_str() }
        })
        .collect();
    outcome
}
