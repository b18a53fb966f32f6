//! Alarms about GPUs that are not the controller's: what they report, and who else sets their limits.

use std::sync::Arc;

use eisbach_protocol::alarm::Alarm;
use eisbach_protocol::gpu_link::{GpuSample, RecoveryAction};
use eisbach_protocol::units::Millis;

use crate::gpu::client::GpuView;
use crate::report::{Cycle, SLOW_STALE};

/// A change by somebody else stands as an alarm for this long after the last one.
const FOREIGN_STANDS: Millis = Millis::from_secs(600);
/// So does an error that a GPU reported, unless it tells that something must be done: that stands until it is.
const ERROR_STANDS: Millis = Millis::from_secs(600);

/// Sets every alarm of this file to how things stand.
pub fn tell(cycle: &mut Cycle, memory: &mut Memory, view: &GpuView, now: Millis) {
    let all = || view.gpus.iter().map(|entry| &entry.sample);
    // What a GPU told before it fell silent, or before the driver was let go, is no alarm for ever.
    let samples = || view.gpus.iter().filter(|entry| entry.age(now) <= SLOW_STALE).map(|entry| &entry.sample);
    let foreign = samples().any(|sample| u64::from(sample.foreign_age_ms) < FOREIGN_STANDS.get());
    cycle.set_alarm(Alarm::ForeignLimit, foreign);
    cycle.set_alarm(Alarm::GpuMarginDoubtful, samples().any(|sample| sample.margin_doubtful));
    cycle.set_alarm(Alarm::PersistenceOff, samples().any(|sample| sample.persistence.value() == Some(false)));
    let reported = view.errors.iter().any(|(_, at)| now.since(*at) < ERROR_STANDS);
    let ailing = samples().any(needs_a_person);
    cycle.set_alarm(Alarm::GpuError, reported || ailing || memory.new_xid(all(), now));
}

/// Errors that came while nobody listened are in the samples' counters.
#[derive(Debug, Default)]
pub struct Memory {
    xids: Option<u32>,
    last: Option<Millis>,
}

impl Memory {
    fn new_xid<'a>(&mut self, samples: impl Iterator<Item = &'a Arc<GpuSample>>, now: Millis) -> bool {
        let count = samples.fold(0_u32, |sum, sample| sum.saturating_add(sample.xid_count));
        if count > self.xids.unwrap_or(0) {
            self.last = Some(now);
        }
        self.xids = Some(count);
        self.last.is_some_and(|last| now.since(last) < ERROR_STANDS)
    }
}

/// Whether a GPU says that something must be done about it.
fn needs_a_person(sample: &Arc<GpuSample>) -> bool {
    let action = match sample.recovery_action.value() {
        None | Some(RecoveryAction::None) => false,
        Some(
            RecoveryAction::Reset
            | RecoveryAction::Reboot
            | RecoveryAction::DrainPeers
            | RecoveryAction::DrainAndReset
            | RecoveryAction::Other,
        ) => true,
    };
    let rows = sample.remapped_rows.value().is_some_and(|rows| rows.pending || rows.failed);
    action || rows || sample.ecc_uncorrected.value().is_some_and(|errors| errors > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use eisbach_protocol::gpu_link::Field;

    #[test]
    fn i11_an_alarm_does_not_stand_on_what_a_silent_gpu_once_told() {
        let sample = GpuSample {
            persistence: Field::fresh(false),
            margin_doubtful: true,
            foreign_age_ms: 0,
            ..GpuSample::default()
        };
        let view = GpuView::of_one(sample);
        let (mut cycle, mut memory) = (Cycle::default(), Memory::default());
        let alarms = [Alarm::PersistenceOff, Alarm::GpuMarginDoubtful, Alarm::ForeignLimit];
        for (second, stands) in [(1, true), (31, false)] {
            tell(&mut cycle, &mut memory, &view, Millis::from_secs(second));
            assert_eq!(alarms.map(|alarm| cycle.alarm(alarm)), [stands; 3], "after {second} s");
        }
    }
}
