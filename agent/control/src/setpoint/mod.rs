//! The set-point layer: each minute, which supply temperature and which rise over the plates.
//!
//! ```text
//!   heat demand, network ─┐
//!   what the minute was  ─┼─► model: pump + heat pump + leakage − heat ─► best within bounds ─► worth it? ─► ramp
//!   prices, bounds       ─┘
//! ```
//!
//! Where the facility does not tell what its network wants, supply and rise stay as they are tuned.

mod bounds;
mod facility;
mod minute;
mod model;
mod search;
#[cfg(test)]
mod tests;

use eisbach_protocol::units::{Celsius, Kelvin, LitersPerMinute, Millis};
use serde::{Deserialize, Serialize};

use crate::decision::{Leader, Reason};
use crate::estimate::NodeView;
use crate::surroundings::Surroundings;
use crate::tuning::Tuning;
use bounds::Bounds;
pub(crate) use facility::water_over_supply;
use minute::Minute;
pub(crate) use minute::full_heat;
use model::{Choice, Wants};

/// So often it chooses anew.
const PERIOD: Millis = Millis::from_secs(60);
/// Where a permit wants the loop hot, supply rises so much faster: the river does not wait (estimate).
const PERMIT_PACE: f32 = 4.0;
/// A network that wants less than this share of the node's heat wants none (estimate).
const WANTS_HEAT: f32 = 0.05;

/// What the layer is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Supply and rise as tuned.
    #[default]
    Tuned,
    /// Little flow and a hot return, for a network that wants heat.
    Heat,
    /// Least power of pump and leakage.
    Cool,
}

impl Mode {
    /// Stable text for faces and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tuned => "tuned",
            Self::Heat => "heat",
            Self::Cool => "cool",
        }
    }
}

/// The set-points in force.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetPoints {
    /// What they are about.
    pub mode: Mode,
    /// Supply temperature, before condensation limit and orders have their say.
    pub supply: Celsius,
    /// Rise over the cold plates.
    pub rise: Kelvin,
    /// What dictates them.
    pub leader: Leader,
    /// Why.
    pub reason: Reason,
}

impl SetPoints {
    /// As tuned.
    #[must_use]
    pub const fn tuned(tuning: &Tuning) -> Self {
        Self {
            mode: Mode::Tuned,
            supply: tuning.supply_target,
            rise: tuning.loop_rise,
            leader: Leader::SupplyLoop,
            reason: Reason::HoldSupply,
        }
    }

    /// Return temperature that they aim at.
    #[must_use]
    pub fn return_(&self) -> Celsius {
        self.supply + self.rise
    }
}

/// What a second of the layer is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Second<'a> {
    pub(crate) node: &'a NodeView,
    pub(crate) surroundings: &'a Surroundings,
    /// Ordinary operation: only then there is something to choose.
    pub(crate) running: bool,
    pub(crate) supply: Option<Celsius>,
    /// Rise over the plates that the pump aims at.
    pub(crate) rise: Kelvin,
    /// Coolant flow as measured.
    pub(crate) flow: Option<LitersPerMinute>,
    /// Flow asked for.
    pub(crate) asked: LitersPerMinute,
    /// Flow at full speed.
    pub(crate) full_flow: LitersPerMinute,
    /// Lowest supply temperature that does not condense.
    pub(crate) floor: Celsius,
    /// Supply by order from afar.
    pub(crate) ordered: Option<Celsius>,
    /// Why the permit wants the loop as hot as it may be, if it does.
    pub(crate) permit: Option<Reason>,
}

/// The layer's memory.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Layer {
    minute: Minute,
    /// What was chosen last, and when.
    chosen: Option<(Choice, Millis)>,
    /// On the way to it; nothing while supply and rise are as tuned.
    current: Option<Choice>,
    mode: Mode,
    /// The permit has its say.
    permit: Option<Reason>,
}

