//! What can be done to GPUs, their driver and their calls: one word each.
//!
//! ```text
//!   word of the node            driver-gone
//!   word of a GPU   [-N]        gpu-frozen, gpu-frozen-3
//!   with a number   -N-NUMBER   gpu-xid-3-79, foreign-limit-0-500
//! ```

use super::event::Nature;

/// What happens to the driver, or to the calls of a whole node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeEvent {
    /// `nvmlInit` does not come back.
    InitHangs,
    /// Calls that CUDA 13 deprecates are gone.
    CallsDeprecated,
    /// Calls that are newer than driver 565 are gone.
    CallsMissing,
    /// Setters are refused.
    SettersDenied,
    /// The driver is unloaded.
    DriverGone,
    /// The driver is loaded again, with every limit forgotten.
    DriverBack,
    /// The driver is replaced by a newer one.
    DriverReplaced,
    /// Persistence mode is switched off, as somebody else might do.
    PersistenceOff,
    /// Persistence mode is switched on.
    PersistenceOn,
    /// Sensors neither stand still nor talk nonsense.
    SensorsOk,
    /// No GPU is split.
    MigOff,
}

impl NodeEvent {
    pub(super) const ALL: [Self; 11] = [
        Self::InitHangs,
        Self::CallsDeprecated,
        Self::CallsMissing,
        Self::SettersDenied,
        Self::DriverGone,
        Self::DriverBack,
        Self::DriverReplaced,
        Self::PersistenceOff,
        Self::PersistenceOn,
        Self::SensorsOk,
        Self::MigOff,
    ];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::InitHangs => "nvml-init-hang",
            Self::CallsDeprecated => "nvml-deprecated",
            Self::CallsMissing => "nvml-missing",
            Self::SettersDenied => "nvml-denied",
            Self::DriverGone => "driver-gone",
            Self::DriverBack => "driver-back",
            Self::DriverReplaced => "driver-replaced",
            Self::PersistenceOff => "persistence-off",
            Self::PersistenceOn => "persistence-on",
            Self::SensorsOk => "gpu-sensors-ok",
            Self::MigOff => "mig-off",
        }
    }

    pub(super) const fn nature(self) -> Nature {
        match self {
            Self::InitHangs
            | Self::CallsDeprecated
            | Self::CallsMissing
            | Self::SettersDenied
            | Self::DriverGone
            | Self::DriverReplaced
            | Self::PersistenceOff => Nature::Fault,
            Self::DriverBack | Self::PersistenceOn | Self::SensorsOk => Nature::Mend,
            Self::MigOff => Nature::Change,
        }
    }
}

/// What happens to one GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GpuFault {
    /// Calls take as long as with a dead GPU processor.
    Slow,
    /// Calls wait for a disk that may be frozen.
    Block,
    /// It must be reset.
    ResetRequired,
    /// A memory error was mended.
    EccCorrected,
    /// A memory error could not be mended; a row is to be replaced.
    EccUncorrected,
    /// The driver asks for a reset.
    Recovery,
    /// Its temperature stands still, its margin goes on.
    TemperatureFrozen,
    /// Its margin stands still, its temperature goes on.
    MarginFrozen,
    /// Its sensors talk nonsense.
    Implausible,
    /// It is split into instances.
    MigOn,
}

impl GpuFault {
    pub(super) const ALL: [Self; 10] = [
        Self::Slow,
        Self::Block,
        Self::ResetRequired,
        Self::EccCorrected,
        Self::EccUncorrected,
        Self::Recovery,
        Self::TemperatureFrozen,
        Self::MarginFrozen,
        Self::Implausible,
        Self::MigOn,
    ];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Slow => "nvml-slow",
            Self::Block => "nvml-block",
            Self::ResetRequired => "gpu-reset-required",
            Self::EccCorrected => "gpu-ecc-corrected",
            Self::EccUncorrected => "gpu-ecc",
            Self::Recovery => "gpu-recovery",
            Self::TemperatureFrozen => "gpu-frozen",
            Self::MarginFrozen => "margin-frozen",
            Self::Implausible => "gpu-nan",
            Self::MigOn => "mig-on",
        }
    }

    pub(super) const fn nature(self) -> Nature {
        match self {
            Self::MigOn => Nature::Change,
            Self::Slow
            | Self::Block
            | Self::ResetRequired
            | Self::EccCorrected
            | Self::EccUncorrected
            | Self::Recovery
            | Self::TemperatureFrozen
            | Self::MarginFrozen
            | Self::Implausible => Nature::Fault,
        }
    }
}

/// What happens to one GPU, with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GpuNumber {
    /// One critical error of this number.
    Xid,
    /// So many critical errors at once.
    XidStorm,
    /// Somebody else sets its power limit, W.
    ForeignLimit,
    /// A BMC limits its power, W; 0 for no longer.
    OutOfBandLimit,
}

impl GpuNumber {
    pub(super) const ALL: [Self; 4] = [Self::Xid, Self::XidStorm, Self::ForeignLimit, Self::OutOfBandLimit];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Xid => "gpu-xid",
            Self::XidStorm => "xid-storm",
            Self::ForeignLimit => "foreign-limit",
            Self::OutOfBandLimit => "oob-limit",
        }
    }

    pub(super) const fn nature(self) -> Nature {
        match self {
            Self::Xid | Self::XidStorm => Nature::Fault,
            Self::ForeignLimit | Self::OutOfBandLimit => Nature::Change,
        }
    }
}
