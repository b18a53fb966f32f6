//! What a face is: one way of telling the node to the world, and of hearing from it.
//!
//! ```text
//!                      ┌─ connected ─► subscribes ─┐
//!   one connection ────┤  report ────► publishes   ├──► Outlet ──► Transport
//!   (link)             │  message ───► asks        │      └──► leave: this broker is not the right one
//!                      └─ goodbye ───► last words ─┘
//! ```
//!
//! A face does no I/O and reads no clock. What the transport refuses has not happened: the face stays where it was
//! and tries again with the next report, a tenth of a second later.

use std::fmt::Debug;
use std::sync::Arc;

pub(crate) use eisbach_control::Moment;

use super::counters::Counters;
use super::link::{Delivery, Refused, Transport};
use crate::report::Report;

/// A message that came for us.
#[derive(Clone, Debug)]
pub(crate) struct Inbound {
    /// Where it was published.
    pub(crate) topic: String,
    /// What it says.
    pub(crate) payload: Vec<u8>,
    /// Kept by the broker from an unknown time ago.
    pub(crate) retained: bool,
}

/// Where to connect next, once this connection has been left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// To the same broker again, for instance with a renewed certificate.
    SameBroker,
    /// To the next one on the list.
    NextBroker,
}

/// The way out, for the time of one call.
#[derive(Debug)]
pub(crate) struct Outlet<'a> {
    transport: &'a mut dyn Transport,
    counters: &'a Counters,
    filters: Option<&'a mut Vec<String>>,
    leave: &'a mut Option<Next>,
    /// The number of this connection: `bdSeq` of the will that the broker holds.
    pub(crate) bd_seq: u8,
}

impl<'a> Outlet<'a> {
    /// To a connection. `filters` takes down what is subscribed.
    pub(super) const fn new(
        (transport, bd_seq): (&'a mut dyn Transport, u8),
        counters: &'a Counters,
        filters: Option<&'a mut Vec<String>>,
        leave: &'a mut Option<Next>,
    ) -> Self {
        Self { transport, counters, filters, leave, bd_seq }
    }

    /// Asks for the messages under a filter, acknowledged (`QoS` 1). They reach the face if it asks while
    /// [`Face::connected`] or [`Face::message`] runs.
    pub(crate) fn subscribe(&mut self, filter: &str) -> Result<(), Refused> {
        self.transport.subscribe(filter)?;
        self.take_down(filter);
        Ok(())
    }

    /// The same, as they come (`QoS` 0). A session that ends with its connection loses no more by it, and a cluster
    /// of NATS servers keeps no consumer for it: after the death of a server, such a one must be ended by a leader
    /// that is still to be elected before a client may come back.
    pub(crate) fn listen(&mut self, filter: &str) -> Result<(), Refused> {
        self.transport.listen(filter)?;
        self.take_down(filter);
        Ok(())
    }

    fn take_down(&mut self, filter: &str) {
        if let Some(filters) = &mut self.filters
            && !filters.iter().any(|known| known == filter)
        {
            filters.push(filter.to_owned());
        }
    }

    /// Publishes and counts.
    pub(crate) fn publish(
        &mut self,
        topic: &str,
        payload: Vec<u8>,
        delivery: Delivery,
    ) -> Result<(), Refused> {
        self.transport.publish(topic, payload, delivery)?;
        self.counters.published.count();
        Ok(())
    }

    /// Messages with [`Delivery::Sure`] that the broker has not confirmed yet.
    pub(crate) fn unconfirmed(&self) -> usize {
        self.transport.unconfirmed()
    }

    /// Asks to leave this broker after this call, with everybody's last words.
    pub(crate) const fn leave(&mut self, next: Next) {
        *self.leave = Some(next);
    }

    /// Where the link's doings are counted.
    pub(crate) const fn counters(&self) -> &'a Counters {
        self.counters
    }
}

/// One way of telling the node to the world.
pub(crate) trait Face: Debug + Send {
    /// One stable word for logs.
    fn name(&self) -> &'static str;

    /// The broker accepted us: subscribe. Called again until it succeeds, and before any report with an outlet.
    ///
    /// # Errors
    /// If the transport is full.
    fn connected(&mut self, out: &mut Outlet<'_>) -> Result<(), Refused>;

    /// The connection is gone, and what was published over it need not have arrived.
    fn lost(&mut self);

    /// The newest report, ten times a second, also while there is no connection.
    ///
    /// # Errors
    /// If the transport is full; it is called again with the next report.
    fn report(
        &mut self,
        report: &Arc<Report>,
        now: Moment,
        out: Option<&mut Outlet<'_>>,
    ) -> Result<(), Refused>;

    /// A message under one of this face's filters.
    fn message(&mut self, inbound: &Inbound, now: Moment, out: &mut Outlet<'_>);

    /// Last words before DISCONNECT.
    ///
    /// # Errors
    /// If the transport is full; the connection is then dropped, and the broker publishes the will.
    fn goodbye(&mut self, now: Moment, out: &mut Outlet<'_>) -> Result<(), Refused>;

    /// Whether everything that a listener needs first has been published.
    fn is_ready(&self) -> bool;
}
