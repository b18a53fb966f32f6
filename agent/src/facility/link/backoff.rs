//! When to try again: at once, then ever later up to a second, never all nodes at the same moment.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// Delays in milliseconds after the first, second, … failure in a row; the last one repeats. Short, because the
/// first message is due about a second after the broker is back, and a refused attempt costs next to nothing.
const DELAYS_MS: [u64; 4] = [0, 250, 500, 1000];
/// Up to a quarter is added, so that a thousand nodes do not knock together.
const JITTER_PARTS: u64 = 256;

/// Counts failures in a row and spreads the retries.
#[derive(Debug)]
pub(super) struct Backoff {
    who: String,
    failures: u64,
}

impl Backoff {
    /// `who` makes the jitter differ between nodes.
    pub(super) fn new(who: &str) -> Self {
        Self { who: who.to_owned(), failures: 0 }
    }

    /// How long to wait after one more failure.
    pub(super) fn next_delay(&mut self) -> Duration {
        let row = usize::try_from(self.failures).unwrap_or(usize::MAX).min(DELAYS_MS.len() - 1);
        let base = DELAYS_MS.get(row).copied().unwrap_or_default();
        let mut hasher = DefaultHasher::new();
        (&self.who, self.failures).hash(&mut hasher);
        self.failures = self.failures.saturating_add(1);
        Duration::from_millis(base + base * (hasher.finish() % JITTER_PARTS) / (4 * JITTER_PARTS))
    }

    /// It worked: the next failure is the first again.
    pub(super) const fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_retry_is_at_once_and_none_is_later_than_a_second_and_a_quarter() {
        let mut backoff = Backoff::new("node-7");
        assert_eq!(backoff.next_delay(), Duration::ZERO);
        let mut last = Duration::ZERO;
        for _ in 0..1000 {
            last = backoff.next_delay();
            assert!(last >= Duration::from_millis(250) && last < Duration::from_millis(1250));
        }
        assert!(last >= Duration::from_secs(1));
        backoff.reset();
        assert_eq!(backoff.next_delay(), Duration::ZERO);
    }

    #[test]
    fn nodes_that_fail_together_do_not_retry_together() {
        let third_retry = |node: u32| {
            let mut backoff = Backoff::new(&format!("node-{node}"));
            (0..4).map(|_| backoff.next_delay()).last()
        };
        let delays: std::collections::BTreeSet<_> = (0..100).map(third_retry).collect();
        assert!(delays.len() > 50);
    }
}
