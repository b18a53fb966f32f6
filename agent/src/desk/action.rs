//! What can be asked for: every action with its parameters, and which way it goes.
//!
//! ```text
//!   Safe       more cooling, less heat, a look, a word: anybody, at any time
//!   Own        takes back what the same issuer has asked for, or asks for less: issuers that are known, with a counter
//!   Authority  anything else: issuers that may, with a counter, while nobody works on the node
//! ```

use eisbach_control::{Manual, Tuning};
use eisbach_protocol::alarm::Alarm;
use eisbach_protocol::catalogue::PointId;
use eisbach_protocol::units::{Celsius, CubicMetersPerSecond, Percent, Watts};

mod params;

pub(super) use self::params::{BadParams, parse};

/// Which way an action goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// More cooling, less heat, or nothing at all.
    Safe,
    /// Takes back an order of the same issuer, or part of it.
    Own,
    /// Anything else.
    Authority,
}

/// One line about an action.
#[derive(Clone, Copy, Debug)]
pub struct ActionDef {
    /// Its name in code.
    pub name: ActionName,
    /// Its name in an envelope.
    pub word: &'static str,
    /// Its parameters, with unit and range.
    pub params: &'static str,
    /// Who may ask for it.
    pub who: &'static str,
    /// What it does, and what holds it back.
    pub doc: &'static str,
}

macro_rules! actions {
    ($($name:ident $word:literal $params:literal $who:literal $doc:literal)+) => {
        /// The name of an action.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ActionName { $(#[doc = $doc] $name),+ }

        /// Every action, in the order of the documentation.
        pub const ACTIONS: [ActionDef; [$($word),+].len()] = [
            $(ActionDef { name: ActionName::$name, word: $word, params: $params, who: $who, doc: $doc }),+
        ];

        impl ActionName {
            /// Its name in an envelope.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }
        }
    };
}

actions! {
    PumpAtLeast "pump_at_least" "`percent` 0 to 100, `for_s`" "anybody"
        "The pump turns no slower. Holds in every state but Leak."
    ValveAtMost "valve_at_most" "`percent` 0 to 100, `for_s`" "anybody"
        "Recovery gets no more of the valve. Yields as supply comes within 2 K of the dew-point limit."
    SupplyTarget "supply_target" "`celsius` 10 to `supply_target_max`, `for_s`" "anybody for less than the agent's own, else issuers that may"
        "Supply temperature to aim at; the lowest of all orders counts. Never below the dew-point limit."
    PowerBudget "power_budget" "`watts` from 0, `for_s`" "anybody"
        "Most that all GPUs draw together; the lowest of all orders counts. No GPU goes below its lowest limit."
    RiverAtMost "river_at_most" "`watts` from 0, `for_s`" "anybody"
        "Most heat that this node gives to the river; the lowest of all orders counts, and the permit. No GPU overheats for it."
    River "river" "`celsius` -5 to 40, `cubic_meters_per_s` from 0, `share` 0 to 1, one or more, and `for_s`" "issuers that may"
        "Tells of the river, and this node's share of what the site may give to it. The newest word counts; after `control.permit.stale_after` without one, a careful guess."
    HeatDemand "heat_demand" "`watts` from 0, `network_celsius` 0 to 150, `for_s`" "issuers that may"
        "Tells what the heat network takes from this node, and how warm. Supply and rise are chosen by it; without it they are as tuned."
    Drain "drain" "`for_s`" "anybody"
        "No new work for this node: runs the drain hook, and the undrain hook when the last such order ends."
    Manual "manual" "`pump_percent` `pump_min` to 100, `valve_percent` 0 to 100, one or both, and `for_s`" "issuers that may"
        "Holds pump and valve by hand, while Running only. The pump never below what the present heat and margins need; the valve never above what cooling leaves to recovery, and not towards the limits of supply."
    Auto "auto" "none" "issuers that may do `manual`"
        "Ends every hold by hand."
    Isolate "isolate" "none" "issuers that may"
        "Stops the loop as for a leak, GPUs at minimum power first. Stays until it is reset, also over its own end."
    Release "release" "`action`" "issuers in the configuration, for what the same issuer asked for"
        "Takes back the issuer's own order of that name before its time."
    Acknowledge "acknowledge" "`alarm`, or none for all" "issuers that may"
        "Somebody has seen the alarm. Ends none."
    Shelve "shelve" "`alarm`, `minutes` 1 to 480" "issuers that may"
        "Puts the alarm aside for a while. A critical one cannot be."
    Unshelve "unshelve" "`alarm`" "anybody"
        "The alarm is shown again."
    Reset "reset" "`alarm`" "issuers that may"
        "Ends a latched alarm whose condition is gone."
    Rebirth "rebirth" "none" "anybody"
        "Every face tells everything once more."
}

