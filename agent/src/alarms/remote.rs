//! Orders about alarms from afar, judged by the desk already, carried out here and answered.

use std::sync::Arc;

use eisbach_control::{Moment, Refusal};

use super::{AlarmAction, AlarmError, AlarmOrder, AlarmVerdict, Alarms};
use crate::desk::{self, Action};
use crate::report::events::{Answer, AnswerState, EventKind, Events, Short};

/// Who is told to have done it.
fn order_of(order: &desk::AlarmOrder) -> Option<AlarmOrder> {
    let (alarm, action) = match order.action {
        Action::Acknowledge(alarm) => (alarm, AlarmAction::Acknowledge),
        Action::Shelve { alarm, minutes } => (Some(alarm), AlarmAction::Shelve { minutes }),
        Action::Unshelve(alarm) => (Some(alarm), AlarmAction::Unshelve),
        Action::Reset(alarm) => (Some(alarm), AlarmAction::Reset),
        Action::PumpAtLeast(_)
        | Action::ValveAtMost(_)
        | Action::SupplyTarget(_)
        | Action::PowerBudget(_)
        | Action::Drain
        | Action::Manual(_)
        | Action::Auto
        | Action::Isolate
        | Action::Release(_)
        | Action::Rebirth => return None,
    };
    Some(AlarmOrder { alarm, action, by: order.issuer.clone() })
}

impl Alarms {
    /// Carries out what the desk let through. That a leak is mended nobody can confirm from afar.
    pub fn carry_out(&mut self, asked: &desk::AlarmOrder, events: &mut Arc<Events>, now: Moment) {
        let Some(order) = order_of(asked) else { return };
        let verdict = self.obey(&order, events, now);
        let answer = Answer {
            id: asked.id.clone(),
            issuer: asked.issuer.clone(),
            action: Short::new(asked.action.name().as_str()),
            state: state(&verdict),
            wall_ms: now.wall_ms,
        };
        Events::push(events, EventKind::Command(answer));
    }
}

fn state(verdict: &Result<AlarmVerdict, AlarmError>) -> AnswerState {
    match verdict {
        Ok(AlarmVerdict::Done { .. } | AlarmVerdict::LatchAsked) => AnswerState::Done,
        Err(AlarmError::Refused(Refusal::Interlocked)) => {
            AnswerState::Refused { reason: Short::new(AlarmError::LocalOnly.as_str()) }
        }
        Err(error) => AnswerState::Refused { reason: Short::new(error.as_str()) },
    }
}
