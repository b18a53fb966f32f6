//! How far apart two attempts to reach a device are, from start to start.
//!
//! ```text
//!   attempt   0     1     2     3     4 …
//!   apart   100   200   400   800   800 ms, each × 0.5 to 1
//! ```
//!
//! A connection that lived longer than that is tried again at once. The cap keeps the promise that a device which
//! is back is found within a second; the jitter keeps the nodes of a rack from knocking all at the same moment.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use eisbach_protocol::units::Millis;

const FIRST_MS: u64 = 100;
/// Doublings from the first to the cap of 800 ms.
const DOUBLINGS: u32 = 3;

/// The time from the start of attempt number `attempt` to the start of the next, the same for the same `who`.
pub(super) fn apart(who: &str, attempt: u32) -> Millis {
    jitter(who, attempt, FIRST_MS << attempt.min(DOUBLINGS))
}

/// Half of `full_ms` to all of it, the same for the same `who` and `attempt`.
pub(super) fn jitter(who: &str, attempt: u32, full_ms: u64) -> Millis {
    let mut hasher = DefaultHasher::new();
    (who, attempt).hash(&mut hasher);
    Millis::new(full_ms / 2 + hasher.finish() % (full_ms / 2 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_nodes_do_not_knock_at_the_same_moments() {
        let beat = |who| (0..10).map(|attempt| apart(who, attempt)).collect::<Vec<_>>();
        assert_ne!(beat("node7 pump"), beat("node8 pump"));
        assert_eq!(beat("node7 pump"), beat("node7 pump"));
    }

    proptest! {
        #[test]
        fn attempts_are_never_a_flood_and_never_more_than_the_cap_apart(who in ".*", attempt in any::<u32>()) {
            let apart = apart(&who, attempt).get();
            prop_assert!((50..=800).contains(&apart));
        }
    }
}
