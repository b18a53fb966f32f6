//! The supply loop: one valve decides how much heat goes to recovery and thereby how warm the supply is.
//!
//! ```text
//!   set-point = max(target, dew point + distance)
//!   heat ─► forward ─┐
//!   supply ─(−)─► PI ┴─ or by hand ─► limit by margin (cooling first) and by order ─► band, slew ─► valve
//!                                                                              0 % river … 100 % recovery
//! ```
//!
//! Gain and integral time follow the delay of the loop (SIMC: gain ~ 1/delay, integral time ~ delay), which is the longer the
//! less flows; and the gain follows what a hundredth of the stroke moves, which is a share of the heat that goes to the river.
//!
//! Opening the valve sends facility water through heat recovery, which returns it warmer than the river would. So
//! the same loop keeps supply above the dew point in winter and gives heat away in summer. Recovery is a gift: it
//! is taken back as soon as a GPU's margin is small.

#[cfg(test)]
mod tests;

use eisbach_protocol::units::{Celsius, Kelvin, LitersPerMinute, Percent, Watts};
use serde::{Deserialize, Serialize};

use crate::aim::beyond;
use crate::decision::{Leader, Output, Reason};
use crate::hand::{Hand, Room, lean};
use crate::heat::share;
use crate::learned::Bounded;
use crate::permit::ValveRule;
use crate::quiet::{Quiet, TURN};
use crate::remote::Fate;
use crate::setpoint::SetPoints;
use crate::snapshot::Snapshot;
use crate::state::Cause;
use crate::tuning::Tuning;
use crate::valve_forward::Forward;

/// Fastest move of the set-point, % per second: valves of this kind need a minute or more for their stroke.
const MOST_PER_S: f32 = 2.0;
/// Time constant with which a small margin is forgotten: sensors count in whole kelvins, and loads swing.
const MARGIN_RISE_S: f32 = 60.0;

/// Supply this close to its set-point is there, K: sensors flicker.
const THERE: f32 = 0.2;
/// A valve that still has further to open than this is on its way, and the loop waits for it, %.
const ON_ITS_WAY: f32 = 6.0;
/// The forward has moved by a step of the load when it moves by this, %.
const STEP: f32 = 1.0;
/// A wish beyond this that patience does not grant does not grow, %.
const WITHHELD: f32 = TURN + 1.0;
/// A hundredth of the stroke moves the less heat the less goes to the river. The gain grows by the root of that, for the
/// delay that goes with little heat is long; and it counts up to here.
const MOST_SLACK: f32 = 8.0;
/// Beyond this a kelvin off the set-point counts for two, K.
const FIRM: f32 = 1.0;
/// More off than this counts for no more, K: what is far off comes by the integral, or the valve is at its end.
const MOST_ERROR: f32 = 8.0;
/// Supply may be off its set-point by this much while a step is under way, K.
const ON_STEPS: f32 = 3.0;
/// Lag of a sensor in a well, s (5 to 8 s are usual).
const WELL_S: f32 = 5.0;
/// The delay is reckoned for no less than this share of full flow.
const LEAST_FLOW: f32 = 0.2;
/// Supply this close to its set-point has settled, K.
const SETTLED: f32 = 0.5;

/// The loop's memory.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct SupplyLoop {
    /// Position without what forward and error ask for, %.
    integral: f32,
    /// Position to begin with, which the integral has not taken over yet.
    begin: Option<f32>,
    position: Option<f32>,
    forward: Forward,
    /// What the forward asked for last, and how long its last step is still under way, s.
    forwarded: Option<f32>,
    waits_s: f32,
    upwards: bool,
    /// All cooling was asked for until now.
    was_closed: bool,
    quiet: Quiet,
    /// What was wished for beyond where patience left the valve, %.
    withheld: f32,
    /// Smallest margin of the recent past, K.
    margin: Option<f32>,
    fates: ValveFates,
}

/// Supply temperature aimed at, and where it comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SupplyTarget {
    pub(crate) celsius: Celsius,
    /// The same without any order from afar.
    pub(crate) own: Celsius,
    /// Lowest supply temperature that does not condense.
    pub(crate) floor: Celsius,
    /// Highest one that anybody may ask for.
    pub(crate) highest: Celsius,
    /// Why the floor is where it is.
    floor_reason: Reason,
    leader: Leader,
    reason: Reason,
    /// What became of an order from afar.
    fate: Fate<Celsius>,
}

