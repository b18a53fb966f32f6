//! The pump loop: flow for the heat that arrives, plus a trim for the hottest GPU.
//!
//! ```text
//!   heat in the coolant ÷ rise to aim at ─► flow ─► speed by the loop's law ─┐
//!   hottest margin ─► PI, 0..trim_max ───────────────────────────────────────┴─(+)─► slew ─► speed
//!                                                   orders: by hand, at least ─► max ─┘ (before the slew)
//! ```
//!
//! The integral holds only the trim, so a limited or slewed output never eats into the feed-forward, and is frozen
//! while the pump is at its limit in the same direction.

use eisbach_protocol::units::{Kelvin, LitersPerMinute, Percent};
use serde::{Deserialize, Serialize};

use crate::decision::{Leader, Output, Reason};
use crate::flow_law::FlowLaw;
use crate::remote::Fate;
use crate::tuning::Tuning;

/// Full speed of the pump.
pub(crate) const FULL_SPEED: Percent = Percent::new(100.0);

/// What the pump loop is asked to serve.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PumpTask<'a> {
    /// Flow that carries the heat away, what is held for swings included.
    pub(crate) flow: LitersPerMinute,
    /// Flow that carries the heat of this moment away.
    pub(crate) least_flow: LitersPerMinute,
    /// Smallest margin of any GPU.
    pub(crate) hottest: Option<Kelvin>,
    /// Which speed gives which flow.
    pub(crate) law: &'a FlowLaw,
    /// Full speed now, whatever the loop says.
    pub(crate) full: Option<(Leader, Reason)>,
    /// What is asked for from afar.
    pub(crate) orders: PumpOrders,
}

/// Orders from afar to the pump.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PumpOrders {
    /// No slower than this.
    pub(crate) at_least: Option<Percent>,
    /// Held by hand at this.
    pub(crate) manual: Option<Percent>,
}

/// What became of them.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct PumpFates {
    pub(crate) at_least: Fate<Percent>,
    pub(crate) manual: Fate<Percent>,
}

/// A speed that is wanted, and who wants it.
#[derive(Clone, Copy, Debug)]
struct Wish {
    speed: f32,
    leader: Leader,
    reason: Reason,
}

/// The loop's memory.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct PumpLoop {
    /// Flow asked for.
    flow: LitersPerMinute,
    /// Integral of the trim, %.
    integral: f32,
    /// Last set-point, %.
    speed: Option<f32>,
    /// A hand keeps the pump from its full speed.
    held_back: bool,
    fates: PumpFates,
}

impl PumpLoop {
    /// Takes over from what the pump does, so that the first set-point is no bump.
    pub(crate) fn seed(&mut self, speed: Percent, law: &FlowLaw) {
        // A drive may show more than full speed; nobody may ask it for that.
        let speed = speed.held(Percent::ZERO, Percent::new(100.0));
        self.speed = Some(speed.get());
        self.flow = law.flow_at(speed);
        self.integral = 0.0;
        self.held_back = false;
    }

    /// A hand keeps the pump from its full speed.
    pub(crate) const fn held_back(&self) -> bool {
        self.held_back
    }

    /// Flow asked for.
    pub(crate) const fn flow(&self) -> LitersPerMinute {
        self.flow
    }

    /// What became of the last task's orders.
    pub(crate) const fn fates(&self) -> PumpFates {
        self.fates
    }

    pub(crate) fn run(&mut self, task: &PumpTask<'_>, dt_s: f32, tuning: &Tuning) -> Output<Percent> {
        self.flow = task.flow;
        if let Some((leader, reason)) = task.full {
            self.speed = Some(100.0);
            self.integral = 0.0;
            self.held_back = false;
            self.fates = PumpFates {
                at_least: Fate::of(task.orders.at_least, Fate::InForce),
                manual: Fate::of(task.orders.manual, Fate::Overridden { by: reason }),
            };
            return Output { value: Some(Percent::new(100.0)), leader, reason };
        }
        let forward = task.law.speed_for(task.flow);
        let trim = self.trim(task.hottest, forward, dt_s, tuning);
        let automatic = wish(forward, trim, tuning);
        let present = task.law.speed_for(task.least_flow.smaller(task.flow));
        let Wish { speed: wanted, leader, reason } =
            self.obey(task.orders, automatic, wish(present, trim, tuning));
        let before = self.speed.unwrap_or(wanted);
        let speed =
            wanted.clamp(before - tuning.pump_down_per_s * dt_s, before + tuning.pump_up_per_s * dt_s);
        self.speed = Some(speed);
        Output { value: Some(Percent::new(speed)), leader, reason }
    }

    /// A hand may take back what is kept for a load that is gone, and nothing of what the present heat needs.
    fn obey(&mut self, orders: PumpOrders, automatic: Wish, needed: Wish) -> Wish {
        let by_hand = |speed| Wish { speed, leader: Leader::Remote, reason: Reason::HeldByHand };
        let mut wish = match orders.manual.map(Percent::get) {
            Some(speed) if speed >= needed.speed => by_hand(speed),
            Some(_) => needed,
            None => automatic,
        };
        if let Some(least) = orders.at_least.map(Percent::get).filter(|least| *least > wish.speed) {
            wish = Wish { speed: least, leader: Leader::Remote, reason: Reason::FlowOrdered };
        }
        let clamped = Fate::Clamped { to: Percent::new(wish.speed), by: wish.reason };
        let held = wish.reason == Reason::HeldByHand;
        self.held_back = orders.manual.is_some() && automatic.speed >= FULL_SPEED.get();
        self.fates = PumpFates {
            at_least: Fate::of(orders.at_least, Fate::InForce),
            manual: Fate::of(orders.manual, if held { Fate::InForce } else { clamped }),
        };
        wish
    }

