//! Judges a run while it goes on: each criterion sees every control cycle of its time.

use std::collections::VecDeque;

use eisbach_control::Decision;

use super::criterion::{Criterion, Kind, Raised, State, Verdict};
use super::span::Span;
use crate::plant::{GpuState, Truth};

/// A way back of the valve that counts as a reversal, share of its stroke: twice the motor's dead band. Less is trembling
/// within dead band and play.
const REVERSAL: f64 = 0.01;
/// Change of the load that a way back of the valve answers, share of the installed power.
const ANSWERED: f64 = 0.1;
/// Time constant of that load, s: swings of a training job are none.
const LOAD_S: f64 = 20.0;
/// What the heat network wants of the loop, share of what it takes: the rest is the heat pump's electricity.
const NETWORK_SHARE: f64 = 0.75;
/// Time over which reversals are counted, s.
const HUNTING_S: f64 = 600.0;

/// The node after one control cycle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment<'a> {
    /// From the scenario's beginning, s.
    pub(super) now_s: f64,
    /// Length of the cycle, s.
    pub(super) dt_s: f64,
    pub(super) truth: &'a Truth,
    pub(super) decision: &'a Decision,
    /// GPUs there are.
    pub(super) sockets: usize,
    pub(super) slowdown_celsius: f64,
    pub(super) tdp_watts: f64,
    pub(super) permit_broken: bool,
}

/// A criterion and what has been seen for it.
#[derive(Clone, Debug)]
pub(super) struct Judge {
    criterion: Criterion,
    from_s: f64,
    to_s: f64,
    gauge: Gauge,
}

#[derive(Clone, Debug)]
enum Gauge {
    /// Smallest or largest of a value.
    Extreme(Option<f64>),
    /// A sum, to be divided by another.
    Share {
        part: f64,
        whole: f64,
    },
    /// When it came.
    First(Option<f64>),
    Reversals(Reversals),
    /// Sum and last value of a set-point.
    Travel {
        way: f64,
        last: Option<f64>,
        seconds: f64,
    },
    /// Last set-points of pump and valve, and the largest jump.
    Jump {
        last: [Option<f64>; 2],
        largest: f64,
    },
    /// Pump energy at the beginning and at the end, kWh.
    Energy {
        first: Option<f64>,
        last: f64,
    },
    /// Known only afterwards.
    Later,
}

/// What is known of other runs of the same scenario.
#[derive(Clone, Debug, Default)]
pub(super) struct Others {
    /// Pump energy with fixed flow, kWh, for each criterion.
    pub(super) fixed_kwh: Vec<Option<f64>>,
    /// Whether the same again gave the same bits.
    pub(super) same: Option<bool>,
}

impl Judge {
    pub(super) fn new(criterion: &Criterion, end: Span) -> Self {
        let gauge = match criterion.kind {
            Kind::Margin
            | Kind::GpusOff
            | Kind::GpuPower
            | Kind::AboveDewPoint
            | Kind::SupplyError
            | Kind::Leaked => Gauge::Extreme(None),
            Kind::Throttled | Kind::PermitMinutes => Gauge::Share { part: 0.0, whole: 0.0 },
            Kind::Reaches(_) | Kind::Raises(_) | Kind::PumpStops => Gauge::First(None),
            Kind::Reversals => Gauge::Reversals(Reversals::default()),
            Kind::PumpTravel => Gauge::Travel { way: 0.0, last: None, seconds: 0.0 },
            Kind::Jump => Gauge::Jump { last: [None; 2], largest: 0.0 },
            Kind::PumpSaving => Gauge::Energy { first: None, last: 0.0 },
            Kind::Replay => Gauge::Later,
        };
        let to_s = criterion.to.unwrap_or(end).seconds();
        Self { from_s: criterion.from.seconds(), to_s, criterion: criterion.clone(), gauge }
    }

