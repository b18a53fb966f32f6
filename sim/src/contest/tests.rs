//! What the contest must show.

use super::bout::{Ground, take_turn};
use super::command::{Fighter, in_parallel};
use super::course::Course;
use super::optimum::{Cost, Limits, Optimum, Weights};
use super::rival::{FixedFlow, Gains, Ours, PiOnHottest, PiOnRise, Rival, Zone};
use super::score::Score;
use crate::closed_loop::Node;
use crate::plant::{Boundary, GPUS, PlantParams, SteadyPlant};
use crate::workload::Workload;
use eisbach_nvml_sim::GpuModel;

fn ground(seconds: f64) -> Ground {
    Ground { settling_s: 600.0, ..Ground::new(seconds, 1) }
}

#[test]
fn ours_saves_two_fifths_of_the_pump_and_keeps_five_kelvin_to_slowdown() {
    let ground = ground(3600.0);
    let bouts = [Course::Inference, Course::Square]
        .map(|course| [Fighter::Fixed, Fighter::Ours].map(|fighter| (course, fighter)))
        .concat();
    let scores = in_parallel(&bouts, |(course, fighter)| {
        fighter.score((*course, &course.load(&ground).unwrap()), &ground)
    });
    for pair in scores.chunks(2) {
        let [fixed, ours] = pair else { panic!("pairs") };
        let saved = 1.0 - ours.pump_kwh / fixed.pump_kwh;
        assert!(saved >= 0.40, "{}: {saved}", ours.workload);
        assert_eq!(ours.close_to_slowdown_s, Some(0.0), "{ours:?}");
        assert!(ours.peak_celsius < ground.params.gpu.slowdown_celsius - 5.0, "{ours:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_scores_bit_for_bit() {
    let ground = ground(300.0);
    let load = Course::Restless.load(&ground).unwrap();
    let run = || -> Vec<Score> {
        in_parallel(&Fighter::ALL, |fighter| fighter.score((Course::Restless, &load), &ground))
    };
    assert_eq!(run(), run());
}

/// Where a rival comes to rest under a load that stays: what that costs, W.
fn rests_at(mut rival: Box<dyn Rival>, boundary: &Boundary, level: f64) -> (Cost, f64) {
    let work = Workload::Constant { level };
    let mut node = Node::placed(GpuModel::H200, PlantParams::default(), work, *boundary, 1);
    let (mut cost, mut peak) = (Cost::default(), f64::MIN);
    for cycle in 0..18_000 {
        take_turn(rival.as_mut(), &mut node);
        node.drift();
        if cycle >= 15_000 {
            let (power, gpu) = (node.plant.truth().power, node.plant.params().gpu);
            let leakage = node.plant.truth().gpus.map(|one| gpu.leakage_at(one.core_celsius));
            let missing = (boundary.heat_demand_watts - power.network).max(0.0);
            let now = Cost {
                pump: power.pump,
                heat_pump: power.heat_pump,
                leakage: leakage.iter().sum(),
                undelivered: Weights::default().undelivered * missing,
            };
            cost.add(&now, 1.0 / 3000.0);
            peak = node.plant.truth().gpus.iter().map(|gpu| gpu.core_celsius).fold(peak, f64::max);
        }
    }
    (cost, peak)
}

#[test]
fn no_rival_comes_to_rest_below_the_optimum() {
    let params = PlantParams::default();
    let mut optimum = Optimum::new(SteadyPlant::new(params.clone()), Weights::default());
    let limits = Limits::of(optimum.plant(), 13.0);
    let fast = Gains { gain: 4.0, integral_s: 20.0 };
    for (level, demand, river) in [(0.8, 4000.0, 12.0), (0.5, 8000.0, 5.0)] {
        let boundary = Boundary {
            heat_demand_watts: demand,
            river_celsius: river,
            utilisation: [level; GPUS],
            ..Boundary::default()
        };
        let least = optimum.find(&boundary, &limits).cost.total();
        let rivals: [Box<dyn Rival>; 5] = [
            Box::new(FixedFlow::new(&params)),
            Box::new(PiOnRise::new(PiOnRise::GAINS)),
            Box::new(PiOnHottest::new(fast, 75.0)),
            Box::new(Zone::new(Zone::TUNING, GPUS)),
            Box::new(Ours::new(&params)),
        ];
        for rival in rivals {
            let name = format!("{rival:?}").chars().take(12).collect::<String>();
            let (cost, peak) = rests_at(rival, &boundary, level);
            assert!(peak < limits.hottest, "{name} keeps the limit: {peak}");
            // Half a percent for what noise in its sensors saves a rival.
            assert!(cost.total() > 0.995 * least, "{name}: {cost:?} W, optimum {least} W");
        }
    }
}