    fn trim(&mut self, hottest: Option<Kelvin>, forward: f32, dt_s: f32, tuning: &Tuning) -> f32 {
        let Some(margin) = hottest else { return 0.0 };
        let error = (tuning.trim_margin - margin).get();
        let proportional = tuning.trim_gain * error;
        let most = tuning.trim_max.get();
        let saturated = forward + proportional + self.integral >= 100.0 && error > 0.0;
        if !saturated {
            self.integral += tuning.trim_gain * error * dt_s / tuning.trim_integral_s;
        }
        self.integral = self.integral.clamp(0.0, most);
        (proportional + self.integral).clamp(0.0, most)
    }
}

/// The speed that this much flow and trim call for.
fn wish(forward: f32, trim: f32, tuning: &Tuning) -> Wish {
    let floor = tuning.pump_min.get();
    let (leader, reason) = if forward + trim < floor {
        (Leader::MinimumFlow, Reason::PlateMinimum)
    } else if trim > 0.5 {
        (Leader::MarginTrim, Reason::HottestGpu)
    } else {
        (Leader::FeedForward, Reason::HeatLoad)
    };
    Wish { speed: (forward + trim).clamp(floor, 100.0), leader, reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eisbach_protocol::units::Watts;

    fn run(pump: &mut PumpLoop, heat: f32, margin: f32, dt_s: f32) -> Output<Percent> {
        let tuning = Tuning::default();
        let flow = tuning.flow_for(Watts::new(heat));
        let task = PumpTask {
            flow,
            least_flow: flow,
            hottest: Some(Kelvin::new(margin)),
            law: &FlowLaw::new(&tuning),
            full: None,
            orders: PumpOrders::default(),
        };
        pump.run(&task, dt_s, &tuning)
    }

    fn settled(heat: f32, margin: f32, pump: &mut PumpLoop) -> Output<Percent> {
        (0..600).fold(run(pump, heat, margin, 1.0), |_, _| run(pump, heat, margin, 1.0))
    }

    #[test]
    fn the_load_alone_sets_the_flow_while_margins_are_wide() {
        let output = settled(6000.0, 30.0, &mut PumpLoop::default());
        let tuning = Tuning::default();
        let flow = FlowLaw::new(&tuning).flow_at(output.value.unwrap());
        assert!((flow - tuning.flow_for(Watts::new(6000.0))).get().abs() < 0.05, "{flow}");
        assert_eq!(output.leader, Leader::FeedForward);
    }

    #[test]
    fn a_small_margin_adds_flow_and_says_so() {
        let output = settled(4000.0, 15.0, &mut PumpLoop::default());
        assert_eq!(output.leader, Leader::MarginTrim);
        assert!(output.value.unwrap() > settled(4000.0, 30.0, &mut PumpLoop::default()).value.unwrap());
    }

    #[test]
    fn saturation_does_not_wind_up_and_feed_forward_survives_it() {
        let tuning = Tuning::default();
        let mut pump = PumpLoop::default();
        settled(12_000.0, 5.0, &mut pump);
        // The load and the heat are gone: the set-point must fall as fast as the slew allows, at once.
        let first = run(&mut pump, 2000.0, 40.0, 1.0).value.unwrap().get();
        let second = run(&mut pump, 2000.0, 40.0, 1.0).value.unwrap().get();
        assert!((first - second - tuning.pump_down_per_s).abs() < 1e-3, "{first} {second}");
    }

    #[test]
    fn the_set_point_moves_no_faster_than_its_slew() {
        let mut pump = PumpLoop::default();
        pump.seed(Percent::new(40.0), &FlowLaw::new(&Tuning::default()));
        let speed = run(&mut pump, 8000.0, 10.0, 1.0).value.unwrap();
        assert_eq!(speed, Percent::new(50.0));
    }

    #[test]
    fn taking_over_is_no_bump() {
        let mut pump = PumpLoop::default();
        pump.seed(Percent::new(62.0), &FlowLaw::new(&Tuning::default()));
        let speed = run(&mut pump, 3000.0, 30.0, 0.1).value.unwrap().get();
        assert!((speed - 62.0).abs() <= 0.5, "{speed}");
    }

    #[test]
    fn nobody_is_asked_for_more_than_full_speed() {
        let mut pump = PumpLoop::default();
        pump.seed(Percent::new(108.0), &FlowLaw::new(&Tuning::default()));
        let speed = run(&mut pump, 12_000.0, 5.0, 0.1).value.unwrap();
        assert!(speed <= Percent::new(100.0), "{speed}");
    }

    #[test]
    fn cold_plates_never_get_less_than_their_minimum() {
        let output = settled(0.0, 60.0, &mut PumpLoop::default());
        assert_eq!((output.value, output.leader), (Some(Tuning::default().pump_min), Leader::MinimumFlow));
    }
}
