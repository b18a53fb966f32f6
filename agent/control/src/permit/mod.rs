//! Heat to the river: what the permit leaves to this node, what the node gives, and what it does about it.
//!
//! ```text
//!   river °C, m³/s ─► last word, or a careful guess ─► rules × share, the day, what is ahead ─► permitted W
//!   meters ─► heat of the node, of recovery ─► heat to the river W
//!
//!   too much?  1. the valve opens to recovery      2. supply up to the highest      3. power comes down
//!   room again?  power comes back slowly, the valve closes as far as it may, supply comes down
//! ```
//!
//! Recovery is cooling too, while it takes heat. A GPU at its limit gets all cooling there is, permit or not, and that
//! is an alarm.

mod day;
mod flows;
mod forecast;
mod rules;
#[cfg(test)]
mod tests;
mod told;

use eisbach_protocol::units::{Celsius, CubicMetersPerSecond, Kelvin, KilowattHours, Millis, Percent, Watts};
use serde::{Deserialize, Serialize};

use crate::budget::Budget;
use crate::decision::{Leader, Reason};
use crate::estimate::NodeView;
use crate::snapshot::Snapshot;
use crate::state::StateName;
use crate::tuning::Tuning;
use day::Day;
use flows::Flows;
use forecast::Forecast;
use rules::JOULES_PER_M3_KELVIN;
use told::{Belief, Told};

/// Fastest move of the valve for the permit, % per second: that of the supply loop.
const VALVE_PER_S: f32 = 2.0;
/// ... and back, slower: what the permit leaves moves to and fro, and the valve had better not (estimate).
const BACK_PER_S: f32 = 0.25;
/// ... and not for less than this share of the node's full heat (estimate).
const UNUSED: f32 = 0.03;
/// The valve follows an excess of all the heat that the node can make by this much, % per second (estimate).
const VALVE_GAIN: f32 = 4.0;
/// Power that the permit took comes back over this time, s (estimate).
const RELEASE_S: f32 = 600.0;
/// Less heat than this is none, W.
const NO_HEAT: f32 = 50.0;
/// More than permitted for longer than this is a broken permit: valve and heat need as long (estimate).
const BROKEN_AFTER: Millis = Millis::from_secs(180);
/// ... by more than this share of the node's full heat: that much is reckoning (estimate).
const BROKEN_SHARE: f32 = 0.05;
/// Supply this far above its highest ends all care for the permit (estimate).
const TOO_WARM: Kelvin = Kelvin::new(8.0);
/// Recovery is cooling if it takes this share of the node's heat (estimate).
const SINK_SHARE: f32 = 0.25;

/// Whether the river may take this node's heat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PermitState {
    /// There is no permit to keep, or nothing is known that it could be kept by.
    #[default]
    Unlimited,
    /// All that the node can make.
    Open,
    /// Less than the node can make.
    Limited,
    /// No heat.
    Closed,
    /// No heat, because there is no water.
    Dry,
}

impl PermitState {
    /// Stable text for faces and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unlimited => "unlimited",
            Self::Open => "open",
            Self::Limited => "limited",
            Self::Closed => "closed",
            Self::Dry => "dry",
        }
    }
}

/// Heat to the river, and what the permit leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RiverView {
    /// Whether the river may take this node's heat.
    pub state: PermitState,
    /// Most heat that it may take from this node now; absent: not limited.
    pub permitted: Option<Watts>,
    /// Heat that it takes from this node, reckoned.
    pub heat: Watts,
    /// Heat that recovery takes from this node, metered or reckoned.
    pub recovered: Watts,
    /// River below the site, if every node gave what this one gives for its share; reckoned. Absent without a river.
    pub mixing: Option<Celsius>,
    /// What is left of this node's share for today; absent: not limited by the day.
    pub day_left: Option<KilowattHours>,
    /// What is known of the river is old: a careful guess counts.
    pub guessed: bool,
    /// More heat goes to the river than it may take, because GPUs need the cooling.
    pub broken: bool,
}

