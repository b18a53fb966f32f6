//! A born node: what its host has been told, and what it must be told next.
//!
//! ```text
//!   per object     not born ── online ──► DBIRTH ──► born ── changed ──► NDATA, DDATA
//!                     ▲                               │
//!                     └─────────── DDEATH ◄── offline ┘
//! ```
//!
//! Messages leave in the order of the objects. At the first one refused the rest waits for the next report, so
//! the order of messages (`seq`) has no gaps.

use eisbach_protocol::catalogue::Owner;
use eisbach_protocol::sparkplug::Metric;
use eisbach_protocol::units::Millis;

use super::births;
use super::tags::{Tag, tags};
use super::topics::{ObjectTopics, Topics};
use crate::facility::face::{Moment, Outlet};
use crate::facility::link::{Delivery, Refused};
use crate::facility::shown::Shown;
use crate::report::{ObjectReport, Report};

/// What the host has been told since the node's birth.
#[derive(Debug)]
pub(super) struct Born {
    at: Millis,
    next_seq: u8,
    objects: Vec<BornObject>,
}

/// An object that is born.
#[derive(Debug)]
struct BornObject {
    name: String,
    topics: ObjectTopics,
    /// Its tags as last published.
    published: Vec<Shown>,
}

/// The way out, at the moment of one step.
#[derive(Debug)]
pub(super) struct Way<'a, 'b> {
    /// The connection.
    pub(super) out: &'a mut Outlet<'b>,
    /// When the step happens.
    pub(super) now: Moment,
}

impl Way<'_, '_> {
    /// Publishes as Sparkplug wants it for everything but the will: once, and not retained.
    pub(super) fn publish(&mut self, topic: &str, payload: Vec<u8>) -> Result<(), Refused> {
        self.out.publish(topic, payload, Delivery::Once)
    }

    /// Publishes what has its place in the order of messages. The next place is taken only if it left.
    fn publish_in_order(
        &mut self,
        next_seq: &mut u8,
        topic: &str,
        payload: impl FnOnce(u8, u64) -> Vec<u8>,
    ) -> Result<(), Refused> {
        self.publish(topic, payload(*next_seq, self.now.wall_ms))?;
        *next_seq = next_seq.wrapping_add(1);
        Ok(())
    }
}

impl Born {
    /// Publishes `NBIRTH`. Devices follow with [`publish_changes`](Self::publish_changes).
    pub(super) fn publish(
        report: &Report,
        topics: &Topics,
        walks: bool,
        way: &mut Way<'_, '_>,
    ) -> Result<Self, Refused> {
        let node = report.objects.iter().find(|object| object.owner == Owner::Node);
        let tags: Vec<_> = node.iter().flat_map(|node| tags(report, node)).collect();
        way.publish(&topics.own.birth, births::node_birth(way.out.bd_seq, way.now.wall_ms, walks, &tags))?;
        let born = |node: &ObjectReport| BornObject::new(node, topics.own.clone(), &tags);
        Ok(Self { at: way.now.at, next_seq: 1, objects: node.map(born).into_iter().collect() })
    }

    /// When the node was born.
    pub(super) const fn at(&self) -> Millis {
        self.at
    }

    /// Publishes what the host does not know yet: first who is gone, then who is new, then what changed.
    ///
    /// An object whose name is no Sparkplug id is left out.
    pub(super) fn publish_changes(
        &mut self,
        report: &Report,
        topics: &Topics,
        way: &mut Way<'_, '_>,
    ) -> Result<(), Refused> {
        self.publish_deaths(report, way)?;
        self.publish_births(report, topics, way)?;
        for object in report.objects.iter().filter(|object| is_there(object)) {
            if let Some(born) = self.objects.iter_mut().find(|born| born.name == object.name) {
                let tags: Vec<_> = tags(report, object).collect();
                born.publish_changes(&tags, &mut self.next_seq, way)?;
            }
        }
        Ok(())
    }

    /// All that are due, before any data: a connection that is full may take several reports for them.
    fn publish_births(
        &mut self,
        report: &Report,
        topics: &Topics,
        way: &mut Way<'_, '_>,
    ) -> Result<(), Refused> {
        for object in report.objects.iter().filter(|object| is_there(object)) {
            if !self.objects.iter().any(|born| born.name == object.name)
                && let Ok(topics) = topics.of(object.owner, &object.name)
            {
                let tags: Vec<_> = tags(report, object).collect();
                let birth = |seq, wall_ms| births::device_birth(seq, wall_ms, &tags);
                way.publish_in_order(&mut self.next_seq, &topics.birth, birth)?;
                self.objects.push(BornObject::new(object, topics, &tags));
            }
        }
        Ok(())
    }

    /// Publishes what an object told earlier; false if the object is not there now.
    pub(super) fn publish_history(
        &mut self,
        object: &str,
        metrics: Vec<Metric>,
        way: &mut Way<'_, '_>,
    ) -> Result<bool, Refused> {
        let Some(born) = self.objects.iter().find(|born| born.name == object) else { return Ok(false) };
        let data = |seq, wall_ms| births::data(seq, wall_ms, metrics.into_iter());
        way.publish_in_order(&mut self.next_seq, &born.topics.data, data)?;
        Ok(true)
    }

    fn publish_deaths(&mut self, report: &Report, way: &mut Way<'_, '_>) -> Result<(), Refused> {
        let mut outcome = Ok(());
        self.objects.retain(|born| {
            let lives = report.objects.iter().any(|object| object.name == born.name && is_there(object));
            if !lives && outcome.is_ok() {
                outcome = way.publish_in_order(&mut self.next_seq, &born.topics.death, births::device_death);
                return outcome.is_err();
            }
            true
        });
        outcome
    }
}

impl BornObject {
    fn new(object: &ObjectReport, topics: ObjectTopics, tags: &[Tag]) -> Self {
        Self { name: object.name.clone(), topics, published: tags.iter().map(Tag::shown).collect() }
    }

    fn publish_changes(&mut self, tags: &[Tag], seq: &mut u8, way: &mut Way<'_, '_>) -> Result<(), Refused> {
        let differs = |(tag, published): &(&Tag, &mut Shown)| tag.differs_from(**published);
        let changed: Vec<_> = tags.iter().zip(&mut self.published).filter(differs).collect();
        if changed.is_empty() {
            return Ok(());
        }
        let metrics = changed.iter().map(|(tag, _)| tag.data());
        way.publish_in_order(seq, &self.topics.data, |seq, wall_ms| births::data(seq, wall_ms, metrics))?;
        for (tag, published) in changed {
            *published = tag.shown();
        }
        Ok(())
    }
}

/// The node itself always is.
fn is_there(object: &ObjectReport) -> bool {
    object.online || object.owner == Owner::Node
}
