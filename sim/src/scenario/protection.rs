//! Protections, to be taken away one at a time: a scenario that still passes without what it is about proves nothing.
//!
//! They are taken away in the simulator, between plant and controller. The product has no such switch.

use core::fmt;

use eisbach_control::{Decision, Snapshot, StateName, Surroundings, Tuning};
use eisbach_protocol::units::{Kelvin, Percent, Watts};
use serde::Deserialize;

use super::sensor::Credulous;

/// Dew points are ignored with this: far below anything that a supply reaches.
const NO_DISTANCE: Kelvin = Kelvin::new(-60.0);

/// Lowest speed of a pump that follows the power of the moment.
const LEAST_SPEED: Percent = Percent::new(30.0);

/// Cycles for which a fresh agent believes in its own beginning: longer than it holds everything still.
const BLIND: u32 = 20;

/// What can be taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protection {
    /// The pump follows the load. Without: it stays at the speed it has at the beginning.
    PumpFollowsLoad,
    /// Flow follows the heat down. Without: the flow for full heat, always.
    VariableFlow,
    /// The pump carries the mean of a swinging load. Without: it follows the power of the moment, up and down.
    SteadyFlow,
    /// The valve holds the supply temperature. Without: it stays where it is at the beginning.
    SupplyLoop,
    /// All cooling when margins are small. Without: pump and valve stay where they are.
    AllCooling,
    /// Supply stays above the dew point. Without: the room's dew point counts for nothing.
    DewPoint,
    /// GPUs are capped and their clocks locked. Without: they are not.
    Throttling,
    /// The loop stops on water. Without: the pump runs on.
    LeakOrder,
    /// What is silent or no number is bad. Without: the last word of a sensor counts for ever.
    Judgement,
    /// The controller knows river and permit. Without: it is told nothing.
    Permit,
    /// A fresh agent takes over what it finds. Without: it believes in a pump at its least speed, all heat to recovery,
    /// and no limits.
    TakingOver,
    /// The second pump. Without: it does not start.
    SecondPump,
}

impl Protection {
    /// What it is, and what stands in its place.
    #[must_use]
    pub const fn described(self) -> &'static str {
        match self {
            Self::PumpFollowsLoad => "the pump follows the load → it keeps its first speed",
            Self::VariableFlow => "flow follows the heat → always the flow for full heat",
            Self::SteadyFlow => "the pump carries the mean of swings → it follows the power of the moment",
            Self::SupplyLoop => "the valve holds the supply → it keeps its first position",
            Self::AllCooling => "all cooling when margins are small → pump and valve stay as they are",
            Self::DewPoint => "supply stays above the dew point → the dew point counts for nothing",
            Self::Throttling => "GPUs are capped → they are not",
            Self::LeakOrder => "the loop stops on water → the pump runs on",
            Self::Judgement => "what is silent is bad → the last word counts for ever",
            Self::Permit => "river and permit are known → nothing is told of them",
            Self::TakingOver => "a fresh agent takes over what it finds → it begins from its own",
            Self::SecondPump => "a second pump starts → it does not",
        }
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.described())
    }
}

/// A run with something taken away, or nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Harness {
    without: Option<Protection>,
    /// Pump speed that holds the flow for full heat.
    fixed_speed: Option<Percent>,
    /// Power of all GPUs at their limits.
    full_power: Watts,
    /// Cycles in which a fresh agent does not see what it finds.
    blind: u32,
    credulous: Credulous,
    first_pump: Option<Percent>,
    first_valve: Option<Percent>,
}

impl Harness {
    /// Nothing is taken away.
    pub(super) fn whole() -> Self {
        Self::default()
    }

    /// `fixed` is the pump speed that holds the flow for full heat, `full` the power of all GPUs at their limits.
    pub(super) fn without(protection: Protection, fixed: Percent, full: Watts) -> Self {
        let fixed_speed = (protection == Protection::VariableFlow).then_some(fixed);
        Self { without: Some(protection), fixed_speed, full_power: full, ..Self::default() }
    }

    /// The pump at one speed, and everything else as it is.
    pub(super) fn fixed_flow(fixed: Percent) -> Self {
        Self { fixed_speed: Some(fixed), ..Self::default() }
    }

    /// Whether this is taken away.
    pub(super) fn lacks(&self, protection: Protection) -> bool {
        self.without == Some(protection)
    }

    /// The controller's numbers.
    pub(super) fn tuning(&self, tuning: Tuning) -> Tuning {
        match self.without {
            Some(Protection::DewPoint) => Tuning { dew_point_distance: NO_DISTANCE, ..tuning },
            _ => tuning,
        }
    }

    /// A fresh agent begins.
    pub(super) fn begin_anew(&mut self) {
        if self.lacks(Protection::TakingOver) {
            self.blind = BLIND;
        }
    }

    /// What the controller gets to see.
    pub(super) fn tell(&mut self, snapshot: &mut Snapshot) {
        if self.blind > 0 {
            self.blind -= 1;
            snapshot.pump.speed = snapshot.pump.speed.map(|_| LEAST_SPEED);
            snapshot.valve.position = snapshot.valve.position.map(|_| Percent::new(100.0));
            snapshot.gpus.iter_mut().for_each(|gpu| (gpu.held_cap, gpu.held_clock) = (None, None));
        }
        match self.without {
            Some(Protection::Judgement) => self.credulous.fill(snapshot),
            Some(Protection::Permit) => snapshot.surroundings = Surroundings::default(),
            _ => {}
        }
    }

    /// What is done of what was decided. `begun`: the scenario is on, and not only settling.
    pub(super) fn pass(&mut self, decision: &mut Decision, begun: bool) {
        if let Some(speed) = self.fixed_speed {
            decision.pump.value = Some(speed);
        }
        if !begun {
            return;
        }
        let first_pump = *self.first_pump.get_or_insert_with(|| decision.pump.value.unwrap_or_default());
        let first_valve = *self.first_valve.get_or_insert_with(|| decision.valve.value.unwrap_or_default());
        match self.without {
            Some(Protection::PumpFollowsLoad) => decision.pump.value = Some(first_pump),
            Some(Protection::SteadyFlow) => {
                let share = decision.node_power.get() / self.full_power.get().max(1.0);
                decision.pump.value =
                    Some(Percent::new(100.0 * share).held(LEAST_SPEED, Percent::new(100.0)));
            }
            Some(Protection::SupplyLoop) => decision.valve.value = Some(first_valve),
            Some(Protection::AllCooling) if decision.state != StateName::Running => {
                decision.pump.value = None;
                decision.valve.value = None;
            }
            Some(Protection::LeakOrder) => {
                decision.pump_run = true;
                if decision.state == StateName::Leak {
                    decision.pump.value = None;
                }
            }
            Some(Protection::Throttling) => {
                for gpu in &mut decision.gpus {
                    (gpu.power_cap, gpu.clock_max) = (None, None);
                }
            }
            _ => {}
        }
    }
}
