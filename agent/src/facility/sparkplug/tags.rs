//! Points and alarms as Sparkplug metrics.
//!
//! ```text
//!   object of a report ──► tags: its points in catalogue order, then the alarms if it is the node
//!   tag ──► birth()  name, alias, type, unit, range, value
//!       └─► data()   alias, value
//! ```
//!
//! An alias is made of the object's name and the tag's place in it, so it is the same after every restart, and
//! the same whichever other objects there are:
//!
//! ```text
//!   63         16 15        8 7          0
//!   [ GPU index  ][ owner    ][ place + 1 ]     never 0: some hosts take 0 for "no alias"
//! ```

use std::borrow::Cow;

use eisbach_control::AlarmView;
use eisbach_protocol::alarm::{self, Alarm, AlarmDef};
use eisbach_protocol::catalogue::{self, Kind, Owner, PointDef, PointId, PointValue};
use eisbach_protocol::sparkplug::{BirthProperties, DataType, Metric, Value};

use crate::facility::shown::{Shown, reading_of, taken_ms};
use crate::report::{ObjectReport, Report};

const _: () = assert!(
    catalogue::COUNT + Part::ALL.len() * alarm::COUNT < 0xFF,
    "the place of a tag takes eight bits of its alias"
);

/// One metric of one object, at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag {
    source: Source,
    alias: u64,
    shown: Shown,
    taken_ms: u64,
}

#[derive(Clone, Copy, Debug)]
enum Source {
    Point(&'static PointDef),
    Alarm(&'static AlarmDef, Part),
}

/// What is told of an alarm, each as a metric of its own.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// Whether it is active and neither shelved nor suppressed.
    Shown,
    /// Its state as a word.
    State,
    /// 1 for critical to 4 for low.
    Priority,
}

impl Part {
    const ALL: [Self; 3] = [Self::Shown, Self::State, Self::Priority];

    fn shown(self, def: &AlarmDef, view: &AlarmView) -> Shown {
        let value = match self {
            Self::Shown => PointValue::Bool(view.is_shown()),
            Self::State => PointValue::Text(view.as_str()),
            Self::Priority => PointValue::Int(def.priority as i64 + 1),
        };
        Shown::known(value)
    }

    fn name(self, def: &AlarmDef) -> String {
        match self {
            Self::Shown => format!("Alarms/{}", def.name),
            Self::State => format!("Alarms/{}/State", def.name),
            Self::Priority => format!("Alarms/{}/Priority", def.name),
        }
    }

    const fn kind(self) -> Kind {
        match self {
            Self::Shown => Kind::Bool,
            Self::State => Kind::Text,
            Self::Priority => Kind::Int,
        }
    }

    /// Said once an alarm.
    fn documentation(self, def: &AlarmDef) -> Option<Cow<'static, str>> {
        match self {
            Self::Shown => Some(Cow::Owned(format!("{} {}", def.consequence, def.action))),
            Self::State | Self::Priority => None,
        }
    }
}

/// The tags of an object of the report, always the same ones in the same order.
pub(super) fn tags(report: &Report, object: &ObjectReport) -> impl Iterator<Item = Tag> {
    let points = catalogue::points_of(object.owner).map(|def| {
        let reading = reading_of(object, def);
        let shown = Shown::of(def.kind, &reading);
        (Source::Point(def), shown, taken_ms(report, &reading, shown))
    });
    let alarms = report.alarms().filter(|_| object.owner == Owner::Node);
    let alarms = alarms.flat_map(|(def, view)| {
        Part::ALL.map(|part| (Source::Alarm(def, part), part.shown(def, view), report.wall_ms))
    });
    let base = index(object) << 16 | (object.owner as u64) << 8;
    points.chain(alarms).zip(base + 1..).map(|((source, shown, taken_ms), alias)| Tag {
        source,
        alias,
        shown,
        taken_ms,
    })
}

/// The point that a host writes with this metric, by its name or its alias, if it may.
pub(super) fn written(object: &str, metric: &Metric) -> Option<&'static PointDef> {
    let owner = Owner::ALL.into_iter().find(|owner| owner.as_str() == object)?;
    let mut points = catalogue::points_of(owner).zip((owner as u64) << 8 | 1..);
    let (def, _) = points.find(|(def, alias)| match (metric.name(), metric.alias()) {
        (Some(name), _) => name == def.name,
        (None, given) => given == Some(*alias),
    })?;
    def.writable.then_some(def)
}

/// The number at the end of `gpu3`; zero for an object that has none.
fn index(object: &ObjectReport) -> u64 {
    let digits = object.name.strip_prefix(object.owner.as_str());
    digits.and_then(|digits| digits.parse::<u32>().ok()).unwrap_or_default().into()
}

