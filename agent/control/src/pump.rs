//! The pump loop: flow for the heat load, plus a trim for the hottest GPU.
//!
//! ```text
//!   GPU power ─► heat ─► flow at the rise aimed at ─► envelope ─► ÷ flow per % ─┐
//!                                      (rises at once, forgets slowly)          ├─(+)─► slew ─► speed
//!   hottest margin ─► PI, 0..trim_max ──────────────────────────────────────────┘
//!                                                orders: by hand, at least ─► max ─┘ (before the slew)
//! ```
//!
//! The integral holds only the trim, so a limited or slewed output never eats into the feed-forward, and is frozen
//! while the pump is at its limit in the same direction.

use eisbach_protocol::units::{Kelvin, LitersPerMinute, Percent, Watts};
use serde::{Deserialize, Serialize};

use crate::decision::{Leader, Output, Reason};
use crate::remote::Fate;
use crate::tuning::Tuning;

/// Full speed of the pump.
pub(crate) const FULL_SPEED: Percent = Percent::new(100.0);

/// What the pump loop is asked to serve.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PumpTask {
    /// Heat going into the loop.
    pub(crate) heat: Watts,
    /// Smallest margin of any GPU.
    pub(crate) hottest: Option<Kelvin>,
    /// Flow that 1 % of speed gives.
    pub(crate) flow_per_percent: LitersPerMinute,
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
    /// Envelope of the flow asked for, L/min.
    load: f32,
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
    pub(crate) fn seed(&mut self, speed: Percent, flow_per_percent: LitersPerMinute) {
        // A drive may show more than full speed; nobody may ask it for that.
        let speed = speed.held(Percent::ZERO, Percent::new(100.0)).get();
        self.speed = Some(speed);
        self.load = speed * flow_per_percent.get();
        self.integral = 0.0;
        self.held_back = false;
    }

    /// A hand keeps the pump from its full speed.
    pub(crate) const fn held_back(&self) -> bool {
        self.held_back
    }

    /// Flow asked for.
    pub(crate) fn flow(&self) -> LitersPerMinute {
        LitersPerMinute::new(self.load)
    }

    /// What became of the last task's orders.
    pub(crate) const fn fates(&self) -> PumpFates {
        self.fates
    }

    pub(crate) fn run(&mut self, task: &PumpTask, dt_s: f32, tuning: &Tuning) -> Output<Percent> {
        self.follow_load(tuning.flow_for(task.heat), dt_s, tuning);
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
        let forward = self.load / task.flow_per_percent.get().max(0.01);
        let trim = self.trim(task.hottest, forward, dt_s, tuning);
        let automatic = wish(forward, trim, tuning);
        let present = tuning.flow_for(task.heat).get() / task.flow_per_percent.get().max(0.01);
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

    fn follow_load(&mut self, target: LitersPerMinute, dt_s: f32, tuning: &Tuning) {
        let target = target.get();
        if target >= self.load {
            self.load = target;
        } else {
            self.load += (target - self.load) * (1.0 - libm::expf(-dt_s / tuning.load_decay_s));
        }
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

    const PER_PERCENT: LitersPerMinute = LitersPerMinute::new(0.125);

    fn task(heat: f32, margin: f32) -> PumpTask {
        PumpTask {
            heat: Watts::new(heat),
            hottest: Some(Kelvin::new(margin)),
            flow_per_percent: PER_PERCENT,
            full: None,
            orders: PumpOrders::default(),
        }
    }

    fn settled(heat: f32, margin: f32, pump: &mut PumpLoop) -> Output<Percent> {
        let tuning = Tuning::default();
        let mut output = pump.run(&task(heat, margin), 1.0, &tuning);
        for _ in 0..600 {
            output = pump.run(&task(heat, margin), 1.0, &tuning);
        }
        output
    }

    #[test]
    fn the_load_alone_sets_the_flow_while_margins_are_wide() {
        let output = settled(6000.0, 30.0, &mut PumpLoop::default());
        let flow = output.value.unwrap().get() * PER_PERCENT.get();
        assert!((flow - Tuning::default().flow_for(Watts::new(6000.0)).get()).abs() < 0.05, "{flow}");
        assert_eq!(output.leader, Leader::FeedForward);
    }

    #[test]
    fn a_small_margin_adds_flow_and_says_so() {
        let output = settled(4000.0, 15.0, &mut PumpLoop::default());
        assert_eq!(output.leader, Leader::MarginTrim);
        assert!(output.value.unwrap() > settled(4000.0, 30.0, &mut PumpLoop::default()).value.unwrap());
    }

    #[test]
    fn attack_is_fast_and_decay_is_slow() {
        let tuning = Tuning::default();
        let mut pump = PumpLoop::default();
        settled(1000.0, 30.0, &mut pump);
        pump.run(&task(7000.0, 30.0), 1.0, &tuning);
        let attacked = pump.flow().get();
        pump.run(&task(1000.0, 30.0), 1.0, &tuning);
        assert!((attacked - tuning.flow_for(Watts::new(7000.0)).get()).abs() < 1e-3);
        assert!(pump.flow().get() > 0.95 * attacked);
    }

    #[test]
    fn saturation_does_not_wind_up_and_feed_forward_survives_it() {
        let tuning = Tuning::default();
        let mut pump = PumpLoop::default();
        settled(12_000.0, 5.0, &mut pump);
        // The load and the heat are gone: the set-point must fall as fast as the slew allows, at once.
        pump.load = 4.0;
        let first = pump.run(&task(2000.0, 40.0), 1.0, &tuning).value.unwrap().get();
        let second = pump.run(&task(2000.0, 40.0), 1.0, &tuning).value.unwrap().get();
        assert!((first - second - tuning.pump_down_per_s).abs() < 1e-3, "{first} {second}");
    }

    #[test]
    fn the_set_point_moves_no_faster_than_its_slew() {
        let tuning = Tuning::default();
        let mut pump = PumpLoop::default();
        pump.seed(Percent::new(40.0), PER_PERCENT);
        let speed = pump.run(&task(8000.0, 10.0), 1.0, &tuning).value.unwrap();
        assert_eq!(speed, Percent::new(50.0));
    }

    #[test]
    fn taking_over_is_no_bump() {
        let tuning = Tuning::default();
        let mut pump = PumpLoop::default();
        pump.seed(Percent::new(62.0), PER_PERCENT);
        let speed = pump.run(&task(3000.0, 30.0), 0.1, &tuning).value.unwrap().get();
        assert!((speed - 62.0).abs() <= 0.5, "{speed}");
    }

    #[test]
    fn nobody_is_asked_for_more_than_full_speed() {
        let mut pump = PumpLoop::default();
        pump.seed(Percent::new(108.0), PER_PERCENT);
        let speed = pump.run(&task(12_000.0, 5.0), 0.1, &Tuning::default()).value.unwrap();
        assert!(speed <= Percent::new(100.0), "{speed}");
    }

    #[test]
    fn cold_plates_never_get_less_than_their_minimum() {
        let output = settled(0.0, 60.0, &mut PumpLoop::default());
        assert_eq!((output.value, output.leader), (Some(Tuning::default().pump_min), Leader::MinimumFlow));
    }
}
