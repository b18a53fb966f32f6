//! Who is connected, and every message between them.
//!
//! ```text
//!   join ──► Membership ──► publish, subscribe, unsubscribe
//!                 │
//!                 ├── disconnect()            the will is discarded
//!                 └── dropped, taken over, cut    the will is published
//! ```
//!
//! One lock over everything and no waiting under it: a message is offered to each subscriber's bounded queue. A full
//! queue costs a QoS 0 message (counted); a QoS 1 message may not be lost in silence, so there the client is closed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rumqttc::{Connect, ConnectReturnCode, LastWill, Publish, QoS, SubscribeFilter, SubscribeReasonCode};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Limits;
use super::control::{BrokerStats, ConnectSeen, Observed};
use super::router::{self, Retained, Router};

/// Longest client id accepted, bytes.
const MAX_CLIENT_ID_BYTES: usize = 256;

/// What is out of order at the moment, by request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    pub(super) cut: bool,
    pub(super) frozen: bool,
    pub(super) connack_delay: Duration,
}

impl Faults {
    /// Whether sessions hold still. A cut ends even a frozen session.
    pub(super) const fn hold(&self) -> bool {
        self.frozen && !self.cut
    }
}

/// The meeting point of all sessions.
#[derive(Debug)]
pub(super) struct Hub {
    state: Mutex<State>,
    faults: watch::Sender<Faults>,
    limits: Limits,
}

#[derive(Debug)]
struct State {
    router: Router,
    members: BTreeMap<String, Member>,
    joined: u64,
    stats: BrokerStats,
    connects: VecDeque<ConnectSeen>,
    observers: broadcast::Sender<Observed>,
    observed: u64,
    limits: Limits,
}

#[derive(Debug)]
struct Member {
    /// Tells this connection from an older one under the same client id.
    number: u64,
    queue: mpsc::Sender<Publish>,
    will: Option<LastWill>,
    stop: CancellationToken,
}

/// A client's place in the hub, and the two things it listens to.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) membership: Membership,
    pub(super) queue: mpsc::Receiver<Publish>,
    pub(super) stop: CancellationToken,
}

impl Hub {
    pub(super) fn new(limits: Limits) -> Self {
        let state = State {
            router: Router::default(),
            members: BTreeMap::new(),
            joined: 0,
            stats: BrokerStats::default(),
            connects: VecDeque::new(),
            observers: broadcast::Sender::new(limits.observer_lag),
            observed: 0,
            limits,
        };
        Self { state: Mutex::new(state), faults: watch::Sender::new(Faults::default()), limits }
    }

    pub(super) const fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn faults(&self) -> watch::Receiver<Faults> {
        self.faults.subscribe()
    }

    pub(super) fn is_cut(&self) -> bool {
        self.faults.borrow().cut
    }

    pub(super) fn set_faults(&self, change: impl FnOnce(&mut Faults)) {
        self.faults.send_modify(change);
    }

    /// Ends every session, as if each client's network had failed.
    pub(super) fn dismiss_all(&self) {
        let mut state = self.lock();
        while let Some((client, member)) = state.members.pop_first() {
            state.part(&client, member);
        }
    }

