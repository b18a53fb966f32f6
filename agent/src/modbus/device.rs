//! The cycle's handle to one device. Nothing here waits.

use std::sync::Arc;

use eisbach_protocol::reading::{BadReason, Reading};
use eisbach_protocol::registers::{Control, Profile, Signal};
use eisbach_protocol::units::Millis;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::gate::Wish;
use super::link::Link;
use super::state::{Cells, LinkCounters, LinkState, Phase, Sample, Verified};
use super::tcp::TcpConnector;
use crate::clock::Clock;

/// Polling faster than this loads the device and tells nothing new.
const SHORTEST_POLL_MS: u64 = 10;

/// What the configuration says about one device.
#[derive(Clone, Debug)]
pub struct DeviceSettings {
    /// Name for logs, for example `pump`.
    pub name: String,
    /// `host:port`. An IP address needs no name service to be there.
    pub address: String,
    /// Modbus unit.
    pub unit: u8,
    /// What the device means.
    pub profile: Profile,
    /// Time between two reads of the same point, ms; 100 for control data. Never below 10.
    pub poll_ms: u64,
    /// A value older than this is stale, ms.
    pub stale_ms: u64,
}

impl DeviceSettings {
    pub(super) fn period(&self) -> Millis {
        Millis::new(self.poll_ms.max(SHORTEST_POLL_MS))
    }
}

/// One device as the cycle sees it.
#[derive(Clone, Debug)]
pub struct DeviceLink {
    pub(super) cells: Arc<Cells>,
    settings: Arc<DeviceSettings>,
    clock: Clock,
}

/// Starts the link to one device on `tasks`. It ends when `token` is cancelled.
pub fn spawn(
    tasks: &mut JoinSet<()>,
    settings: DeviceSettings,
    clock: Clock,
    token: CancellationToken,
) -> DeviceLink {
    let settings = Arc::new(settings);
    let cells = Arc::new(Cells::new(clock.now()));
    let connector = TcpConnector { address: settings.address.clone() };
    let link = Link::new(Arc::clone(&settings), Arc::clone(&cells), clock, connector);
    tasks.spawn(async move {
        token.run_until_cancelled(link.run()).await;
    });
    DeviceLink { cells, settings, clock }
}

impl DeviceLink {
    /// The latest value of `signal` with its quality and its age at `now`.
    ///
    /// A value that is not renewed grows old and then stale, whatever the link's state, and keeps its number for
    /// worst-case extrapolation. Without any value the reading says why: the profile does not have the signal, it
    /// was not read yet, the device is out of reach, or it is another device.
    #[must_use]
    pub fn reading(&self, signal: Signal, now: Millis) -> Reading<f32> {
        let points = &self.settings.profile.points;
        let Some(index) = points.iter().position(|point| point.signal == signal) else {
            return Reading::bad(BadReason::NotSupported);
        };
        let image = self.cells.image.borrow();
        match image.points.get(index).copied().flatten() {
            Some(Sample { outcome: Ok(value), at }) => Reading::measured(value, now.since(at))
                .aged(Millis::ZERO, Millis::new(self.settings.stale_ms)),
            Some(Sample { outcome: Err(reason), .. }) => Reading::bad(reason),
            None if matches!(image.state.phase, Phase::Refused(_)) => Reading::bad(BadReason::ConfigError),
            None if image.lost => Reading::bad(BadReason::CommLost),
            None => Reading::bad(BadReason::NeverRead),
        }
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
        let Some(index) = self.index(control) else {
            return;
        };
        let wish = Wish { value, at: self.clock.now() };
        self.cells.wishes.send_modify(|wishes| {
            if let Some(cell) = wishes.get_mut(index) {
                *cell = Some(wish);
            }
        });
    }

    /// The last set-point that the device was seen to hold. Nothing before the first, after one that it did not
    /// take, and after the connection was lost.
    #[must_use]
    pub fn readback(&self, control: Control) -> Option<Verified> {
        let index = self.index(control)?;
        self.cells.image.borrow().verified.get(index).copied().flatten()
    }

    fn index(&self, control: Control) -> Option<usize> {
        self.settings.profile.commands.iter().position(|command| command.control == control)
    }
}