impl SupplyTarget {
    /// What became of an order from afar, in a state that calls for all cooling or leaves it to the loop.
    pub(crate) fn fate(&self, all: Option<Cause>) -> Fate<Celsius> {
        match (self.fate, all) {
            (Fate::InForce | Fate::Clamped { .. }, Some((_, by))) => Fate::Overridden { by },
            (fate, _) => fate,
        }
    }
}

/// The target for this moment: the chosen one or the ordered one, unless the room's dew point asks for more.
pub(crate) fn target(
    snapshot: &Snapshot,
    ordered: Option<Celsius>,
    chosen: &SetPoints,
    tuning: &Tuning,
) -> SupplyTarget {
    let measured = snapshot.room.dew_point.usable();
    let floor = measured.unwrap_or(tuning.dew_point_assumed) + tuning.dew_point_distance;
    let floor_reason = if measured.is_some() { Reason::AboveDewPoint } else { Reason::DewPointAssumed };
    // Dry comes before cool.
    let highest = tuning.supply_target_max.larger(tuning.supply_target).larger(floor);
    let wanted = ordered.unwrap_or(chosen.supply);
    let (celsius, leader, reason) = if floor > wanted {
        (floor, Leader::DewPoint, floor_reason)
    } else if wanted > highest {
        (highest, Leader::SupplyLoop, Reason::SupplyHighest)
    } else if ordered.is_some() {
        (wanted, Leader::Remote, Reason::SupplyOrdered)
    } else {
        (wanted, chosen.leader, chosen.reason)
    };
    let obeyed = reason == Reason::SupplyOrdered;
    let fate = if obeyed { Fate::InForce } else { Fate::Clamped { to: celsius, by: reason } };
    SupplyTarget {
        celsius,
        own: tuning.supply_target.larger(chosen.supply).larger(floor),
        floor,
        highest,
        floor_reason,
        leader,
        reason,
        fate: Fate::of(ordered, fate),
    }
}

/// What the supply loop is asked to serve.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SupplyTask {
    pub(crate) supply: Option<Celsius>,
    /// Heat that the network leaves for the river, without swings of the load; and whether it has been steady for a while.
    pub(crate) heat: Watts,
    /// Heat with every GPU at its limit.
    pub(crate) full_heat: Watts,
    pub(crate) steady: bool,
    /// Flow in the node loop, and what it is at full speed.
    pub(crate) flow: (LitersPerMinute, LitersPerMinute),
    /// Measured position.
    pub(crate) measured: Option<Percent>,
    pub(crate) target: SupplyTarget,
    /// Smallest margin of any GPU.
    pub(crate) hottest: Option<Kelvin>,
    /// All cooling now, whatever the loop says.
    pub(crate) closed: Option<Cause>,
    /// What the river's permit asks.
    pub(crate) permit: ValveRule,
    /// What is asked for from afar.
    pub(crate) orders: ValveOrders,
}

/// Orders from afar to the recovery valve.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ValveOrders {
    /// No further open than this.
    pub(crate) at_most: Option<Percent>,
    /// Held by hand at this.
    pub(crate) manual: Option<Percent>,
}

/// What became of them.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ValveFates {
    pub(crate) at_most: Fate<Percent>,
    pub(crate) manual: Fate<Percent>,
}

impl SupplyLoop {
    /// Takes over from where the valve stands, so that the first set-point is no bump.
    pub(crate) fn seed(&mut self, position: Percent) {
        let position = position.held(Percent::ZERO, Percent::new(100.0)).get();
        self.position = Some(position);
        self.begin = Some(position);
    }

    /// Travel for twice the heat, as learned.
    pub(crate) const fn travel(&self) -> Bounded {
        self.forward.travel()
    }

    /// What became of the last task's orders.
    pub(crate) const fn fates(&self) -> ValveFates {
        self.fates
    }

