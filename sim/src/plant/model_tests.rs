//! Every model's node: temperatures at 35 °C supply and times without flow, against the lumped model that its
//! numbers come from (estimates; nobody has published a measured curve).

use eisbach_nvml_sim::GpuModel;

use super::*;

/// The valve that gives an ideal node at full load a supply of 35 °C.
const WARM_VALVE: f64 = 0.62;

struct Node {
    plant: Plant,
    actuators: Actuators,
    boundary: Boundary,
}

/// An ideal node at full load whose supply is at 35 °C.
fn node(params: PlantParams) -> Node {
    let actuators = Actuators { valve: WARM_VALVE, ..Actuators::of(&params.gpu) };
    let heat_demand_watts = Boundary::default().heat_demand_watts * params.size();
    let boundary = Boundary { utilisation: [1.0; GPUS], heat_demand_watts, ..Boundary::default() };
    let plant = Plant::settled(params.without_flaws(), 1, &actuators, &boundary);
    let supply = plant.truth().node_loop.supply_celsius;
    assert!((supply - 35.0).abs() < 1.0, "{supply}");
    Node { plant, actuators, boundary }
}

impl Node {
    fn hottest(&self) -> f64 {
        self.plant.truth().gpus.iter().map(|gpu| gpu.core_celsius).fold(f64::MIN, f64::max)
    }

    /// At exactly 35 °C supply.
    fn core_celsius(&self) -> f64 {
        self.hottest() - self.plant.truth().node_loop.supply_celsius + 35.0
    }

    /// From the loss of all flow at full power to 87 °C.
    fn seconds_to_87(&mut self) -> f64 {
        let before = self.plant.truth().time_s;
        self.plant.inject(Fault::FlowLoss);
        while self.hottest() < 87.0 && self.plant.truth().time_s - before < 60.0 {
            self.plant.step(&self.actuators, &self.boundary);
        }
        self.plant.truth().time_s - before
    }
}

#[test]
fn every_model_at_full_power_is_as_warm_as_its_plate_lets_it_be() {
    for (model, celsius, watts) in [
        (GpuModel::H100, 63.8, 700.0),
        (GpuModel::H200, 63.8, 700.0),
        (GpuModel::B200, 65.0, 1000.0),
        (GpuModel::Gb200, 65.2, 1200.0),
        (GpuModel::B300, 65.9, 1400.0),
    ] {
        let node = node(PlantParams::of(model));
        let core = node.core_celsius();
        println!("{model}: {core:.1} °C");
        assert!((core - celsius).abs() < 2.0, "{model}: {core}");
        assert!((node.plant.truth().gpus[0].watts - watts).abs() < 2.0, "{model}");
    }
    let a100 = node(PlantParams::of(GpuModel::A100)).core_celsius();
    println!("a100: {a100:.1} °C");
    assert!((48.0..58.0).contains(&a100), "less power on the same silicon: {a100}");
}

#[test]
fn without_flow_every_model_is_at_87_degrees_in_its_seconds() {
    for (model, expected) in [
        (GpuModel::H100, 8.7),
        (GpuModel::H200, 8.7),
        (GpuModel::B200, 7.6),
        (GpuModel::Gb200, 7.1),
        (GpuModel::B300, 6.6),
    ] {
        let seconds = node(PlantParams::of(model)).seconds_to_87();
        println!("{model}: {seconds:.1} s");
        assert!((expected * 0.75..expected * 1.25).contains(&seconds), "{model}: {seconds}");
    }
}

#[test]
fn less_copper_is_less_time_and_more_is_more() {
    for (factor, expected) in [(0.6, 6.2), (1.5, 12.0)] {
        let params = PlantParams::of(GpuModel::H200).with_thermal_mass(factor);
        let seconds = node(params).seconds_to_87();
        println!("h200 with {factor} of its copper: {seconds:.1} s");
        assert!((expected * 0.75..expected * 1.25).contains(&seconds), "{factor}: {seconds}");
    }
}

#[test]
fn pressures_and_flow_per_kilowatt_are_the_same_for_every_model() {
    for model in GpuModel::ALL {
        let params = PlantParams::of(model);
        let kilowatts = params.installed_watts() / 1000.0;
        let FullSpeed { flow_lpm, head_kpa } = Plant::new(params, 1).full_speed();
        println!("{model}: {flow_lpm:.1} L/min, {head_kpa:.1} kPa at full speed");
        assert!((1.5..1.75).contains(&(flow_lpm / kilowatts)), "{model}: {flow_lpm} L/min");
        assert!((100.0..125.0).contains(&head_kpa), "{model}: {head_kpa} kPa");
    }
}

#[test]
fn an_empty_socket_draws_nothing_and_takes_no_flow() {
    let node = node(PlantParams::of(GpuModel::Gb200));
    let (there, absent) = node.plant.truth().gpus.split_at(4);
    assert!(there.iter().all(|gpu| gpu.watts > 1190.0) && absent.iter().all(|gpu| gpu.watts < 1e-9));
    assert!(absent.iter().all(|gpu| gpu.core_celsius < 40.0));
    let design_lpm = 1.5 * 6.54;
    let flow = node.plant.truth().node_loop.flow_lpm;
    assert!((flow / design_lpm - 1.0).abs() < 0.1, "{flow}");
}
