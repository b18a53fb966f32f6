//! What a host has not heard: kept while it is away, told after the births as history.
//!
//! ```text
//!   away ── each 10 s: what changed of the key points ──┐
//!        └─ every alarm that came or went ──────────────┴─► ring of messages, the oldest goes and is counted
//!   born ── a few messages a report, `is_historical` ◄──┘
//! ```
//!
//! A connection that broke had been dead for up to two keep-alives before anybody noticed, and what was published
//! meanwhile went nowhere. So what was told lately, live or as history, is kept a little longer and told again after a
//! break: a host files it by its time, and files the same thing once.

use std::collections::{BTreeMap, VecDeque};

use eisbach_protocol::catalogue::{Owner, PointId};
use eisbach_protocol::sparkplug::Metric;
use eisbach_protocol::units::Millis;

use super::born::{Born, Way};
use super::tags::{Tag, tags};
use crate::facility::counters::Counters;
use crate::facility::link::Refused;
use crate::facility::shown::Shown;
use crate::report::events::{AlarmChange, EventKind};
use crate::report::{ObjectReport, Report};

/// Between two looks at the key points.
const EVERY: Millis = Millis::from_secs(10);
/// A break goes unnoticed for up to two keep-alives; and this, for what waits on its way.
const SLACK: Millis = Millis::from_secs(10);
/// Values that are kept: an hour of a busy node (estimate), about a megabyte.
const KEPT: usize = 16_384;
/// Messages told in one report: an hour of history takes two minutes.
const MESSAGES_A_REPORT: usize = 4;

/// What is kept of each object. The rest is of the moment.
const KEY_POINTS: [PointId; 19] = [
    PointId::NodeState,
    PointId::NodePower,
    PointId::NodeMargin,
    PointId::GpuTemperature,
    PointId::GpuMargin,
    PointId::GpuPower,
    PointId::GpuLimit,
    PointId::GpuRung,
    PointId::PumpTarget,
    PointId::PumpSpeed,
    PointId::PumpHead,
    PointId::ValvePosition,
    PointId::ValveHeat,
    PointId::MeterFlow,
    PointId::MeterSupply,
    PointId::MeterReturn,
    PointId::MeterHeat,
    PointId::RoomDewPoint,
    PointId::LeakDetected,
];

/// One message to be.
#[derive(Debug)]
struct Entry {
    object: String,
    /// When it was kept, or told.
    at: Millis,
    /// Given to the connection; whether it arrived nobody says.
    told: bool,
    metrics: Vec<Metric>,
}

/// What the host has not heard.
#[derive(Debug)]
pub(super) struct History {
    /// So long a break may go unnoticed.
    unnoticed: Millis,
    /// Those told come first.
    entries: VecDeque<Entry>,
    values: usize,
    looked: Option<Millis>,
    /// The key points of each object as they were last kept.
    seen: BTreeMap<String, Vec<Shown>>,
    /// Newest event that was looked at.
    known: u64,
}

impl History {
    /// For a connection with this keep-alive.
    pub(super) fn new(keep_alive: Millis) -> Self {
        Self {
            unnoticed: keep_alive + keep_alive + SLACK,
            entries: VecDeque::new(),
            values: 0,
            looked: None,
            seen: BTreeMap::new(),
            known: 0,
        }
    }

    /// Looks at a report that nobody hears.
    pub(super) fn keep(&mut self, report: &Report, now: Millis, counters: &Counters) {
        self.look(report, (now, false), counters);
        self.keep_alarms(report, (now, false), counters);
    }

    /// Looks at a report that is told as well: it may go into a dead connection.
    pub(super) fn keep_recent(&mut self, report: &Report, now: Millis, counters: &Counters) {
        self.look(report, (now, true), counters);
        self.keep_alarms(report, (now, true), counters);
        while self.entries.front().is_some_and(|entry| entry.told && now.since(entry.at) > self.unnoticed) {
            self.forget_oldest();
        }
    }