    pub(crate) fn run(&mut self, task: &SupplyTask, dt_s: f32, tuning: &Tuning) -> Output<Percent> {
        let unknown = (Leader::SilentPart, Reason::SupplyUnknown);
        let closed = task.closed.or_else(|| task.supply.is_none().then_some(unknown));
        let (Some(supply), None) = (task.supply, closed) else {
            return self.close(task, closed.unwrap_or(unknown));
        };
        let room = Room::of(supply, &task.target);
        let cooling = recovery_share(self.recent(task.hottest, dt_s), tuning) * 100.0;
        let ordered = task.orders.at_most.map_or(100.0, |most| lean(most.get(), 100.0, room.dry));
        // The permit goes before a margin that is small, and yields to one that is gone: then all cooling is asked for.
        let least = task.permit.at_least.map_or(0.0, |(least, _)| least.get());
        let least = if task.permit.before_margins { least } else { least.min(cooling) };
        let most = cooling.min(ordered).max(least);

        let error = beyond((task.target.celsius - supply).get(), THERE);
        let delay_s = delay(task.flow.0.larger(task.flow.1 * LEAST_FLOW), tuning);
        let slower = delay(task.flow.1, tuning) / delay_s;
        self.forward.age(dt_s);
        let forward = self.forward.at(task.heat);
        self.wait(forward, delay_s, dt_s);
        if core::mem::take(&mut self.was_closed) {
            // Back to where it stood: a step like that of a load.
            let back = forward + self.integral - self.position.unwrap_or_default();
            self.under_way(back, delay_s);
        }
        // While a step is under way the supply is off as it must be: only what is more than that is an error.
        let error = if self.waits_s > 0.0 { beyond(error, ON_STEPS) } else { error };
        // Patient near the set-point, where moves only wear the valve, and firm far from it.
        let error = (error + beyond(error, FIRM)).clamp(-MOST_ERROR, MOST_ERROR);
        let slack = libm::sqrtf((task.full_heat.get() / task.heat.get().max(1.0)).clamp(1.0, MOST_SLACK));
        let proportional = tuning.valve_gain * slower * slack * error;
        if let Some(position) = self.begin.take() {
            self.integral = position - forward;
        }
        let before = self.position.unwrap_or(forward + self.integral);
        let way = task.measured.map_or(0.0, |measured| before - measured.get());
        let time_s = tuning.valve_integral_s / slower.max(0.01);
        self.integrate(proportional * dt_s / time_s, forward + proportional, (least, most), way);
        // A limit that holds for long is where the loop stands, so that it comes back from there. Wide open is none: a load
        // that is gone opens the valve as far as it goes, and closes it by the same way when it is back.
        let highest = if most < 100.0 { most } else { f32::MAX };
        let inside = (forward + self.integral).clamp(least, highest) - forward;
        self.integral += (inside - self.integral) * share(dt_s, time_s);
        let automatic = forward + proportional + self.integral;
        let hand = task.orders.manual.map(|hand| Hand::of(hand, automatic, room));
        let wish = hand.map_or(automatic, |hand| hand.eased);
        let possible = wish.clamp(least, most);
        let step = (self.waits_s > 0.0).then_some(self.upwards);
        let off = (task.target.celsius - supply).get();
        // Patience is for comfort: neither the permit nor cooling waits for it.
        let wanted = self.quiet.filter(possible, before.clamp(least, most), off, step).clamp(least, most);
        self.withheld = possible - wanted;
        let position = wanted.clamp(before - MOST_PER_S * dt_s, before + MOST_PER_S * dt_s).min(most);
        self.position = Some(position);
        self.quiet.note(position, dt_s);
        if hand.is_some_and(Hand::rules) {
            // The loop stands by where the valve is, so that taking over is no bump.
            self.integral = position - proportional - forward;
        } else if task.steady && error.abs() < SETTLED && position > 0.0 && position < most {
            self.integral -= self.forward.learn(task.heat, Percent::new(position));
        }
        let limited = match task.permit.at_least {
            Some((_, why)) if wish.min(most) <= least => Some((Leader::Permit, why)),
            _ if wish < most || most >= 100.0 => None,
            _ if cooling <= ordered => Some((Leader::CoolingFirst, Reason::MarginForCooling)),
            _ => Some((Leader::Remote, Reason::CoolingOrdered)),
        };
        let (leader, reason) = limited.unwrap_or_else(|| lead(&task.target, hand));
        self.tell(task, wanted, reason);
        Output { value: Some(Percent::new(position)), leader, reason }
    }

    /// Notes a step of the forward: until the valve has made its way, and water has brought it to the supply, it is under way.
    fn wait(&mut self, forward: f32, delay_s: f32, dt_s: f32) {
        self.waits_s = (self.waits_s - dt_s).max(0.0);
        let step = forward - self.forwarded.unwrap_or(forward);
        if step.abs() > STEP {
            self.under_way(step, delay_s);
        } else {
            // A slow change is the loop's: it has answered it already.
            self.integral -= step;
        }
        self.forwarded = Some(forward);
    }

