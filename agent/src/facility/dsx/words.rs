//! The words of the BMS event bus: values and what describes them.
//!
//! ```text
//!   Value     {"value": 22.5 | null, "timestamp": ms, "quality": 1}    exactly these three; 1 is good, all else is not
//!   Metadata  objectType, pointType, who it is, and a unit or the names of its states
//! ```
//!
//! Written from NVIDIA's BMS event bus 1.0.0.

use serde::{Deserialize, Serialize};

/// Longest value that is read: three numbers.
const LONGEST_VALUE: usize = 1024;
/// Longest metadata that is read.
const LONGEST_METADATA: usize = 16 * 1024;
/// Longest name in metadata.
const LONGEST_NAME: usize = 128;

/// A number as it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Number {
    /// Four digits of a sensor.
    Real(f32),
    /// A count, a state, a time in milliseconds.
    Whole(i64),
}

/// A value as it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Value {
    /// None if there is no reading.
    pub(super) value: Option<Number>,
    /// When it was read, UTC milliseconds.
    pub(super) timestamp: u64,
    /// 1 is good.
    pub(super) quality: u8,
}

impl Value {
    /// As bytes.
    pub(super) fn write(&self) -> Vec<u8> {
        // Finite numbers only get here, so there is nothing that could fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A value as somebody else wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Heard {
    /// None if he has no reading.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) value: Option<f64>,
    /// When he read it, UTC milliseconds.
    pub(super) timestamp: u64,
    /// 1 is good.
    quality: i64,
}

/// The text is not what the contract says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Heard {
    /// The value in a payload.
    ///
    /// # Errors
    /// If it is none.
    pub(super) fn read(payload: &[u8]) -> Result<Self, Malformed> {
        if payload.len() > LONGEST_VALUE {
            return Err(Malformed);
        }
        serde_json::from_slice(payload).map_err(|_| Malformed)
    }

    /// The number, if it is good.
    pub(super) fn good(&self) -> Option<f64> {
        self.value.filter(|value| self.quality == 1 && value.is_finite())
    }
}

/// What describes a point.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub(super) object_type: String,
    pub(super) point_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rack_location_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rack_location_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) object_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) object_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) associate_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) serves_id: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) process_area: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) eng_unit: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) state_text: Vec<StateText>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_setpoint: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) integration: Option<String>,
}

/// The name of a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StateText {
    pub(super) value: i64,
    pub(super) text: String,
}

/// The states of a request for isolation.
pub(super) fn requested() -> Vec<StateText> {
    let state = |(value, text): (i64, &str)| StateText { value, text: text.to_owned() };
    [(0, "NoIsolationRequested"), (1, "IsolationRequested"), (-1, "Unknown")].map(state).into()
}

impl Metadata {
    /// As bytes.
    pub(super) fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The metadata in a payload.
    ///
    /// # Errors
    /// If it is none, or a name that we compare with ours is longer than any of ours.
    pub(super) fn read(payload: &[u8]) -> Result<Self, Malformed> {
        if payload.len() > LONGEST_METADATA {
            return Err(Malformed);
        }
        let read: Self = serde_json::from_slice(payload).map_err(|_| Malformed)?;
        let names = [&read.rack_location_id, &read.object_id, &read.associate_id, &read.integration];
        let long = names.into_iter().flatten().any(|name| name.len() > LONGEST_NAME);
        if read.object_type.is_empty() || read.point_type.is_empty() || long {
            Err(Malformed)
        } else {
            Ok(read)
        }
    }

    /// Whether it speaks of something that is, belongs to or serves `id`.
    pub(super) fn is_of(&self, id: &str) -> bool {
        let names = [&self.rack_location_id, &self.object_id, &self.associate_id];
        names.into_iter().flatten().any(|name| name == id) || self.serves_id.iter().any(|served| served == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_has_exactly_three_keys() {
        let value = Value { value: Some(Number::Real(22.1)), timestamp: 1_790_000_000_000, quality: 1 };
        assert_eq!(value.write(), br#"{"value":22.1,"timestamp":1790000000000,"quality":1}"#);
        let value = Value { value: None, quality: 0, ..value };
        assert_eq!(value.write(), br#"{"value":null,"timestamp":1790000000000,"quality":0}"#);
    }

    #[test]
    fn a_value_with_more_or_fewer_keys_is_refused() {
        for text in [
            r#"{"value":1,"timestamp":1}"#,
            r#"{"timestamp":1,"quality":1}"#,
            r#"{"value":1,"timestamp":1,"quality":1,"unit":"C"}"#,
            r#"{"value":"1","timestamp":1,"quality":1}"#,
            r#"{"value":1e999,"timestamp":1,"quality":1}"#,
            r#"{"value":1,"timestamp":-1,"quality":1}"#,
            r#"{"value":1,"value":2,"timestamp":1,"quality":1}"#,
            "22.1",
            "",
        ] {
            assert_eq!(Heard::read(text.as_bytes()), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn only_a_good_number_counts() {
        let good = |text: &str| Heard::read(text.as_bytes()).unwrap().good();
        assert_eq!(good(r#"{"value":22,"timestamp":1,"quality":1}"#), Some(22.0));
        assert_eq!(good(r#"{"value":22,"timestamp":1,"quality":0}"#), None);
        assert_eq!(good(r#"{"value":null,"timestamp":1,"quality":1}"#), None);
    }

    #[test]
    fn metadata_leaves_out_what_it_does_not_say() {
        let metadata = Metadata {
            object_type: "Rack".into(),
            point_type: "RackPower".into(),
            rack_location_name: Some("R12".into()),
            rack_location_id: Some("r-12".into()),
            eng_unit: Some("kW".into()),
            ..Metadata::default()
        };
        assert_eq!(
            String::from_utf8(metadata.write()).unwrap(),
            r#"{"objectType":"Rack","pointType":"RackPower","rackLocationName":"R12","rackLocationId":"r-12","engUnit":"kW"}"#
        );
        assert_eq!(Metadata::read(&metadata.write()), Ok(metadata));
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (Heard::read(&bytes), Metadata::read(&bytes));
        }

        #[test]
        fn what_we_write_others_can_read(value in proptest::option::of(-1e6_f32..1e6), timestamp in 0_u64..1 << 50) {
            let value = Value { value: value.map(Number::Real), timestamp, quality: 1 };
            let read = Heard::read(&value.write()).unwrap();
            prop_assert_eq!(read.timestamp, timestamp);
            prop_assert_eq!(read.value.is_some(), value.value.is_some());
        }
    }
}