impl ActionName {
    /// The action of that name.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        ACTIONS.iter().find(|def| def.word == word).map(|def| def.name)
    }

    /// The right that an issuer must have for it, where one is needed.
    #[must_use]
    pub const fn right(self) -> Self {
        match self {
            Self::Auto => Self::Manual,
            Self::PumpAtLeast
            | Self::ValveAtMost
            | Self::SupplyTarget
            | Self::PowerBudget
            | Self::RiverAtMost
            | Self::River
            | Self::HeatDemand
            | Self::Drain
            | Self::Manual
            | Self::Isolate
            | Self::Release
            | Self::Acknowledge
            | Self::Shelve
            | Self::Unshelve
            | Self::Reset
            | Self::Rebirth => self,
        }
    }

    /// Whether an issuer can be given a right to it.
    #[must_use]
    pub const fn is_a_right(self) -> bool {
        match self {
            Self::SupplyTarget
            | Self::River
            | Self::HeatDemand
            | Self::Manual
            | Self::Isolate
            | Self::Acknowledge
            | Self::Shelve
            | Self::Reset => true,
            Self::PumpAtLeast
            | Self::ValveAtMost
            | Self::PowerBudget
            | Self::RiverAtMost
            | Self::Drain
            | Self::Auto
            | Self::Release
            | Self::Unshelve
            | Self::Rebirth => false,
        }
    }

    /// Whether it tells how the world is rather than what to do: that counts while somebody works on the node, too.
    #[must_use]
    pub const fn tells(self) -> bool {
        matches!(self, Self::River | Self::HeatDemand)
    }
}

/// What is told of the river; what is absent is not told.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct River {
    /// At the intake.
    pub celsius: Option<Celsius>,
    /// Its discharge.
    pub flow: Option<CubicMetersPerSecond>,
    /// This node's share of what the site may give to it.
    pub share: Option<f32>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// See [`ActionName::PumpAtLeast`].
    PumpAtLeast(Percent),
    /// See [`ActionName::ValveAtMost`].
    ValveAtMost(Percent),
    /// See [`ActionName::SupplyTarget`].
    SupplyTarget(Celsius),
    /// See [`ActionName::PowerBudget`].
    PowerBudget(Watts),
    /// See [`ActionName::RiverAtMost`].
    RiverAtMost(Watts),
    /// See [`ActionName::River`].
    River(River),
    /// See [`ActionName::HeatDemand`].
    HeatDemand {
        /// What the network takes.
        watts: Watts,
        /// How warm it wants it.
        network: Celsius,
    },
    /// See [`ActionName::Drain`].
    Drain,
    /// See [`ActionName::Manual`].
    Manual(Manual),
    /// See [`ActionName::Auto`].
    Auto,
    /// See [`ActionName::Isolate`].
    Isolate,
    /// See [`ActionName::Release`].
    Release(ActionName),
    /// See [`ActionName::Acknowledge`].
    Acknowledge(Option<Alarm>),
    /// See [`ActionName::Shelve`].
    Shelve {
        /// Which.
        alarm: Alarm,
        /// For how long.
        minutes: u32,
    },
    /// See [`ActionName::Unshelve`].
    Unshelve(Alarm),
    /// See [`ActionName::Reset`].
    Reset(Alarm),
    /// See [`ActionName::Rebirth`].
    Rebirth,
}

