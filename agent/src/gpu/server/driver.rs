//! What the server needs from a GPU driver, and nothing more. NVML implements it; so does the fake in the tests.
//!
//! ```text
//!   Load ──► Driver ─┬─ open(index) ──► Gpu ──► read, limits, clocks, switches
//!                    └─ events ──────► Events ──► wait
//!                                     │
//!                                     └── every call: CallWatch::enter(name) … left   (the supervisor looks on)
//! ```
//!
//! A call may never come back. Whoever implements these traits therefore enters the [`CallWatch`] before each
//! call, so that a stuck one can be named. When the last [`Driver`], [`Gpu`] and [`Events`] are dropped, the driver is
//! let go of: no file of it stays open.

use std::sync::Arc;
use std::time::Duration;

use eisbach_protocol::gpu_link::{EventKind, GpuHealth, GpuSample, Verdict};
use eisbach_protocol::units::{Megahertz, Millis, Watts};
use serde::{Deserialize, Serialize};

use super::watch::CallWatch;

/// Finds the driver. May block for ever.
pub(super) trait Load: Send + Sync + 'static {
    /// Loads and initialises the driver's library, and asks how many GPUs it lists.
    fn load(&self, watch: &CallWatch) -> Result<(Arc<dyn Driver>, u32), DriverError>;
}

/// The driver as a whole.
pub(super) trait Driver: Send + Sync {
    /// Its version; empty if it does not say.
    fn version(&self) -> heapless::String<32>;
    /// A fresh handle of one GPU.
    fn open(&self, index: u8, watch: Arc<CallWatch>) -> Result<Box<dyn Gpu>, DriverError>;
    /// Listens to what the first `gpus` GPUs have to tell.
    fn events(&self, gpus: u8) -> Result<Box<dyn Events>, DriverError>;
}

/// What the driver tells of its own accord.
pub(super) trait Events: Send {
    /// The next, or nothing within `limit`.
    fn wait(&mut self, limit: Duration) -> Result<Option<Happening>, DriverError>;
}

/// Something happened to a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Happening {
    /// Index of the GPU, if the driver says which.
    pub(super) gpu: Option<u8>,
    pub(super) kind: EventKind,
    /// The XID, or what the driver tells with this kind of event.
    pub(super) data: u64,
}

/// One GPU. Lives and dies on the thread of its worker.
pub(super) trait Gpu {
    /// Who it is and what may be set.
    fn card(&self) -> &Card;
    /// One batch of readings. Health, age and what we hold are the worker's to fill in.
    fn read(&mut self, now: Millis) -> Result<GpuSample, DriverError>;
    /// The power limit that was last requested in-band, by whomever.
    fn requested_limit(&mut self) -> Result<Milliwatts, DriverError>;
    /// Requests a power limit.
    fn set_power_limit(&mut self, limit: Milliwatts) -> Result<(), DriverError>;
    /// Locks the SM clock between the lowest possible and `highest`. Cannot be read back.
    fn lock_clock(&mut self, highest: ClockMhz) -> Result<(), DriverError>;
    /// Takes any clock lock away.
    fn unlock_clock(&mut self) -> Result<(), DriverError>;
    /// Whether a switch is on, whoever turned it.
    fn switch_is_on(&mut self, switch: Switch) -> Result<bool, DriverError>;
    /// Turns a switch.
    fn set_switch(&mut self, switch: Switch, on: bool) -> Result<(), DriverError>;
}

/// What some devices can be told besides limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Switch {
    /// The workload profile that favours little power over speed.
    LowPowerProfile,
    /// Smoothing of power steps.
    Smoothing,
}

impl Switch {
    /// Both.
    pub(super) const ALL: [Self; 2] = [Self::LowPowerProfile, Self::Smoothing];

    /// One stable word for logs.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::LowPowerProfile => "low_power_profile",
            Self::Smoothing => "power_smoothing",
        }
    }
}

