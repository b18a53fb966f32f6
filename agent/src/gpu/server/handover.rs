//! Whether the GPUs can be left alone: while the driver is let go, nobody sees them and nobody can throttle them. Pure.
//!
//! ```text
//!   lost, needs a reset ──► in nobody's way: it may be the very reason
//!   hangs ────────────────► the driver cannot be let go
//!   margin unknown ───────► refused          margin small, or guarded ──► refused
//! ```

use eisbach_protocol::gpu_link::{Detach, GpuHealth, GpuSample, HandOver};
use eisbach_protocol::units::{Kelvin, Millis};

/// A GPU with less margin is working, or badly cooled: an idle one on 45 °C coolant has more (estimate).
const LEAST_MARGIN: Kelvin = Kelvin::new(30.0);
/// Readings older than this say nothing.
const OLDEST_MS: u32 = 2000;
/// Longest time that the GPUs may be left alone: a driver update with a reboot of every service on the way.
pub(super) const LONGEST: Millis = Millis::from_secs(4 * 3600);
/// Shortest that makes sense.
const SHORTEST: Millis = Millis::from_secs(1);

/// Why the driver is not let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Obstacle {
    pub(super) result: HandOver,
    pub(super) gpu: u8,
}

/// Whether the driver may be let go while its GPUs are as `samples` says.
pub(super) fn may_detach(
    asked: Detach,
    samples: impl IntoIterator<Item = GpuSample>,
) -> Result<(), Obstacle> {
    if !(SHORTEST..=LONGEST).contains(&Millis::new(asked.for_ms.into())) {
        return Err(Obstacle { result: HandOver::BadTime, gpu: 0 });
    }
    samples.into_iter().try_for_each(|sample| match obstacle(&sample) {
        Some(result) => Err(Obstacle { result, gpu: sample.index }),
        None => Ok(()),
    })
}

fn obstacle(sample: &GpuSample) -> Option<HandOver> {
    match sample.health {
        GpuHealth::Lost | GpuHealth::ResetRequired => None,
        GpuHealth::Hung => Some(HandOver::GpuHung),
        GpuHealth::Ok | GpuHealth::Unknown | GpuHealth::Failed => match sample.margin.value() {
            Some(margin) if sample.age_ms <= OLDEST_MS => {
                (sample.guarded || margin < LEAST_MARGIN).then_some(HandOver::GpuHot)
            }
            Some(_) | None => Some(HandOver::GpuUnseen),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eisbach_protocol::gpu_link::Field;

    fn gpu(index: u8, health: GpuHealth, margin: f32) -> GpuSample {
        GpuSample {
            index,
            health,
            margin: Field::fresh(Kelvin::new(margin)),
            age_ms: 100,
            ..GpuSample::default()
        }
    }

    fn refused(samples: Vec<GpuSample>) -> Option<(HandOver, u8)> {
        may_detach(Detach { for_ms: 60_000 }, samples).err().map(|obstacle| (obstacle.result, obstacle.gpu))
    }

    #[test]
    fn cool_gpus_may_be_left_alone_and_warm_ones_not() {
        assert_eq!(refused(vec![gpu(0, GpuHealth::Ok, 50.0)]), None);
        assert_eq!(
            refused(vec![gpu(0, GpuHealth::Ok, 50.0), gpu(1, GpuHealth::Ok, 25.0)]),
            Some((HandOver::GpuHot, 1))
        );
    }

    #[test]
    fn i01_a_gpu_whose_margin_is_not_known_is_not_left_alone() {
        let old = GpuSample { age_ms: 3000, ..gpu(2, GpuHealth::Ok, 50.0) };
        let unread = GpuSample { margin: Field::Unread, ..gpu(2, GpuHealth::Unknown, 0.0) };
        for unseen in [old, unread] {
            assert_eq!(refused(vec![unseen]), Some((HandOver::GpuUnseen, 2)));
        }
    }

    #[test]
    fn a_gpu_that_is_gone_is_in_nobodys_way_and_one_that_hangs_is() {
        assert_eq!(refused(vec![gpu(0, GpuHealth::Lost, 0.0), gpu(1, GpuHealth::ResetRequired, 0.0)]), None);
        assert_eq!(refused(vec![gpu(3, GpuHealth::Hung, 50.0)]), Some((HandOver::GpuHung, 3)));
    }

    #[test]
    fn i13_nobody_lets_go_for_ever() {
        for for_ms in [0, 999, u32::MAX] {
            assert!(may_detach(Detach { for_ms }, []).is_err());
        }
    }
}
