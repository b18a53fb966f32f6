//! The protobuf messages as they lie on the wire: field numbers and nothing else.
//!
//! Fields we do not speak (metadata, data sets, templates, bytes, extensions) are left out; a decoder skips them
//! like any unknown field.

use alloc::string::String;
use alloc::vec::Vec;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Payload {
    #[prost(uint64, optional, tag = "1")]
    pub(super) timestamp: Option<u64>,
    #[prost(message, repeated, tag = "2")]
    pub(super) metrics: Vec<Metric>,
    #[prost(uint64, optional, tag = "3")]
    pub(super) seq: Option<u64>,
    #[prost(string, optional, tag = "4")]
    pub(super) uuid: Option<String>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub(super) body: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Metric {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(uint64, optional, tag = "2")]
    pub(super) alias: Option<u64>,
    #[prost(uint64, optional, tag = "3")]
    pub(super) timestamp: Option<u64>,
    #[prost(uint32, optional, tag = "4")]
    pub(super) datatype: Option<u32>,
    #[prost(bool, optional, tag = "5")]
    pub(super) is_historical: Option<bool>,
    #[prost(bool, optional, tag = "6")]
    pub(super) is_transient: Option<bool>,
    #[prost(bool, optional, tag = "7")]
    pub(super) is_null: Option<bool>,
    #[prost(message, optional, tag = "9")]
    pub(super) properties: Option<PropertySet>,
    #[prost(oneof = "MetricValue", tags = "10, 11, 12, 13, 14, 15")]
    pub(super) value: Option<MetricValue>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum MetricValue {
    #[prost(uint32, tag = "10")]
    Int(u32),
    #[prost(uint64, tag = "11")]
    Long(u64),
    #[prost(float, tag = "12")]
    Float(f32),
    #[prost(double, tag = "13")]
    Double(f64),
    #[prost(bool, tag = "14")]
    Boolean(bool),
    #[prost(string, tag = "15")]
    String(String),
}

/// Two lists of equal length: the key of `values[i]` is `keys[i]`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PropertySet {
    #[prost(string, repeated, tag = "1")]
    pub(super) keys: Vec<String>,
    #[prost(message, repeated, tag = "2")]
    pub(super) values: Vec<Property>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Property {
    #[prost(uint32, optional, tag = "1")]
    pub(super) datatype: Option<u32>,
    #[prost(bool, optional, tag = "2")]
    pub(super) is_null: Option<bool>,
    #[prost(oneof = "PropertyValue", tags = "3, 4, 5, 6, 7, 8")]
    pub(super) value: Option<PropertyValue>,
}

/// The same six forms as [`MetricValue`], under other numbers.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum PropertyValue {
    #[prost(uint32, tag = "3")]
    Int(u32),
    #[prost(uint64, tag = "4")]
    Long(u64),
    #[prost(float, tag = "5")]
    Float(f32),
    #[prost(double, tag = "6")]
    Double(f64),
    #[prost(bool, tag = "7")]
    Boolean(bool),
    #[prost(string, tag = "8")]
    String(String),
}

impl From<MetricValue> for PropertyValue {
    fn from(value: MetricValue) -> Self {
        match value {
            MetricValue::Int(value) => Self::Int(value),
            MetricValue::Long(value) => Self::Long(value),
            MetricValue::Float(value) => Self::Float(value),
            MetricValue::Double(value) => Self::Double(value),
            MetricValue::Boolean(value) => Self::Boolean(value),
            MetricValue::String(value) => Self::String(value),
        }
    }
}

impl From<PropertyValue> for MetricValue {
    fn from(value: PropertyValue) -> Self {
        match value {
            PropertyValue::Int(value) => Self::Int(value),
            PropertyValue::Long(value) => Self::Long(value),
            PropertyValue::Float(value) => Self::Float(value),
            PropertyValue::Double(value) => Self::Double(value),
            PropertyValue::Boolean(value) => Self::Boolean(value),
            PropertyValue::String(value) => Self::String(value),
        }
    }
}
