//! How much power the GPUs may draw together.
//!
//! ```text
//!   facility: the newest word that is a power                          ┐
//!   thermal:  flow × rise at most, once the pump gives all it has      ├─► the lowest counts
//!             and the loop runs out: [Off] ──5 s──► [On] ──60 s──► [Off]│
//!             nothing at all while supply runs away: nobody takes the   │
//!             heat                                                      │
//!   permit:   what recovery and river take                             ┘
//! ```

use eisbach_protocol::units::{Celsius, Kelvin, LitersPerMinute, Millis, Watts};
use serde::{Deserialize, Serialize};

use crate::decision::{Leader, Reason};
use crate::heat::share;
use crate::state::Cause;
use crate::tuning::Tuning;

/// The loop must run out for this long: temperature wells lag by some seconds (estimate).
const ENGAGES_AFTER: Millis = Millis::from_secs(5);
/// ... and have room again for this long (estimate).
const ENDS_AFTER: Millis = Millis::from_secs(60);
/// It has room again when its rise is this far below the highest (estimate).
const RISE_ROOM: Kelvin = Kelvin::new(5.0);
/// Supply this far above its target is more than cooling can hold, and this far is not (estimate).
const SUPPLY_OFF: (Kelvin, Kelvin) = (Kelvin::new(5.0), Kelvin::new(3.0));
/// Supply that is off already and rises so fast that the margin is gone within this time, s: the facility's water takes
/// nothing, and power comes down by rungs too late (estimate).
const RUNAWAY_S: f32 = 60.0;
/// It is over when supply falls.
const FALLS: f32 = -0.02;
/// Time constant by which the rise is told from noise, s (estimate).
const RISE_S: f32 = 15.0;
/// Flow must change the budget by this share before it is a new one: meters are noisy (estimate).
const NOISE: f32 = 0.03;

/// A budget, and who says so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Budget {
    pub(crate) watts: Watts,
    pub(crate) cause: Cause,
}

/// What the budget is judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoopView {
    /// The facility's word.
    pub(crate) facility: Option<Watts>,
    /// What the river's permit leaves.
    pub(crate) permit: Option<Budget>,
    /// Flow as measured; `None` where it is unknown or lost.
    pub(crate) flow: Option<LitersPerMinute>,
    pub(crate) supply: Option<Celsius>,
    pub(crate) return_: Option<Celsius>,
    pub(crate) target: Celsius,
    /// Smallest margin of any GPU.
    pub(crate) margin: Option<Kelvin>,
    /// The pump gives all it has, or does not follow.
    pub(crate) pump_at_limit: bool,
}

/// Memory of the budgets.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Budgets {
    facility: Option<Watts>,
    thermal: Thermal,
    sink: Sink,
}

/// Whether anybody takes the heat away.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Sink {
    /// Supply as it was some seconds ago, °C, and when that was reckoned.
    before: Option<(f32, Millis)>,
    lost: bool,
}

impl Sink {
    /// Looks at the supply, with all cooling there is or not.
    fn look(&mut self, view: &LoopView, now: Millis) {
        let Some(supply) = view.supply.map(Celsius::get).filter(|supply| supply.is_finite()) else {
            // What is not known neither begins nor ends it.
            self.before = None;
            return;
        };
        let (before, since) = self.before.unwrap_or((supply, now));
        let rise = (supply - before) / RISE_S;
        let far = supply - view.target.get() > SUPPLY_OFF.0.get();
        let gone = view.margin.is_some_and(|margin| rise * RUNAWAY_S > margin.get());
        self.lost = if self.lost { rise > FALLS && far } else { gone && far && view.pump_at_limit };
        let share = share(now.since(since).as_secs_f32(), RISE_S);
        self.before = Some((before + (supply - before) * share, now));
    }
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
enum Thermal {
    #[default]
    Off,
    /// The loop runs out.
    Engaging {
        since: Millis,
    },
    On {
        watts: Watts,
        room_since: Option<Millis>,
    },
}

impl Budgets {
    /// Nobody takes the heat away.
    pub(crate) const fn runs_away(&self) -> bool {
        self.sink.lost
    }

