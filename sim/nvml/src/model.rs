//! The GPU models that can be simulated, and what tells them apart for an NVML caller.
//!
//! ```text
//!            absolute limits   T.Limit, margin   module power   power profiles, smoothing
//!   A100          yes                –                –                    –
//!   H100, H200    yes               yes               –                    –
//!   B200, B300    yes               yes               –                   yes
//!   GB200          –                yes              yes                  yes
//! ```

use std::fmt;
use std::str::FromStr;

use crate::shm::Features;
use crate::spec::{GpuSpec, Rating};

/// A GPU model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GpuModel {
    /// A100 SXM4 80 GB, 400 W.
    A100,
    /// H100 SXM 80 GB, 700 W.
    H100,
    /// H200 SXM, 700 W.
    #[default]
    H200,
    /// B200, 1000 W.
    B200,
    /// GB200: 1200 W beside a Grace processor.
    Gb200,
    /// B300, 1400 W.
    B300,
}

/// A word that is no model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{word}\" is no GPU model; known are {}", GpuModel::ALL.map(GpuModel::word).join(", "))]
pub struct UnknownModel {
    /// What was given.
    pub word: String,
}

impl GpuModel {
    /// Every model, oldest first.
    pub const ALL: [Self; 6] = [Self::A100, Self::H100, Self::H200, Self::B200, Self::Gb200, Self::B300];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::A100 => "a100",
            Self::H100 => "h100",
            Self::H200 => "h200",
            Self::B200 => "b200",
            Self::Gb200 => "gb200",
            Self::B300 => "b300",
        }
    }

    /// A GPU of this model, to be simulated.
    #[must_use]
    pub fn spec(self) -> GpuSpec {
        GpuSpec { name: self.product_name().to_owned(), seed: 0, rating: self.rating() }
    }

    /// Its limits and clocks.
    #[must_use]
    pub const fn rating(self) -> Rating {
        match self {
            Self::A100 => Rating::A100,
            Self::H100 => Rating::H100,
            Self::H200 => Rating::H200,
            Self::B200 => Rating::B200,
            Self::Gb200 => Rating::GB200,
            Self::B300 => Rating::B300,
        }
    }

    /// GPUs of a usual node: an HGX board has eight, a compute tray of an NVL72 rack four (NVIDIA's product
    /// pages).
    #[must_use]
    pub const fn gpus_per_node(self) -> usize {
        match self {
            Self::A100 | Self::H100 | Self::H200 | Self::B200 | Self::B300 => 8,
            Self::Gb200 => 4,
        }
    }

    const fn product_name(self) -> &'static str {
        match self {
            Self::A100 => "NVIDIA A100-SXM4-80GB",
            Self::H100 => "NVIDIA H100 80GB HBM3",
            Self::H200 => "NVIDIA H200",
            Self::B200 => "NVIDIA B200",
            Self::Gb200 => "NVIDIA GB200",
            Self::B300 => "NVIDIA B300",
        }
    }
}

/// What came with Ada, and what with Blackwell.
const SINCE_ADA: Features = Features::TEMPERATURE_LIMIT_FIELDS.with(Features::MARGIN_TEMPERATURE);
const SINCE_BLACKWELL: Features = Features::POWER_PROFILES.with(Features::POWER_SMOOTHING);

impl Rating {
    /// A100 SXM4 80 GB. It counts in absolute degrees only (`NVSentinel`, ADR-042), and its chip, GA100, has no
    /// power average (nvml.h). 400 W is its data sheet's; temperatures, clocks and lowest limit are estimates.
    pub const A100: Self = Self {
        architecture: 7,
        compute_capability: 80,
        pci_device_id: 0x20B2_10DE,
        power_min_watts: 100,
        power_default_watts: 400,
        power_max_watts: 400,
        module_watts: 0,
        sm_clock_min_mhz: 210,
        sm_clock_max_mhz: 1410,
        memory_clock_mhz: 1593,
        max_operating_celsius: 85,
        slowdown_celsius: 89,
        shutdown_celsius: 92,
        hbm_max_celsius: 95,
        memory_mib: 81_920,
        lacks: SINCE_ADA.with(SINCE_BLACKWELL).with(Features::MODULE_POWER).with(Features::POWER_AVERAGE),
    };

