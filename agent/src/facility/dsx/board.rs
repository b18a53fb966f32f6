//! What the exchange has been told, and what is due.
//!
//! ```text
//!   for each point    new on this connection ──► metadata (kept by the broker) ──► value
//!                     value changed          ──► value, states at once, numbers once a second at most
//!                     95 s passed            ──► metadata, value
//!                     object gone            ──► null, not good, once; then nothing
//! ```
//!
//! The exchange keeps what is retained in memory for some hours only, so that everything said again every 100 s is
//! what a late listener lives on. What the transport refuses has not happened and is due again.

use eisbach_protocol::catalogue::POINTS;
use eisbach_protocol::units::Millis;

use super::identity::Identity;
use super::points::{LOOP, Point, RACK, SUPPLY_TARGET, generic};
use super::reading::{differs, is_urgent, read};
use super::topics;
use super::words::{Metadata, Value};
use crate::facility::face::{Moment, Outlet};
use crate::facility::link::{Delivery, Refused};
use crate::report::{ObjectReport, Report};

/// Everything is said again after this: some seconds before the 100 s that the contract allows.
pub(super) const REPEAT: Millis = Millis::from_secs(95);
/// A number is told this often at most.
const PACE: Millis = Millis::from_secs(1);
/// Messages of one step: a start of the board with all points must not crowd out other faces on the connection.
const MOST_AT_ONCE: usize = 24;

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Points {
    /// The rack's points.
    Rack,
    /// Every number there is.
    All,
}

/// All points with what was told of them.
#[derive(Debug)]
pub(super) struct Board {
    identity: Identity,
    points: Vec<Point>,
    lines: Vec<Line>,
    /// Those whose object is gone, as long as that has not been told.
    gone: Vec<Line>,
    notices: Vec<Notice>,
}

/// One point.
#[derive(Debug)]
struct Line {
    source: String,
    point: Point,
    topic: String,
    notice: Notice,
    told: Option<(Value, Millis)>,
}

/// What describes a point.
#[derive(Debug)]
struct Notice {
    topic: String,
    payload: Vec<u8>,
    told: Option<Millis>,
}

impl Board {
    /// An empty one. The supply temperature that is aimed at is on it if somebody may ask for another one.
    pub(super) fn new(identity: Identity, points: Points, asked: bool, rack_power: bool) -> Self {
        let rack = RACK.into_iter().filter(|point| rack_power || point.kind != "RackPower");
        let target = Some(SUPPLY_TARGET).filter(|_| asked || points == Points::All);
        let mut all: Vec<_> = rack.chain(target).collect();
        match points {
            Points::Rack => {}
            Points::All => all.extend(LOOP.into_iter().chain(POINTS.iter().filter_map(generic))),
        }
        Self { identity, points: all, lines: Vec::new(), gone: Vec::new(), notices: Vec::new() }
    }

    /// Who speaks.
    pub(super) const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Describes a point whose value is told elsewhere.
    pub(super) fn describe(&mut self, metadata: &Metadata, tag: &str) {
        let topic = topics::metadata(&metadata.object_type, &metadata.point_type, tag);
        self.notices.push(Notice { topic, payload: metadata.write(), told: None });
    }

    /// Nobody knows anything any more.
    pub(super) fn forget(&mut self) {
        for line in self.lines.iter_mut().chain(&mut self.gone) {
            (line.told, line.notice.told) = (None, None);
        }
        for notice in &mut self.notices {
            notice.told = None;
        }
    }

    /// Whether everything that is there has been told at least once.
    pub(super) fn is_complete(&self) -> bool {
        !self.lines.is_empty()
            && self.lines.iter().all(|line| line.told.is_some())
            && self.notices.iter().all(|notice| notice.told.is_some())
    }

