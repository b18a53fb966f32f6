//! What the facility link has done so far, for the status faces.

use std::sync::atomic::{AtomicU64, Ordering};

/// A count that only rises.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// So many more.
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])+ $name:ident)+) => {
        /// The counts that the tasks of the link share.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $($(#[$doc])+ pub(crate) $name: Counter),+
        }

        impl Counters {
            /// The counts now.
            pub(crate) fn snapshot(&self) -> FacilityCounters {
                FacilityCounters { $($name: self.$name.get()),+ }
            }
        }

        /// Counts since the agent started.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
        pub struct FacilityCounters {
            $($(#[$doc])+ pub $name: u64),+
        }
    };
}

counters! {
    /// Messages given to the broker connection: births, data and deaths.
    published
    /// Messages that the broker connection did not take; what they say goes with the next report.
    refused
    /// Births published again within a session because a host asked.
    rebirths
    /// Connections that were made after the first.
    reconnects
    /// Messages from the broker that came faster than they could be looked at, or were too long.
    dropped
    /// Commands that were not obeyed.
    commands_refused
    /// Words of the primary host that were none.
    host_states_refused
    /// Values of the history that no host will see: there were too many, or their object is gone.
    history_dropped
    /// Events that were overwritten before a face could tell them.
    events_missed
    /// Connections whose `bdSeq` could not be written to disk first.
    bd_seq_unsaved
}
