//! The carrier's task: feeds it with reports and with what the connection tells, leaves brokers, and ends it cleanly.
//!
//! Nothing here waits for the broker but the goodbye, and that has a limit.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use eisbach_protocol::units::Millis;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::carrier::Carrier;
use super::certificates::Identity;
use super::transport::{Client, Event, Left};
use crate::clock::Clock;
use crate::facility::FacilityState;
use crate::facility::face::{Moment, Next};
use crate::report::Report;

/// Longest wait for our goodbye to leave. After it the connection is dropped and the broker publishes the will.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// The carrier with its surroundings.
#[derive(Debug)]
pub(crate) struct CarrierTask {
    /// The carrier itself.
    pub(crate) carrier: Carrier<Client>,
    /// The newest report, none before the first. A slow broker skips those in between.
    pub(crate) reports: watch::Receiver<Option<Arc<Report>>>,
    /// From the connection.
    pub(crate) events: mpsc::Receiver<Event>,
    /// When it changes, the certificates were renewed.
    pub(crate) identity: watch::Receiver<Identity>,
    /// For the status faces.
    pub(crate) state: watch::Sender<FacilityState>,
    /// For the time of each step.
    pub(crate) clock: Clock,
    /// Renewed certificates come to all nodes at once; their new connections are spread over this.
    pub(crate) spread: Millis,
    /// Makes the place in it differ between nodes.
    pub(crate) client_id: String,
}

impl CarrierTask {
    /// Runs until the token is cancelled or the link is dropped, then says goodbye.
    pub(crate) async fn run(mut self, token: CancellationToken) {
        let mut renew_at = None;
        loop {
            tokio::select! {
                () = token.cancelled() => break,
                report = self.reports.changed() => match report {
                    Ok(()) => self.on_report(),
                    Err(_) => break,
                },
                event = self.events.recv() => match event {
                    Some(event) => {
                        if matches!(event, Event::Connected { .. }) {
                            self.identity.mark_unchanged();
                            renew_at = None;
                        }
                        self.on_event(event);
                    }
                    None => break,
                },
            }
            renew_at = renew_at.or_else(|| self.renewal());
            let renew = renew_at.is_some_and(|at| self.clock.now() >= at).then_some(Next::SameBroker);
            if let Some(next) = self.carrier.wants_to_leave().or(renew) {
                self.leave(next).await;
                renew_at = None;
            }
            self.tell_state();
        }
        drop(self.goodbye().await);
        self.carrier.lost();
        self.tell_state();
    }

    /// When to come back with renewed certificates, if there are any.
    fn renewal(&self) -> Option<Millis> {
        let online = self.carrier.state() != FacilityState::Offline;
        (online && self.identity.has_changed().unwrap_or(false)).then(|| {
            let mut hasher = DefaultHasher::new();
            self.client_id.hash(&mut hasher);
            self.clock.now() + Millis::new(hasher.finish() % self.spread.get().max(1))
        })
    }

    fn on_report(&mut self) {
        let report = self.reports.borrow_and_update().clone();
        if let Some(report) = report {
            self.carrier.report(report, self.now());
        }
    }

    fn on_event(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Connected { client, bd_seq } => self.carrier.connected(client, bd_seq, now),
            Event::Message(inbound) => self.carrier.message(&inbound, now),
            Event::Lost => self.carrier.lost(),
            // A goodbye whose wait was over.
            Event::Left(left) => {
                self.carrier.lost();
                left.again(Next::SameBroker);
            }
        }
    }

    /// Leaves this broker for the next.
    async fn leave(&mut self, next: Next) {
        let left = self.goodbye().await;
        self.carrier.lost();
        self.tell_state();
        info!(to = ?next, "left the broker, to come back");
        if let Some(left) = left {
            left.again(next);
        }
    }

    /// Last words, and the wait for them to leave. `None` if there is no connection, or none any more.
    async fn goodbye(&mut self) -> Option<Left> {
        if !self.carrier.stop(self.now()) {
            return None;
        }
        let waited = timeout(STOP_LIMIT, async {
            while let Some(event) = self.events.recv().await {
                match event {
                    Event::Connected { .. } | Event::Message(_) => {}
                    Event::Lost => return None,
                    Event::Left(left) => return Some(left),
                }
            }
            None
        });
        let waited = waited.await;
        match &waited {
            Ok(Some(_)) => info!("left the broker"),
            Ok(None) => {}
            Err(_) => warn!("the broker does not take our goodbye; its will tells of our end"),
        }
        waited.ok().flatten()
    }

    fn tell_state(&self) {
        let state = self.carrier.state();
        self.state.send_if_modified(|told| std::mem::replace(told, state) != state);
    }

    fn now(&self) -> Moment {
        Moment { at: self.clock.now(), wall_ms: Clock::wall_ms() }
    }
}
