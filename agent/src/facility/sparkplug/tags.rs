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

use eisbach_protocol::alarm::{self, ALARMS, AlarmDef};
use eisbach_protocol::catalogue::{self, Kind, Owner, PointDef, PointValue};
use eisbach_protocol::reading::Reading;
use eisbach_protocol::sparkplug::{BirthProperties, DataType, Metric, QualityCode, Value};

use crate::report::{ObjectReport, Report};

const _: () =
    assert!(catalogue::COUNT + alarm::COUNT < 0xFF, "the place of a tag takes eight bits of its alias");

/// Share of a dead-band from which a change counts. Below one, because a step of exactly one dead-band, 35.0 to
/// 35.1, comes out a little short in `f32`.
const DEAD_BAND_SHARE: f32 = 0.999;

/// What a host sees of a reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shown {
    value: Option<PointValue>,
    quality: QualityCode,
}

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
    Alarm(&'static AlarmDef),
}

/// The tags of an object of the report, always the same ones in the same order.
pub(super) fn tags(report: &Report, object: &ObjectReport) -> impl Iterator<Item = Tag> {
    let points = catalogue::points_of(object.owner).map(|def| {
        let reading = reading_of(object, def);
        let shown = Shown::of(def.kind, &reading);
        (Source::Point(def), shown, taken_ms(report, &reading, shown))
    });
    let alarms = ALARMS.iter().zip(&report.alarms).filter(|_| object.owner == Owner::Node);
    let alarms = alarms.map(|(def, stands)| (Source::Alarm(def), Shown::truth(*stands), report.wall_ms));
    let base = index(object) << 16 | (object.owner as u64) << 8;
    points.chain(alarms).zip(base + 1..).map(|((source, shown, taken_ms), alias)| Tag {
        source,
        alias,
        shown,
        taken_ms,
    })
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

    /// Whether a host that sees `published` needs to hear of it: by exception, with the catalogue's dead-band.
    pub(super) fn differs_from(&self, published: Shown) -> bool {
        let dead_band = match self.source {
            Source::Point(def) => def.dead_band,
            Source::Alarm(_) => 0.0,
        };
        self.shown.differs_from(published, dead_band)
    }

    /// As a host learns of it.
    pub(super) fn birth(&self) -> Metric {
        let (name, kind) = match self.source {
            Source::Point(def) => (Cow::Borrowed(def.name), def.kind),
            Source::Alarm(def) => (Cow::Owned(format!("Alarms/{}", def.name)), Kind::Bool),
        };
        let metric = match self.shown.value {
            Some(value) => Metric::named(name, wire_value(value)),
            None => Metric::named_null(name, datatype(kind)),
        };
        let documentation = self.documentation();
        let about = BirthProperties { documentation: Some(&documentation), ..self.range() };
        metric.with_alias(self.alias).at(self.taken_ms).with_birth(about).with_quality(self.shown.quality)
    }

    /// As a host hears that it changed.
    pub(super) fn data(&self) -> Metric {
        let metric = match self.shown.value {
            Some(value) => Metric::aliased(self.alias, wire_value(value)),
            None => Metric::aliased_null(self.alias),
        };
        metric.at(self.taken_ms).with_quality(self.shown.quality)
    }

    fn range(&self) -> BirthProperties<'static> {
        let plain = BirthProperties { read_only: true, ..BirthProperties::default() };
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
            Source::Alarm(_) => plain,
        }
    }

    fn documentation(&self) -> Cow<'static, str> {
        match self.source {
            Source::Point(def) => Cow::Borrowed(def.doc),
            Source::Alarm(def) => Cow::Owned(format!("{} {}", def.consequence, def.action)),
        }
    }
}

impl Shown {
    const BAD: Self = Self { value: None, quality: QualityCode::Bad };

    /// Only a value that fits its type, and is a number if it says so, leaves the node.
    fn of(kind: Kind, reading: &Reading<PointValue>) -> Self {
        match reading.last_known() {
            Some(value) if fits(kind, value) => {
                Self { value: Some(value), quality: reading.quality().into() }
            }
            Some(_) | None => Self::BAD,
        }
    }

    const fn truth(stands: bool) -> Self {
        Self { value: Some(PointValue::Bool(stands)), quality: QualityCode::Good }
    }

    fn differs_from(self, published: Self, dead_band: f32) -> bool {
        if self.quality != published.quality {
            return true;
        }
        match (self.value, published.value) {
            (Some(PointValue::Float(now)), Some(PointValue::Float(then))) => {
                (now - then).abs() >= dead_band * DEAD_BAND_SHARE && now.to_bits() != then.to_bits()
            }
            (Some(PointValue::Int(now)), Some(PointValue::Int(then))) => {
                #[expect(clippy::cast_precision_loss, reason = "a count against a dead-band of three digits")]
                let change = now.abs_diff(then) as f32;
                change >= dead_band && now != then
            }
            (now, then) => now != then,
        }
    }
}

fn reading_of(object: &ObjectReport, def: &PointDef) -> Reading<PointValue> {
    object.points.iter().find(|(id, _)| *id == def.id).map(|(_, reading)| *reading).unwrap_or_default()
}

/// When a value was measured; when its absence was found, for a bad one.
const fn taken_ms(report: &Report, reading: &Reading<PointValue>, shown: Shown) -> u64 {
    match shown.quality {
        QualityCode::Good | QualityCode::Stale => report.wall_ms.saturating_sub(reading.age().get()),
        QualityCode::Bad => report.wall_ms,
    }
}

const fn fits(kind: Kind, value: PointValue) -> bool {
    match value {
        PointValue::Float(value) => matches!(kind, Kind::Float) && value.is_finite(),
        PointValue::Int(_) => matches!(kind, Kind::Int),
        PointValue::Bool(_) => matches!(kind, Kind::Bool),
        PointValue::Text(_) => matches!(kind, Kind::Text),
    }
}

fn wire_value(value: PointValue) -> Value {
    match value {
        PointValue::Float(value) => Value::Float(value),
        PointValue::Int(value) => Value::Int64(value),
        PointValue::Bool(value) => Value::Boolean(value),
        PointValue::Text(value) => Value::String(value.to_owned()),
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
    use eisbach_protocol::catalogue::POINTS;

    fn shown(value: f32) -> Shown {
        Shown { value: Some(PointValue::Float(value)), quality: QualityCode::Good }
    }

    #[test]
    fn a_step_of_exactly_one_dead_band_counts_however_f32_rounds_it() {
        for tenth in 0_u16..900 {
            let (from, to) = (f32::from(tenth) / 10.0, f32::from(tenth + 1) / 10.0);
            assert!(shown(to).differs_from(shown(from), 0.1), "{from} to {to}");
            assert!(!shown(f32::midpoint(from, to)).differs_from(shown(from), 0.1));
        }
    }

    #[test]
    fn a_count_has_a_dead_band_too() {
        let count = |value| Shown { value: Some(PointValue::Int(value)), quality: QualityCode::Good };
        assert!(!count(199).differs_from(count(100), 100.0));
        assert!(count(200).differs_from(count(100), 100.0));
        assert!(count(1).differs_from(count(0), 0.0) && !count(1).differs_from(count(1), 0.0));
        assert!(count(i64::MAX).differs_from(count(i64::MIN), 100.0));
    }

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
