//! The payload of every Sparkplug message but STATE, and the bounds on what is accepted from outside.
//!
//! Bytes are refused by length before anything is decoded. Protobuf can make 64 KiB of empty metrics grow to about
//! a hundred times that for the moment of decoding; the count bound then refuses them.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use prost::Message as _;

use super::metric::Metric;
use super::wire;

/// Longest payload accepted from outside, bytes. A birth of 100 metrics is about 10 KB.
pub const MAX_PAYLOAD_BYTES: usize = 64 * 1024;
/// Most metrics accepted in one payload.
pub const MAX_METRICS: usize = 1024;
/// Most properties accepted on one metric.
pub const MAX_PROPERTIES: usize = 32;
/// Longest name, key or text accepted, bytes: a command's envelope is a text.
pub const MAX_STRING_BYTES: usize = 8 * 1024;

/// Metrics with the time they were sent and their place in the order of messages.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Payload {
    /// When it was sent: milliseconds since 1970, UTC.
    pub timestamp_ms: Option<u64>,
    /// Place in the order: 0 at a node's birth, then one up each message, 0 again after 255. Commands and deaths
    /// of a node have none.
    pub seq: Option<u8>,
    /// The metrics, in the order sent.
    pub metrics: Vec<Metric>,
}

impl Payload {
    /// As bytes. Our own payloads are not bounded here: who builds one answers for its size.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        wire::Payload {
            timestamp: self.timestamp_ms,
            metrics: self.metrics.into_iter().map(|metric| metric.0).collect(),
            seq: self.seq.map(u64::from),
            uuid: None,
            body: None,
        }
        .encode_to_vec()
    }

    /// From bytes of any origin.
    ///
    /// # Errors
    /// If they are no payload, or break a bound. The error names which.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_PAYLOAD_BYTES {
            return Err(DecodeError::TooLong { bytes: bytes.len() });
        }
        let wire = wire::Payload::decode(bytes).map_err(DecodeError::Malformed)?;
        check(&wire)?;
        let seq = match wire.seq {
            Some(seq) => Some(u8::try_from(seq).map_err(|_| DecodeError::Seq { seq })?),
            None => None,
        };
        Ok(Self {
            timestamp_ms: wire.timestamp,
            seq,
            metrics: wire.metrics.into_iter().map(Metric).collect(),
        })
    }
}

/// Why bytes are not a payload we accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Longer than [`MAX_PAYLOAD_BYTES`]; nothing was decoded.
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not protobuf, or not this message.
    Malformed(prost::DecodeError),
    /// More than [`MAX_METRICS`].
    TooManyMetrics {
        /// How many.
        metrics: usize,
    },
    /// More than [`MAX_PROPERTIES`] on one metric.
    TooManyProperties {
        /// How many.
        properties: usize,
    },
    /// A name, key or text longer than [`MAX_STRING_BYTES`].
    StringTooLong {
        /// Its length.
        bytes: usize,
    },
    /// A property set whose keys and values do not pair up.
    UnpairedProperties {
        /// Number of keys.
        keys: usize,
        /// Number of values.
        values: usize,
    },
    /// A sequence number beyond 255.
    Seq {
        /// What it says.
        seq: u64,
    },
    /// It has a body, which may hide compressed metrics.
    Body,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { bytes } => {
                write!(f, "payload of {bytes} bytes, at most {MAX_PAYLOAD_BYTES} are accepted")
            }
            Self::Malformed(error) => write!(f, "not a Sparkplug B payload: {error}"),
            Self::TooManyMetrics { metrics } => {
                write!(f, "{metrics} metrics in one payload, at most {MAX_METRICS} are accepted")
            }
            Self::TooManyProperties { properties } => {
                write!(f, "{properties} properties on one metric, at most {MAX_PROPERTIES} are accepted")
            }
            Self::StringTooLong { bytes } => {
                write!(f, "text of {bytes} bytes, at most {MAX_STRING_BYTES} are accepted")
            }
            Self::UnpairedProperties { keys, values } => {
                write!(f, "{keys} property keys for {values} property values")
            }
            Self::Seq { seq } => write!(f, "sequence number {seq}, expected 0 to 255"),
            Self::Body => write!(f, "payload with a body: switch off compression at the sender"),
        }
    }
}

impl core::error::Error for DecodeError {}

fn check(payload: &wire::Payload) -> Result<(), DecodeError> {
    if payload.body.is_some() {
        return Err(DecodeError::Body);
    }
    if payload.metrics.len() > MAX_METRICS {
        return Err(DecodeError::TooManyMetrics { metrics: payload.metrics.len() });
    }
    check_text(payload.uuid.as_ref())?;
    payload.metrics.iter().try_for_each(check_metric)
}

