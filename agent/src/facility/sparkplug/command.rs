//! What a host may ask for, and what is refused.
//!
//! ```text
//!   message ─► retained? ─► ours? ─► decodes? ─► Node Control/Rebirth = true ──────► Order::Rebirth
//!                 │           │         │    ├──► Node Control/Next Server = true ──► Order::NextServer
//!                 │           │         │    └──► points that may be written ───────► Order::Writes ─► desk
//!                 └───────────┴─────────┴───────────────────────────────────────────► Refusal
//! ```
//!
//! A Sparkplug command carries no sender, no expiry and no proof: what changes more than our own chatter is judged at
//! the desk, which obeys a bare number in a safe direction only. The envelope of a command that asks for more is a
//! text, written to a point of its own. A retained command is an order of unknown age.

use eisbach_protocol::catalogue::{Owner, PointDef};
use eisbach_protocol::sparkplug::{DataType, Message, Metric, NEXT_SERVER, Payload, REBIRTH, Topic, Value};

use super::tags::written;
use super::topics::Topics;
use crate::desk::{Kind, plain};
use crate::facility::face::Inbound;

/// Points written in one message; there are fewer that may be.
const MOST_WRITES: usize = 8;

/// What we do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Order {
    /// Publish all births again.
    Rebirth,
    /// Leave this broker for the next one of our list.
    NextServer,
    /// Hand this to the desk.
    Writes(Vec<Kind>),
}

/// Why we do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Kept by the broker from an unknown time ago.
    Retained,
    /// Not a command to this node.
    Foreign,
    /// None of its metrics is a point of the device that may be written.
    Device,
    /// Not a Sparkplug payload, or beyond its bounds.
    Malformed,
    /// None of its metrics is an order that we know.
    Unknown,
    /// There is no other broker to go to.
    NoOtherServer,
    /// The desk has more to do than it can remember.
    Busy,
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
            Self::Busy => "busy",
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
    let device = match Topic::parse(&inbound.topic) {
        Ok(Topic::Node { group, message: Message::Command, node }) if ours.are_of(group, node) => None,
        Ok(Topic::Device { group, message: Message::Command, node, device }) if ours.are_of(group, node) => {
            Some(device.as_str().to_owned())
        }
        Ok(Topic::Node { .. } | Topic::Device { .. } | Topic::State { .. }) | Err(_) => {
            return Err(Refusal::Foreign);
        }
    };
    let payload = Payload::decode(&inbound.payload).map_err(|_| Refusal::Malformed)?;
    let asks = |name| payload.metrics.iter().any(|metric| is_true(metric, name));
    match device {
        None if asks(NEXT_SERVER) => return Ok(Order::NextServer),
        None if asks(REBIRTH) => return Ok(Order::Rebirth),
        None | Some(_) => {}
    }
    let object = device.as_deref().unwrap_or(Owner::Node.as_str());
    let writes: Vec<Kind> =
        payload.metrics.iter().filter_map(|metric| write(object, metric)).take(MOST_WRITES).collect();
    match (writes.is_empty(), device) {
        (false, _) => Ok(Order::Writes(writes)),
        (true, None) => Err(Refusal::Unknown),
        (true, Some(_)) => Err(Refusal::Device),
    }
}

/// What a metric asks for, if it is a point of the object that may be written.
fn write(object: &str, metric: &Metric) -> Option<Kind> {
    let def: &PointDef = written(object, metric).filter(|_| !metric.is_historical())?;
    match metric.value(Some(DataType::Float)).or_else(|_| metric.value(Some(DataType::String))).ok()?? {
        Value::String(text) | Value::Text(text) if plain(def.id, 0.0).is_none() => {
            Some(Kind::Envelope(text.into_bytes()))
        }
        value => {
            #[expect(clippy::cast_possible_truncation, reason = "the desk judges what is no finite number")]
            let number = value.as_f64()? as f32;
            plain(def.id, number).map(Kind::Plain)
        }
    }
}

fn is_true(metric: &Metric, name: &str) -> bool {
    metric.name() == Some(name) && metric.value(None) == Ok(Some(Value::Boolean(true)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::Action;
    use eisbach_protocol::catalogue::points_of;
    use eisbach_protocol::sparkplug::Id;
    use eisbach_protocol::units::Percent;
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

    fn float(name: &str, value: f32) -> Metric {
        Metric::named(name, Value::Float(value))
    }

    #[test]
    fn a_point_that_may_be_written_is_for_the_desk_by_name_or_alias() {
        let pump = "spBv1.0/dc1/DCMD/node-7/pump";
        let wish = |percent| Ok(Order::Writes(vec![Kind::Plain(Action::PumpAtLeast(Percent::new(percent)))]));
        assert_eq!(judged(pump, bytes(float("SpeedAtLeast", 80.0)), false), wish(80.0));
        assert_eq!(
            judged(pump, bytes(Metric::named("SpeedAtLeast", Value::Double(81.0))), false),
            wish(81.0)
        );
        let place = points_of(Owner::Pump).position(|def| def.name == "SpeedAtLeast").unwrap() as u64;
        let alias = (Owner::Pump as u64) << 8 | (place + 1);
        assert_eq!(judged(pump, bytes(Metric::aliased(alias, Value::Float(82.0))), false), wish(82.0));
        assert_eq!(
            judged(NCMD, bytes(Metric::aliased(alias, Value::Float(82.0))), false),
            Err(Refusal::Unknown)
        );
        let envelope = Metric::named("CommandEnvelope", Value::String("{}".into()));
        let sealed = Ok(Order::Writes(vec![Kind::Envelope(b"{}".to_vec())]));
        assert_eq!(judged(NCMD, bytes(envelope), false), sealed);
    }

    #[test]
    fn a_point_that_is_read_only_or_has_no_value_is_not_written() {
        let pump = "spBv1.0/dc1/DCMD/node-7/pump";
        for metric in [
            float("Speed", 80.0),
            float("SpeedSetpoint", 80.0),
            Metric::named("SpeedAtLeast", Value::Boolean(true)),
            Metric::named("SpeedAtLeast", Value::String("80".into())),
            Metric::named_null("SpeedAtLeast", DataType::Float),
            float("SpeedAtLeast", 80.0).historical(),
        ] {
            assert_eq!(judged(pump, bytes(metric), false), Err(Refusal::Device));
        }
        assert_eq!(
            judged("spBv1.0/dc1/DCMD/node-7/gpu0", bytes(float("PowerCap", 1.0)), false),
            Err(Refusal::Device)
        );
    }

    proptest! {
        #[test]
        fn arbitrary_messages_never_panic(topic in ".{0,60}", payload in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = judged(&topic, payload.clone(), false);
            let _ = judged(NCMD, payload, false);
        }
    }
}
