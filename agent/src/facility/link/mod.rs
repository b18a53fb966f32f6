//! One connection to a broker, and the faces that it carries.
//!
//! ```text
//!   cycle ── report ──► latest report ──► carrier ── try_publish ──► connector ──► one of the brokers
//!                                          │ faces  ◄── events, bounded ──┘ polls, backs off, walks the list
//!                                          ▼
//!                              Sparkplug · DSX · Flex · JSON
//! ```
//!
//! The cycle only ever replaces the latest report, so it cannot be held up, and an offline node holds one report
//! and no queue.

mod backoff;
mod brokers;
mod carrier;
mod certificates;
mod connector;
mod filter;
mod task;
mod transport;
mod will;

pub(super) use self::brokers::Brokers;
pub use self::brokers::{BrokerAddress, BrokerAddressError};
pub(super) use self::carrier::Carrier;
pub use self::certificates::{CertificateState, CertificateStatus};
pub(super) use self::certificates::{Keeper, no_certificates};
pub(super) use self::connector::{Connector, EVENTS, Who};
pub(super) use self::task::CarrierTask;
pub(super) use self::transport::MAX_PACKET_BYTES;
pub(crate) use self::transport::{Delivery, Refused, Transport};
pub(super) use self::will::Will;
