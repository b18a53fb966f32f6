//! The faces of one connection, through its ups and downs. No I/O, no clock.
//!
//! ```text
//!             connected            all faces ready
//!   Offline ────────────► Connected ──────────────► Birthed ──┐ reports and messages go to the faces
//!      ▲                                              ▲ └─────┘
//!      │ lost, left                                   │
//!      └──────────────────────────────────────────────┘
//! ```
//!
//! The connection lives inside the state, so nothing can be published without one. Each face is greeted once a
//! connection, and its messages come back by the filters that it has subscribed, then or on a message.

use std::sync::Arc;

use tracing::debug;

use super::filter;
use super::transport::{Refused, Transport};
use crate::facility::FacilityState;
use crate::facility::counters::Counters;
use crate::facility::face::{Face, Inbound, Moment, Next, Outlet};
use crate::report::Report;

/// The faces and the connection, from the agent's start to its end.
#[derive(Debug)]
pub(crate) struct Carrier<T> {
    faces: Vec<Carried>,
    online: Option<Online<T>>,
    latest: Option<Arc<Report>>,
    counters: Arc<Counters>,
    connected_before: bool,
}

#[derive(Debug)]
struct Carried {
    face: Box<dyn Face>,
    filters: Vec<String>,
    /// Subscribed on this connection.
    greeted: bool,
}

#[derive(Debug)]
struct Online<T> {
    transport: T,
    bd_seq: u8,
    /// Somebody asked to leave, and it is still to be done.
    leave: Option<Next>,
}

impl<T: Transport> Carrier<T> {
    /// Offline, with these faces.
    pub(crate) fn new(faces: Vec<Box<dyn Face>>, counters: Arc<Counters>) -> Self {
        let faces =
            faces.into_iter().map(|face| Carried { face, filters: Vec::new(), greeted: false }).collect();
        Self { faces, online: None, latest: None, counters, connected_before: false }
    }

    /// Where it stands.
    pub(crate) fn state(&self) -> FacilityState {
        match &self.online {
            None => FacilityState::Offline,
            Some(_) if self.faces.iter().all(|carried| carried.face.is_ready()) => FacilityState::Birthed,
            Some(_) => FacilityState::Connected,
        }
    }

    /// A broker accepted a connection whose will carries `bd_seq`.
    pub(crate) fn connected(&mut self, transport: T, bd_seq: u8, now: Moment) {
        self.lost();
        if self.connected_before {
            self.counters.reconnects.count();
        }
        self.connected_before = true;
        self.online = Some(Online { transport, bd_seq, leave: None });
        self.advance(now);
    }

    /// The connection is gone.
    pub(crate) fn lost(&mut self) {
        if self.online.take().is_some() {
            for carried in &mut self.faces {
                carried.greeted = false;
                carried.face.lost();
            }
        }
    }

    /// The cycle has a new report.
    pub(crate) fn report(&mut self, report: Arc<Report>, now: Moment) {
        self.latest = Some(report);
        self.advance(now);
    }

    /// A message came for one of the faces. What follows from it is done with the next report, so that a flood of
    /// messages costs no more than looking at them.
    pub(crate) fn message(&mut self, inbound: &Inbound, now: Moment) {
        let Some(online) = &mut self.online else { return };
        let under = |carried: &&mut Carried| {
            carried.filters.iter().any(|filter| filter::matches(filter, &inbound.topic))
        };
        match self.faces.iter_mut().find(under) {
            Some(Carried { face, filters, .. }) => {
                face.message(inbound, now, &mut online.outlet(&self.counters, Some(filters)));
            }
            None => self.counters.commands_refused.count(),
        }
    }

    /// Leaves this broker, with everybody's last words. True if the transport took them; otherwise the caller drops
    /// the connection, and the broker publishes the will.
    pub(crate) fn stop(&mut self, now: Moment) -> bool {
        let Some(online) = &mut self.online else { return false };
        let mut greeted = self.faces.iter_mut().filter(|carried| carried.greeted);
        let words = greeted
            .try_for_each(|carried| carried.face.goodbye(now, &mut online.outlet(&self.counters, None)));
        words.is_ok() && online.transport.disconnect().is_ok()
    }

    /// Where to go next, if a face wants to leave this broker.
    pub(crate) const fn wants_to_leave(&self) -> Option<Next> {
        match &self.online {
            Some(online) => online.leave,
            None => None,
        }
    }

    /// Does what is due, as far as the transport takes it.
    fn advance(&mut self, now: Moment) {
        let Some(report) = self.latest.clone() else {
            self.greet();
            return;
        };
        self.greet();
        for carried in &mut self.faces {
            let outcome = match &mut self.online {
                Some(online) if carried.greeted && online.leave.is_none() => {
                    let mut outlet = online.outlet(&self.counters, None);
                    carried.face.report(&report, now, Some(&mut outlet))
                }
                Some(_) | None => carried.face.report(&report, now, None),
            };
            if outcome.is_err() {
                self.counters.refused.count();
            }
        }
    }

    fn greet(&mut self) {
        let Some(online) = &mut self.online else { return };
        for carried in self.faces.iter_mut().filter(|carried| !carried.greeted) {
            let mut outlet = online.outlet(&self.counters, Some(&mut carried.filters));
            match carried.face.connected(&mut outlet) {
                Ok(()) => {
                    debug!(face = carried.face.name(), "subscribed");
                    carried.greeted = true;
                }
                Err(Refused) => self.counters.refused.count(),
            }
        }
    }
}

impl<T: Transport> Online<T> {
    const fn outlet<'a>(
        &'a mut self,
        counters: &'a Counters,
        filters: Option<&'a mut Vec<String>>,
    ) -> Outlet<'a> {
        Outlet::new((&mut self.transport, self.bd_seq), counters, filters, &mut self.leave)
    }
}
