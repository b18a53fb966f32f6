//! What the node's points say about river and heat network.

use eisbach_control::Decision;
use eisbach_protocol::catalogue::PointValue;
use eisbach_protocol::reading::{BadReason, Reading};
use eisbach_protocol::units::{Celsius, Millis, Quantity};

use super::value::known;

/// Return temperature aimed at: what the supply is really held at, and the rise.
pub(super) fn return_target(decision: &Decision) -> Celsius {
    decision.supply_target + decision.set_points.rise
}

/// A limit; there is none where nothing is limited.
pub(super) fn limit<Q: Quantity>(limit: Option<Q>) -> Reading<PointValue> {
    limit.map_or(Reading::bad(BadReason::NotSupported), |limit| known(PointValue::Float(limit.get())))
}

/// What is reckoned is shown as an estimate.
pub(super) fn reckoned<Q: Quantity>(value: Option<Q>) -> Reading<PointValue> {
    value.map_or(Reading::bad(BadReason::NotSupported), |value| {
        Reading::estimated(PointValue::Float(value.get()), Millis::ZERO)
    })
}