/// What does not change while a handle lives.
#[derive(Clone, Debug, Default)]
pub(super) struct Card {
    /// The driver's identity of the device.
    pub(super) uuid: heapless::String<40>,
    /// Lowest and highest power limit, if the device has one at all.
    pub(super) limits: Option<(Milliwatts, Milliwatts)>,
    /// Lowest SM clock that can be locked, if the device says.
    pub(super) lowest_clock: Option<ClockMhz>,
    /// The switches that it has.
    pub(super) switches: Vec<Switch>,
}

/// Power as the driver counts it. Limits are compared for equality, which an `f32` would not survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Milliwatts(pub(super) u32);

impl Milliwatts {
    /// Rounded to the next milliwatt; what is not a positive number becomes zero.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates and turns NaN into zero, and zero is then raised to the device's lowest limit"
    )]
    pub(super) fn of(power: Watts) -> Self {
        Self((f64::from(power.get()) * 1000.0).round() as u32)
    }

    /// The same power in watts.
    #[expect(clippy::cast_possible_truncation, reason = "f32 resolves a kilowatt to 0.1 mW")]
    pub(super) fn watts(self) -> Watts {
        Watts::new((f64::from(self.0) / 1000.0) as f32)
    }
}

/// A clock frequency as the driver counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct ClockMhz(pub(super) u16);

impl ClockMhz {
    /// Rounded to the next megahertz; what is not a positive number becomes zero.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates and turns NaN into zero, and zero is then raised to the device's lowest clock"
    )]
    pub(super) fn of(clock: Megahertz) -> Self {
        Self(clock.get().round() as u16)
    }

    /// The same frequency with its unit.
    pub(super) fn megahertz(self) -> Megahertz {
        Megahertz::new(f32::from(self.0))
    }
}

/// A driver call that did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {fault}")]
pub(super) struct DriverError {
    /// The driver's name of the call.
    pub(super) call: &'static str,
    /// What came back.
    pub(super) fault: Fault,
}

/// Why a driver call failed, as far as it makes a difference here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("no NVIDIA driver or library: {0}")]
    Absent(String),
    #[error("the driver was replaced under this process, which must start anew")]
    Replaced,
    #[error("the GPU fell off the bus")]
    Lost,
    #[error("the GPU needs a reset")]
    ResetRequired,
    #[error("not supported by this device")]
    NotSupported,
    #[error("not permitted: the GPU process needs CAP_SYS_ADMIN")]
    NotPermitted,
    #[error("value out of range")]
    OutOfRange,
    #[error("{0}")]
    Other(String),
}

impl Fault {
    /// State of a GPU that answers so.
    pub(super) const fn health(&self) -> GpuHealth {
        match self {
            Self::Lost => GpuHealth::Lost,
            Self::ResetRequired => GpuHealth::ResetRequired,
            Self::Absent(_)
            | Self::Replaced
            | Self::NotSupported
            | Self::NotPermitted
            | Self::OutOfRange
            | Self::Other(_) => GpuHealth::Failed,
        }
    }

    /// Answer to a throttle request that met it.
    pub(super) const fn verdict(&self) -> Verdict {
        match self {
            Self::NotPermitted => Verdict::NotPermitted,
            Self::NotSupported | Self::OutOfRange => Verdict::Refused,
            Self::Absent(_) | Self::Replaced | Self::Lost | Self::ResetRequired | Self::Other(_) => {
                Verdict::Unreachable
            }
        }
    }

    /// Whether the handle is of no more use: only a fresh one can tell that the GPU is back.
    pub(super) const fn ends_handle(&self) -> bool {
        match self {
            Self::Absent(_) | Self::Replaced | Self::Lost | Self::ResetRequired => true,
            Self::NotSupported | Self::NotPermitted | Self::OutOfRange | Self::Other(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_power_that_is_no_number_is_no_power() {
        for power in [f32::NAN, f32::NEG_INFINITY, -1.0] {
            assert_eq!(Milliwatts::of(Watts::new(power)), Milliwatts(0));
            assert_eq!(ClockMhz::of(Megahertz::new(power)), ClockMhz(0));
        }
    }

    proptest! {
        #[test]
        fn a_limit_survives_the_way_to_the_agent_and_back(whole in 0_u32..4_000_000) {
            prop_assert_eq!(Milliwatts::of(Milliwatts(whole).watts()), Milliwatts(whole));
        }
    }
}
