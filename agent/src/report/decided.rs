//! What was decided, in the words and numbers of the points.

use eisbach_control::{Decision, Release, Rung};
use eisbach_protocol::catalogue::PointValue;
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{Kelvin, Watts};

use super::value::{UNDECIDED, known};

/// What is asked of others, in one word.
pub(super) const fn escalation(decision: &Decision) -> &'static str {
    match decision.escalation.rung() {
        Some(Rung::Stop) => "stop",
        Some(Rung::Freeze) => "freeze",
        Some(Rung::Drain) => "drain",
        Some(Rung::Free | Rung::MoreFlow | Rung::RecoveryBack | Rung::Soft | Rung::PowerCap) | None => {
            "nothing"
        }
    }
}

pub(super) fn escalation_reason(decision: &Decision) -> &'static str {
    let asked = &decision.escalation;
    asked.stop.or(asked.freeze).or(asked.drain).map_or("nothing", |(_, reason)| reason.as_str())
}

pub(super) fn missing_margin(release: &Release) -> Option<Kelvin> {
    match release {
        Release::Margin { missing, .. } => Some(*missing),
        Release::Nothing => Some(Kelvin::ZERO),
        Release::CoolingProof | Release::Ramp { .. } | Release::Budget => None,
    }
}

pub(super) fn time_left(release: &Release) -> Reading<PointValue> {
    match release {
        Release::Margin { held, needed, .. } => known(PointValue::Float(needed.since(*held).as_secs_f32())),
        Release::Nothing => known(PointValue::Float(0.0)),
        Release::CoolingProof | Release::Ramp { .. } | Release::Budget => UNDECIDED,
    }
}

pub(super) fn power_to_go(release: &Release) -> Option<Watts> {
    match release {
        Release::Ramp { to_go } => Some(*to_go),
        Release::Nothing => Some(Watts::ZERO),
        Release::Margin { .. } | Release::CoolingProof | Release::Budget => None,
    }
}