fn check_metric(metric: &wire::Metric) -> Result<(), DecodeError> {
    check_text(metric.name.as_ref())?;
    if let Some(wire::MetricValue::String(text)) = &metric.value {
        check_text(Some(text))?;
    }
    let Some(set) = &metric.properties else {
        return Ok(());
    };
    let (keys, values) = (set.keys.len(), set.values.len());
    if keys != values {
        return Err(DecodeError::UnpairedProperties { keys, values });
    }
    if keys > MAX_PROPERTIES {
        return Err(DecodeError::TooManyProperties { properties: keys });
    }
    for (key, property) in set.keys.iter().zip(&set.values) {
        check_text(Some(key))?;
        if let Some(wire::PropertyValue::String(text)) = &property.value {
            check_text(Some(text))?;
        }
    }
    Ok(())
}

fn check_text(text: Option<&String>) -> Result<(), DecodeError> {
    match text {
        Some(text) if text.len() > MAX_STRING_BYTES => Err(DecodeError::StringTooLong { bytes: text.len() }),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sparkplug::{BirthProperties, DataType, QualityCode, Value, ValueError};
    use alloc::format;
    use alloc::vec;
    use proptest::prelude::*;

    /// Bytes and meaning, both written by hand from the protobuf wire format.
    #[test]
    fn the_golden_payload_has_these_bytes_and_no_others() {
        #[rustfmt::skip]
        let golden = [
            0x08, 0xE8, 0x07,                         // 1 timestamp: 1000 = 7·128 + 104
            0x12, 0x0D,                               // 2 metric, 13 bytes
                0x0A, 0x05, b'b', b'd', b'S', b'e', b'q', //   1 name
                0x18, 0x05,                           //   3 timestamp: 5
                0x20, 0x04,                           //   4 datatype: Int64
                0x58, 0x07,                           //  11 long value: 7
            0x12, 0x19,                               // 2 metric, 25 bytes
                0x10, 0x02,                           //   2 alias: 2
                0x4A, 0x10,                           //   9 property set, 16 bytes
                    0x0A, 0x07, b'Q', b'u', b'a', b'l', b'i', b't', b'y',
                    0x12, 0x05, 0x08, 0x03, 0x18, 0xF4, 0x03, // type Int32, int value 500 = 3·128 + 116
                0x65, 0x00, 0x00, 0x60, 0x40,         //  12 float value: 3.5 = 0x40600000
            0x12, 0x06,                               // 2 metric, 6 bytes
                0x10, 0x03,                           //   2 alias: 3
                0x28, 0x01,                           //   5 historical
                0x38, 0x01,                           //   7 null
            0x18, 0xFF, 0x01,                         // 3 seq: 255
        ];
        let payload = Payload {
            timestamp_ms: Some(1000),
            seq: Some(255),
            metrics: vec![
                Metric::named("bdSeq", Value::Int64(7)).at(5),
                Metric::aliased(2, Value::Float(3.5)).with_quality(QualityCode::Stale),
                Metric::aliased_null(3).historical(),
            ],
        };
        assert_eq!(payload.clone().encode(), golden);
        assert_eq!(Payload::decode(&golden), Ok(payload));
    }

    #[test]
    fn i13_each_bound_is_refused_by_its_name() {
        let encode = |metrics| Payload { metrics, ..Payload::default() }.encode();
        let long = "x".repeat(MAX_STRING_BYTES + 1);

        let bytes = vec![0; MAX_PAYLOAD_BYTES + 1];
        assert_eq!(Payload::decode(&bytes), Err(DecodeError::TooLong { bytes: bytes.len() }));

        let metrics = vec![Metric::aliased_null(1); MAX_METRICS + 1];
        let refused = DecodeError::TooManyMetrics { metrics: MAX_METRICS + 1 };
        assert_eq!(Payload::decode(&encode(metrics)), Err(refused));

        let about = BirthProperties { documentation: Some(&long), ..BirthProperties::default() };
        let mut keyed = Metric::aliased_null(1).with_quality(QualityCode::Bad);
        keyed.0.properties.as_mut().unwrap().keys[0].clone_from(&long);
        for metric in [
            keyed,
            Metric::named_null(long.as_str(), DataType::Int8),
            Metric::aliased(1, Value::Text(long.clone())),
            Metric::aliased_null(1).with_birth(about),
        ] {
            let refused = DecodeError::StringTooLong { bytes: long.len() };
            assert_eq!(Payload::decode(&encode(vec![metric])), Err(refused));
        }

        let crowded = (0..=MAX_PROPERTIES)
            .fold(Metric::aliased_null(1), |metric, _| metric.with_quality(QualityCode::Bad));
        let refused = DecodeError::TooManyProperties { properties: MAX_PROPERTIES + 1 };
        assert_eq!(Payload::decode(&encode(vec![crowded])), Err(refused));
    }

    #[test]
    fn what_lies_at_a_bound_is_accepted() {
        let name = "x".repeat(MAX_STRING_BYTES);
        let payload =
            Payload { metrics: vec![Metric::named_null(name, DataType::Int8)], ..Payload::default() };
        assert_eq!(Payload::decode(&payload.clone().encode()), Ok(payload));

        let full = Payload { metrics: vec![Metric::aliased_null(1); MAX_METRICS], ..Payload::default() };
        assert_eq!(Payload::decode(&full.clone().encode()), Ok(full));
    }

    #[test]
    fn a_sequence_number_beyond_255_is_refused() {
        assert_eq!(Payload::decode(&[0x18, 0x80, 0x02]), Err(DecodeError::Seq { seq: 256 }));
    }

    #[test]
    fn a_payload_that_may_hide_metrics_in_its_body_is_refused() {
        assert_eq!(Payload::decode(&[0x2A, 0x01, 0x00]), Err(DecodeError::Body));
    }

    #[test]
    fn property_keys_without_values_are_refused() {
        let one_key_only = [0x12, 0x05, 0x4A, 0x03, 0x0A, 0x01, b'k'];
        let refused = DecodeError::UnpairedProperties { keys: 1, values: 0 };
        assert_eq!(Payload::decode(&one_key_only), Err(refused));
    }

    #[test]
    fn fields_we_do_not_speak_are_skipped() {
        #[rustfmt::skip]
        let foreign = [
            0x12, 0x08,                         // 2 metric, 8 bytes
                0x10, 0x01,                     //   2 alias: 1
                0x42, 0x00,                     //   8 metadata, empty
                0x82, 0x01, 0x01, 0xFF,         //  16 bytes value: FF
            0xA0, 0x06, 0x01,                   // 100 from some later version
        ];
        let payload = Payload::decode(&foreign).unwrap();
        assert_eq!(payload.metrics[0].value(Some(DataType::Int8)), Err(ValueError::Absent));
    }

    proptest! {
        #[test]
        fn a_payload_survives_the_wire(payload in any_payload()) {
            prop_assert_eq!(Payload::decode(&payload.clone().encode()), Ok(payload));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            if let Ok(payload) = Payload::decode(&bytes) {
                read_everything(&payload);
            }
        }

        #[test]
        fn damaged_payloads_never_panic(
            payload in any_payload(),
            damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
            length in any::<proptest::sample::Index>(),
        ) {
            let mut bytes = payload.encode();
            bytes.push(0);
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(length.index(bytes.len()));
            if let Ok(payload) = Payload::decode(&bytes) {
                read_everything(&payload);
            }
        }
    }

    fn read_everything(payload: &Payload) {
        for metric in &payload.metrics {
            let _ = (metric.value(Some(DataType::Int8)), metric.quality(), metric.property("engUnit"));
            let _ = format!("{metric:?}");
        }
    }

    fn any_payload() -> impl Strategy<Value = Payload> {
        let metrics = proptest::collection::vec(any_metric(), 0..8);
        (any::<Option<u64>>(), any::<Option<u8>>(), metrics)
            .prop_map(|(timestamp_ms, seq, metrics)| Payload { timestamp_ms, seq, metrics })
    }

    fn any_metric() -> impl Strategy<Value = Metric> {
        let value = prop_oneof![
            any::<i32>().prop_map(Value::Int32),
            any::<i64>().prop_map(Value::Int64),
            (-1.0e9_f32..1.0e9).prop_map(Value::Float),
            any::<bool>().prop_map(Value::Boolean),
            ".{0,20}".prop_map(Value::String),
        ];
        let metric = prop_oneof![
            ("[a-zA-Z /]{1,20}", value.clone()).prop_map(|(name, value)| Metric::named(name, value)),
            (any::<u64>(), value).prop_map(|(alias, value)| Metric::aliased(alias, value)),
            any::<u64>().prop_map(Metric::aliased_null),
        ];
        let quality = prop_oneof![Just(QualityCode::Good), Just(QualityCode::Stale)];
        (metric, quality, any::<u64>())
            .prop_map(|(metric, quality, now_ms)| metric.with_quality(quality).at(now_ms))
    }
}