    /// The connection broke: what was told lately may not have arrived.
    pub(super) fn lost(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.told = false);
    }

    /// The host was there until our last word: what was told has been heard.
    pub(super) fn heard(&mut self) {
        while self.entries.front().is_some_and(|entry| entry.told) {
            self.forget_oldest();
        }
    }

    /// Whether there is something to tell.
    pub(super) fn is_due(&self) -> bool {
        self.entries.back().is_some_and(|entry| !entry.told)
    }

    /// Tells the oldest messages. Those of an object that is not there now are lost to the host, and counted.
    pub(super) fn tell(&mut self, born: &mut Born, way: &mut Way<'_, '_>) -> Result<(), Refused> {
        for entry in self.entries.iter_mut().filter(|entry| !entry.told).take(MESSAGES_A_REPORT) {
            if !born.publish_history(&entry.object, entry.metrics.clone(), way)? {
                let values = u64::try_from(entry.metrics.len()).unwrap_or(u64::MAX);
                way.out.counters().history_dropped.add(values);
            }
            (entry.told, entry.at) = (true, way.now.at);
        }
        Ok(())
    }

    fn look(&mut self, report: &Report, (now, told): (Millis, bool), counters: &Counters) {
        if self.looked.is_some_and(|looked| now.since(looked) < EVERY) {
            return;
        }
        self.looked = Some(now);
        for object in report.objects.iter().filter(|object| object.online || object.owner == Owner::Node) {
            let all: Vec<_> = tags(report, object).filter(is_key).collect();
            let Some(seen) = self.seen.get_mut(&object.name) else {
                // The births tell how it began.
                self.seen.insert(object.name.clone(), all.iter().map(Tag::shown).collect());
                continue;
            };
            let mut metrics = Vec::new();
            for (tag, before) in all.iter().zip(seen) {
                if tag.differs_from(*before) {
                    *before = tag.shown();
                    metrics.push(tag.data().historical());
                }
            }
            self.push(Entry { object: object.name.clone(), at: now, told, metrics }, counters);
        }
    }

    /// Alarms that came and went.
    fn keep_alarms(&mut self, report: &Report, (now, told): (Millis, bool), counters: &Counters) {
        let news = report.events.since(self.known);
        counters.events_missed.add(news.missed);
        let Some(node) = report.objects.iter().find(|object| object.owner == Owner::Node) else { return };
        let metrics: Vec<_> =
            news.events.filter_map(|event| alarm_metric(report, node, &event.kind)).collect();
        self.known = report.events.last();
        self.push(Entry { object: node.name.clone(), at: now, told, metrics }, counters);
    }

    fn push(&mut self, entry: Entry, counters: &Counters) {
        if entry.metrics.is_empty() {
            return;
        }
        self.values += entry.metrics.len();
        self.entries.push_back(entry);
        while self.values > KEPT {
            let before = self.values;
            self.forget_oldest();
            counters.history_dropped.add(u64::try_from(before - self.values).unwrap_or(u64::MAX));
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.values -= entry.metrics.len();
        }
    }
}

fn is_key(tag: &Tag) -> bool {
    tag.point().is_some_and(|point| KEY_POINTS.contains(&point))
}

/// The alarm's own metric as it was then.
fn alarm_metric(report: &Report, node: &ObjectReport, kind: &EventKind) -> Option<Metric> {
    let event = match kind {
        EventKind::Alarm(event) => event,
        EventKind::Command(_) | EventKind::Power(_) => return None,
    };
    let stands = match event.change {
        AlarmChange::Raised { .. } => true,
        AlarmChange::Cleared | AlarmChange::Reset => false,
        AlarmChange::Acknowledged
        | AlarmChange::Shelved { .. }
        | AlarmChange::Unshelved
        | AlarmChange::Suppressed { .. }
        | AlarmChange::Unsuppressed => return None,
    };
    let tag = tags(report, node).find(|tag| tag.alarm() == Some(event.alarm))?;
    Some(tag.alarm_data(stands, event.wall_ms).historical())
}
