//! The payloads of a node's life: birth, data, death.
//!
//! Every payload but the node's death has a place in the order of messages (`seq`).

use eisbach_protocol::catalogue::{self, Owner};
use eisbach_protocol::reading::Reading;
use eisbach_protocol::sparkplug::{BD_SEQ, Metric, NEXT_SERVER, Payload, REBIRTH, Value};

use super::tags::{Tag, tags};
use crate::report::{ObjectReport, Report};

/// `NDEATH`, also as the will: which session is over, and nothing else.
pub(crate) fn node_death(bd_seq: u8, wall_ms: u64) -> Vec<u8> {
    Payload { timestamp_ms: Some(wall_ms), seq: None, metrics: vec![bd_seq_metric(bd_seq, wall_ms)] }.encode()
}

/// `NBIRTH`: the session, the commands to the node itself, and every tag of the node. Always number 0 in the order.
/// `walks` if there is another broker to be sent to.
pub(super) fn node_birth(bd_seq: u8, wall_ms: u64, walks: bool, tags: &[Tag]) -> Vec<u8> {
    let control = |name| Metric::named(name, Value::Boolean(false)).at(wall_ms);
    let session = [bd_seq_metric(bd_seq, wall_ms), control(REBIRTH)];
    let next = walks.then(|| control(NEXT_SERVER));
    encode(0, wall_ms, session.into_iter().chain(next).chain(tags.iter().map(Tag::birth)))
}

/// `DBIRTH`: every tag of the device.
pub(super) fn device_birth(seq: u8, wall_ms: u64, tags: &[Tag]) -> Vec<u8> {
    encode(seq, wall_ms, tags.iter().map(Tag::birth))
}

/// `NDATA` and `DDATA`: the tags that changed.
pub(super) fn data(seq: u8, wall_ms: u64, changed: impl Iterator<Item = Metric>) -> Vec<u8> {
    encode(seq, wall_ms, changed)
}

/// `DDEATH`: it is gone.
pub(super) fn device_death(seq: u8, wall_ms: u64) -> Vec<u8> {
    encode(seq, wall_ms, std::iter::empty())
}

/// The longest birth that the catalogue can ask for, bytes, but for text values, which are single words.
pub(crate) fn longest() -> usize {
    let objects = Owner::ALL.map(|owner| ObjectReport {
        name: owner.as_str().to_owned(),
        owner,
        online: true,
        note: None,
        points: catalogue::points_of(owner).map(|def| (def.id, Reading::default())).collect(),
    });
    let report = Report { wall_ms: u64::MAX, objects: objects.into(), ..Report::default() };
    let births = report.objects.iter().map(|object| {
        let tags: Vec<_> = tags(&report, object).collect();
        node_birth(u8::MAX, u64::MAX, true, &tags).len()
    });
    births.max().unwrap_or_default()
}

fn bd_seq_metric(bd_seq: u8, wall_ms: u64) -> Metric {
    Metric::named(BD_SEQ, Value::Int64(bd_seq.into())).at(wall_ms)
}

fn encode(seq: u8, wall_ms: u64, metrics: impl Iterator<Item = Metric>) -> Vec<u8> {
    Payload { timestamp_ms: Some(wall_ms), seq: Some(seq), metrics: metrics.collect() }.encode()
}
