//! Changes to a capture: to one message, to a connection's CONNECT, to the order.

use bytes::Bytes;
use prost::Message as _;
use rumqttc::{Connect, Packet, Publish};

use super::capture::{Capture, Record, What};
use super::story::Kind;
use super::wire::{Metric, Payload};

impl Capture {
    /// Connections of this client, in the order of their CONNECT.
    pub(super) fn connections(&self, client: &str) -> Vec<usize> {
        let connects = self.records.iter().filter_map(|record| match &record.what {
            What::Sent(Packet::Connect(connect)) if connect.client_id == client => Some(record.connection),
            What::Sent(_) | What::Received(_) | What::Ended => None,
        });
        connects.collect()
    }

    /// The node's connections.
    pub(super) fn of_node(&self) -> Vec<usize> {
        self.connections(&self.cast.node.clone())
    }

    /// Places of what the node published of this kind.
    pub(super) fn places(&self, kind: Kind) -> Vec<usize> {
        let node = self.of_node();
        let ours = |record: &Record| node.contains(&record.connection) && record.kind() == Some(kind);
        (0..self.records.len()).filter(|place| ours(&self.records[*place]) && self.is_sent(*place)).collect()
    }

    /// Places of what the node published of these kinds, in order.
    pub(super) fn places_of(&self, kinds: &[Kind]) -> Vec<usize> {
        let mut places: Vec<_> = kinds.iter().flat_map(|kind| self.places(*kind)).collect();
        places.sort_unstable();
        places
    }

    /// The device that the message at this place is about.
    pub(super) fn device(&self, place: usize) -> Option<String> {
        let topic = match &self.records.get(place)?.what {
            What::Sent(Packet::Publish(publish)) | What::Received(Packet::Publish(publish)) => &publish.topic,
            What::Sent(_) | What::Received(_) | What::Ended => return None,
        };
        topic.split('/').nth(4).map(str::to_owned)
    }

    /// Changes the first message of this kind.
    pub(super) fn first(&mut self, kind: Kind, change: impl FnOnce(&mut Publish)) -> Option<()> {
        let place = *self.places(kind).first()?;
        self.publish(place).map(change)
    }

    /// Changes what is in the first message of this kind.
    pub(super) fn inside_first(&mut self, kind: Kind, change: impl FnOnce(&mut Payload)) -> Option<()> {
        self.first(kind, |publish| inside(publish, change))
    }

    /// Changes the first metric of this kind of message for which `which` holds.
    pub(super) fn metric(
        &mut self,
        kind: Kind,
        which: impl Fn(&Metric) -> bool,
        change: impl FnOnce(&mut Metric),
    ) -> Option<()> {
        let holds = |capture: &mut Self, place: &usize| {
            let payload = capture.publish(*place).and_then(|publish| read(publish));
            payload.is_some_and(|payload| payload.metrics.iter().any(&which))
        };
        let place = self.places(kind).into_iter().find(|place| holds(self, place))?;
        let publish = self.publish(place)?;
        inside(publish, |payload| {
            if let Some(metric) = payload.metrics.iter_mut().find(|metric| which(metric)) {
                change(metric);
            }
        });
        Some(())
    }

    /// The publication at this place.
    pub(super) fn publish(&mut self, place: usize) -> Option<&mut Publish> {
        match &mut self.records.get_mut(place)?.what {
            What::Sent(Packet::Publish(publish)) | What::Received(Packet::Publish(publish)) => Some(publish),
            What::Sent(_) | What::Received(_) | What::Ended => None,
        }
    }

    /// The CONNECT of a connection.
    pub(super) fn connect(&mut self, connection: usize) -> Option<&mut Connect> {
        self.records.iter_mut().find_map(|record| match &mut record.what {
            What::Sent(Packet::Connect(connect)) if record.connection == connection => Some(connect),
            What::Sent(_) | What::Received(_) | What::Ended => None,
        })
    }

    /// Puts a copy of what is at `from` right before `place`, on the connection that `from` is on.
    pub(super) fn copy(&mut self, from: usize, place: usize) -> Option<()> {
        let mut record = self.records.get(from)?.clone();
        record.at_ms = self.records.get(place)?.at_ms;
        self.records.insert(place, record);
        Some(())
    }

    /// Numbers what a connection says as it should be.
    pub(super) fn renumber(&mut self, connection: usize) {
        let mut next = 0;
        for place in 0..self.records.len() {
            let record = &self.records[place];
            let numbered = record.kind().is_some_and(|kind| Kind::NUMBERED.contains(&kind));
            if record.connection != connection || !numbered || !self.is_sent(place) {
                continue;
            }
            if record.kind() == Some(Kind::NodeBirth) {
                next = 0;
            }
            if let Some(publish) = self.publish(place) {
                inside(publish, |payload| payload.seq = Some(next));
            }
            next = (next + 1) % 256;
        }
    }

    /// Whether a client sent what is at this place.
    pub(super) fn is_sent(&self, place: usize) -> bool {
        matches!(self.records.get(place).map(|record| &record.what), Some(What::Sent(_)))
    }
}

impl Record {
    /// What message it is, if it is one.
    pub(super) fn kind(&self) -> Option<Kind> {
        match &self.what {
            What::Sent(Packet::Publish(publish)) | What::Received(Packet::Publish(publish)) => {
                Some(Kind::of(&publish.topic))
            }
            What::Sent(_) | What::Received(_) | What::Ended => None,
        }
    }
}

/// What is in a message, if it can be read.
pub(super) fn read(publish: &Publish) -> Option<Payload> {
    Payload::decode(publish.payload.clone()).ok()
}

/// Changes what is in a message.
pub(super) fn inside(publish: &mut Publish, change: impl FnOnce(&mut Payload)) {
    publish.payload = altered(&publish.payload, change);
}

/// The payload, changed.
pub(super) fn altered(bytes: &Bytes, change: impl FnOnce(&mut Payload)) -> Bytes {
    let mut payload = Payload::decode(bytes.clone()).expect("only readable payloads are changed");
    change(&mut payload);
    payload.encode_to_vec().into()
}
