//! What may be wrong with a GPU, and what a GPU or a driver may lack.
//!
//! ```text
//!   a call ─► missing? ─► hangs? ─► blocks? ─► slow? ─► lost, to be reset? ─► not supported? ─► values
//!             driver      ─────────────────── Faults ──────────────────────    Faults, Rating    Faults
//! ```

use std::ops::BitOr;

/// What is wrong with one GPU. The default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Whether the GPU is there at all.
    pub condition: Condition,
    /// Calls on the GPU do not come back until this is cleared. Looking up its handle does.
    pub hangs: bool,
    /// Calls on the GPU write to the file that [`crate::BLOCK_FILE_ENV`] names, and wait for its disk. Where
    /// that file lies on a frozen file system, nothing ends such a call, SIGKILL neither.
    pub blocks: bool,
    /// Each call on the GPU takes this much longer.
    pub slow_ms: u32,
    /// Answered with `NVML_ERROR_NOT_SUPPORTED`, beside what the model lacks.
    pub unsupported: Features,
    /// A reading that stands still.
    pub frozen: Frozen,
    /// Readings are none that a sensor could give.
    pub implausible: bool,
    /// The GPU is split into MIG instances: utilisation is not told.
    pub mig: bool,
    /// ECC errors mended, beside those of the telemetry.
    pub ecc_corrected: u64,
    /// ECC errors not mended, beside those of the telemetry.
    pub ecc_uncorrected: u64,
    /// Rows of memory that were replaced.
    pub remapped: RemappedRows,
    /// What the driver asks to be done.
    pub recovery: Recovery,
}

/// Whether a GPU can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Yes.
    #[default]
    Present,
    /// It must be reset first: every call is answered with `NVML_ERROR_RESET_REQUIRED`.
    ResetRequired,
    /// It fell off the bus: every call, the handle lookup too, is answered with `NVML_ERROR_GPU_IS_LOST`.
    Lost,
}

/// Which of the two readings of the core's sensor stands still, at what the core had when the fault came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Frozen {
    /// None.
    #[default]
    Nothing,
    /// The temperature; the margin goes on.
    Temperature,
    /// The margin; the temperature goes on.
    Margin,
}

/// Rows of memory that were replaced by spare ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemappedRows {
    /// For errors that could be mended.
    pub corrected: u32,
    /// For errors that could not.
    pub uncorrected: u32,
    /// More will be replaced at the next reset.
    pub pending: bool,
    /// There was no spare row left.
    pub failed: bool,
}

/// What the driver asks to be done with a GPU: `NVML_GPU_RECOVERY_ACTION_*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recovery {
    /// Nothing.
    #[default]
    Nothing,
    /// Reset the GPU.
    Reset,
    /// Reboot the node.
    Reboot,
    /// Drain traffic between GPUs.
    DrainPeers,
    /// Drain the GPU, then reset it.
    DrainAndReset,
}

impl Recovery {
    const ALL: [Self; 5] = [Self::Nothing, Self::Reset, Self::Reboot, Self::DrainPeers, Self::DrainAndReset];

    /// NVML's number.
    pub(crate) const fn code(self) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::Reset => 1,
            Self::Reboot => 2,
            Self::DrainPeers => 3,
            Self::DrainAndReset => 4,
        }
    }

    /// An unknown number asks for the most.
    pub(super) fn of(code: u32) -> Self {
        Self::ALL.into_iter().find(|action| action.code() == code).unwrap_or(Self::Reboot)
    }
}

/// A set of abilities that a GPU or a driver may lack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features(pub(super) u32);

impl Features {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Field 82.
    pub const HBM_TEMPERATURE: Self = Self(1);
    /// `nvmlDeviceGetMarginTemperature` (absent before driver 570).
    pub const MARGIN_TEMPERATURE: Self = Self(1 << 1);
    /// `nvmlDeviceGetTemperatureV` (absent from older drivers).
    pub const TEMPERATURE_V: Self = Self(1 << 2);
    /// Fields 193 to 196 (absent before Ada).
    pub const TEMPERATURE_LIMIT_FIELDS: Self = Self(1 << 3);
    /// Fields 185 and 186.
    pub const POWER_FIELDS: Self = Self(1 << 4);
    /// Setting a power limit.
    pub const POWER_LIMIT: Self = Self(1 << 5);
    /// Locking clocks.
    pub const CLOCK_LOCK: Self = Self(1 << 6);
    /// Utilisation rates (absent with MIG).
    pub const UTILISATION: Self = Self(1 << 7);
    /// `nvmlDeviceGetTemperatureThreshold`.
    pub const TEMPERATURE_THRESHOLDS: Self = Self(1 << 8);
    /// The mean power of one second: field 185, and `nvmlDeviceGetPowerUsage`, which then tells power now.
    pub const POWER_AVERAGE: Self = Self(1 << 9);
    /// Power of the whole module, the processor too.
    pub const MODULE_POWER: Self = Self(1 << 10);
    /// Workload power profiles.
    pub const POWER_PROFILES: Self = Self(1 << 11);
    /// Power smoothing.
    pub const POWER_SMOOTHING: Self = Self(1 << 12);
    /// `nvmlDeviceGet…ClocksEventReasons`, newer than `…ClocksThrottleReasons`.
    pub const CLOCKS_EVENT_REASONS: Self = Self(1 << 13);
    /// `nvmlDeviceGetFieldValues`.
    pub const FIELD_VALUES: Self = Self(1 << 14);

    /// What drivers before 570 do not have.
    pub const NEWER_THAN_DRIVER_565: Self = Self::MARGIN_TEMPERATURE
        .with(Self::TEMPERATURE_V)
        .with(Self::CLOCKS_EVENT_REASONS)
        .with(Self::POWER_PROFILES)
        .with(Self::POWER_SMOOTHING);

    /// Whether all of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOr for Features {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.with(other)
    }
}
