//! The protobuf messages as a judge reads them: every field that a rule asks about, and none interpreted.
//!
//! Not the product's own codec: a fault that writer and reader share would go unseen.

/// The payload of every message but STATE.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Payload {
    /// When it was sent.
    #[prost(uint64, optional, tag = "1")]
    pub(super) timestamp: Option<u64>,
    /// What it says.
    #[prost(message, repeated, tag = "2")]
    pub(super) metrics: Vec<Metric>,
    /// Its place in the order.
    #[prost(uint64, optional, tag = "3")]
    pub(super) seq: Option<u64>,
}

/// One metric.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Metric {
    /// Its name.
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    /// The number that stands for the name.
    #[prost(uint64, optional, tag = "2")]
    pub(super) alias: Option<u64>,
    /// When it was measured.
    #[prost(uint64, optional, tag = "3")]
    pub(super) timestamp: Option<u64>,
    /// Its type.
    #[prost(uint32, optional, tag = "4")]
    pub(super) datatype: Option<u32>,
    /// From a store.
    #[prost(bool, optional, tag = "5")]
    pub(super) is_historical: Option<bool>,
    /// It has no value.
    #[prost(bool, optional, tag = "7")]
    pub(super) is_null: Option<bool>,
    /// Quality, unit and so on.
    #[prost(message, optional, tag = "9")]
    pub(super) properties: Option<PropertySet>,
    /// Its value.
    #[prost(oneof = "Value", tags = "10, 11, 12, 13, 14, 15")]
    pub(super) value: Option<Value>,
}

/// The forms a value takes.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Value {
    /// Up to 32 bits.
    #[prost(uint32, tag = "10")]
    Int(u32),
    /// Up to 64 bits.
    #[prost(uint64, tag = "11")]
    Long(u64),
    /// 32 bits.
    #[prost(float, tag = "12")]
    Float(f32),
    /// 64 bits.
    #[prost(double, tag = "13")]
    Double(f64),
    /// A truth.
    #[prost(bool, tag = "14")]
    Boolean(bool),
    /// A text.
    #[prost(string, tag = "15")]
    Text(String),
}

/// Two lists that belong together.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PropertySet {
    /// Names.
    #[prost(string, repeated, tag = "1")]
    pub(super) keys: Vec<String>,
    /// What stands under them.
    #[prost(message, repeated, tag = "2")]
    pub(super) values: Vec<Property>,
}

/// What stands under one name.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Property {
    /// Its type.
    #[prost(uint32, optional, tag = "1")]
    pub(super) datatype: Option<u32>,
    /// It has no value.
    #[prost(bool, optional, tag = "2")]
    pub(super) is_null: Option<bool>,
    /// Its value.
    #[prost(oneof = "PropertyValue", tags = "3, 4, 5, 6, 7, 8")]
    pub(super) value: Option<PropertyValue>,
}

/// The forms a property takes.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum PropertyValue {
    /// Up to 32 bits.
    #[prost(uint32, tag = "3")]
    Int(u32),
    /// Up to 64 bits.
    #[prost(uint64, tag = "4")]
    Long(u64),
    /// 32 bits.
    #[prost(float, tag = "5")]
    Float(f32),
    /// 64 bits.
    #[prost(double, tag = "6")]
    Double(f64),
    /// A truth.
    #[prost(bool, tag = "7")]
    Boolean(bool),
    /// A text.
    #[prost(string, tag = "8")]
    Text(String),
}