impl Layer {
    /// The set-points in force.
    pub(crate) fn held(&self, tuning: &Tuning) -> SetPoints {
        let tuned = SetPoints::tuned(tuning);
        let Some(Choice { supply, rise }) = self.current else { return tuned };
        let (leader, reason) = match (self.permit, self.mode) {
            (Some(reason), _) => (Leader::Permit, reason),
            (None, Mode::Heat) => (Leader::SetPoints, Reason::HeatWanted),
            (None, Mode::Cool) => (Leader::SetPoints, Reason::LeastCost),
            (None, Mode::Tuned) => (tuned.leader, tuned.reason),
        };
        SetPoints { mode: self.mode, supply: Celsius::new(supply), rise: Kelvin::new(rise), leader, reason }
    }

    /// Highest supply temperature that keeps the margins, as far as it is known.
    pub(crate) fn highest(&self, second: &Second<'_>, tuning: &Tuning) -> Celsius {
        let highest = tuning.supply_target_max.larger(tuning.supply_target);
        let held = self.held(tuning);
        let Some(model) = self.minute.model(second, Wants::NOTHING, tuning) else {
            return held.supply.larger(tuning.supply_target);
        };
        highest.smaller(model.warmest(held.rise.get())).larger(tuning.supply_target)
    }

    /// Lets a second pass.
    pub(crate) fn run(&mut self, second: &Second<'_>, dt_s: f32, now: Millis, tuning: &Tuning) {
        self.minute.note(second, dt_s, tuning);
        self.permit = second.permit;
        if !second.running {
            return;
        }
        let tuned = Choice { supply: tuning.supply_target.get(), rise: tuning.loop_rise.get() };
        let wants = Wants::of(second.surroundings).filter(|_| tuning.set_points.enabled);
        self.choose(second, wants, now, tuning);
        let mut aim = self.chosen.map_or(tuned, |(choice, _)| choice);
        let mut pace = tuning.set_points.supply_per_minute;
        if second.permit.is_some() {
            aim.supply = self.highest(second, tuning).get().max(aim.supply);
            pace *= PERMIT_PACE;
        }
        let from = self.current.unwrap_or(tuned);
        let minutes = dt_s / 60.0;
        let next = Choice {
            supply: towards(from.supply, aim.supply, pace * minutes),
            rise: towards(from.rise, aim.rise, tuning.set_points.rise_per_minute * minutes),
        };
        // Back where the tuning is, the tuning has it again.
        let idle = self.chosen.is_none() && second.permit.is_none() && next == tuned;
        self.current = (!idle).then_some(next);
        if idle {
            self.mode = Mode::Tuned;
        }
    }

    /// Each minute: the best that is within bounds, if it is worth the move.
    fn choose(&mut self, second: &Second<'_>, wants: Option<Wants>, now: Millis, tuning: &Tuning) {
        let Some(wants) = wants else {
            self.chosen = None;
            return;
        };
        if self.chosen.is_some_and(|(_, at)| now.since(at) < PERIOD) {
            return;
        }
        let Some(model) = self.minute.model(second, wants, tuning) else { return };
        let bounds = Bounds::of(second, tuning);
        let best = search::best(&model, &bounds);
        let keep = self
            .chosen
            .map(|(choice, _)| bounds.hold(choice))
            .filter(|choice| model.cost(*choice) - model.cost(best) < tuning.set_points.worth_watts);
        self.chosen = Some((keep.unwrap_or(best), now));
        self.mode = if wants.heat > model.heat() * WANTS_HEAT { Mode::Heat } else { Mode::Cool };
    }
}

/// From one number towards another, no faster than that.
fn towards(from: f32, to: f32, most: f32) -> f32 {
    // Exactly there in the end: a sum of steps would stop beside it.
    if (to - from).abs() <= most { to } else { from + most.copysign(to - from) }
}

impl Wants {
    /// What the network wants, where the facility tells all of it.
    fn of(surroundings: &Surroundings) -> Option<Self> {
        let heat = surroundings.heat_demand.usable()?.get();
        let network = surroundings.network_supply.usable()?.get();
        let sensible = heat.is_finite() && (0.0..=150.0).contains(&network);
        sensible.then(|| Self { heat: heat.max(0.0), network })
    }
}
