//! How a value is told: as known, as heard so long ago, as absent.

use eisbach_protocol::catalogue::PointValue;
use eisbach_protocol::reading::{BadReason, Reading};
use eisbach_protocol::units::{Millis, Quantity};

use super::cycle::Cycle;
use super::sources::Gpu;
use crate::facility::FacilityState;

pub(super) const ABSENT: Reading<PointValue> = Reading::bad(BadReason::NotSupported);
pub(super) const UNDECIDED: Reading<PointValue> = Reading::bad(BadReason::NeverRead);

pub(super) fn of(
    gpu: Option<&Gpu<'_>>,
    value: impl FnOnce(&Gpu<'_>) -> Reading<PointValue>,
) -> Reading<PointValue> {
    gpu.map_or(Reading::bad(BadReason::NotSupported), value)
}

/// A word of the GPU process, so old; stale beyond `limit`.
pub(super) fn heard(value: PointValue, age: Millis, limit: Millis) -> Reading<PointValue> {
    Reading::measured(value, age).aged(Millis::ZERO, limit)
}

pub(super) const fn known(value: PointValue) -> Reading<PointValue> {
    Reading::measured(value, Millis::ZERO)
}

pub(super) const fn text(word: &'static str) -> Reading<PointValue> {
    known(PointValue::Text(word))
}

pub(super) const fn int(number: i64) -> Reading<PointValue> {
    known(PointValue::Int(number))
}

pub(super) fn count(number: u64) -> Reading<PointValue> {
    int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Where the worse of the connections stands.
pub(super) fn facility(cycle: &Cycle) -> &'static str {
    cycle.facility.iter().map(|status| status.state).min().map_or("none", FacilityState::as_str)
}

#[expect(clippy::cast_precision_loss, reason = "days are shown")]
pub(super) fn days(until_ms: u64, now_ms: u64) -> f32 {
    (until_ms.cast_signed() - now_ms.cast_signed()) as f32 / 86_400_000.0
}

#[expect(clippy::cast_precision_loss, reason = "shown to a thousandth of a millisecond up to some seconds")]
pub(super) fn millis(micros: u32) -> f32 {
    micros as f32 / 1000.0
}

/// A quantity as it came.
pub(super) fn number<Q: Quantity>(reading: Reading<Q>) -> Reading<PointValue> {
    reading.map(|value| PointValue::Float(value.get()))
}

/// A set-point; none has been given while the agent leaves the actuator as it is.
pub(super) fn set<Q: Quantity>(value: Option<Q>) -> Reading<PointValue> {
    value.map_or(UNDECIDED, |value| known(PointValue::Float(value.get())))
}