    fn under_way(&mut self, step: f32, delay_s: f32) {
        self.waits_s = self.waits_s.max(step.abs() / MOST_PER_S + delay_s);
        self.upwards = step > 0.0;
    }

    /// Moves the integral by `step`, unless the valve is at its end there, or still on its way to open. Closing, which
    /// cools, waits for nothing.
    fn integrate(&mut self, step: f32, rest: f32, (least, most): (f32, f32), way: f32) {
        let position = rest + self.integral;
        let ended = (position >= most && step > 0.0) || (position <= least && step < 0.0);
        let on_its_way = way > ON_ITS_WAY && step > 0.0;
        // A wish that is not granted does not grow.
        let withheld = self.withheld.abs() > WITHHELD && (self.withheld > 0.0) == (step > 0.0);
        if !ended && !on_its_way && !withheld {
            self.integral += step;
        }
    }

    /// Notes what became of the orders.
    fn tell(&mut self, task: &SupplyTask, wanted: f32, reason: Reason) {
        let ValveOrders { at_most, manual } = task.orders;
        let fate = |holds: bool, by| {
            if holds { Fate::InForce } else { Fate::Clamped { to: Percent::new(wanted), by } }
        };
        let eased = at_most.is_some_and(|most| wanted > most.get());
        let by = task.permit.at_least.filter(|(least, _)| wanted <= least.get());
        let by = by.map_or(task.target.floor_reason, |(_, why)| why);
        self.fates = ValveFates {
            at_most: Fate::of(at_most, fate(!eased, by)),
            manual: Fate::of(manual, fate(reason == Reason::HeldByHand, reason)),
        };
    }

    /// All cooling: all heat to the river, unless the river takes none.
    fn close(&mut self, task: &SupplyTask, (leader, reason): Cause) -> Output<Percent> {
        let orders = task.orders;
        self.position = Some(task.permit.all_cooling.get());
        self.begin = None;
        if !self.was_closed {
            // Where it stood was too far open for what came: it comes back half as far.
            let stood = (self.forwarded.unwrap_or_default() + self.integral).clamp(0.0, 100.0);
            self.integral = 0.5 * stood - self.forwarded.unwrap_or_default();
            self.was_closed = true;
        }
        self.fates = ValveFates {
            at_most: Fate::of(orders.at_most, Fate::InForce),
            manual: Fate::of(orders.manual, Fate::Overridden { by: reason }),
        };
        Output { value: Some(task.permit.all_cooling), leader, reason }
    }
}

impl SupplyLoop {
    /// The margin that counts: falls at once, rises slowly.
    fn recent(&mut self, hottest: Option<Kelvin>, dt_s: f32) -> Option<Kelvin> {
        let now = hottest?.get();
        let before = self.margin.unwrap_or(now);
        let recent = if now < before {
            now
        } else {
            before + (now - before) * (1.0 - libm::expf(-dt_s / MARGIN_RISE_S))
        };
        self.margin = Some(recent);
        Some(Kelvin::new(recent))
    }
}

/// Time from valve to the supply's reading at this flow, s.
fn delay(flow: LitersPerMinute, tuning: &Tuning) -> f32 {
    tuning.valve_lag_s + supply_delay(flow, tuning)
}

/// Time from the CDU's outlet to the supply's reading at this flow, s.
pub(crate) fn supply_delay(flow: LitersPerMinute, tuning: &Tuning) -> f32 {
    WELL_S + 60.0 * tuning.supply_liters / flow.get().max(0.1)
}

/// Who leads while nothing limits.
fn lead(target: &SupplyTarget, hand: Option<Hand>) -> Cause {
    match hand {
        None => (target.leader, target.reason),
        Some(hand) if hand.eased > hand.asked => (Leader::DewPoint, target.floor_reason),
        Some(hand) if hand.eased < hand.asked => (Leader::SupplyLoop, Reason::SupplyHighest),
        Some(_) => (Leader::Remote, Reason::HeldByHand),
    }
}

/// How much of the valve recovery may have: all at wide margins, nothing at small ones.
fn recovery_share(hottest: Option<Kelvin>, tuning: &Tuning) -> f32 {
    let span = (tuning.recovery_full_margin - tuning.recovery_none_margin).get();
    hottest.map_or(0.0, |margin| ((margin - tuning.recovery_none_margin).get() / span).clamp(0.0, 1.0))
}
