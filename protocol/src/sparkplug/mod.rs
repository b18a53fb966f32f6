//! Sparkplug B 3.0: topics, metrics and the payload that carries them.
//!
//! ```text
//!   Value ──► Metric ──► Payload ── encode ──► bytes ──► broker ──► bytes ── decode ──► Payload
//!               │                                                     │
//!               └─ quality, birth properties                          └─ bounds first, then protobuf,
//!                                                                        then bounds again
//! ```
//!
//! A metric on the wire does not know its own sign: negative integers travel as two's complement in unsigned
//! fields, and only the birth says which [`DataType`] a metric has. So a received metric gives up its value only
//! against a data type, through [`Metric::value`].
//!
//! Written by hand from the public text of the Eclipse Sparkplug specification 3.0.0 (chapters 4 and 6), without a
//! schema compiler. Data sets, templates, arrays, bytes and compressed bodies are not spoken.

mod metric;
mod payload;
mod quality;
mod topic;
mod value;
mod wire;

pub use metric::{BirthProperties, Metric};
pub use payload::{DecodeError, MAX_METRICS, MAX_PAYLOAD_BYTES, MAX_PROPERTIES, MAX_STRING_BYTES, Payload};
pub use quality::QualityCode;
pub use topic::{Id, MAX_ID_BYTES, Message, NAMESPACE, Topic, TopicError};
pub use value::{DataType, Value, ValueError};

/// Name of the metric that ties a death to its birth: Int64, counted up at every connect, 0 to 255.
pub const BD_SEQ: &str = "bdSeq";
/// Name of the Boolean command metric by which a host asks for all births again. Never has an alias.
pub const REBIRTH: &str = "Node Control/Rebirth";
/// Name of the Boolean command metric by which a host sends a node to its next broker.
pub const NEXT_SERVER: &str = "Node Control/Next Server";
