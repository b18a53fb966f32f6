//! What the facility noticed, with the plant time at which it did.

use std::fmt;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// Plant time, ms.
    pub(crate) plant_ms: u64,
    /// What changed.
    pub(crate) what: What,
}

/// What can change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// An alarm stands.
    AlarmRaised(String),
    /// An alarm is over.
    AlarmCleared(String),
    /// The node is in this control state.
    State(String),
    /// The node is gone from the broker.
    NodeGone,
    /// A device of the node does not answer.
    DeviceGone(String),
    /// The broker cannot be reached.
    BrokerGone,
    /// It can again.
    BrokerBack,
}

/// States that are no trouble.
const CALM: [&str; 2] = ["boot", "running"];

impl What {
    /// Whether it shows that something is wrong: an alarm, a state of emergency, a part that is gone.
    #[must_use]
    pub(crate) fn is_trouble(&self) -> bool {
        match self {
            Self::AlarmRaised(_) | Self::NodeGone | Self::DeviceGone(_) | Self::BrokerGone => true,
            Self::State(state) => !CALM.contains(&state.as_str()),
            Self::AlarmCleared(_) | Self::BrokerBack => false,
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlarmRaised(alarm) => write!(f, "alarm {alarm}"),
            Self::AlarmCleared(alarm) => write!(f, "alarm {alarm} is over"),
            Self::State(state) => write!(f, "state {state}"),
            Self::NodeGone => write!(f, "the node is gone from the broker"),
            Self::DeviceGone(device) => write!(f, "device {device} does not answer"),
            Self::BrokerGone => write!(f, "the broker cannot be reached"),
            Self::BrokerBack => write!(f, "the broker can be reached again"),
        }
    }
}