    /// Looks at a moment.
    pub(super) fn see(&mut self, moment: &Moment<'_>) {
        // Half a cycle of slack, so that rounding does not decide.
        let slack = moment.dt_s / 2.0;
        if moment.now_s < self.from_s - slack || moment.now_s > self.to_s + slack {
            return;
        }
        let kind = self.criterion.kind;
        match &mut self.gauge {
            Gauge::Extreme(extreme) => {
                let value = value(kind, moment);
                let better =
                    |before: f64| if kind.at_least() { before.min(value) } else { before.max(value) };
                *extreme = Some(extreme.map_or(value, better));
            }
            Gauge::Share { part, whole } => {
                *part += value(kind, moment) * moment.dt_s;
                *whole += moment.dt_s;
            }
            Gauge::First(at) => {
                if at.is_none() && is_there(kind, moment) {
                    *at = Some((moment.now_s - self.from_s).max(0.0));
                }
            }
            Gauge::Reversals(reversals) => {
                let truth = moment.truth;
                let left = truth.power.gpus - NETWORK_SHARE * truth.facility.heat_demand_watts;
                let load = left / (moment.tdp_watts * count(moment.sockets.max(1)));
                reversals.see(moment.now_s, moment.dt_s, truth.valve.position, load);
            }
            Gauge::Travel { way, last, seconds } => {
                let speed = moment.decision.pump.value.map(|speed| f64::from(speed.get()));
                *way += last.zip(speed).map_or(0.0, |(before, now)| (now - before).abs());
                *seconds += moment.dt_s;
                *last = speed.or(*last);
            }
            Gauge::Jump { last, largest } => {
                let Decision { pump, valve, .. } = moment.decision;
                for (before, output) in last.iter_mut().zip([pump, valve]) {
                    let Some(now) = output.value.map(|value| f64::from(value.get())) else { continue };
                    *largest = largest.max(before.map_or(0.0, |before| (now - before).abs()));
                    *before = Some(now);
                }
            }
            Gauge::Energy { first, last } => {
                *last = moment.truth.energy.pump_kwh;
                first.get_or_insert(*last);
            }
            Gauge::Later => {}
        }
    }

    /// What was measured. `fixed_kwh` and `same` come from other runs.
    fn value(&self, fixed_kwh: Option<f64>, same: Option<bool>) -> Option<f64> {
        match &self.gauge {
            Gauge::Extreme(extreme) => *extreme,
            Gauge::Share { part, .. } if self.criterion.kind == Kind::PermitMinutes => Some(part / 60.0),
            Gauge::Share { part, whole } => (*whole > 0.0).then(|| 100.0 * part / whole),
            Gauge::First(at) => *at,
            Gauge::Reversals(reversals) => Some(f64::from(reversals.most)),
            Gauge::Travel { way, seconds, .. } => (*seconds > 0.0).then(|| way * 60.0 / seconds),
            Gauge::Jump { largest, .. } => Some(*largest),
            Gauge::Energy { .. } => {
                let fixed = fixed_kwh.filter(|fixed| *fixed > 0.0)?;
                Some(100.0 * (1.0 - self.pump_kwh()? / fixed))
            }
            Gauge::Later => same.map(|same| f64::from(!same)),
        }
    }

    /// Pump energy in the criterion's time, if that is what it is about, kWh.
    pub(super) fn pump_kwh(&self) -> Option<f64> {
        match self.gauge {
            Gauge::Energy { first, last } => first.map(|first| last - first),
            _ => None,
        }
    }
}

/// The verdicts of all judges.
pub(super) fn verdicts(judges: &[Judge], others: &Others) -> Vec<Verdict> {
    let fixed = others.fixed_kwh.iter().copied().chain(std::iter::repeat(None));
    let each = judges.iter().zip(fixed);
    each.map(|(judge, fixed)| judge.criterion.verdict(judge.value(fixed, others.same).map(rounded))).collect()
}

/// To four digits after the point: what people can read, and no less than instruments tell.
fn rounded(value: f64) -> f64 {
    let rounded = (value * 1e4).round() / 1e4;
    // No negative zero in a table.
    if rounded == 0.0 { 0.0 } else { rounded }
}

/// What a criterion of the simple kinds measures in a cycle.
fn value(kind: Kind, moment: &Moment<'_>) -> f64 {
    let Moment { truth, sockets, .. } = *moment;
    let gpus = || truth.gpus.iter().take(sockets);
    let share = |part: usize| count(part) / count(sockets.max(1));
    match kind {
        Kind::Margin => {
            gpus().map(|gpu| moment.slowdown_celsius - gpu.core_celsius).fold(f64::INFINITY, f64::min)
        }
        Kind::GpusOff => count(gpus().filter(|gpu| gpu.state == GpuState::Off).count()),
        Kind::Throttled => share(gpus().filter(|gpu| gpu.throttled).count()),
        Kind::GpuPower => gpus().map(|gpu| 100.0 * gpu.watts / moment.tdp_watts).fold(0.0, f64::max),
        Kind::AboveDewPoint => truth.node_loop.supply_celsius - truth.room.dew_point_celsius,
        Kind::SupplyError => {
            (truth.node_loop.supply_celsius - f64::from(moment.decision.supply_target.get())).abs()
        }
        Kind::PermitMinutes => f64::from(moment.permit_broken),
        Kind::Leaked => truth.node_loop.leaked_litres,
        Kind::Reversals
        | Kind::PumpTravel
        | Kind::Jump
        | Kind::PumpSaving
        | Kind::Reaches(_)
        | Kind::Raises(_)
        | Kind::PumpStops
        | Kind::Replay => 0.0,
    }
}