    /// H100 SXM 80 GB: temperatures and power limits from an `nvidia-smi -q` dump of such a board; clocks and
    /// the memory's limit are estimates.
    pub const H100: Self =
        Self { pci_device_id: 0x2330_10DE, memory_clock_mhz: 2619, memory_mib: 81_559, ..Self::H200 };

    /// H200 SXM: temperatures and power limits from an `nvidia-smi -q` dump of such a board (driver
    /// 550.90.12); the memory limit of 95 °C is an estimate.
    pub const H200: Self = Self {
        architecture: 9,
        compute_capability: 90,
        pci_device_id: 0x2335_10DE,
        power_min_watts: 200,
        power_default_watts: 700,
        power_max_watts: 700,
        module_watts: 0,
        sm_clock_min_mhz: 345,
        sm_clock_max_mhz: 1980,
        memory_clock_mhz: 3201,
        max_operating_celsius: 87,
        slowdown_celsius: 89,
        shutdown_celsius: 95,
        hbm_max_celsius: 95,
        memory_mib: 143_771,
        lacks: SINCE_BLACKWELL.with(Features::MODULE_POWER),
    };

    /// B200: temperatures, power limits, highest SM clock and the one memory clock from notes on eight such
    /// boards (driver 595.71.05); lowest clock and the memory's limit are estimates.
    pub const B200: Self = Self {
        architecture: 10,
        compute_capability: 100,
        pci_device_id: 0x2901_10DE,
        power_min_watts: 200,
        power_default_watts: 1000,
        power_max_watts: 1000,
        module_watts: 0,
        sm_clock_min_mhz: 345,
        sm_clock_max_mhz: 1965,
        memory_clock_mhz: 3996,
        max_operating_celsius: 88,
        slowdown_celsius: 91,
        shutdown_celsius: 93,
        hbm_max_celsius: 95,
        memory_mib: 183_359,
        lacks: Features::MODULE_POWER,
    };

    /// GB200: 1200 W and a slowdown 2 K beyond the margin (`NVSentinel`, ADR-042; Triton's kernel notes). NVML
    /// tells no absolute limits; those here, from which the margin is counted, are estimates, as are clocks
    /// and the lowest limit.
    pub const GB200: Self = Self {
        pci_device_id: 0x2941_10DE,
        power_default_watts: 1200,
        power_max_watts: 1200,
        module_watts: 100,
        sm_clock_max_mhz: 2055,
        max_operating_celsius: 87,
        slowdown_celsius: 89,
        shutdown_celsius: 95,
        memory_mib: 189_471,
        lacks: Features::TEMPERATURE_THRESHOLDS,
        ..Self::B200
    };

    /// B300: 1400 W and 288 GB are announced; all else is taken over from the B200, an estimate.
    pub const B300: Self = Self {
        compute_capability: 103,
        pci_device_id: 0x3182_10DE,
        power_default_watts: 1400,
        power_max_watts: 1400,
        memory_mib: 275_040,
        ..Self::B200
    };
}

impl fmt::Display for GpuModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for GpuModel {
    type Err = UnknownModel;

    fn from_str(word: &str) -> Result<Self, UnknownModel> {
        let known = Self::ALL.into_iter().find(|model| model.word() == word);
        known.ok_or_else(|| UnknownModel { word: word.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_reads_back_from_its_word_and_an_unknown_one_is_answered_with_all() {
        for model in GpuModel::ALL {
            assert_eq!(model.to_string().parse(), Ok(model));
        }
        let error = "h300".parse::<GpuModel>().unwrap_err().to_string();
        assert!(error.contains("a100") && error.contains("gb200"), "{error}");
    }

    #[test]
    fn limits_of_every_model_stand_in_order() {
        for rating in GpuModel::ALL.map(GpuModel::rating) {
            assert!(rating.power_min_watts < rating.power_default_watts);
            assert!(rating.power_default_watts <= rating.power_max_watts);
            assert!(rating.max_operating_celsius < rating.slowdown_celsius);
            assert!(rating.slowdown_celsius < rating.shutdown_celsius);
            assert_eq!((rating.sm_clock_max_mhz - rating.sm_clock_min_mhz) % 15, 0, "clocks in whole steps");
        }
    }
}
