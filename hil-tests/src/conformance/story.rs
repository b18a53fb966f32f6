//! A capture as a story: who connected, and what each said and heard, in order.

use bytes::Bytes;
use prost::Message as _;
use rumqttc::{Connect, ConnectReturnCode, Packet, Publish, QoS, SubscribeFilter};

use super::capture::{Capture, Cast, What};
use super::wire::{Metric, Payload, Value};

/// Everything that happened, one session after the other.
#[derive(Clone, Debug)]
pub(super) struct Story {
    pub(super) cast: Cast,
    sessions: Vec<Session>,
}

/// One connection of one client, from its CONNECT on.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) server: usize,
    /// Place of its CONNECT among all records.
    pub(super) began: usize,
    pub(super) connect: Connect,
    pub(super) will: Option<Message>,
    pub(super) steps: Vec<Step>,
    connection: usize,
}

/// One step of a session.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Place among all records.
    pub(super) place: usize,
    pub(super) at_ms: u64,
    pub(super) did: Did,
}

/// What a client did, or what happened to it.
#[derive(Clone, Debug)]
pub(super) enum Did {
    Accepted,
    Subscribed(Vec<SubscribeFilter>),
    Published(Message),
    Heard(Message),
    Disconnected,
    Ended,
}

/// What a message is, by its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    NodeBirth,
    NodeData,
    NodeDeath,
    NodeCommand,
    DeviceBirth,
    DeviceData,
    DeviceDeath,
    DeviceCommand,
    State,
    Other,
}

/// A message, or a will.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) kind: Kind,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) bytes: Bytes,
    /// None if it is no Sparkplug payload.
    pub(super) payload: Option<Payload>,
}

/// One publication of one session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said<'a> {
    pub(super) session: &'a Session,
    pub(super) step: &'a Step,
    pub(super) message: &'a Message,
}

impl Story {
    pub(super) fn of(capture: &Capture) -> Self {
        let mut sessions: Vec<Session> = Vec::new();
        for (place, record) in capture.records.iter().enumerate() {
            if let What::Sent(Packet::Connect(connect)) = &record.what {
                sessions.push(Session::new(place, record.server, record.connection, connect.clone()));
            } else if let Some(session) =
                sessions.iter_mut().find(|session| session.connection == record.connection)
                && let Some(did) = Did::of(&record.what)
            {
                session.steps.push(Step { place, at_ms: record.at_ms, did });
            }
        }
        Self { cast: capture.cast.clone(), sessions }
    }

    /// The node's sessions.
    pub(super) fn node(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(|session| session.connect.client_id == self.cast.node)
    }

    /// The primary host's sessions.
    pub(super) fn host(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(|session| session.connect.client_id == self.cast.host)
    }

    /// Everybody's sessions.
    pub(super) fn everybody(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter()
    }

    /// What the node published of these kinds.
    pub(super) fn said<'a>(&'a self, kinds: &'a [Kind]) -> impl Iterator<Item = Said<'a>> {
        self.node().flat_map(Session::said).filter(|said| kinds.contains(&said.message.kind))
    }

    /// The topic that a message of this word must have.
    pub(super) fn topic(&self, word: &str, device: Option<&str>) -> String {
        let Cast { group, node, .. } = &self.cast;
        let device = device.map(|device| format!("/{device}")).unwrap_or_default();
        format!("spBv1.0/{group}/{word}/{node}{device}")
    }

    /// The topic of the primary host's STATE.
    pub(super) fn state_topic(&self) -> String {
        format!("spBv1.0/STATE/{}", self.cast.host)
    }
}

impl Session {
    fn new(began: usize, server: usize, connection: usize, connect: Connect) -> Self {
        let will = connect
            .last_will
            .as_ref()
            .map(|will| Message::new(will.topic.clone(), will.qos, will.retain, will.message.clone()));
        Self { server, began, connect, will, steps: Vec::new(), connection }
    }

    /// What it published.
    pub(super) fn said(&self) -> impl Iterator<Item = Said<'_>> {
        self.steps.iter().filter_map(move |step| match &step.did {
            Did::Published(message) => Some(Said { session: self, step, message }),
            Did::Accepted | Did::Subscribed(_) | Did::Heard(_) | Did::Disconnected | Did::Ended => None,
        })
    }

    /// What it heard.
    pub(super) fn heard(&self) -> impl Iterator<Item = (&Step, &Message)> {
        self.steps.iter().filter_map(|step| match &step.did {
            Did::Heard(message) => Some((step, message)),
            Did::Accepted | Did::Subscribed(_) | Did::Published(_) | Did::Disconnected | Did::Ended => None,
        })
    }

    /// What it subscribed to before this place.
    pub(super) fn filters_before(&self, place: usize) -> impl Iterator<Item = &SubscribeFilter> {
        self.steps.iter().take_while(move |step| step.place < place).flat_map(|step| match &step.did {
            Did::Subscribed(filters) => filters.as_slice(),
            Did::Accepted | Did::Published(_) | Did::Heard(_) | Did::Disconnected | Did::Ended => &[],
        })
    }

    /// Whether the broker had accepted it before this place.
    pub(super) fn accepted_before(&self, place: usize) -> bool {
        self.steps.iter().any(|step| step.place < place && matches!(step.did, Did::Accepted))
    }

    /// Place of its end, if it has ended: its goodbye, or the end of the connection.
    pub(super) fn ended(&self) -> Option<usize> {
        let end = self.steps.iter().find(|step| matches!(step.did, Did::Disconnected | Did::Ended));
        end.map(|step| step.place)
    }
}