impl Action {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> ActionName {
        match self {
            Self::PumpAtLeast(_) => ActionName::PumpAtLeast,
            Self::ValveAtMost(_) => ActionName::ValveAtMost,
            Self::SupplyTarget(_) => ActionName::SupplyTarget,
            Self::PowerBudget(_) => ActionName::PowerBudget,
            Self::RiverAtMost(_) => ActionName::RiverAtMost,
            Self::River(_) => ActionName::River,
            Self::HeatDemand { .. } => ActionName::HeatDemand,
            Self::Drain => ActionName::Drain,
            Self::Manual(_) => ActionName::Manual,
            Self::Auto => ActionName::Auto,
            Self::Isolate => ActionName::Isolate,
            Self::Release(_) => ActionName::Release,
            Self::Acknowledge(_) => ActionName::Acknowledge,
            Self::Shelve { .. } => ActionName::Shelve,
            Self::Unshelve(_) => ActionName::Unshelve,
            Self::Reset(_) => ActionName::Reset,
            Self::Rebirth => ActionName::Rebirth,
        }
    }

    /// Which way it goes, on a node of these numbers.
    #[must_use]
    pub fn direction(&self, tuning: &Tuning) -> Direction {
        match self {
            Self::PumpAtLeast(_)
            | Self::ValveAtMost(_)
            | Self::PowerBudget(_)
            | Self::RiverAtMost(_)
            | Self::Drain
            | Self::Unshelve(_)
            | Self::Rebirth => Direction::Safe,
            Self::SupplyTarget(celsius) if *celsius <= tuning.supply_target => Direction::Safe,
            Self::Release(_) => Direction::Own,
            Self::SupplyTarget(_)
            | Self::River(_)
            | Self::HeatDemand { .. }
            | Self::Manual(_)
            | Self::Auto
            | Self::Isolate
            | Self::Acknowledge(_)
            | Self::Shelve { .. }
            | Self::Reset(_) => Direction::Authority,
        }
    }

    /// How much cooling, or how little heat, it asks for; only to be compared with another of its name.
    #[must_use]
    pub const fn strictness(&self) -> f32 {
        match self {
            Self::PumpAtLeast(percent) => percent.get(),
            Self::ValveAtMost(percent) => -percent.get(),
            Self::SupplyTarget(celsius) => -celsius.get(),
            Self::PowerBudget(watts) | Self::RiverAtMost(watts) => -watts.get(),
            Self::River(_)
            | Self::HeatDemand { .. }
            | Self::Drain
            | Self::Manual(_)
            | Self::Auto
            | Self::Isolate
            | Self::Release(_)
            | Self::Acknowledge(_)
            | Self::Shelve { .. }
            | Self::Unshelve(_)
            | Self::Reset(_)
            | Self::Rebirth => 0.0,
        }
    }

    /// Whether it stays in force for a while, rather than being done at once.
    #[must_use]
    pub const fn lasts(&self) -> bool {
        match self {
            Self::PumpAtLeast(_)
            | Self::ValveAtMost(_)
            | Self::SupplyTarget(_)
            | Self::PowerBudget(_)
            | Self::RiverAtMost(_)
            | Self::River(_)
            | Self::HeatDemand { .. }
            | Self::Drain
            | Self::Manual(_)
            | Self::Isolate => true,
            Self::Auto
            | Self::Release(_)
            | Self::Acknowledge(_)
            | Self::Shelve { .. }
            | Self::Unshelve(_)
            | Self::Reset(_)
            | Self::Rebirth => false,
        }
    }
}

/// The points that a host may write, and what it thereby asks for. Only what goes in a safe direction.
type Plain = (PointId, fn(f32) -> Action);

const PLAIN: [Plain; 4] = [
    (PointId::NodeBudget, |watts| Action::PowerBudget(Watts::new(watts))),
    (PointId::NodeRiverAtMost, |watts| Action::RiverAtMost(Watts::new(watts))),
    (PointId::PumpAtLeast, |percent| Action::PumpAtLeast(Percent::new(percent))),
    (PointId::ValveAtMost, |percent| Action::ValveAtMost(Percent::new(percent))),
];

/// What a number written to a point asks for, if anything.
#[must_use]
pub fn plain(point: PointId, value: f32) -> Option<Action> {
    PLAIN.iter().find(|(id, _)| *id == point).map(|(_, action)| action(value))
}

#[cfg(test)]
mod tests;