/// What a second of the permit is judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Second<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) node: &'a NodeView,
    pub(crate) moment: Moment,
    /// This node's heat with every GPU at its limit.
    pub(crate) full_heat: Watts,
    /// Highest supply temperature that the loop may have.
    pub(crate) highest: Celsius,
    /// Less heat to the river by order from afar.
    pub(crate) ordered: Option<Watts>,
}

/// What may be more urgent than a permit.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Moment {
    pub(crate) state: StateName,
    /// A GPU tells its margin.
    pub(crate) seen: bool,
    pub(crate) supply: Option<Celsius>,
}

impl Moment {
    /// Nothing is. A GPU at its limit is critical, and a small margin is not: there the pump and the ladder have room.
    fn keeps_permit(&self, highest: Celsius) -> bool {
        let bearable = self.supply.is_some_and(|supply| supply <= highest + TOO_WARM);
        match self.state {
            StateName::Running | StateName::Hot => self.seen && bearable,
            StateName::Boot | StateName::Critical | StateName::Leak | StateName::Uncontrollable => false,
        }
    }
}

/// What the permit asks of the recovery valve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ValveRule {
    /// Recovery gets at least this, and why.
    pub(crate) at_least: Option<(Percent, Reason)>,
    /// ... also where small margins would have less.
    pub(crate) before_margins: bool,
    /// Where the valve stands when all cooling there is is called for.
    pub(crate) all_cooling: Percent,
}

/// The permit's memory.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Keeper {
    told: Told,
    forecast: Forecast,
    day: Day,
    flows: Flows,
    view: RiverView,
    /// Why less is permitted than the node can make.
    reason: Option<Reason>,
    /// Only an order says so: it never goes before cooling.
    only_ordered: bool,
    /// Least valve position, %.
    valve: f32,
    /// Power left to the GPUs.
    budget: Option<Watts>,
    /// Highest supply that the loop may have.
    highest: Celsius,
    /// The river is dry, and recovery takes heat: that is all cooling there is.
    only_sink: bool,
    over_since: Option<Millis>,
    silent: bool,
}

impl Keeper {
    /// Heat to the river, and what the permit leaves.
    pub(crate) const fn view(&self) -> RiverView {
        self.view
    }

    /// What it asks of the valve at this moment: what is more urgent is so at once.
    pub(crate) fn valve(&self, moment: &Moment) -> ValveRule {
        let hot = moment.state != StateName::Running;
        let gives_way = !moment.keeps_permit(self.highest) || (self.only_ordered && hot);
        let held = self.reason.filter(|_| self.valve > 0.0 && !gives_way);
        let least = Percent::new(self.valve);
        ValveRule {
            at_least: held.map(|why| (least, why)),
            before_margins: !self.only_ordered,
            all_cooling: if self.only_sink {
                Percent::new(100.0)
            } else if held.is_some() {
                least
            } else {
                Percent::ZERO
            },
        }
    }

    /// Why the loop is to be as hot as it may be, if it is.
    pub(crate) fn wants_hot(&self) -> Option<Reason> {
        self.reason.filter(|_| self.valve > 0.0)
    }

    /// Power that it leaves to the GPUs, where that is less than they may draw.
    pub(crate) fn budget(&self) -> Option<Budget> {
        let cause = (Leader::Permit, self.reason.unwrap_or(Reason::RiverLimited));
        self.budget.map(|watts| Budget { watts, cause })
    }

    /// What should be told of the river is not.
    pub(crate) const fn is_silent(&self) -> bool {
        self.silent
    }