    /// Tells what is due.
    ///
    /// # Errors
    /// If the transport is full; the rest stays due.
    pub(super) fn publish(
        &mut self,
        report: &Report,
        now: Moment,
        out: &mut Outlet<'_>,
    ) -> Result<(), Refused> {
        self.shrink(report);
        self.grow(report);
        let mut room = MOST_AT_ONCE;
        for notice in &mut self.notices {
            notice.publish(now, out, &mut room)?;
        }
        while let Some(line) = self.gone.last_mut().filter(|_| room > 0) {
            if line.part(now, out, &mut room)? {
                self.gone.pop();
            }
        }
        for line in &mut self.lines {
            if let Some(object) = report.objects.iter().find(|object| object.name == line.source) {
                line.publish(report, object, now, out, &mut room)?;
            }
            if room == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Takes up objects that were not there before: GPUs are known only when their driver lists them.
    fn grow(&mut self, report: &Report) {
        for object in &report.objects {
            if self.lines.iter().any(|line| line.source == object.name) {
                continue;
            }
            let of = self.points.iter().filter(|point| point.source.owner() == Some(object.owner));
            let lines = of.map(|point| Line::new(&self.identity, point, &object.name));
            self.lines.extend(lines.collect::<Vec<_>>());
            self.gone.retain(|line| line.source != object.name);
        }
    }

    /// Sets apart what is there no more: a GPU whose driver was unloaded does not keep its last value.
    fn shrink(&mut self, report: &Report) {
        let is_gone = |line: &mut Line| !report.objects.iter().any(|object| object.name == line.source);
        self.gone.extend(self.lines.extract_if(.., is_gone));
    }
}

impl Line {
    fn new(identity: &Identity, point: &Point, source: &str) -> Self {
        let tag = identity.tag(point.object, source, point.tag);
        let object = point.object.as_str();
        let notice = Notice {
            topic: topics::metadata(object, point.kind, &tag),
            payload: identity.describe(point, source).write(),
            told: None,
        };
        let topic = topics::value(object, point.kind, &tag);
        Self { source: source.to_owned(), point: *point, topic, notice, told: None }
    }

    fn publish(
        &mut self,
        report: &Report,
        object: &ObjectReport,
        now: Moment,
        out: &mut Outlet<'_>,
        room: &mut usize,
    ) -> Result<(), Refused> {
        self.notice.publish(now, out, room)?;
        let value = read(&self.point, report, object);
        if *room > 0 && self.notice.told.is_some() && self.is_due(&value, now.at) {
            out.publish(&self.topic, value.write(), Delivery::Once)?;
            self.told = Some((value, now.at));
            *room = room.saturating_sub(1);
        }
        Ok(())
    }

    /// Tells that its object is gone. Tells whether it could.
    fn part(&mut self, now: Moment, out: &mut Outlet<'_>, room: &mut usize) -> Result<bool, Refused> {
        self.notice.publish(now, out, room)?;
        if *room == 0 {
            return Ok(false);
        }
        let value = Value { value: None, timestamp: now.wall_ms, quality: 0 };
        out.publish(&self.topic, value.write(), Delivery::Once)?;
        *room = room.saturating_sub(1);
        Ok(true)
    }

    fn is_due(&self, value: &Value, now: Millis) -> bool {
        let Some((told, at)) = &self.told else { return true };
        let waited = now.since(*at);
        let ripe = is_urgent(&self.point) || value.quality != told.quality || waited >= PACE;
        waited >= REPEAT || (ripe && differs(&self.point, told, value))
    }
}

impl Notice {
    fn publish(&mut self, now: Moment, out: &mut Outlet<'_>, room: &mut usize) -> Result<(), Refused> {
        let due = self.told.is_none_or(|at| now.at.since(at) >= REPEAT);
        if due && *room > 0 {
            out.publish(&self.topic, self.payload.clone(), Delivery::Kept)?;
            self.told = Some(now.at);
            *room = room.saturating_sub(1);
        }
        Ok(())
    }
}
