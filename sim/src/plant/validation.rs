//! The plant's laws against published and tabled values, part by part and as a whole.
//!
//! ```text
//!   coolant ─ exchanger ─ transport ─ leak, expansion        check values
//!   plate ─ partial flow                                     the lumped model that its numbers come from
//!   whole plant ─ energy books ─ lost pumps                  conservation, volume × heat capacity
//! ```

use super::coolant::Coolant;
use super::delay::Pipe;
use super::exchanger::effectiveness;
use super::vessel::Vessel;
use super::*;
use crate::workload::{Load, Workload};

fn near(what: &str, value: f64, expected: f64, share: f64) {
    assert!((value / expected - 1.0).abs() <= share, "{what}: {value}, expected {expected}");
}

#[test]
fn glycol_meets_the_published_check_values() {
    near("density", Coolant::PG25.density(35.0), 1012.5, 1.5e-4);
    near("heat capacity", Coolant::PG25.heat_capacity(35.0), 3957.0, 2e-4);
    near("viscosity", Coolant::PG25.viscosity(35.0), 1.54e-3, 5e-3);
    near("viscosity, cold", Coolant::PG25.viscosity(20.0), 2.45e-3, 5e-3);
    near("thicker when cold", Coolant::PG25.viscosity(20.0) / Coolant::PG25.viscosity(35.0), 1.59, 5e-3);
    let expansion = Coolant::PG25.density(20.0) / Coolant::PG25.density(50.0) - 1.0;
    near("expansion from 20 to 50 °C", expansion, 0.0147, 0.01);
}

#[test]
fn water_meets_the_steam_tables() {
    for (celsius, density, heat_capacity, viscosity) in
        [(10.0, 999.7, 4195.0, 1.306e-3), (25.0, 997.05, 4181.0, 0.890e-3), (50.0, 988.0, 4181.0, 0.547e-3)]
    {
        near("density", Coolant::WATER.density(celsius), density, 5e-4);
        near("heat capacity", Coolant::WATER.heat_capacity(celsius), heat_capacity, 1e-3);
        near("viscosity", Coolant::WATER.viscosity(celsius), viscosity, 5e-3);
    }
}

/// Effectiveness by following both streams along the plates: the hot one has the smaller capacity.
fn followed(ntu: f64, ratio: f64) -> f64 {
    const PIECES: u32 = 20_000;
    // The difference between the streams at the hot end decides all others; it is found as everything is linear in it.
    let dx = 1.0 / f64::from(PIECES);
    let (mut hot, mut cold) = (0.0, -1.0);
    for _ in 0..PIECES {
        let slope = |hot: f64, cold: f64| -ntu * (hot - cold);
        let middle = slope(hot, cold) * dx / 2.0;
        let whole = slope(hot + middle, cold + ratio * middle) * dx;
        (hot, cold) = (hot + whole, cold + ratio * whole);
    }
    -hot / -cold
}

#[test]
fn exchangers_do_what_following_both_streams_gives() {
    for (ntu, ratio) in [(0.5, 0.25), (1.0, 0.5), (1.0, 1.0), (2.0, 0.75), (3.0, 0.0), (5.0, 1.0)] {
        near("effectiveness", effectiveness(ntu, ratio), followed(ntu, ratio), 1e-6);
    }
    for ratio in [0.0, 0.3, 0.7, 0.999] {
        assert!((effectiveness(200.0 / (1.0 - ratio), ratio) - 1.0).abs() < 1e-9, "endless: all heat moves");
        near("tiny: as NTU", effectiveness(1e-6, ratio), 1e-6, 1e-5);
    }
    // The data sheet that the CDU is scaled from: 579 kW/K between 250 and 268 kW/K.
    near("of the data sheet", effectiveness(579.0 / 250.0, 250.0 / 268.0), 0.714, 2e-3);
}

#[test]
fn a_change_arrives_after_volume_over_flow_at_any_flow() {
    for (lpm, tabled) in [(11.4, 10.5), (11.4 * 0.35, 30.0), (6.0, 20.0)] {
        let mut pipe = Pipe::new(2.0, 20.0);
        let kg = lpm / 60.0 * DT;
        let steps = (1..).find(|_| pipe.push(kg, 30.0) > 25.0).unwrap();
        near("delay", f64::from(steps) * DT, tabled, 0.02);
    }
}

#[test]
fn a_leak_at_two_bar_loses_the_tabled_litres_a_minute() {
    for (hole_mm, tabled) in [(0.5, 0.14), (1.0, 0.57), (2.0, 2.3), (5.0, 14.0)] {
        // A large cushion, so that the pressure stays.
        let params = VesselParams { fill_kpa: 200.0, gas_litres: 1e6, ..VesselParams::NODE };
        let mut vessel = Vessel::new(params);
        (0..6000).for_each(|_| vessel.step(20.0, Some(hole_mm), DT));
        near("leak", vessel.leaked_litres(), tabled, 0.03);
    }
}

