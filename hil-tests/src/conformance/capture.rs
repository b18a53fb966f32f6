//! What passed between clients and brokers, as written down by the [taps](crate::Tap).

use rumqttc::Packet;

/// Who is who in a capture.
#[derive(Clone, Debug, Default)]
pub struct Cast {
    /// Sparkplug group of the node.
    pub group: String,
    /// The node, which is also its MQTT client id.
    pub node: String,
    /// The primary host's id, which is also its MQTT client id.
    pub host: String,
}

/// One thing that happened on one connection.
#[derive(Clone, Debug)]
pub struct Record {
    /// When, in UTC milliseconds.
    pub at_ms: u64,
    /// At which broker, by its place in the node's list.
    pub server: usize,
    /// On which connection.
    pub connection: usize,
    /// What.
    pub what: What,
}

/// What happened, as the client sees it.
#[derive(Clone, Debug)]
pub enum What {
    /// The client sent it.
    Sent(Packet),
    /// The broker sent it.
    Received(Packet),
    /// The connection is gone.
    Ended,
}

/// Everything that happened, in order.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    /// Who is who.
    pub cast: Cast,
    /// What happened.
    pub records: Vec<Record>,
}
