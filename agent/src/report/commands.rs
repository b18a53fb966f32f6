//! What the node's own points say about commands.

use eisbach_control::{Fate, RemoteOutcome};
use eisbach_protocol::catalogue::{Label, PointValue};
use eisbach_protocol::units::Percent;

use super::events::AnswerState;
use crate::desk::CommandsView;

/// Who has the say over pump and valve.
pub(super) const fn mode(view: &CommandsView, outcome: &RemoteOutcome) -> &'static str {
    if view.local {
        "maintenance"
    } else if holds(outcome.manual_pump) || holds(outcome.manual_valve) {
        "manual"
    } else {
        "auto"
    }
}

/// A hand has some say.
const fn holds(fate: Fate<Percent>) -> bool {
    match fate {
        Fate::InForce | Fate::Clamped { .. } => true,
        Fate::Absent | Fate::Senseless | Fate::Overridden { .. } => false,
    }
}

/// Id of the command answered last.
pub(super) fn id(view: &CommandsView) -> PointValue {
    PointValue::Label(Label::new(view.last.as_ref().map_or("", |answer| answer.id.as_str())))
}

/// How it stands.
pub(super) fn state(view: &CommandsView) -> &'static str {
    view.last.as_ref().map_or("", |answer| answer.state.as_str())
}

/// Why it was refused, or how far it goes.
pub(super) fn reason(view: &CommandsView) -> PointValue {
    let label = match view.last.as_ref().map(|answer| &answer.state) {
        Some(AnswerState::Refused { reason }) => Label::new(reason.as_str()),
        Some(AnswerState::Clamped { to }) => Label::new(&format!("to {to}")),
        Some(AnswerState::Accepted | AnswerState::Done | AnswerState::Expired) | None => Label::new(""),
    };
    PointValue::Label(label)
}
