//! Workload power profiles as sets: bit N is profile N.

/// Full performance.
pub(crate) const MAX_P: u32 = 0;
/// Most work for the energy.
pub(crate) const MAX_Q: u32 = 1;
/// Work that computes.
const COMPUTE: u32 = 2;
/// Work that waits for memory.
const MEMORY_BOUND: u32 = 3;

/// The profiles there are; NVML's numbers go on beyond.
pub(crate) const OFFERED: u32 = 1 << MAX_P | 1 << MAX_Q | 1 << COMPUTE | 1 << MEMORY_BOUND;

/// The profiles that cannot hold together with `profile`: full performance and efficiency exclude each other.
pub(crate) const fn excluded_by(profile: u32) -> u32 {
    match profile {
        MAX_P => 1 << MAX_Q,
        MAX_Q => 1 << MAX_P,
        _ => 0,
    }
}

/// What holds of what was asked for: the lower number has the higher priority. Estimate; NVIDIA lets each
/// driver say.
pub(crate) const fn enforced(requested: u32) -> u32 {
    let held = requested & OFFERED;
    if held & 1 << MAX_P == 0 { held } else { held & !excluded_by(MAX_P) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_performance_wins_over_efficiency_and_the_rest_stays() {
        assert_eq!(enforced(1 << MAX_Q | 1 << COMPUTE), 1 << MAX_Q | 1 << COMPUTE);
        assert_eq!(enforced(1 << MAX_P | 1 << MAX_Q | 1 << COMPUTE), 1 << MAX_P | 1 << COMPUTE);
        assert_eq!(enforced(1 << 9), 0);
    }
}
