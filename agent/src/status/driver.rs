//! The driver and how long its calls take, for the status document only: too much for a cycle.

use std::sync::Arc;

use eisbach_protocol::gpu_link::{BUCKETS, CallStat, DriverState, GpuSample};
use serde_json::{Value, json};

use crate::gpu::client::{GpuLink, LinkState};

/// The driver as the GPU process has told.
#[derive(Debug)]
pub(super) struct Driver {
    link: LinkState,
    state: DriverState,
    version: heapless::String<32>,
    may_throttle: bool,
    detached_left_ms: u64,
    gpus: Vec<Arc<GpuSample>>,
    calls: Vec<CallStat>,
}

impl Driver {
    /// As heard by now.
    pub(super) fn of(gpu: &GpuLink) -> Self {
        let view = gpu.view();
        Self {
            link: view.link,
            state: view.driver,
            version: view.driver_version,
            may_throttle: view.may_throttle,
            detached_left_ms: view.detached_left.get(),
            gpus: view.gpus.into_iter().map(|entry| entry.sample).collect(),
            calls: gpu.call_stats(),
        }
    }

    /// As JSON.
    pub(super) fn document(&self) -> Value {
        json!({
            "link": match self.link { LinkState::Up => "up", LinkState::Down => "down" },
            "state": self.state.as_str(),
            "version": self.version.as_str(),
            "may_throttle": self.may_throttle,
            "detached_left_ms": self.detached_left_ms,
            "gpus": self.gpus.iter().map(|sample| identity(sample)).collect::<Vec<_>>(),
            "calls": self.calls.iter().map(call).collect::<Vec<_>>(),
        })
    }
}

/// Which GPU this is, for those who know it by another name.
fn identity(sample: &GpuSample) -> Value {
    json!({ "gpu": sample.index, "name": sample.name.as_str(), "uuid": sample.uuid.as_str() })
}

fn call(stat: &CallStat) -> Value {
    json!({
        "gpu": stat.gpu,
        "name": stat.name.as_str(),
        "calls": stat.calls,
        "failures": stat.failures,
        "mean_us": stat.total_us.checked_div(stat.calls),
        "p50_us": below(stat, 50),
        "p99_us": below(stat, 99),
        "longest_us": stat.longest_us,
    })
}

/// The power of two below which at least `percent` of the calls were; `None` without calls, or in the last bucket.
fn below(stat: &CallStat, percent: u64) -> Option<u64> {
    let all: u64 = stat.buckets.iter().map(|count| u64::from(*count)).sum();
    let mut so_far = 0;
    let bucket = stat.buckets.iter().position(|count| {
        so_far += u64::from(*count);
        all > 0 && so_far * 100 >= all * percent
    })?;
    (bucket + 1 < BUCKETS).then(|| 1 << bucket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_told_as_the_power_of_two_above_it() {
        let mut stat = CallStat {
            gpu: 0,
            name: heapless::String::new(),
            calls: 100,
            failures: 0,
            total_us: 0,
            longest_us: 0,
            buckets: [0; BUCKETS],
        };
        assert_eq!(below(&stat, 50), None);
        (stat.buckets[4], stat.buckets[10]) = (98, 2);
        assert_eq!((below(&stat, 50), below(&stat, 99)), (Some(16), Some(1024)));
        stat.buckets[BUCKETS - 1] = 1000;
        assert_eq!(below(&stat, 99), None, "the last bucket has no end");
    }
}
