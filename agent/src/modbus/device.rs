//! The cycle's handle to one device, and the start of all wires. Nothing here waits.
//!
//! ```text
//!   settings ─► by wire ─► one task each ─► one unit for each device on it
//!                                                ▲
//!                              DeviceLink ── cells ┘
//! ```

use std::path::PathBuf;
use std::sync::Arc;

use eisbach_protocol::reading::{BadReason, Reading};
use eisbach_protocol::registers::{Authority, Control, MAX_COMMANDS, PollClass, Profile, Signal};
use eisbach_protocol::units::Millis;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::bus::Connector;
use super::commander::Commander;
use super::commission::Protection;
use super::endpoint::{Endpoint, Unit};
use super::gate::Wish;
use super::ledger::Budgets;
use super::plan::period_of;
use super::state::{Cells, LinkCounters, LinkState};
use super::wire::{Wire, WireConnector};
use super::write_state::{Heartbeats, Verified, WriteState};
use crate::clock::Clock;

/// Polling faster than this loads the device and tells nothing new.
const SHORTEST_POLL_MS: u64 = 10;

/// What the configuration says about one device.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceSettings {
    /// Name for logs, for example `pump`.
    pub name: String,
    /// The way to it. Devices with equal wires share one connection.
    pub wire: Wire,
    /// Modbus unit.
    pub unit: u8,
    /// What the device means.
    pub profile: Profile,
    /// Time between two reads of the same fast point, ms; 100 for control data. Never below 10.
    pub poll_ms: u64,
    /// A fast value older than this is stale, ms. A slow one may be older by the time between its reads.
    pub stale_ms: u64,
}

impl DeviceSettings {
    pub(super) fn period(&self) -> Millis {
        Millis::new(self.poll_ms.max(SHORTEST_POLL_MS))
    }

    /// Age from which a point of `class` is stale.
    pub(super) fn limit(&self, class: PollClass) -> Millis {
        match class {
            PollClass::Fast => Millis::new(self.stale_ms),
            PollClass::Slow => Millis::new(self.stale_ms) + period_of(class, self.period()),
        }
    }

    /// Whether both mean the same device in the same way.
    fn is_same_device(&self, other: &Self) -> bool {
        (&self.wire, self.unit, &self.profile) == (&other.wire, other.unit, &other.profile)
    }
}

/// One device as the cycle sees it.
#[derive(Clone, Debug)]
pub struct DeviceLink {
    pub(super) cells: Arc<Cells>,
    settings: Arc<DeviceSettings>,
    clock: Clock,
}

/// Starts a task for each wire of `settings` on `tasks`; they end when `token` is cancelled. The links come in the
/// order of `settings`.
///
/// Two settings with the same wire, unit and profile share one device, which is then polled as often as the more
/// eager of them asks. Daily write budgets are kept in `state_dir`; without one they do not outlive the process.
#[must_use]
pub fn spawn_all(
    tasks: &mut JoinSet<()>,
    settings: Vec<DeviceSettings>,
    state_dir: Option<PathBuf>,
    clock: Clock,
    token: &CancellationToken,
) -> Vec<DeviceLink> {
    let budgets = match state_dir {
        Some(state_dir) => Budgets::start(tasks, &state_dir, token.clone()),
        None => Budgets::in_memory(),
    };
    let connect = |wire: &Wire| WireConnector::new(wire.clone());
    spawn_over(connect, tasks, settings, &budgets, clock, token)
}

/// As [`spawn_all`], over the wires that `connect` makes.
pub(super) fn spawn_over<C: Connector + 'static>(
    connect: impl Fn(&Wire) -> C,
    tasks: &mut JoinSet<()>,
    settings: Vec<DeviceSettings>,
    budgets: &Budgets,
    clock: Clock,
    token: &CancellationToken,
) -> Vec<DeviceLink> {
    let mut links = Vec::new();
    let mut wires: Vec<Group> = Vec::new();
    for settings in settings {
        let place = wires.iter().position(|group| group.wire == settings.wire).unwrap_or(wires.len());
        if place == wires.len() {
            let wire = settings.wire.clone();
            wires.push(Group { wire, wake: Arc::default(), devices: Vec::new() });
        }
        if let Some(group) = wires.get_mut(place) {
            links.push(group.link(settings, clock));
        }
    }
    for Group { wire, wake, devices } in wires {
        let units = devices.into_iter().map(|(settings, cells)| {
            let settings = Arc::new(settings);
            let commander = Commander::new(Arc::clone(&settings), Arc::clone(&cells), clock, budgets);
            Unit::new(settings, cells, commander, clock)
        });
        let endpoint = Endpoint::new(connect(&wire), wire.to_string(), units.collect(), wake, clock);
        let token = token.clone();
        tasks.spawn(async move {
            token.run_until_cancelled(endpoint.run()).await;
        });
    }
    links
}

