//! Bytes on their way to the master, each with its time, never overtaking one another.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// Portions on the way at most: some 15 replies of the longest kind, byte by byte.
const MOST: usize = 4096;

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    queue: VecDeque<Delivery>,
    lost: u64,
}

#[derive(Debug)]
struct Delivery {
    /// Nothing to wait for but those before it.
    due: Option<Pin<Box<Sleep>>>,
    bytes: Vec<u8>,
}

impl Deliveries {
    /// Deliver as soon as those before it are delivered.
    pub(super) fn now(&mut self, bytes: Vec<u8>) {
        self.put(Delivery { due: None, bytes });
    }

    /// Deliver this much later than now. Needs a runtime with time.
    pub(super) fn after(&mut self, ms: u64, bytes: Vec<u8>) {
        self.put(Delivery { due: Some(Box::pin(sleep(Duration::from_millis(ms)))), bytes });
    }

    /// The next bytes when their time has come; without any, never. Cancel-safe.
    pub(super) async fn next(&mut self) -> Vec<u8> {
        match self.queue.front_mut() {
            None => pending().await,
            Some(Delivery { due: Some(due), .. }) => due.await,
            Some(Delivery { due: None, .. }) => {}
        }
        self.queue.pop_front().map_or_else(Vec::new, |delivery| delivery.bytes)
    }

    /// Portions lost.
    pub(super) const fn lost(&self) -> u64 {
        self.lost
    }

    /// What is beyond the bound is lost, as in a gateway whose queue is full.
    fn put(&mut self, delivery: Delivery) {
        if self.queue.len() < MOST {
            self.queue.push_back(delivery);
        } else {
            self.lost += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_late_holds_back_what_is_behind_it() {
        let mut deliveries = Deliveries::default();
        deliveries.now(vec![1]);
        deliveries.after(20, vec![2]);
        deliveries.now(vec![3]);
        for expected in 1..=3 {
            assert_eq!(deliveries.next().await, [expected]);
        }
    }

    #[tokio::test]
    async fn the_queue_is_bounded() {
        let mut deliveries = Deliveries::default();
        for _ in 0..2 * MOST {
            deliveries.now(vec![0]);
        }
        assert_eq!((deliveries.queue.len(), deliveries.lost()), (MOST, 4096));
    }
}