fn is_there(kind: Kind, moment: &Moment<'_>) -> bool {
    match kind {
        Kind::Reaches(State(state)) => moment.decision.state == state,
        Kind::Raises(Raised(alarm)) => moment.decision.alarms.has(alarm),
        Kind::PumpStops => !moment.truth.pump.running,
        _ => false,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a handful of GPUs")]
fn count(items: usize) -> f64 {
    items as f64
}

/// Counts how often a valve turns round without the load's having asked for it.
#[derive(Clone, Debug, Default)]
struct Reversals {
    /// Where it last turned, or has come to since, and the load then.
    extreme: Option<(f64, f64)>,
    /// It goes up.
    up: Option<bool>,
    /// Load without its swings: what is left for the river, share of the installed power.
    load: Option<f64>,
    /// When it turned, within the last ten minutes.
    turned: VecDeque<f64>,
    /// Most within ten minutes.
    most: u32,
}

impl Reversals {
    fn see(&mut self, now_s: f64, dt_s: f64, position: f64, load: f64) {
        let before = self.load.unwrap_or(load);
        let load = before + (load - before) * (1.0 - (-dt_s / LOAD_S).exp());
        self.load = Some(load);
        let (extreme, load_then) = self.extreme.unwrap_or((position, load));
        let way = position - extreme;
        let onward = self.up.is_some_and(|up| if up { way > 0.0 } else { way < 0.0 });
        if onward || self.extreme.is_none() {
            self.extreme = Some((position, load));
        } else if way.abs() > REVERSAL {
            // More load for the river closes recovery, less opens it.
            let answers = if way > 0.0 { load_then - load } else { load - load_then } > ANSWERED;
            if self.up.is_some() && !answers {
                self.turned.push_back(now_s);
            }
            (self.extreme, self.up) = (Some((position, load)), Some(way > 0.0));
        }
        while self.turned.front().is_some_and(|at| now_s - at >= HUNTING_S) {
            self.turned.pop_front();
        }
        self.most = self.most.max(u32::try_from(self.turned.len()).unwrap_or(u32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reversals(positions: impl IntoIterator<Item = f64>) -> u32 {
        let mut reversals = Reversals::default();
        for (second, position) in (0_u32..).zip(positions) {
            reversals.see(f64::from(second), 1.0, position, 0.5);
        }
        reversals.most
    }

    #[test]
    fn a_valve_that_goes_one_way_or_trembles_does_not_hunt() {
        assert_eq!(reversals((0..100).map(|second| f64::from(second) / 100.0)), 0);
        assert_eq!(reversals((0..100).map(|second| 0.5 + 0.004 * f64::from(second % 2))), 0);
    }

    #[test]
    fn every_turn_of_a_hunting_valve_counts_within_ten_minutes() {
        let wave = |period: f64| {
            (0..3600).map(move |second| (f64::from(second) / period * std::f64::consts::TAU).sin() / 10.0)
        };
        assert_eq!(reversals(wave(100.0)), 12);
        assert_eq!(reversals(wave(1200.0)), 1);
    }

    #[test]
    fn a_turn_that_the_load_asked_for_is_an_answer_and_its_correction_is_none() {
        // For so many seconds at this load the valve is here.
        let course = [(100, 0.2, 0.7), (100, 0.8, 0.3), (100, 0.8, 0.35), (100, 0.8, 0.3), (100, 0.2, 0.7)];
        let mut reversals = Reversals::default();
        let mut second = 0;
        for (seconds, load, position) in course {
            for since in 0..seconds {
                // It moves half a minute after the load has.
                let before = reversals.extreme.map_or(position, |(before, _)| before);
                reversals.see(f64::from(second), 1.0, if since < 30 { before } else { position }, load);
                second += 1;
            }
        }
        // Down with more load: the first way counts for none. Up and down again for nothing: two. Up with less load: none.
        assert_eq!(reversals.most, 2);
    }
}
