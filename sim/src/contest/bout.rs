//! One rival on one course.
//!
//! ```text
//!   course ─► node ── snapshot ─► rival ─► move ─► node          ten times a second
//!               └── truth ─► counter ─► score                    after an hour of settling
//! ```

use eisbach_control::{Calendar, Surroundings};
use eisbach_nvml_sim::GpuModel;
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{Celsius, CubicMetersPerSecond, Millis, Quantity, Watts};

use super::course::Course;
use super::rival::{Move, Rival};
use super::score::{Counter, Score};
use super::site;
use crate::closed_loop::{CYCLE_MS, Node, single};
use crate::outside::{DAY_S, Permit, RiverState};
use crate::plant::{Actuators, Boundary, PlantParams};
use crate::workload::{Load, Workload};

/// Time before measuring, s: by then set-points have gone where they go, however slowly.
const SETTLING_S: f64 = 3600.0;
/// Discharge of the river, m³/s.
const RIVER_M3_S: f64 = 25.0;
/// Noon of a day in April.
const NOON: Calendar = Calendar { day_of_year: 105, second_of_day: 43_200 };

/// Where a bout takes place.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The node.
    pub params: PlantParams,
    /// Decides everything random.
    pub seed: u64,
    /// Time before it is measured, s.
    pub settling_s: f64,
    /// Time measured, s.
    pub seconds: f64,
    /// Heat that the network takes, W.
    pub demand: f64,
    /// The controller is told of river and heat network.
    pub told: bool,
}

impl Ground {
    /// A node of eight H200 on a spring day whose network takes more heat than it has.
    #[must_use]
    pub fn new(seconds: f64, seed: u64) -> Self {
        Self {
            params: PlantParams::default(),
            seed,
            settling_s: SETTLING_S,
            seconds,
            demand: Boundary::default().heat_demand_watts,
            told: true,
        }
    }

    /// The world around the node but for its work.
    #[must_use]
    pub fn boundary(&self) -> Boundary {
        Boundary { heat_demand_watts: self.demand, ..Boundary::default() }
    }

    fn river(&self) -> RiverState {
        RiverState { celsius: self.boundary().river_celsius, flow_m3_s: RIVER_M3_S, debris: 1.0 }
    }

    /// Whether the permit allows a whole site of such nodes to give `watts` each to the river.
    pub(super) fn permits(&self, watts: f64) -> bool {
        let river = self.river();
        let now_s = f64::from(NOON.day_of_year - 1) * DAY_S + f64::from(NOON.second_of_day);
        let discharge = site::discharge(&self.params, &river, watts);
        Permit::default().violation(&river, discharge, now_s).is_none()
    }

    /// What the facility tells of it.
    fn surroundings(&self) -> Surroundings {
        if !self.told {
            return Surroundings::default();
        }
        let boundary = self.boundary();
        let age = Millis::from_secs(1);
        Surroundings {
            river: Reading::measured(Celsius::from_f32(single(boundary.river_celsius)), age),
            river_flow: Reading::measured(CubicMetersPerSecond::from_f32(single(RIVER_M3_S)), age),
            river_share: Some(1.0 / single(site::NODES)),
            heat_demand: Reading::measured(Watts::from_f32(single(self.demand)), age),
            network_supply: Reading::measured(
                Celsius::from_f32(single(self.params.heat_pump.network_celsius)),
                age,
            ),
            calendar: Some(NOON),
        }
    }
}

/// Lets `rival` control a node on `course`, whose work is given from its beginning.
pub fn fight(rival: &mut dyn Rival, name: &str, course: (Course, &Load), ground: &Ground) -> Score {
    let begins = Workload::Constant { level: 0.5 };
    let params = ground.params.clone();
    let mut node = Node::placed(GpuModel::H200, params, begins, ground.boundary(), ground.seed);
    node.surroundings = ground.surroundings();
    node.work(course.1.clone());
    let mut counter = Counter::new();
    let cycles_per_s = 1000.0 / cycle_ms();
    let cycles = |seconds: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few days at most")]
        let cycles = (seconds * cycles_per_s).round().max(0.0) as u64;
        cycles
    };
    for cycle in 0..cycles(ground.settling_s + ground.seconds) {
        take_turn(rival, &mut node);
        node.drift();
        if cycle + 1 >= cycles(ground.settling_s) {
            let truth = node.plant.truth();
            let permitted = ground.permits(truth.power.river);
            counter.add(truth, &ground.params, permitted, cycle_ms() / 1000.0);
        }
    }
    counter.score(name, course.0.word(), node.plant.truth())
}

/// Lets `rival` see the node and does what it decides.
pub(super) fn take_turn(rival: &mut dyn Rival, node: &mut Node) {
    match rival.decide(&node.snapshot(), node.now()) {
        Move::Set { pump, valve } => node.set(Actuators {
            pump_run: true,
            pump_speed: pump / 100.0,
            valve: valve / 100.0,
            ..*node.actuators()
        }),
        Move::Decided(decision) => node.obey(&decision),
    }
}

/// The control period, ms.
fn cycle_ms() -> f64 {
    f64::from(u32::try_from(CYCLE_MS).unwrap_or(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_that_warms_its_water_by_more_than_ten_kelvin_breaks_its_permit() {
        let ground = Ground::new(60.0, 1);
        let most = 10.0 * ground.params.river.cold_design * ground.river().intake_share();
        assert!(ground.permits(0.99 * most) && !ground.permits(1.01 * most));
    }
}