#[test]
fn a_warm_loop_presses_its_cushion_together_at_constant_temperature() {
    let params = VesselParams::NODE;
    let mut vessel = Vessel::new(params);
    vessel.step(50.0, None, DT);
    let expansion = params.loop_litres * 0.0147;
    let expected = (params.fill_kpa + 101.3) * params.gas_litres / (params.gas_litres - expansion) - 101.3;
    near("pressure", vessel.pressure_kpa(), expected, 2e-3);
}

/// Hottest core above supply of an ideal node at full load and this share of its design flow, K.
fn rise_at(share: f64) -> f64 {
    let mut actuators = Actuators { pump_speed: 0.94 * share, valve: 0.62, ..Actuators::default() };
    let boundary = Boundary { utilisation: [1.0; GPUS], ..Boundary::default() };
    let params = PlantParams::ideal();
    let design = 1.5 * params.installed_watts() / 1000.0 * share;
    let mut plant =
        Plant::new(PlantParams { pump: PumpParams { speed_min: 0.05, ..params.pump }, ..params }, 1);
    for _ in 0..18_000 {
        // Find the speed; the loop is not quite quadratic.
        let missing = 1.0 - plant.truth().node_loop.flow_lpm / design;
        actuators.pump_speed = (actuators.pump_speed + 0.2 * missing * DT).clamp(0.05, 1.0);
        plant.step(&actuators, &boundary);
    }
    near("flow", plant.truth().node_loop.flow_lpm, design, 0.02);
    let hottest = plant.truth().gpus.iter().map(|gpu| gpu.core_celsius).fold(f64::MIN, f64::max);
    hottest - plant.truth().node_loop.supply_celsius
}

#[test]
fn less_flow_costs_what_the_lumped_model_tells_and_not_less() {
    let design = rise_at(1.0);
    // A plate whose liquid follows an exponential profile is warmer at little flow than a lumped one.
    for (share, tabled) in [(0.75, 3.0), (0.5, 8.6), (0.35, 15.0), (0.25, 23.5)] {
        let cost = rise_at(share) - design;
        println!("{share} of the flow: {cost:.1} K, lumped model {tabled} K");
        assert!((0.95 * tabled..1.35 * tabled).contains(&cost), "{share}: {cost}, {tabled}");
    }
}

#[test]
fn over_an_hour_with_every_fault_once_the_books_close() {
    let params = PlantParams { standby: Some(StandbyParams::N_PLUS_1), ..PlantParams::default() };
    let mut plant = Plant::new(params, 7);
    let mut load = Load::new(Workload::FailingTraining, 7);
    let (before, mut net, mut moved) = (plant.stored_heat(), 0.0, 0.0);
    let each = 200 * 60;
    for (turn, kind) in FaultKind::ALL.into_iter().enumerate() {
        plant.inject(kind.typical());
        for step in 0..each {
            let valve = if (turn + step / 3000) % 2 == 0 { 0.3 } else { 0.9 };
            let boundary = Boundary {
                utilisation: load.step(),
                network_celsius: Some(if turn % 2 == 0 { 60.0 } else { 75.0 }),
                ..Boundary::default()
            };
            plant.step(&Actuators { valve, pump_speed: 0.7, ..Actuators::default() }, &boundary);
            let power = plant.truth().power;
            net += power.net() * DT;
            moved += (power.it() + power.recovery.abs() + power.river.abs()) * DT;
        }
        // What breaks in silence is mended; shut-down GPUs stay off.
        plant.clear(kind);
    }
    let error = plant.stored_heat() - before - net;
    println!("{error:.2e} J of {moved:.2e} J");
    assert!(error.abs() <= 1e-9 * moved, "{error} J of {moved} J");
}

#[test]
fn without_facility_water_the_loop_warms_as_fast_as_its_volume_lets_it() {
    let boundary = Boundary { utilisation: [1.0; GPUS], ..Boundary::default() };
    let mut plant = Plant::settled(PlantParams::default(), 1, &Actuators::default(), &boundary);
    plant.inject(Fault::FacilityPumpLost);
    let mut supply = Vec::new();
    for _ in 0..60 {
        (0..100).for_each(|_| plant.step(&Actuators::default(), &boundary));
        supply.push(plant.truth().node_loop.supply_celsius);
    }
    assert!(plant.truth().facility.flow_lpm.abs() < 1e-9);
    // 4.8 L of glycol, eight plates, the other plates; dT/dt = P / C.
    let params = plant.params();
    let litres =
        params.node_loop.supply_litres + params.node_loop.return_litres + params.node_loop.cdu_litres;
    let plate = |plate: &PlateParams| plate.metal_capacity + plate.liquid_capacity;
    let capacity = litres * 4000.0 + 8.0 * plate(&params.plate) + plate(&params.rest.plate);
    let expected = plant.truth().power.it() / capacity;
    let rate = (supply[59] - supply[29]) / 30.0;
    println!("{rate:.2} K/s, {expected:.2} K/s from volume and metal");
    near("rate", rate, expected, 0.15);
}