impl Did {
    fn of(what: &What) -> Option<Self> {
        match what {
            What::Ended => Some(Self::Ended),
            What::Sent(Packet::Disconnect) => Some(Self::Disconnected),
            What::Sent(Packet::Subscribe(subscribe)) => Some(Self::Subscribed(subscribe.filters.clone())),
            What::Sent(Packet::Publish(publish)) => Some(Self::Published(Message::from(publish))),
            What::Received(Packet::Publish(publish)) => Some(Self::Heard(Message::from(publish))),
            What::Received(Packet::ConnAck(ack)) if ack.code == ConnectReturnCode::Success => {
                Some(Self::Accepted)
            }
            What::Sent(_) | What::Received(_) => None,
        }
    }
}

impl Message {
    fn new(topic: String, qos: QoS, retain: bool, bytes: Bytes) -> Self {
        let kind = Kind::of(&topic);
        let payload = Payload::decode(bytes.clone()).ok();
        Self { topic, kind, qos, retain, bytes, payload }
    }

    /// The level of the topic at this place.
    pub(super) fn level(&self, place: usize) -> Option<&str> {
        self.topic.split('/').nth(place)
    }

    /// The device it is about.
    pub(super) fn device(&self) -> Option<&str> {
        self.level(4)
    }

    /// Its metrics, none if it cannot be read.
    pub(super) fn metrics(&self) -> &[Metric] {
        self.payload.as_ref().map_or(&[], |payload| payload.metrics.as_slice())
    }

    /// Its metric of this name.
    pub(super) fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics().iter().find(|metric| metric.name.as_deref() == Some(name))
    }

    /// Its place in the order.
    pub(super) fn seq(&self) -> Option<u64> {
        self.payload.as_ref().and_then(|payload| payload.seq)
    }

    /// The number that ties births and deaths together.
    pub(super) fn bd_seq(&self) -> Option<u64> {
        match self.metric("bdSeq")?.value {
            Some(Value::Long(number)) => Some(number),
            Some(Value::Int(_) | Value::Float(_) | Value::Double(_) | Value::Boolean(_) | Value::Text(_))
            | None => None,
        }
    }

    /// Whether it asks the node for its births.
    pub(super) fn asks_for_births(&self) -> bool {
        let asks = self.metric("Node Control/Rebirth").map(|metric| &metric.value);
        self.kind == Kind::NodeCommand && !self.retain && asks == Some(&Some(Value::Boolean(true)))
    }

    /// STATE as JSON.
    pub(super) fn state(&self) -> Option<(bool, u64)> {
        let json: serde_json::Value = serde_json::from_slice(&self.bytes).ok()?;
        Some((json["online"].as_bool()?, json["timestamp"].as_u64()?))
    }
}

impl From<&Publish> for Message {
    fn from(publish: &Publish) -> Self {
        Self::new(publish.topic.clone(), publish.qos, publish.retain, publish.payload.clone())
    }
}

impl Kind {
    /// All that a node publishes in the order of `seq`.
    pub(super) const NUMBERED: [Self; 5] =
        [Self::NodeBirth, Self::NodeData, Self::DeviceBirth, Self::DeviceData, Self::DeviceDeath];
    /// All births.
    pub(super) const BIRTHS: [Self; 2] = [Self::NodeBirth, Self::DeviceBirth];
    /// All data.
    pub(super) const DATA: [Self; 2] = [Self::NodeData, Self::DeviceData];

    pub(super) fn of(topic: &str) -> Self {
        let mut levels = topic.split('/').skip(1);
        match (levels.next(), levels.next()) {
            (Some("STATE"), _) => Self::State,
            (_, Some("NBIRTH")) => Self::NodeBirth,
            (_, Some("NDATA")) => Self::NodeData,
            (_, Some("NDEATH")) => Self::NodeDeath,
            (_, Some("NCMD")) => Self::NodeCommand,
            (_, Some("DBIRTH")) => Self::DeviceBirth,
            (_, Some("DDATA")) => Self::DeviceData,
            (_, Some("DDEATH")) => Self::DeviceDeath,
            (_, Some("DCMD")) => Self::DeviceCommand,
            _ => Self::Other,
        }
    }

    /// The word in the topic.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::NodeBirth => "NBIRTH",
            Self::NodeData => "NDATA",
            Self::NodeDeath => "NDEATH",
            Self::NodeCommand => "NCMD",
            Self::DeviceBirth => "DBIRTH",
            Self::DeviceData => "DDATA",
            Self::DeviceDeath => "DDEATH",
            Self::DeviceCommand => "DCMD",
            Self::State => "STATE",
            Self::Other => "",
        }
    }

    /// Whether it is about a device.
    pub(super) const fn is_of_device(self) -> bool {
        matches!(self, Self::DeviceBirth | Self::DeviceData | Self::DeviceDeath | Self::DeviceCommand)
    }
}
