//! What was broken when, and how long it took until every GPU had a lower power limit.
//!
//! Limits carry the plant time at which they were written, so the measure does not depend on when somebody looks.

use eisbach_nvml_sim::{Condition, GpuCell};
use serde::Serialize;

use super::event::{Event, Nature};

/// Most faults remembered.
const MOST: usize = 1000;
/// A limit that is written later than this does not count as an answer to the fault, ms.
const ANSWER_WITHIN_MS: u64 = 60_000;

/// One fault and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultRecord {
    /// The event's word.
    pub name: String,
    /// Plant time at which it happened, ms.
    pub at_ms: u64,
    /// From then until the last of all reachable GPUs had a lower limit written, ms; `None` if that did not happen.
    pub capped_ms: Option<u64>,
    #[serde(skip)]
    limits: Vec<Limit>,
}

/// A GPU's limit against the one before the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit {
    before_milliwatts: u32,
    lowered_at_ms: Option<u64>,
}

/// All faults so far.
#[derive(Clone, Debug, Default)]
pub struct FaultLog(Vec<FaultRecord>);

impl FaultLog {
    /// The faults, oldest first.
    #[must_use]
    pub fn records(&self) -> &[FaultRecord] {
        &self.0
    }

    /// An event happened at `now_ms`. Only faults are remembered.
    pub fn happened(&mut self, event: Event, now_ms: u64, gpus: &[GpuCell]) {
        match event.nature() {
            Nature::Mend | Nature::Change => return,
            Nature::Fault => {}
        }
        if self.0.len() < MOST {
            let limit = |gpu: &GpuCell| Limit {
                before_milliwatts: gpu.request().power_limit_milliwatts,
                lowered_at_ms: None,
            };
            let limits = gpus.iter().map(limit).collect();
            self.0.push(FaultRecord { name: event.to_string(), at_ms: now_ms, capped_ms: None, limits });
        }
    }

    /// Looks at the limits after one step.
    pub fn watch(&mut self, now_ms: u64, gpus: &[GpuCell]) {
        let recent = |record: &&mut FaultRecord| now_ms.saturating_sub(record.at_ms) <= ANSWER_WITHIN_MS;
        let open = self.0.iter_mut().rev().take_while(recent).filter(|record| record.capped_ms.is_none());
        open.for_each(|record| record.watch(gpus));
    }
}

impl FaultRecord {
    /// A record for tests of those who read it.
    #[cfg(test)]
    pub(crate) fn of_test(name: &str, at_ms: u64, capped_ms: Option<u64>) -> Self {
        Self { name: name.to_owned(), at_ms, capped_ms, limits: Vec::new() }
    }

    fn watch(&mut self, gpus: &[GpuCell]) {
        let mut last = Some(self.at_ms);
        for (limit, gpu) in self.limits.iter_mut().zip(gpus) {
            let request = gpu.request();
            let lower = request.power_limit_milliwatts < limit.before_milliwatts;
            if let (None, true, Some(written)) = (limit.lowered_at_ms, lower, request.power_limit_written_ms)
            {
                limit.lowered_at_ms = Some(written.max(self.at_ms));
            }
            let faults = gpu.faults();
            let reachable = faults.condition == Condition::Present && !faults.hangs;
            if reachable || limit.lowered_at_ms.is_some() {
                last = last.zip(limit.lowered_at_ms).map(|(last, at)| last.max(at));
            }
        }
        let any = self.limits.iter().any(|limit| limit.lowered_at_ms.is_some());
        self.capped_ms = last.filter(|_| any).map(|last| last - self.at_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eisbach_nvml_sim::{Faults, GpuSpec, SharedState};

    fn state() -> (tempfile::TempDir, SharedState) {
        let folder = tempfile::tempdir().unwrap();
        let specs = vec![GpuSpec::h200(); 3];
        let state = SharedState::create(&folder.path().join("nvml"), &specs).unwrap();
        (folder, state)
    }

    #[test]
    fn capped_is_when_the_last_gpu_got_its_lower_limit() {
        let (_folder, state) = state();
        let mut log = FaultLog::default();
        log.happened(Event::FlowLoss, 20_000, state.gpus());
        for (gpu, at_ms) in state.gpus().iter().zip([20_310, 20_290, 20_340]) {
            log.watch(20_300, state.gpus());
            assert_eq!(log.records()[0].capped_ms, None);
            gpu.request_power_limit(200_000, at_ms);
        }
        log.watch(20_400, state.gpus());
        assert_eq!(log.records()[0].capped_ms, Some(340));
    }

    #[test]
    fn the_first_lower_limit_counts_and_not_the_next_ones() {
        let (_folder, state) = state();
        let mut log = FaultLog::default();
        log.happened(Event::FlowLoss, 0, state.gpus());
        for at_ms in [100, 200, 300] {
            state.gpus().iter().for_each(|gpu| gpu.request_power_limit(200_000, at_ms));
            log.watch(at_ms, state.gpus());
        }
        assert_eq!(log.records()[0].capped_ms, Some(100));
    }

    #[test]
    fn a_higher_limit_is_no_answer_and_a_gpu_that_is_gone_is_not_waited_for() {
        let (_folder, state) = state();
        state.gpus().iter().for_each(|gpu| gpu.request_power_limit(300_000, 5));
        let mut log = FaultLog::default();
        log.happened(Event::GpuLost(2), 10, state.gpus());
        state.gpus()[2].set_faults(Faults { condition: Condition::Lost, ..Faults::default() });
        state.gpus()[0].request_power_limit(200_000, 20);
        state.gpus()[1].request_power_limit(400_000, 20);
        log.watch(30, state.gpus());
        assert_eq!(log.records()[0].capped_ms, None);
        state.gpus()[1].request_power_limit(250_000, 40);
        log.watch(50, state.gpus());
        assert_eq!(log.records()[0].capped_ms, Some(30));
    }

    #[test]
    fn mends_are_not_faults() {
        let (_folder, state) = state();
        let mut log = FaultLog::default();
        log.happened(Event::PumpOk, 0, state.gpus());
        assert!(log.records().is_empty());
    }
}
