//! What a simulated GPU is: its name, its ratings, its identity.

use std::ops::RangeInclusive;

use crate::model::GpuModel;
use crate::shm::Features;

/// A GPU to be simulated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuSpec {
    /// Product name as NVML reports it; at most 63 bytes.
    pub name: String,
    /// Makes the UUIDs and serial numbers of one simulated node differ from another's.
    pub seed: u64,
    /// Limits and clocks.
    pub rating: Rating,
}

impl GpuSpec {
    /// An H200 SXM.
    #[must_use]
    pub fn h200() -> Self {
        GpuModel::H200.spec()
    }

    /// The UUID that the GPU at `index` gets, in NVML's form: `GPU-` and a version 4 UUID.
    pub(crate) fn uuid(&self, index: usize) -> String {
        let high = mix(self.identity(index));
        let low = mix(high);
        let version_4 = high & 0xFFFF_FFFF_FFFF_0FFF | 0x4000;
        let variant_1 = low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000;
        format!(
            "GPU-{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            version_4 >> 32,
            version_4 >> 16 & 0xFFFF,
            version_4 & 0xFFFF,
            variant_1 >> 48,
            variant_1 & 0xFFFF_FFFF_FFFF
        )
    }

    /// The board serial that the GPU at `index` gets: 13 digits.
    pub(crate) fn serial(&self, index: usize) -> String {
        format!("165{:010}", mix(self.identity(index) ^ 0x5E12) % 10_000_000_000)
    }

    fn identity(&self, index: usize) -> u64 {
        mix(self.seed).wrapping_add(index as u64)
    }
}

/// Limits and clocks of a GPU model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rating {
    /// `NVML_DEVICE_ARCH_*`: 7 Ampere, 9 Hopper, 10 Blackwell.
    pub architecture: u32,
    /// CUDA compute capability, ten times the major plus the minor number.
    pub compute_capability: u32,
    /// PCI device id in the high half, vendor id (0x10DE) in the low half.
    pub pci_device_id: u32,
    /// Lowest power limit that may be set.
    pub power_min_watts: u32,
    /// Power limit after a driver load.
    pub power_default_watts: u32,
    /// Highest power limit that may be set.
    pub power_max_watts: u32,
    /// What the rest of a module draws beside the GPU; 0 where a GPU is its own module.
    pub module_watts: u32,
    /// Lowest SM clock; clocks go up from here in steps of 15 MHz.
    pub sm_clock_min_mhz: u32,
    /// Highest SM clock.
    pub sm_clock_max_mhz: u32,
    /// The one memory clock.
    pub memory_clock_mhz: u32,
    /// Core temperature at which the thermal margin is zero.
    pub max_operating_celsius: i32,
    /// Core temperature at which the hardware halves the clocks or worse.
    pub slowdown_celsius: i32,
    /// Core temperature at which the board switches itself off.
    pub shutdown_celsius: i32,
    /// Highest operating temperature of the memory.
    pub hbm_max_celsius: i32,
    /// Frame buffer.
    pub memory_mib: u32,
    /// What the model does not have, whatever the driver.
    pub lacks: Features,
}

impl Rating {
    /// Power limit after a driver load.
    #[must_use]
    pub const fn power_default_milliwatts(&self) -> u32 {
        self.power_default_watts.saturating_mul(1000)
    }

    /// Power limits that may be set.
    #[must_use]
    pub const fn power_range_milliwatts(&self) -> RangeInclusive<u32> {
        self.power_min_watts.saturating_mul(1000)..=self.power_max_watts.saturating_mul(1000)
    }
}

/// One step of `SplitMix64` (Steele, Lea, Flood 2014): scatters neighbouring numbers over all 64 bits.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_gpu_of_every_node_has_its_own_well_formed_uuid_and_serial() {
        let node = |seed| GpuSpec { seed, ..GpuSpec::h200() };
        let mut seen = BTreeSet::new();
        for seed in 0..4 {
            for index in 0..16 {
                let uuid = node(seed).uuid(index);
                assert_eq!(uuid, node(seed).uuid(index), "the same GPU keeps its UUID");
                let shape: Vec<usize> = uuid.split('-').map(str::len).collect();
                assert_eq!(shape, [3, 8, 4, 4, 4, 12], "{uuid}");
                assert_eq!(uuid.as_bytes()[18], b'4', "{uuid} is a version 4 UUID");
                assert!(b"89ab".contains(&uuid.as_bytes()[23]), "{uuid} has variant 1");
                assert!(seen.insert(uuid));

                let serial = node(seed).serial(index);
                assert_eq!(serial.len(), 13);
                assert!(seen.insert(serial));
            }
        }
    }
}