impl Tag {
    /// What a host sees once this tag is published.
    pub(super) const fn shown(&self) -> Shown {
        self.shown
    }

    /// The point it tells, if it tells one.
    pub(super) const fn point(&self) -> Option<PointId> {
        match self.source {
            Source::Point(def) => Some(def.id),
            Source::Alarm(..) => None,
        }
    }

    /// The alarm of which it tells whether it is shown.
    pub(super) const fn alarm(&self) -> Option<Alarm> {
        match self.source {
            Source::Alarm(def, Part::Shown) => Some(def.alarm),
            Source::Alarm(_, Part::State | Part::Priority) | Source::Point(_) => None,
        }
    }

    /// That its alarm came or went at another time than now.
    pub(super) fn alarm_data(&self, stands: bool, wall_ms: u64) -> Metric {
        Metric::aliased(self.alias, Value::Boolean(stands)).at(wall_ms)
    }

    /// Whether a host that sees `published` needs to hear of it: by exception, with the catalogue's dead-band.
    pub(super) fn differs_from(&self, published: Shown) -> bool {
        let dead_band = match self.source {
            Source::Point(def) => def.dead_band,
            Source::Alarm(..) => 0.0,
        };
        self.shown.differs_from(published, dead_band)
    }

    /// As a host learns of it.
    pub(super) fn birth(&self) -> Metric {
        let (name, kind) = match self.source {
            Source::Point(def) => (Cow::Borrowed(def.name), def.kind),
            Source::Alarm(def, part) => (Cow::Owned(part.name(def)), part.kind()),
        };
        let metric = match self.shown.value() {
            Some(value) => Metric::named(name, wire_value(value)),
            None => Metric::named_null(name, datatype(kind)),
        };
        let documentation = self.documentation();
        let about = BirthProperties { documentation: documentation.as_deref(), ..self.range() };
        metric.with_alias(self.alias).at(self.taken_ms).with_birth(about).with_quality(self.shown.quality())
    }

    /// As a host hears that it changed.
    pub(super) fn data(&self) -> Metric {
        let metric = match self.shown.value() {
            Some(value) => Metric::aliased(self.alias, wire_value(value)),
            None => Metric::aliased_null(self.alias),
        };
        metric.at(self.taken_ms).with_quality(self.shown.quality())
    }

    fn range(&self) -> BirthProperties<'static> {
        let writable = match self.source {
            Source::Point(def) => def.writable,
            Source::Alarm(..) => false,
        };
        let plain = BirthProperties { read_only: !writable, ..BirthProperties::default() };
        match self.source {
            Source::Point(def) => match def.kind {
                Kind::Float | Kind::Int => BirthProperties {
                    unit: (!def.unit.is_empty()).then_some(def.unit),
                    low: Some(def.low.into()),
                    high: Some(def.high.into()),
                    ..plain
                },
                Kind::Bool | Kind::Text => plain,
            },
            Source::Alarm(..) => plain,
        }
    }

    fn documentation(&self) -> Option<Cow<'static, str>> {
        match self.source {
            Source::Point(def) => Some(Cow::Borrowed(def.doc)),
            Source::Alarm(def, part) => part.documentation(def),
        }
    }
}

fn wire_value(value: PointValue) -> Value {
    match value {
        PointValue::Float(value) => Value::Float(value),
        PointValue::Int(value) => Value::Int64(value),
        PointValue::Bool(value) => Value::Boolean(value),
        PointValue::Text(value) => Value::String(value.to_owned()),
        PointValue::Label(value) => Value::String(value.as_str().to_owned()),
    }
}

const fn datatype(kind: Kind) -> DataType {
    match kind {
        Kind::Float => DataType::Float,
        Kind::Int => DataType::Int64,
        Kind::Bool => DataType::Boolean,
        Kind::Text => DataType::String,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eisbach_protocol::alarm::ALARMS;
    use eisbach_protocol::catalogue::POINTS;

    #[test]
    fn a_name_has_only_characters_that_every_host_takes() {
        let names = POINTS.iter().map(|def| def.name).chain(ALARMS.iter().map(|def| def.name));
        for name in names {
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{name}");
        }
    }

    #[test]
    fn every_object_has_aliases_of_its_own() {
        let names = ["node", "gpu0", "gpu1", "gpu255", "pump", "valve", "meter", "room", "leak"];
        let mut seen = std::collections::BTreeSet::new();
        for name in names {
            let owner = Owner::ALL.into_iter().find(|owner| name.starts_with(owner.as_str())).unwrap();
            let object =
                ObjectReport { name: name.into(), owner, online: true, points: Vec::new(), note: None };
            for tag in tags(&Report::default(), &object) {
                assert!(tag.alias > 0 && seen.insert(tag.alias), "{name}");
            }
        }
    }
}