#[test]
fn without_river_water_and_with_a_network_that_takes_it_recovery_carries_the_heat() {
    let boundary = Boundary { utilisation: [0.5; GPUS], river_intake: 0.0, ..Boundary::default() };
    let actuators = Actuators { valve: 1.0, ..Actuators::default() };
    let plant = Plant::settled(PlantParams::default(), 1, &actuators, &boundary);
    let power = plant.truth().power;
    assert!(power.river.abs() < 1.0 && power.recovery > 3000.0, "{power:?}");
    assert!(plant.truth().gpus.iter().all(|gpu| gpu.core_celsius < 75.0));
}

#[test]
fn a_drained_river_takes_less_heat_the_less_it_gives() {
    let river = |river_intake| {
        let boundary = Boundary { utilisation: [1.0; GPUS], river_intake, ..Boundary::default() };
        let plant = Plant::settled(PlantParams::default(), 1, &Actuators::default(), &boundary);
        plant.truth().node_loop.supply_celsius
    };
    let supplies = [1.0, 0.5, 0.25, 0.15].map(river);
    assert!(supplies.is_sorted_by(|more, less| more < less), "{supplies:?}");
}

#[test]
fn fouling_shows_as_approach_at_the_same_load() {
    let boundary = Boundary { utilisation: [1.0; GPUS], ..Boundary::default() };
    let clean = Plant::settled(PlantParams::default(), 1, &Actuators::default(), &boundary);
    let approach =
        |plant: &Plant| plant.truth().node_loop.supply_celsius - plant.truth().facility.supply_celsius;
    let mut fouled = clean.clone();
    fouled.inject(Fault::FouledCdu { loss: 0.3, over_s: 0.0 });
    (0..60_000).for_each(|_| fouled.step(&Actuators::default(), &boundary));
    let drift = approach(&fouled) - approach(&clean);
    assert!((1.0..5.0).contains(&drift), "{drift} K");
}

#[test]
fn a_second_pump_keeps_every_core_below_slowdown_when_the_first_one_trips() {
    let boundary = Boundary { utilisation: [1.0; GPUS], ..Boundary::default() };
    let actuators = Actuators { valve: 0.62, ..Actuators::default() };
    let peak = |standby, fails| {
        let params = PlantParams { standby, ..PlantParams::default() };
        let mut plant = Plant::settled(params, 1, &actuators, &boundary);
        if fails {
            plant.inject(Fault::StandbyFailed);
        }
        plant.inject(Fault::PumpTrip);
        let mut peak = f64::MIN;
        for _ in 0..3000 {
            plant.step(&actuators, &boundary);
            peak = plant.truth().gpus.iter().map(|gpu| gpu.core_celsius).fold(peak, f64::max);
        }
        peak
    };
    let (with, without) = (peak(Some(StandbyParams::N_PLUS_1), false), peak(None, false));
    println!("{with:.1} °C with a second pump, {without:.1} °C without, nobody at the controls");
    assert!(with < 87.0 && without > 89.0);
    assert!((peak(Some(StandbyParams::N_PLUS_1), true) - without).abs() < 1e-9);
}

#[test]
fn air_makes_flow_and_head_flicker() {
    let boundary = Boundary::default();
    let spread = |fault: Option<Fault>| {
        let mut plant = Plant::settled(PlantParams::default(), 1, &Actuators::default(), &boundary);
        fault.into_iter().for_each(|fault| plant.inject(fault));
        (0..500).for_each(|_| plant.step(&Actuators::default(), &boundary));
        let heads: Vec<f64> = (0..2000)
            .map(|_| {
                plant.step(&Actuators::default(), &boundary);
                plant.sensors().pump.head_kpa - plant.truth().pump.head_kpa
            })
            .collect();
        (heads.iter().map(|off| off * off).sum::<f64>() / 2000.0).sqrt()
    };
    let ratio = spread(Some(Fault::AirInLoop { share: 0.2 })) / spread(None);
    assert!((4.0..6.0).contains(&ratio), "{ratio}");
}

#[test]
fn humid_air_raises_the_dew_point_that_is_shown() {
    let mut plant = Plant::new(PlantParams::default(), 1);
    plant.inject(Fault::HumidAir { humidity: 0.7, per_minute: 0.2 });
    (0..18_000).for_each(|_| plant.step(&Actuators::default(), &Boundary::default()));
    near("dew point", plant.truth().room.dew_point_celsius, 18.2, 0.01);
    near("shown", plant.sensors().room.dew_point_celsius, 18.2, 0.03);
}

#[test]
fn a_lying_thermometer_changes_what_is_shown_and_nothing_else() {
    let mut sound = Plant::new(PlantParams::default(), 1);
    let mut lying = sound.clone();
    lying.inject(Fault::GpuSensor { index: 2, how: SensorError::Off(-8.0) });
    for plant in [&mut sound, &mut lying] {
        (0..200).for_each(|_| plant.step(&Actuators::default(), &Boundary::default()));
    }
    assert_eq!(sound.truth(), lying.truth());
    let shown = |plant: &Plant, index: usize| plant.sensors().gpus[index].unwrap().core_celsius;
    assert!((shown(&sound, 2) - shown(&lying, 2) - 8.0).abs() < 1e-9);
    assert!((shown(&sound, 3) - shown(&lying, 3)).abs() < 1e-12);
}