    pub(super) fn observe(&self) -> broadcast::Receiver<Observed> {
        self.lock().observers.subscribe()
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut BrokerStats)) {
        change(&mut self.lock().stats);
    }

    pub(super) fn stats(&self) -> BrokerStats {
        let state = self.lock();
        BrokerStats { clients: state.members.len(), retained: state.router.retained_len(), ..state.stats }
    }

    pub(super) fn connects(&self) -> Vec<ConnectSeen> {
        self.lock().connects.iter().cloned().collect()
    }

    /// Takes a client in. An older connection under its id is closed first, and its will published.
    ///
    /// # Errors
    /// The return code for CONNACK if it is refused.
    pub(super) fn join(self: &Arc<Self>, connect: Connect) -> Result<Joined, ConnectReturnCode> {
        let mut state = self.lock();
        state.remember(&connect);
        // Read under the lock: a cut that is not seen here finds this member when it dismisses all.
        if self.is_cut() {
            return Err(ConnectReturnCode::ServiceUnavailable);
        }
        let id = connect.client_id;
        if id.len() > MAX_CLIENT_ID_BYTES || (id.is_empty() && !connect.clean_session) {
            return Err(ConnectReturnCode::BadClientId);
        }
        let number = state.joined;
        state.joined += 1;
        let id = if id.is_empty() { format!("anonymous-{number}") } else { id };
        if let Some(older) = state.members.remove(&id) {
            debug!(client = id, "taken over by a new connection under the same id");
            state.stats.takeovers += 1;
            state.part(&id, older);
        }
        let (sender, queue) = mpsc::channel(self.limits.queue);
        let stop = CancellationToken::new();
        let member = Member { number, queue: sender, will: connect.last_will, stop: stop.clone() };
        state.members.insert(id.clone(), member);
        Ok(Joined { membership: Membership { hub: Arc::clone(self), id, number }, queue, stop })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that is connected. Dropping it, for whatever reason, publishes the client's will.
///
/// Once taken over or cut it changes nothing any more, though its task may not have noticed yet.
#[derive(Debug)]
pub(super) struct Membership {
    hub: Arc<Hub>,
    id: String,
    number: u64,
}

impl Membership {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Passes a message on.
    pub(super) fn publish(&self, message: &Publish) {
        if let Some(mut state) = self.state() {
            state.stats.publishes_in += 1;
            state.publish(&self.id, message, false);
        }
    }

    /// Grants what is within bounds, and returns the retained messages that now follow.
    pub(super) fn subscribe(&self, filters: &[SubscribeFilter]) -> (Vec<SubscribeReasonCode>, Vec<Publish>) {
        let Some(mut state) = self.state() else {
            return (vec![SubscribeReasonCode::Failure; filters.len()], Vec::new());
        };
        let mut granted = Vec::new();
        let mut codes = Vec::new();
        for filter in filters {
            let qos = router::lower(filter.qos, QoS::AtLeastOnce);
            if state.router.subscribe(&self.id, &filter.path, qos, self.hub.limits.subscriptions) {
                granted.push(SubscribeFilter { path: filter.path.clone(), qos });
                codes.push(SubscribeReasonCode::Success(qos));
            } else {
                codes.push(SubscribeReasonCode::Failure);
            }
        }
        let retained = state.router.retained_for(&granted);
        state.stats.publishes_out += retained.len() as u64;
        (codes, retained)
    }

    pub(super) fn unsubscribe(&self, filters: &[String]) {
        if let Some(mut state) = self.state() {
            for filter in filters {
                state.router.unsubscribe(&self.id, filter);
            }
        }
    }

    /// The client said goodbye: its will is discarded.
    pub(super) fn disconnect(self) {
        if let Some(mut state) = self.state()
            && let Some(member) = state.members.get_mut(&self.id)
        {
            member.will = None;
        }
    }

    /// The hub's state, if this is still the connection that holds the client id.
    fn state(&self) -> Option<MutexGuard<'_, State>> {
        let state = self.hub.lock();
        let holds = state.members.get(&self.id).is_some_and(|member| member.number == self.number);
        holds.then_some(state)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        if let Some(mut state) = self.state()
            && let Some(member) = state.members.remove(&self.id)
        {
            state.part(&self.id, member);
        }
    }
}

impl State {
    /// Ends a member that has been taken out of the list: no subscription is left, and its will is published.
    fn part(&mut self, id: &str, member: Member) {
        member.stop.cancel();
        self.router.forget(id);
        if let Some(will) = member.will {
            self.stats.wills += 1;
            let mut message = Publish::from_bytes(will.topic, will.qos, will.message);
            message.retain = will.retain;
            self.publish(id, &message, true);
        }
    }

    fn publish(&mut self, from: &str, message: &Publish, will: bool) {
        self.show(from, message, will);
        if message.retain {
            let kept =
                self.router.retain(&message.topic, &message.payload, message.qos, self.limits.retained);
            match kept {
                Retained::Kept | Retained::Cleared => {}
                Retained::Refused => self.stats.retained_refused += 1,
            }
        }
        for (client, granted) in self.router.subscribers(&message.topic) {
            let Some(member) = self.members.get(client) else {
                continue;
            };
            let qos = router::lower(message.qos, granted);
            let copy = Publish { qos, retain: false, dup: false, pkid: 0, ..message.clone() };
            match member.queue.try_send(copy) {
                Ok(()) => self.stats.publishes_out += 1,
                // It is on its way out and will part by itself.
                Err(TrySendError::Closed(_)) => {}
                Err(TrySendError::Full(_)) if qos == QoS::AtMostOnce => self.stats.dropped += 1,
                Err(TrySendError::Full(_)) => {
                    if !member.stop.is_cancelled() {
                        warn!(client, "too slow for the QoS 1 messages it asked for, connection closed");
                        self.stats.too_slow += 1;
                    }
                    member.stop.cancel();
                }
            }
        }
    }

    fn show(&mut self, from: &str, message: &Publish, will: bool) {
        let observed = Observed {
            sequence: self.observed,
            client_id: from.to_owned(),
            topic: message.topic.clone(),
            payload: message.payload.clone(),
            qos: message.qos,
            retain: message.retain,
            will,
        };
        self.observed += 1;
        // An error only means that nobody watches.
        let _ = self.observers.send(observed);
    }

    fn remember(&mut self, connect: &Connect) {
        self.stats.connects += 1;
        if self.connects.len() >= self.limits.connects_remembered {
            self.connects.pop_front();
        }
        self.connects.push_back(ConnectSeen {
            client_id: connect.client_id.clone(),
            clean_session: connect.clean_session,
            keep_alive_seconds: connect.keep_alive,
            will: connect.last_will.clone(),
        });
    }
}
