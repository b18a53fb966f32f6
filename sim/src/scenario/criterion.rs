//! What a scenario must show.

use core::fmt;

use eisbach_control::StateName;
use eisbach_protocol::alarm::Alarm;
use serde::{Deserialize, Serialize};

use super::span::Span;

/// One thing that must hold, over the whole scenario or a part of it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// What it says; made from the kind and the times if it is not given.
    pub name: Option<String>,
    /// What is measured.
    pub kind: Kind,
    /// The limit, in the unit of the kind. The limit itself is good.
    pub limit: f64,
    /// From when it is judged.
    #[serde(default)]
    pub from: Span,
    /// Until when; to the end if it is not given.
    pub to: Option<Span>,
}

/// What is measured. Truth, not what sensors show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Kind {
    /// Smallest distance of a core below the temperature at which its hardware slows it down, K.
    Margin,
    /// GPUs that have switched themselves off.
    GpusOff,
    /// Share of GPU time in which a GPU did less than asked, by whatever hand, %.
    Throttled,
    /// Highest power of a GPU, % of its TDP.
    GpuPower,
    /// Smallest distance of the supply above the room's dew point, K.
    AboveDewPoint,
    /// Largest distance of the supply from its set-point, K.
    SupplyError,
    /// Most reversals of the recovery valve within ten minutes. A reversal is a way back of more than 1 % of its stroke
    /// that no change of the load asked for.
    Reversals,
    /// Way that the pump's set-point goes up and down, % of full speed per minute.
    PumpTravel,
    /// Largest jump of a set-point of pump or valve from one cycle to the next, %.
    Jump,
    /// Minutes in which the river permit is broken.
    PermitMinutes,
    /// Pump energy saved against the same node with a fixed flow for its full heat, %.
    PumpSaving,
    /// Liquid lost, L.
    Leaked,
    /// Seconds until this control state is reached.
    Reaches(State),
    /// Seconds until this alarm is raised.
    Raises(Raised),
    /// Seconds until the pump stands still.
    PumpStops,
    /// Runs of the same scenario that differ in any bit.
    Replay,
}

/// A control state by its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct State(pub StateName);

/// An alarm by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Raised(pub Alarm);

impl TryFrom<String> for State {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        use StateName::{Boot, Critical, Hot, Leak, Running, Uncontrollable};
        let all = [Boot, Running, Hot, Critical, Leak, Uncontrollable];
        let found = all.into_iter().find(|state| state.as_str() == word);
        found.map(Self).ok_or_else(|| {
            format!("\"{word}\" is no control state; they are {}", all.map(StateName::as_str).join(", "))
        })
    }
}

impl TryFrom<String> for Raised {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Alarm::named(&name)
            .map(Self)
            .ok_or_else(|| format!("no alarm is called \"{name}\"; see docs/alarms.md"))
    }
}

/// What came of a criterion. A value that never came is absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The criterion.
    pub name: String,
    /// What was measured.
    pub value: Option<f64>,
    /// The limit.
    pub limit: f64,
    /// Whether it holds.
    pub passed: bool,
}

impl Kind {
    /// The value must not be below the limit; otherwise not above.
    pub(super) const fn at_least(self) -> bool {
        matches!(self, Self::Margin | Self::AboveDewPoint | Self::PumpSaving)
    }

    /// Whether a value is good enough.
    fn holds(self, value: f64, limit: f64) -> bool {
        if self.at_least() { value >= limit } else { value <= limit }
    }

    /// Unit of value and limit.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Margin | Self::AboveDewPoint | Self::SupplyError => "K",
            Self::Throttled | Self::GpuPower | Self::Jump | Self::PumpSaving => "%",
            Self::PumpTravel => "%/min",
            Self::PermitMinutes => "min",
            Self::Leaked => "L",
            Self::Reaches(_) | Self::Raises(_) | Self::PumpStops => "s",
            Self::GpusOff | Self::Reversals | Self::Replay => "",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Margin => f.write_str("hottest core below slowdown"),
            Self::GpusOff => f.write_str("GPUs switched off"),
            Self::Throttled => f.write_str("GPU time throttled"),
            Self::GpuPower => f.write_str("highest power of a GPU, of its TDP"),
            Self::AboveDewPoint => f.write_str("supply above dew point"),
            Self::SupplyError => f.write_str("supply off its set-point"),
            Self::Reversals => f.write_str("valve reversals in 10 min"),
            Self::PumpTravel => f.write_str("way of the pump's set-point"),
            Self::Jump => f.write_str("jump of a set-point"),
            Self::PermitMinutes => f.write_str("river permit broken"),
            Self::PumpSaving => f.write_str("pump energy saved against fixed flow"),
            Self::Leaked => f.write_str("liquid lost"),
            Self::Reaches(State(state)) => write!(f, "time to state {}", state.as_str()),
            Self::Raises(Raised(alarm)) => write!(f, "time to alarm {}", alarm.as_str()),
            Self::PumpStops => f.write_str("time to a standing pump"),
            Self::Replay => f.write_str("runs that differ in a bit"),
        }
    }
}

impl Criterion {
    /// What it says.
    #[must_use]
    pub fn title(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        let (kind, unit) = (self.kind, self.kind.unit());
        let comma = if unit.is_empty() { "" } else { ", " };
        match (self.from == Span::default(), self.to) {
            (true, None) => format!("{kind}{comma}{unit}"),
            (false, None) => format!("{kind}{comma}{unit} (from {})", self.from),
            (_, Some(to)) => format!("{kind}{comma}{unit} ({} to {to})", self.from),
        }
    }

    /// The verdict on a value; none means that what must come never came.
    pub(super) fn verdict(&self, value: Option<f64>) -> Verdict {
        let passed = value.is_some_and(|value| self.kind.holds(value, self.limit));
        Verdict { name: self.title(), value, limit: self.limit, passed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn criterion(kind: Kind, limit: f64) -> Criterion {
        Criterion { name: None, kind, limit, from: Span::default(), to: None }
    }

    #[test]
    fn the_limit_itself_is_good_from_either_side() {
        for (kind, value, passed) in [
            (Kind::Margin, 2.0, true),
            (Kind::Margin, 1.9, false),
            (Kind::SupplyError, 2.0, true),
            (Kind::SupplyError, 2.1, false),
            (Kind::Margin, f64::NAN, false),
        ] {
            assert_eq!(criterion(kind, 2.0).verdict(Some(value)).passed, passed, "{kind} {value}");
        }
        assert!(!criterion(Kind::Reaches(State(StateName::Leak)), 1.0).verdict(None).passed);
    }

    #[test]
    fn a_criterion_says_what_it_judges_and_when() {
        let from = Span::from_secs(60);
        let named = Criterion { from, to: Some(Span::from_secs(80)), ..criterion(Kind::Margin, 2.0) };
        assert_eq!(named.title(), "hottest core below slowdown, K (1 min to 80 s)");
        assert_eq!(criterion(Kind::GpusOff, 0.0).title(), "GPUs switched off");
    }

    #[test]
    fn states_and_alarms_go_by_their_names() {
        assert_eq!(State::try_from("critical".to_owned()), Ok(State(StateName::Critical)));
        assert!(State::try_from("asleep".to_owned()).unwrap_err().contains("uncontrollable"));
        assert!(Raised::try_from(Alarm::Leak.as_str().to_owned()).is_ok());
        assert!(Raised::try_from("fire".to_owned()).is_err());
    }
}
