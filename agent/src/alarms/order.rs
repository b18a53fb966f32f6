//! What a person or the facility may want of an alarm, and the way to the cycle.

use eisbach_control::Refusal;
use eisbach_protocol::alarm::Alarm;
use tokio::sync::{mpsc, oneshot};

use crate::report::events::Short;

/// What is wanted of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmAction {
    /// It was seen.
    Acknowledge,
    /// It shall not be shown for a while.
    Shelve {
        /// For so long.
        minutes: u32,
    },
    /// It shall be shown again.
    Unshelve,
    /// It is mended.
    Reset,
}

/// A wish about an alarm, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmOrder {
    /// About this one; without a name, about all that are to be seen.
    pub alarm: Option<Alarm>,
    /// What is wanted.
    pub action: AlarmAction,
    /// Who wants it.
    pub by: Short,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmVerdict {
    /// It is done.
    Done {
        /// For so many alarms.
        changed: u32,
    },
    /// The interlock behind the alarm is being reset; the alarm goes with it.
    LatchAsked,
}

/// Why it was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlarmError {
    /// The alarm is not in a state for it.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// Water is there, or cannot be ruled out.
    #[error(
        "the leak rope is wet or does not answer; dry or mend it first, or confirm by hand with `eisbach-agent reset`"
    )]
    NotKnownDry,
    /// Only somebody at the node can have seen that it is dry.
    #[error(
        "that the loop may run again is confirmed at the node, with `eisbach-agent alarms reset` and the alarm's name"
    )]
    LocalOnly,
    /// This is not done to all alarms at once.
    #[error("this is done to one alarm at a time; name it")]
    NeedsName,
    /// Too many orders wait.
    #[error("too many orders wait for the control cycle; try again")]
    Busy,
    /// The agent ends.
    #[error("the control cycle has ended")]
    Ended,
}

impl AlarmError {
    /// One stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.as_str(),
            Self::NotKnownDry => "not_known_dry",
            Self::LocalOnly => "local_only",
            Self::NeedsName => "needs_name",
            Self::Busy => "busy",
            Self::Ended => "ended",
        }
    }
}

/// An order on its way.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) order: AlarmOrder,
    /// From somebody at the node.
    pub(super) local: bool,
    pub(super) reply: oneshot::Sender<Result<AlarmVerdict, AlarmError>>,
}

/// The way to the book for everybody but the cycle. Who comes this way is far away, unless it is said.
#[derive(Clone, Debug)]
pub struct AlarmDesk {
    queue: mpsc::Sender<Asked>,
    local: bool,
}

impl AlarmDesk {
    pub(super) const fn new(queue: mpsc::Sender<Asked>) -> Self {
        Self { queue, local: false }
    }

    /// The same for people at the node, who may confirm that a leak is mended.
    #[must_use]
    pub fn at_the_node(&self) -> Self {
        Self { local: true, ..self.clone() }
    }

    /// Hands an order to the cycle. Never waits; the answer comes within a cycle, for whoever wants it.
    ///
    /// # Errors
    /// If too many orders wait, or the agent ends.
    pub fn order(
        &self,
        order: AlarmOrder,
    ) -> Result<oneshot::Receiver<Result<AlarmVerdict, AlarmError>>, AlarmError> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Asked { order, local: self.local, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AlarmError::Busy,
            mpsc::error::TrySendError::Closed(_) => AlarmError::Ended,
        })?;
        Ok(answer)
    }

    /// Hands an order to the cycle and waits for what becomes of it.
    ///
    /// # Errors
    /// If nothing changed.
    pub async fn carry_out(&self, order: AlarmOrder) -> Result<AlarmVerdict, AlarmError> {
        self.order(order)?.await.unwrap_or(Err(AlarmError::Ended))
    }
}
