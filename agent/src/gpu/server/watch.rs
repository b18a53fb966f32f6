//! Which driver call a thread is inside, since when, and how long such calls have taken so far.
//!
//! ```text
//!   thread ── enter(name) ──► Inside … dropped ──► statistics of that name
//!                  │
//!   supervisor ◄── stuck(deadline)? ── names the call that has not come back
//! ```

use std::collections::BTreeMap;
use std::sync::Mutex;

use eisbach_protocol::gpu_link::{BUCKETS, CallStat};
use eisbach_protocol::units::Millis;

use crate::clock::Clock;
use crate::gpu::{fitted, lock};

/// Without persistence mode the driver wakes every GPU for this call, which takes seconds.
const WAKES_GPUS: (&str, Millis) = ("nvmlInit_v2", Millis::from_secs(15));

/// The calls of one GPU's worker, or of the loader.
#[derive(Debug)]
pub(super) struct CallWatch {
    clock: Clock,
    current: Mutex<Option<(&'static str, Millis)>>,
    /// By name of the call; names are constants of this program, so there are only so many.
    stats: Mutex<BTreeMap<&'static str, Stat>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Stat {
    calls: u64,
    failures: u64,
    total_us: u64,
    longest_us: u32,
    buckets: [u32; BUCKETS],
}

impl CallWatch {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, current: Mutex::new(None), stats: Mutex::default() }
    }

    /// Notes that `call` begins; it ends when the returned value is dropped.
    pub(super) fn enter(&self, call: &'static str) -> Inside<'_> {
        *lock(&self.current) = Some((call, self.clock.now()));
        Inside { watch: self, call, began_us: self.clock.micros(), failed: false }
    }

    /// The call that has not come back within `deadline`, if there is one.
    pub(super) fn stuck(&self, now: Millis, deadline: Millis) -> Option<&'static str> {
        let (call, since) = (*lock(&self.current))?;
        let deadline = if call == WAKES_GPUS.0 { deadline.max(WAKES_GPUS.1) } else { deadline };
        (now.since(since) > deadline).then_some(call)
    }

    /// The statistics of the call whose name follows `after`, in the order of names; of the first one after the last.
    pub(super) fn stat_after(
        &self,
        gpu: u8,
        after: Option<&'static str>,
    ) -> Option<(&'static str, CallStat)> {
        let stats = lock(&self.stats);
        let next = after.and_then(|after| stats.range(after..).find(|(name, _)| **name != after));
        let (name, stat) = next.or_else(|| stats.first_key_value())?;
        Some((name, stat.told(gpu, name)))
    }
}

impl Stat {
    fn count(&mut self, took_us: u64, failed: bool) {
        let took_us = u32::try_from(took_us).unwrap_or(u32::MAX);
        self.calls += 1;
        self.failures += u64::from(failed);
        self.total_us = self.total_us.saturating_add(took_us.into());
        self.longest_us = self.longest_us.max(took_us);
        let class = usize::try_from(u32::BITS - took_us.leading_zeros()).unwrap_or(BUCKETS).min(BUCKETS - 1);
        if let Some(bucket) = self.buckets.get_mut(class) {
            *bucket = bucket.saturating_add(1);
        }
    }

    fn told(&self, gpu: u8, name: &str) -> CallStat {
        CallStat {
            gpu,
            name: fitted(name),
            calls: self.calls,
            failures: self.failures,
            total_us: self.total_us,
            longest_us: self.longest_us,
            buckets: self.buckets,
        }
    }
}

/// A thread is inside a driver call.
#[derive(Debug)]
pub(super) struct Inside<'a> {
    watch: &'a CallWatch,
    call: &'static str,
    began_us: u64,
    failed: bool,
}

impl Inside<'_> {
    /// The call came back with an error.
    pub(super) const fn fail(&mut self) {
        self.failed = true;
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let took_us = self.watch.clock.micros().saturating_sub(self.began_us);
        *lock(&self.watch.current) = None;
        lock(&self.watch.stats).entry(self.call).or_default().count(took_us, self.failed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_stuck_from_its_deadline_until_it_comes_back() {
        let watch = CallWatch::new(Clock::start());
        let later = |ms| watch.clock.now() + Millis::new(ms);
        let inside = watch.enter("nvmlDeviceGetPowerUsage");
        assert_eq!(watch.stuck(later(0), Millis::new(60_000)), None);
        assert_eq!(watch.stuck(later(60_001), Millis::new(60_000)), Some("nvmlDeviceGetPowerUsage"));
        drop(inside);
        assert_eq!(watch.stuck(later(60_001), Millis::new(60_000)), None);
    }

    #[test]
    fn a_driver_that_wakes_its_gpus_is_given_its_time() {
        let watch = CallWatch::new(Clock::start());
        let now = watch.clock.now();
        let _inside = watch.enter("nvmlInit_v2");
        assert_eq!(watch.stuck(now + Millis::from_secs(10), Millis::from_secs(1)), None);
        assert_eq!(watch.stuck(now + Millis::from_secs(16), Millis::from_secs(1)), Some("nvmlInit_v2"));
    }

    #[test]
    fn statistics_are_told_name_by_name_and_round_again() {
        let watch = CallWatch::new(Clock::start());
        assert!(watch.stat_after(0, None).is_none());
        for name in ["b", "a", "c", "a"] {
            drop(watch.enter(name));
        }
        watch.enter("c").fail();
        let mut after = None;
        let told: Vec<_> = (0..4)
            .map(|_| {
                let (name, stat) = watch.stat_after(7, after).unwrap();
                after = Some(name);
                (stat.name.to_string(), stat.calls, stat.failures, stat.gpu)
            })
            .collect();
        assert_eq!(
            told,
            [("a", 2, 0), ("b", 1, 0), ("c", 2, 1), ("a", 2, 0)].map(|(n, c, f)| (n.to_owned(), c, f, 7))
        );
    }

    #[test]
    fn a_duration_counts_in_the_bucket_of_its_power_of_two() {
        let mut stat = Stat::default();
        for took_us in [0, 1, 2, 3, 1000, u64::MAX] {
            stat.count(took_us, false);
        }
        assert_eq!(stat.buckets[..3], [1, 1, 2]);
        assert_eq!((stat.buckets[10], stat.buckets[BUCKETS - 1]), (1, 1));
        assert_eq!(stat.longest_us, u32::MAX);
    }
}
