//! How the rivals got their numbers: a search over a grid, each rival for what it is for.
//!
//! ```text
//!   candidates × courses (another seed than the contest's) ─► scores ─► best
//!     PI on ΔT, valve   least deviation of return and supply, the valve's with its wear, against fixed flow's
//!     PI on hottest, zone   least cost, against fixed flow's
//!   nobody with a GPU within 5 K of slowdown
//! ```

use core::fmt::Write as _;

use super::bout::{Ground, fight};
use super::command::in_parallel;
use super::course::Course;
use super::rival::{FixedFlow, Gains, PiOnHottest, PiOnRise, Rival, SupplyValve, Zone, ZoneTuning};
use super::score::Score;
use crate::plant::{GPUS, PlantParams};
use crate::workload::TraceError;

/// Seed of the courses on which rivals are tuned.
const SEED: u64 = 1000;
/// Plant time of each course, s.
const SECONDS: f64 = 3600.0;
/// Time before that, s.
const SETTLING_S: f64 = 600.0;
/// What a stroke of the valve an hour counts for, K: at ten an hour its actuator is worn out in about a year (estimate:
/// 100,000 strokes).
const STROKE_KELVIN: f64 = 0.05;

const GAINS: [f64; 6] = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0];
const INTEGRALS: [f64; 4] = [10.0, 20.0, 40.0, 80.0];
const TARGETS: [f64; 3] = [60.0, 65.0, 70.0];

/// One set of numbers for one rival.
#[derive(Clone, Copy, Debug)]
enum Candidate {
    Valve(Gains),
    Rise(Gains),
    Hottest(Gains, f64),
    Zone(ZoneTuning),
}

impl Candidate {
    fn rival(self, params: &PlantParams) -> Box<dyn Rival> {
        match self {
            Self::Valve(gains) => Box::new(FixedFlow::new(params).with_valve(SupplyValve::new(gains))),
            Self::Rise(gains) => Box::new(PiOnRise::new(gains)),
            Self::Hottest(gains, target) => Box::new(PiOnHottest::new(gains, target)),
            Self::Zone(tuning) => Box::new(Zone::new(tuning, GPUS)),
        }
    }

    /// What is to be small.
    fn measure(self, score: &Score) -> f64 {
        match self {
            Self::Valve(_) => {
                let strokes_per_hour = score.valve_strokes.unwrap_or(0.0) * 3600.0 / score.seconds;
                score.supply_sigma + STROKE_KELVIN * strokes_per_hour
            }
            Self::Rise(_) => score.return_sigma,
            Self::Hottest(..) | Self::Zone(_) => score.total_cost_kwh,
        }
    }
}

fn grid() -> Vec<Vec<Candidate>> {
    let gains: Vec<Gains> =
        GAINS.iter().flat_map(|gain| INTEGRALS.map(|integral_s| Gains { gain: *gain, integral_s })).collect();
    let each = |make: &dyn Fn(Gains) -> Vec<Candidate>| gains.iter().flat_map(|gains| make(*gains)).collect();
    vec![
        each(&|gains| vec![Candidate::Valve(gains)]),
        each(&|gains| vec![Candidate::Rise(gains)]),
        each(&|gains| TARGETS.map(|target| Candidate::Hottest(gains, target)).into()),
        // The driver's margin counts from 87 °C.
        each(&|margin| {
            TARGETS.map(|target| Candidate::Zone(ZoneTuning { margin, margin_target: 87.0 - target })).into()
        }),
    ]
}

/// Searches the grid and tells the best of each rival.
///
/// # Errors
///
/// A course whose trace is none.
pub(super) fn search() -> Result<String, TraceError> {
    let ground = Ground { told: false, settling_s: SETTLING_S, ..Ground::new(SECONDS, SEED) };
    let mut loads = Vec::new();
    for course in Course::ALL {
        loads.push((course, course.load(&ground)?));
    }
    let on = |rival: &dyn Fn() -> Box<dyn Rival>| -> Vec<Score> {
        loads.iter().map(|(course, load)| fight(rival().as_mut(), "", (*course, load), &ground)).collect()
    };
    let fixed = on(&|| Box::new(FixedFlow::new(&ground.params)));
    let mut text = String::new();
    for candidates in grid() {
        let measured = in_parallel(&candidates, |candidate| {
            let scores = on(&|| candidate.rival(&ground.params));
            let close = scores.iter().any(|score| score.close_to_slowdown_s.unwrap_or(0.0) > 0.0);
            let sum: f64 = scores
                .iter()
                .zip(&fixed)
                .map(|(score, fixed)| candidate.measure(score) / candidate.measure(fixed))
                .sum();
            if close { f64::INFINITY } else { sum / 4.0 }
        });
        let mut ranked: Vec<(&Candidate, f64)> = candidates.iter().zip(measured).collect();
        ranked.sort_by(|one, other| one.1.total_cmp(&other.1));
        for (candidate, measure) in ranked.iter().take(3) {
            let _written = writeln!(text, "{measure:.4}  {candidate:?}");
        }
    }
    Ok(text)
}