    /// Lets a second pass.
    pub(crate) fn run(&mut self, second: &Second<'_>, dt_s: f32, now: Millis, tuning: &Tuning) {
        let told = &second.snapshot.surroundings;
        let belief = self.told.hear(told, now, &tuning.permit);
        self.flows.look(second.snapshot, second.node, dt_s, tuning);
        if let (Some(celsius), Some(calendar)) = (told.river.usable(), told.calendar) {
            self.forecast.see(celsius, calendar, dt_s);
        }
        let share = told.river_share.or(tuning.permit.share).filter(|share| (0.0..=1.0).contains(share));
        self.silent = share.is_some() && belief.silent;
        let by_permit = share.and_then(|share| self.permitted(second, &belief, share, dt_s, tuning));
        self.only_ordered = by_permit.is_none_or(|(watts, _)| watts >= second.full_heat);
        let permitted = lower(by_permit, second.ordered.map(|watts| (watts, Reason::RiverOrdered)));
        self.look(second, &belief, share, permitted, now);
        self.enforce(second, permitted.map(|(watts, _)| watts), dt_s, tuning);
    }

    /// What the permit leaves to this node, and why it is not more.
    fn permitted(
        &mut self,
        second: &Second<'_>,
        belief: &Belief,
        share: f32,
        dt_s: f32,
        tuning: &Tuning,
    ) -> Option<(Watts, Reason)> {
        let permit = &tuning.permit;
        let calendar = second.snapshot.surroundings.calendar;
        let warmest = rules::warmest(calendar, belief.river.celsius, permit);
        let full = second.full_heat;
        let allowed = |warmer: Kelvin| {
            let celsius = belief.river.celsius.map(|celsius| celsius + warmer);
            let heat = rules::site_heat(&rules::River { celsius, ..belief.river }, warmest, permit)?;
            Some(heat * share)
        };
        let today = allowed(Kelvin::ZERO).map(|heat| {
            let none =
                if rules::is_dry(&belief.river, permit) { Reason::RiverDry } else { Reason::RiverClosed };
            (heat, if heat.get() < NO_HEAT { none } else { Reason::RiverLimited })
        });
        // Power that must be down by then comes down on a slope, not in a step.
        let ahead = [1.0_f32, 2.0, 3.0].into_iter().filter_map(|third| {
            let share = third / 3.0;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of two hours"
            )]
            let time = Millis::new((permit.ahead.as_secs_f32() * 1000.0 * share) as u64);
            let warmer = self.forecast.warmer(calendar?, time)?;
            let then = allowed(warmer.larger(Kelvin::ZERO))?;
            Some((then + full * share, Reason::RiverClosing))
        });
        let soonest = ahead.fold(today, |least, then| lower(least, Some(then)));
        lower(soonest, self.rest_of_day(second, (belief, warmest, share), dt_s, tuning))
    }

    /// What the day's allowance leaves.
    fn rest_of_day(
        &mut self,
        second: &Second<'_>,
        (belief, warmest, share): (&Belief, Celsius, f32),
        dt_s: f32,
        tuning: &Tuning,
    ) -> Option<(Watts, Reason)> {
        self.view.day_left = None;
        let allowance = KilowattHours::new(tuning.permit.daily_mwh? * 1000.0 * share);
        let calendar = second.snapshot.surroundings.calendar?;
        let left = self.day.count(calendar, self.flows.river(), dt_s, allowance);
        self.view.day_left = Some(left);
        let river = belief.river.celsius.unwrap_or(Celsius::ZERO);
        let seconds = self.forecast.open_seconds(calendar, river, warmest);
        Some((Watts::new(day::spread(left, seconds)), Reason::RiverLimited))
    }

    /// Puts into words how it stands.
    fn look(
        &mut self,
        second: &Second<'_>,
        belief: &Belief,
        share: Option<f32>,
        permitted: Option<(Watts, Reason)>,
        now: Millis,
    ) {
        let river = self.flows.river();
        let state = match permitted {
            None => PermitState::Unlimited,
            Some((_, Reason::RiverDry)) => PermitState::Dry,
            Some((watts, _)) if watts.get() < NO_HEAT => PermitState::Closed,
            Some((watts, _)) if watts < second.full_heat => PermitState::Limited,
            Some(_) => PermitState::Open,
        };
        self.reason = permitted
            .map(|(_, reason)| reason)
            .filter(|_| matches!(state, PermitState::Limited | PermitState::Closed | PermitState::Dry));
        let slack = second.full_heat.get() * BROKEN_SHARE + NO_HEAT;
        let over = permitted.is_some_and(|(watts, _)| river > watts.get() + slack);
        self.over_since = over.then(|| self.over_since.unwrap_or(now));
        let too_long = self.over_since.is_some_and(|since| now.since(since) >= BROKEN_AFTER);
        self.view = RiverView {
            state,
            permitted: permitted.map(|(watts, _)| watts),
            heat: Watts::new(river),
            recovered: Watts::new(self.flows.recovered()),
            mixing: mixing(belief, share, river),
            guessed: belief.guessed && share.is_some(),
            broken: over && (too_long || !second.moment.keeps_permit(second.highest)),
            day_left: self.view.day_left,
        };
    }

    /// Valve and power, so that no more goes to the river than may.
    fn enforce(&mut self, second: &Second<'_>, permitted: Option<Watts>, dt_s: f32, tuning: &Tuning) {
        let full = second.full_heat.get().max(1.0);
        self.highest = second.highest;
        self.valve = self.least_valve(second, permitted, dt_s, full);
        let takes = self.flows.recovered().max(self.flows.counted_on());
        self.only_sink = self.view.state == PermitState::Dry && takes >= SINK_SHARE * self.flows.node();
        let Some(permitted) = permitted.filter(|_| self.reason.is_some()) else {
            self.give_back(full, dt_s, tuning);
            return;
        };
        let supply = second.snapshot.meter.supply.usable();
        let buffer = tuning.permit.buffer_watts_per_kelvin * flows::room_below(second.highest, supply);
        let heat = (permitted.get() + self.flows.counted_on() + buffer).max(0.0);
        let target = heat / tuning.heat_per_gpu_watt;
        let most = full / tuning.heat_per_gpu_watt;
        let before = self.budget.map_or(most, Watts::get);
        let allowed = target.min(before + most * dt_s / RELEASE_S);
        self.budget = (allowed < most).then_some(Watts::new(allowed));
    }

    /// The least valve position: follows what goes to the river beyond what may.
    fn least_valve(&self, second: &Second<'_>, permitted: Option<Watts>, dt_s: f32, full: f32) -> f32 {
        let Some(permitted) = permitted else { return (self.valve - VALVE_PER_S * dt_s).max(0.0) };
        let shut = matches!(self.view.state, PermitState::Closed | PermitState::Dry);
        let move_ = if shut {
            VALVE_PER_S
        } else {
            let over = (self.flows.river() - permitted.get()) / full;
            (VALVE_GAIN * if over < 0.0 { (over + UNUSED).min(0.0) } else { over })
                .clamp(-BACK_PER_S, VALVE_PER_S)
        };
        // From where the valve stands: the loop that moves it may have it further open already.
        let stands = second.snapshot.valve.position.usable().map_or(0.0, Percent::get);
        let from = if shut && self.valve <= 0.0 { stands } else { self.valve };
        (from + move_ * dt_s).clamp(0.0, 100.0)
    }

    /// No limit any more: power comes back slowly.
    fn give_back(&mut self, full: f32, dt_s: f32, tuning: &Tuning) {
        let most = full / tuning.heat_per_gpu_watt;
        self.budget = self
            .budget
            .map(|watts| watts + Watts::new(most * dt_s / RELEASE_S))
            .filter(|watts| watts.get() < most);
    }
}

/// The lower of two limits, with its reason.
fn lower(a: Option<(Watts, Reason)>, b: Option<(Watts, Reason)>) -> Option<(Watts, Reason)> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.0 < a.0 { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// The river below the site, if all gave as this node gives.
fn mixing(belief: &Belief, share: Option<f32>, heat: f32) -> Option<Celsius> {
    let share = share.filter(|share| *share > 0.0)?;
    let flow = belief.river.flow.filter(|flow| *flow > CubicMetersPerSecond::ZERO)?;
    let rise = heat / share / (JOULES_PER_M3_KELVIN * flow.get());
    Some(belief.river.celsius? + Kelvin::new(rise))
}
