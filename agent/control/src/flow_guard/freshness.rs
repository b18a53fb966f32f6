//! The last samples: which are new, and what they were.

use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::Millis;
use heapless::Deque;
use serde::{Deserialize, Serialize};

/// Tells a new sample from an old one that is merely read again.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Freshness(Option<Millis>);

impl Freshness {
    pub(super) fn is_new<T>(&mut self, reading: &Reading<T>, now: Millis) -> bool {
        let taken = Millis::new(now.get().saturating_sub(reading.age().get()));
        // Two clocks round to milliseconds: a difference below 5 ms is the same sample.
        let new = self.0.is_none_or(|last| taken.since(last) >= Millis::new(5));
        if new {
            self.0 = Some(taken);
        }
        new
    }
}

/// Adds a value; the oldest one makes room for it.
pub(super) fn push<const N: usize>(ring: &mut Deque<f32, N>, value: f32) {
    if ring.is_full() {
        ring.pop_front();
    }
    let _room_was_made = ring.push_back(value);
}
