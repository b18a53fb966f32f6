//! Wishes about alarms that wait for the cycle, so that the desk need not.
//!
//! ```text
//!   wish ──► alarm desk ──► cycle
//!     └────► [ 8 ] each waits for at most a second ──► what became of it
//! ```

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::action::Action;
use super::judge::Ruling;
use super::refusal::Refusal;
use super::task::Names;
use crate::alarms::{AlarmAction, AlarmDesk, AlarmError, AlarmOrder, AlarmVerdict};
use crate::report::events::{AnswerState, Short};

/// Most that wait. Fewer than fit before the cycle: people at the node go the same way.
const MOST: usize = 8;
/// A cycle takes a tenth of a second.
const LIMIT: Duration = Duration::from_secs(1);

/// Whose wish, and what became of it: or one word that says why nothing did.
pub(super) type Became = (Names, Ruling, Result<AnswerState, &'static str>);

/// Those that wait.
#[derive(Debug, Default)]
pub(super) struct Wishes(JoinSet<Became>);

impl Wishes {
    /// Hands a wish to the cycle. Never waits.
    pub(super) fn hand(
        &mut self,
        desk: &AlarmDesk,
        order: AlarmOrder,
        (names, ruling): (Names, Ruling),
    ) -> Result<(), &'static str> {
        if self.0.len() >= MOST {
            return Err(Refusal::Busy.as_str());
        }
        let verdict = desk.order(order).map_err(AlarmError::as_str)?;
        self.0.spawn(async move {
            let became = match timeout(LIMIT, verdict).await {
                Ok(Ok(Ok(AlarmVerdict::Done { .. } | AlarmVerdict::LatchAsked))) => Ok(AnswerState::Done),
                Ok(Ok(Err(error))) => Err(error.as_str()),
                Ok(Err(_gone)) => Err(AlarmError::Ended.as_str()),
                Err(_elapsed) => Err(Refusal::Busy.as_str()),
            };
            (names, ruling, became)
        });
        Ok(())
    }

    /// The next one of which something became; nothing while none waits.
    pub(super) async fn next(&mut self) -> Option<Became> {
        self.0.join_next().await?.ok()
    }
}

/// The wish about an alarm in an action, if it is one.
pub(super) fn alarm_order(action: &Action, by: &Short) -> Option<AlarmOrder> {
    let (alarm, action) = match *action {
        Action::Acknowledge(alarm) => (alarm, AlarmAction::Acknowledge),
        Action::Shelve { alarm, minutes } => (Some(alarm), AlarmAction::Shelve { minutes }),
        Action::Unshelve(alarm) => (Some(alarm), AlarmAction::Unshelve),
        Action::Reset(alarm) => (Some(alarm), AlarmAction::Reset),
        Action::PumpAtLeast(_)
        | Action::ValveAtMost(_)
        | Action::SupplyTarget(_)
        | Action::PowerBudget(_)
        | Action::RiverAtMost(_)
        | Action::River(_)
        | Action::HeatDemand { .. }
        | Action::Drain
        | Action::Manual(_)
        | Action::Auto
        | Action::Isolate
        | Action::Release(_)
        | Action::Rebirth => return None,
    };
    Some(AlarmOrder { alarm, action, by: by.clone() })
}
