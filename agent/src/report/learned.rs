//! What control has found out about its loop, as points: estimates, every one of them.

use eisbach_control::Drift;
use eisbach_protocol::catalogue::PointValue;
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::Millis;

use super::value::UNDECIDED;

/// A learned number.
pub(super) const fn value(number: f32) -> Reading<PointValue> {
    Reading::estimated(PointValue::Float(number), Millis::ZERO)
}

/// A share, in percent.
pub(super) fn percent(share: Option<f32>) -> Reading<PointValue> {
    share.map_or(UNDECIDED, |share| value(100.0 * share))
}

/// A thermal resistance, in K/kW.
pub(super) fn resistance(drift: Option<Drift>) -> Reading<PointValue> {
    drift.map_or(UNDECIDED, |drift| value(1000.0 * drift.now))
}

/// What has been added to it, in percent.
pub(super) fn drift(drift: Option<Drift>) -> Reading<PointValue> {
    percent(drift.map(|drift| drift.share()))
}
