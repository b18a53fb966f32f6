//! What a host may ask for, and what is refused.
//!
//! ```text
//!   message ─► retained? ─► ours? ─► to a device? ─► decodes? ─► Node Control/Rebirth = true ──────► Order::Rebirth
//!                 │           │            │            │    └──► Node Control/Next Server = true ──► Order::NextServer
//!                 └───────────┴────────────┴────────────┴─────────────────────────────────────────► Refusal
//! ```
//!
//! A Sparkplug command carries no sender, no expiry and no proof, so the only one obeyed is the one that cannot
//! change anything but our own chatter. A retained command is an order of unknown age.

use eisbach_protocol::sparkplug::{Message, Metric, NEXT_SERVER, Payload, REBIRTH, Topic, Value};

use super::topics::Topics;
use crate::facility::face::Inbound;

/// What we do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Publish all births again.
    Rebirth,
    /// Leave this broker for the next one of our list.
    NextServer,
}

/// Why we do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Kept by the broker from an unknown time ago.
    Retained,
    /// Not a command to this node.
    Foreign,
    /// Every point of every device is read-only.
    Device,
    /// Not a Sparkplug payload, or beyond its bounds.
    Malformed,
    /// None of its metrics is an order that we know.
    Unknown,
    /// There is no other broker to go to.
    NoOtherServer,
}

impl Refusal {
    /// One stable word for logs.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Retained => "retained",
            Self::Foreign => "foreign",
            Self::Device => "device_is_read_only",
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::NoOtherServer => "no_other_server",
        }
    }
}

/// The order in a message.
///
/// # Errors
/// If it is none that we obey.
pub(super) fn judge(inbound: &Inbound, ours: &Topics) -> Result<Order, Refusal> {
    if inbound.retained {
        return Err(Refusal::Retained);
    }
    match Topic::parse(&inbound.topic) {
        Ok(Topic::Node { group, message: Message::Command, node }) if ours.are_of(group, node) => {}
        Ok(Topic::Device { group, message: Message::Command, node, .. }) if ours.are_of(group, node) => {
            return Err(Refusal::Device);
        }
        Ok(Topic::Node { .. } | Topic::Device { .. } | Topic::State { .. }) | Err(_) => {
            return Err(Refusal::Foreign);
        }
    }
    let payload = Payload::decode(&inbound.payload).map_err(|_| Refusal::Malformed)?;
    let asks = |name| payload.metrics.iter().any(|metric| is_true(metric, name));
    if asks(NEXT_SERVER) {
        Ok(Order::NextServer)
    } else if asks(REBIRTH) {
        Ok(Order::Rebirth)
    } else {
        Err(Refusal::Unknown)
    }
}

fn is_true(metric: &Metric, name: &str) -> bool {
    metric.name() == Some(name) && metric.value(None) == Ok(Some(Value::Boolean(true)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use eisbach_protocol::sparkplug::{DataType, Id};
    use proptest::prelude::*;

    const NCMD: &str = "spBv1.0/dc1/NCMD/node-7";

    fn judged(topic: &str, payload: Vec<u8>, retained: bool) -> Result<Order, Refusal> {
        let ours = Topics::new(Id::new("dc1").unwrap(), Id::new("node-7").unwrap());
        judge(&Inbound { topic: topic.to_owned(), payload, retained }, &ours)
    }

    fn bytes(metric: Metric) -> Vec<u8> {
        Payload { metrics: vec![metric], ..Payload::default() }.encode()
    }

    fn rebirth() -> Vec<u8> {
        bytes(Metric::named(REBIRTH, Value::Boolean(true)))
    }

    #[test]
    fn a_rebirth_request_to_the_node_is_obeyed() {
        assert_eq!(judged(NCMD, rebirth(), false), Ok(Order::Rebirth));
    }

    #[test]
    fn a_retained_command_is_refused() {
        assert_eq!(judged(NCMD, rebirth(), true), Err(Refusal::Retained));
    }

    #[test]
    fn a_malformed_command_is_refused() {
        for payload in [vec![0xFF; 40], vec![0; 65 * 1024]] {
            assert_eq!(judged(NCMD, payload, false), Err(Refusal::Malformed));
        }
    }

    #[test]
    fn a_command_to_a_device_is_refused() {
        assert_eq!(judged("spBv1.0/dc1/DCMD/node-7/pump", rebirth(), false), Err(Refusal::Device));
    }

    #[test]
    fn a_command_to_another_node_is_refused() {
        for topic in ["spBv1.0/dc1/NCMD/node-8", "spBv1.0/dc2/NCMD/node-7", "spBv1.0/STATE/scada", "x"] {
            assert_eq!(judged(topic, rebirth(), false), Err(Refusal::Foreign), "{topic}");
        }
    }

    #[test]
    fn anything_but_rebirth_true_is_refused() {
        for metric in [
            Metric::named(REBIRTH, Value::Boolean(false)),
            Metric::named(REBIRTH, Value::Int32(1)),
            Metric::named_null(REBIRTH, DataType::Boolean),
            Metric::named("SupplySetpoint", Value::Float(18.0)),
            Metric::aliased(1, Value::Boolean(true)),
        ] {
            assert_eq!(judged(NCMD, bytes(metric), false), Err(Refusal::Unknown));
        }
    }

    proptest! {
        #[test]
        fn arbitrary_messages_never_panic(topic in ".{0,60}", payload in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = judged(&topic, payload.clone(), false);
            let _ = judged(NCMD, payload, false);
        }
    }
}