/// The devices of one wire.
struct Group {
    wire: Wire,
    wake: Arc<Notify>,
    devices: Vec<(DeviceSettings, Arc<Cells>)>,
}

impl Group {
    fn link(&mut self, settings: DeviceSettings, clock: Clock) -> DeviceLink {
        let shared = self.devices.iter_mut().find(|(other, _)| other.is_same_device(&settings));
        let cells = match shared {
            Some((other, cells)) => {
                other.poll_ms = other.poll_ms.min(settings.poll_ms);
                Arc::clone(cells)
            }
            None => {
                let cells = Arc::new(Cells::waking(Arc::clone(&self.wake), clock.now()));
                self.devices.push((settings.clone(), Arc::clone(&cells)));
                cells
            }
        };
        DeviceLink { cells, settings: Arc::new(settings), clock }
    }
}

impl DeviceLink {
    /// The latest value of `signal` with its quality and its age at `now`.
    ///
    /// A value that is not renewed grows old and then stale, whatever the link's state, and keeps its number for
    /// worst-case extrapolation. Without any value the reading says why: the profile does not have the signal, it
    /// was not read yet, the device is out of reach, or it is another device.
    #[must_use]
    pub fn reading(&self, signal: Signal, now: Millis) -> Reading<f32> {
        let mut points = self.settings.profile.points.iter().enumerate();
        let Some((index, point)) = points.find(|(_, point)| point.signal == signal) else {
            return Reading::bad(BadReason::NotSupported);
        };
        let reading = self.cells.image.borrow().reading(index, self.settings.limit(point.poll), now);
        // A frozen device goes on answering, with what it knew last.
        if self.heartbeats().ignored { reading.doubted() } else { reading }
    }

    /// Where the link stands.
    #[must_use]
    pub fn state(&self) -> LinkState {
        self.cells.image.borrow().state.clone()
    }

    /// What the link has done since start.
    #[must_use]
    pub fn counters(&self) -> LinkCounters {
        self.cells.image.borrow().counters
    }

    /// What becomes of the device when the agent falls silent.
    #[must_use]
    pub fn protection(&self) -> Protection {
        self.cells.image.borrow().protection.clone()
    }

    /// Whether other agents ask the same device, each in its own slot.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.settings.profile.authority == Authority::Slot
    }

    /// Whether the device has this control.
    #[must_use]
    pub fn has(&self, control: Control) -> bool {
        self.index(control).is_some()
    }

    /// Asks the device for `value`, in the control's unit. The latest request wins; a control that the device does
    /// not [have](Self::has) is ignored.
    ///
    /// To be called in every cycle: the link repeats a request to the device only as long as the cycle renews it, so
    /// that a device's watchdog sees a hung cycle. One second without renewal ends it.
    pub fn request(&self, control: Control, value: f32) {
        if let Some(index) = self.index(control) {
            self.cells.wish(index, Wish { value, at: self.clock.now() });
        }
    }

    /// Cycle number `count` is complete, counted from one. Nothing else lets a device's heartbeat go on.
    pub fn beat(&self, count: u64) {
        self.cells.beat(count);
    }

    /// What became of the writes for `control`; nothing if the device does not have it.
    #[must_use]
    pub fn write_state(&self, control: Control) -> Option<WriteState> {
        let index = self.index(control)?;
        self.cells.image.borrow().writes.get(index).copied()
    }

    /// What became of the writes, for each command of the profile in its order.
    #[must_use]
    pub fn write_states(&self) -> heapless::Vec<WriteState, MAX_COMMANDS> {
        let commands = self.settings.profile.commands.len();
        self.cells.image.borrow().writes.iter().copied().take(commands).collect()
    }

    /// What became of the heartbeats to the device.
    #[must_use]
    pub fn heartbeats(&self) -> Heartbeats {
        self.cells.image.borrow().heartbeats
    }

    /// The last set-point that the device was seen to hold. Nothing before the first, after one that it did not
    /// take, and after the connection was lost.
    #[must_use]
    pub fn readback(&self, control: Control) -> Option<Verified> {
        self.write_state(control)?.verified
    }

    #[cfg(test)]
    pub(super) fn unit(&self) -> u8 {
        self.settings.unit
    }

    fn index(&self, control: Control) -> Option<usize> {
        self.settings.profile.commands.iter().position(|command| command.control == control)
    }
}