    /// The budget that counts now.
    pub(crate) fn judge(&mut self, view: &LoopView, now: Millis, tuning: &Tuning) -> Option<Budget> {
        self.facility = match view.facility {
            Some(watts) if watts.get().is_finite() && watts >= Watts::ZERO => Some(watts),
            // Nonsense is no leave to draw more than the last word that was a power.
            Some(_) => self.facility,
            None => None,
        };
        self.thermal = self.thermal.next(view, now, tuning);
        self.sink.look(view, now);
        let facility =
            self.facility.map(|watts| Budget { watts, cause: (Leader::Budget, Reason::FacilityBudget) });
        let thermal = match self.thermal {
            Thermal::Off | Thermal::Engaging { .. } => None,
            Thermal::On { watts, .. } => {
                Some(Budget { watts, cause: (Leader::Budget, Reason::ThermalBudget) })
            }
        };
        let sink = self
            .sink
            .lost
            .then_some(Budget { watts: Watts::ZERO, cause: (Leader::Budget, Reason::ThermalBudget) });
        lower(lower(lower(facility, thermal), sink), view.permit)
    }
}

/// The lower one; of equals the first.
fn lower(first: Option<Budget>, second: Option<Budget>) -> Option<Budget> {
    match (first, second) {
        (Some(first), Some(second)) if second.watts < first.watts => Some(second),
        (first, second) => first.or(second),
    }
}

impl Thermal {
    fn next(self, view: &LoopView, now: Millis, tuning: &Tuning) -> Self {
        // Without a flow there is nothing to reckon with: what was found stays.
        let Some(watts) =
            view.flow.map(|flow| tuning.power_for(flow)).filter(|watts| watts.get().is_finite())
        else {
            return match self {
                Self::Off | Self::Engaging { .. } => Self::Off,
                Self::On { watts, .. } => Self::On { watts, room_since: None },
            };
        };
        let runs_out = view.pump_at_limit && exceeds(view, tuning.loop_rise_max, SUPPLY_OFF.0);
        match self {
            Self::Off if runs_out => Self::Engaging { since: now },
            Self::Engaging { since } if runs_out => {
                if now.since(since) >= ENGAGES_AFTER {
                    Self::On { watts, room_since: None }
                } else {
                    self
                }
            }
            Self::Off | Self::Engaging { .. } => Self::Off,
            Self::On { watts: before, room_since } => {
                let full =
                    view.pump_at_limit && exceeds(view, tuning.loop_rise_max - RISE_ROOM, SUPPLY_OFF.1);
                let room_since = (!full).then(|| room_since.unwrap_or(now));
                if room_since.is_some_and(|since| now.since(since) >= ENDS_AFTER) {
                    return Self::Off;
                }
                let moved = (watts - before).get().abs() > before.get() * NOISE;
                Self::On { watts: if moved { watts } else { before }, room_since }
            }
        }
    }
}

/// The loop is warmer than this over the plates, or at its supply. What is not known is not exceeded.
fn exceeds(view: &LoopView, rise: Kelvin, supply_off: Kelvin) -> bool {
    let rises = view.return_.zip(view.supply).is_some_and(|(return_, supply)| return_ - supply > rise);
    rises || view.supply.is_some_and(|supply| supply - view.target > supply_off)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: LoopView = LoopView {
        facility: None,
        permit: None,
        flow: Some(LitersPerMinute::new(3.0)),
        supply: Some(Celsius::new(35.0)),
        return_: Some(Celsius::new(45.0)),
        target: Celsius::new(35.0),
        margin: Some(Kelvin::new(15.0)),
        pump_at_limit: true,
    };
    const SHORT: LoopView = LoopView { return_: Some(Celsius::new(62.0)), ..WELL };

    struct Bench(Budgets, u64);

    impl Bench {
        fn hold(&mut self, view: LoopView, seconds: u64) -> Option<Budget> {
            let mut budget = None;
            for _ in 0..=seconds {
                self.1 += 1;
                budget = self.0.judge(&view, Millis::from_secs(self.1), &Tuning::default());
            }
            budget
        }
    }

    fn bench() -> Bench {
        Bench(Budgets::default(), 0)
    }

    #[test]
    fn a_loop_with_room_needs_no_budget_even_at_full_pump_speed() {
        assert_eq!(bench().hold(WELL, 60), None);
    }

    #[test]
    fn a_loop_that_runs_out_allows_what_its_flow_carries() {
        let mut bench = bench();
        assert_eq!(bench.hold(SHORT, 3), None);
        let budget = bench.hold(SHORT, 3).unwrap();
        // 3 L/min · 66.8 W per L/min and K · 25 K / 1.3
        assert!((budget.watts.get() - 3853.8).abs() < 1.0, "{budget:?}");
        assert_eq!(budget.cause, (Leader::Budget, Reason::ThermalBudget));
    }

    #[test]
    fn a_pump_with_speed_to_spare_needs_no_budget() {
        assert_eq!(bench().hold(LoopView { pump_at_limit: false, ..SHORT }, 60), None);
    }

    #[test]
    fn a_thermal_budget_ends_when_the_loop_has_had_room_for_a_minute() {
        let mut bench = bench();
        bench.hold(SHORT, 10);
        assert!(bench.hold(LoopView { return_: Some(Celsius::new(57.0)), ..SHORT }, 600).is_some());
        assert!(bench.hold(WELL, 50).is_some());
        assert_eq!(bench.hold(WELL, 20), None);
    }

    #[test]
    fn supply_that_runs_away_leaves_no_power_until_it_falls() {
        let mut bench = bench();
        let at = |celsius| LoopView { supply: Some(Celsius::new(celsius)), ..WELL };
        for second in 0..60_u8 {
            // 0.3 K/s: nothing yet that a valve could not hold.
            let budget = bench.hold(at(30.0 + 0.3 * f32::from(second)), 0);
            assert!(budget.is_none() || second > 30, "{second}");
            if second > 45 {
                assert_eq!(budget.map(|budget| budget.watts), Some(Watts::ZERO), "{second}");
            }
        }
        let slower = (0..60_u8).map(|second| bench.hold(at(48.0 + 0.05 * f32::from(second)), 0)).last();
        assert!(slower.flatten().is_some(), "slower is not over");
        assert!(bench.hold(LoopView { supply: None, ..WELL }, 5).is_some(), "nor is not knowing");
        let falls = (0..60_u8).map(|second| bench.hold(at(51.0 - 0.2 * f32::from(second)), 0)).last();
        assert_eq!(falls.flatten().map(|budget| budget.watts > Watts::ZERO), Some(true), "flow's own budget");
        assert_eq!(bench.hold(WELL, 90), None);
    }

    #[test]
    fn a_supply_that_is_warm_by_order_or_rises_slowly_is_no_runaway() {
        let mut bench = bench();
        for second in 0..250_u8 {
            let supply = Some(Celsius::new(30.0 + 0.2 * f32::from(second)));
            assert!(!matches!(
                bench.hold(LoopView { supply, ..WELL }, 0),
                Some(Budget { watts: Watts::ZERO, .. })
            ));
        }
    }

    #[test]
    fn a_flow_that_is_unknown_ends_no_thermal_budget() {
        let mut bench = bench();
        let before = bench.hold(SHORT, 10);
        assert_eq!(bench.hold(LoopView { flow: None, ..WELL }, 600), before);
    }

    #[test]
    fn the_lower_budget_counts() {
        let mut bench = bench();
        bench.hold(SHORT, 10);
        let with = |watts| LoopView { facility: Some(Watts::new(watts)), ..SHORT };
        assert_eq!(bench.hold(with(5000.0), 1).unwrap().cause.1, Reason::ThermalBudget);
        assert_eq!(bench.hold(with(2000.0), 1).unwrap().cause.1, Reason::FacilityBudget);
    }

    #[test]
    fn the_permit_is_a_budget_like_the_others() {
        let permit = Budget { watts: Watts::new(3000.0), cause: (Leader::Permit, Reason::RiverClosed) };
        let with = |watts| LoopView { facility: Some(Watts::new(watts)), permit: Some(permit), ..WELL };
        assert_eq!(bench().hold(with(4000.0), 1), Some(permit));
        assert_eq!(bench().hold(with(2000.0), 1).unwrap().cause.1, Reason::FacilityBudget);
    }

    #[test]
    fn a_budget_that_is_no_power_raises_nothing() {
        let mut bench = bench();
        let with = |watts| LoopView { facility: Some(Watts::new(watts)), ..WELL };
        let zero = bench.hold(with(0.0), 1);
        assert_eq!(zero.unwrap().watts, Watts::ZERO);
        for nonsense in [f32::NAN, -1.0, f32::INFINITY] {
            assert_eq!(bench.hold(with(nonsense), 600), zero);
        }
        assert_eq!(bench.hold(WELL, 1), None, "only its end ends it");
    }
}
