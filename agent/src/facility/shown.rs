//! What a listener sees of a reading, the same on every face.
//!
//! ```text
//!   reading ──► value, if it is one ──► Shown ──► differs by more than the dead-band? ──► told
//!           └─► quality               ┘
//! ```

use eisbach_protocol::catalogue::{Kind, PointDef, PointValue};
use eisbach_protocol::reading::Reading;
use eisbach_protocol::sparkplug::QualityCode;
use eisbach_protocol::units::Millis;

use crate::report::{ObjectReport, Report};

/// Share of a dead-band from which a change counts. Below one, because a step of exactly one dead-band, 35.0 to
/// 35.1, comes out a little short in `f32`.
const DEAD_BAND_SHARE: f32 = 0.999;

/// What a listener sees of a reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shown {
    value: Option<PointValue>,
    quality: QualityCode,
}

impl Shown {
    const BAD: Self = Self { value: None, quality: QualityCode::Bad };

    /// Only a value that fits its type, and is a number if it says so, leaves the node.
    pub(super) fn of(kind: Kind, reading: &Reading<PointValue>) -> Self {
        match reading.last_known() {
            Some(value) if fits(kind, value) => {
                Self { value: Some(value), quality: reading.quality().into() }
            }
            Some(_) | None => Self::BAD,
        }
    }

    /// What the agent knows itself.
    pub(super) const fn known(value: PointValue) -> Self {
        Self { value: Some(value), quality: QualityCode::Good }
    }

    /// The value, or none for a bad one.
    pub(super) const fn value(self) -> Option<PointValue> {
        self.value
    }

    /// How good it is.
    pub(super) const fn quality(self) -> QualityCode {
        self.quality
    }

    /// Whether a listener that sees `published` needs to hear of it.
    pub(super) fn differs_from(self, published: Self, dead_band: f32) -> bool {
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

/// The reading of a point of an object.
pub(super) fn reading_of(object: &ObjectReport, def: &PointDef) -> Reading<PointValue> {
    object.points.iter().find(|(id, _)| *id == def.id).map(|(_, reading)| *reading).unwrap_or_default()
}

/// When a value was measured; when its absence was found, for a bad one. What was never measured has been so since
/// the agent started: a host takes a time in 1970 for a broken clock.
pub(super) fn taken_ms(report: &Report, reading: &Reading<PointValue>, shown: Shown) -> u64 {
    match shown.quality {
        QualityCode::Good | QualityCode::Stale => {
            let age = if reading.age() == Millis::FOREVER { report.at } else { reading.age() };
            report.wall_ms.saturating_sub(age.get())
        }
        QualityCode::Bad => report.wall_ms,
    }
}

const fn fits(kind: Kind, value: PointValue) -> bool {
    match value {
        PointValue::Float(value) => matches!(kind, Kind::Float) && value.is_finite(),
        PointValue::Int(_) => matches!(kind, Kind::Int),
        PointValue::Bool(_) => matches!(kind, Kind::Bool),
        PointValue::Text(_) | PointValue::Label(_) => matches!(kind, Kind::Text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: f32) -> Shown {
        Shown::known(PointValue::Float(value))
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
        let count = |value| Shown::known(PointValue::Int(value));
        assert!(!count(199).differs_from(count(100), 100.0));
        assert!(count(200).differs_from(count(100), 100.0));
        assert!(count(1).differs_from(count(0), 0.0) && !count(1).differs_from(count(1), 0.0));
        assert!(count(i64::MAX).differs_from(count(i64::MIN), 100.0));
    }

    #[test]
    fn what_was_never_measured_is_as_old_as_the_agent_and_not_from_1970() {
        let report = Report { wall_ms: 1_800_000_000_000, at: Millis::from_secs(90), ..Report::default() };
        let taken = |age| {
            let reading = Reading::measured(PointValue::Text("starting"), Millis::ZERO);
            let reading = reading.aged(age, Millis::from_secs(1));
            taken_ms(&report, &reading, Shown::of(Kind::Text, &reading))
        };
        assert_eq!(taken(Millis::FOREVER), 1_800_000_000_000 - 90_000);
        assert_eq!(taken(Millis::from_secs(60)), 1_800_000_000_000 - 60_000);
        assert_eq!(taken(Millis::from_secs(900)), 1_800_000_000_000 - 900_000);
    }
}
