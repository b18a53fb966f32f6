//! From a node of the factory to its controller, and back.
//!
//! Instruments lag and count GPU temperatures in whole degrees as in the detailed plant. They do not flicker: noise is
//! what the detailed plant is for.

use eisbach_control::{Decision, GpuInput, GpuLimits, Snapshot, Surroundings};
use eisbach_protocol::gpu_link::GpuHealth;
use eisbach_protocol::reading::{BadReason, Reading};
use eisbach_protocol::units::{Celsius, KiloPascal, LitersPerMinute, Millis, Percent, Quantity, Watts};

use super::ambient::Ambient;
use super::row::{Node, NodeShape, Row};
use crate::closed_loop::single;
use crate::plant::GpuState;
use crate::plant::pump::Drive;

/// Age of every reading: a fast bus.
const AGE: Millis = Millis::new(20);
/// Added and taken away again it leaves a number without its fraction, rounded.
const WHOLE: f64 = 6_755_399_441_055_744.0;

fn told<Q: Quantity>(value: f64) -> Reading<Q> {
    Reading::measured(Q::from_f32(single(value)), AGE)
}

const fn flag(value: bool) -> Reading<bool> {
    Reading::measured(value, AGE)
}

/// What does not change from step to step: a snapshot to write the rest into.
pub(super) fn blank(limits: GpuLimits, sockets: usize, shared: bool) -> Snapshot {
    let gpu = GpuInput { health: GpuHealth::Ok, limits, ..GpuInput::default() };
    let mut snapshot = Snapshot { gpus_expected: sockets, ..Snapshot::default() };
    snapshot.gpus = core::iter::repeat_n(gpu, sockets).collect();
    snapshot.pump.shared = shared;
    snapshot.pump.remote = flag(true);
    snapshot.valve.fault = flag(false);
    snapshot.leak.detected = flag(false);
    snapshot.leak.fault = flag(false);
    snapshot
}

/// Writes what the facility tells each of `nodes` nodes of the world outside.
pub(super) fn show_outside(ambient: &Ambient, nodes: f64, snapshot: &mut Snapshot) {
    snapshot.surroundings = Surroundings {
        river: told(ambient.river_celsius),
        river_flow: told(ambient.river_flow_m3_s),
        river_share: ambient.permitted.then(|| single(1.0 / nodes)),
        heat_demand: told(ambient.heat_demand_watts / nodes),
        network_supply: told(ambient.network_celsius),
        calendar: ambient.calendar,
    };
    snapshot.room.dew_point = told::<Celsius>(ambient.dew_point_celsius);
}

/// Writes what the instruments of a row show, which is the same for all its nodes.
pub(super) fn show_row(row: &Row, snapshot: &mut Snapshot) {
    let pump = &mut snapshot.pump;
    pump.running = flag(matches!(row.pump.drive(), Drive::Running { .. }));
    pump.alarm = flag(row.pump.drive() == Drive::Tripped);
    pump.speed = told::<Percent>(row.pump.speed() * 100.0);
    pump.head = told::<KiloPascal>(row.head_pa / 1000.0);
    snapshot.valve.position = told::<Percent>(row.valve.motor() * 100.0);
}

/// Writes what the instruments of a node show.
pub(super) fn show_node(node: &Node, zero_margin: Celsius, snapshot: &mut Snapshot) {
    snapshot.meter.flow = told::<LitersPerMinute>(node.shown.flow_lpm);
    snapshot.meter.supply = told::<Celsius>(node.shown.supply_celsius);
    snapshot.meter.return_ = told::<Celsius>(node.shown.return_celsius);
    let shown = node.board.shown.0.into_iter().zip(node.board.power.0).zip(node.board.states);
    for (gpu, ((core, power), state)) in snapshot.gpus.iter_mut().zip(shown) {
        if state == GpuState::Off {
            silence(gpu);
            continue;
        }
        let temperature: Reading<Celsius> = told((core + WHOLE) - WHOLE);
        gpu.health = GpuHealth::Ok;
        gpu.temperature = temperature;
        gpu.margin = temperature.map(|temperature| zero_margin - temperature);
        gpu.power = told::<Watts>(power);
    }
}

/// A board that has switched itself off does not answer.
#[cold]
fn silence(gpu: &mut GpuInput) {
    let nothing = BadReason::NeverRead;
    gpu.health = GpuHealth::Lost;
    (gpu.temperature, gpu.margin, gpu.power) =
        (Reading::bad(nothing), Reading::bad(nothing), Reading::bad(nothing));
}

/// What a node asks of the pump and the valve that it shares.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Demand {
    pub(super) run: bool,
    pub(super) speed: Option<f32>,
    pub(super) valve: Option<f32>,
}

impl Demand {
    pub(super) fn of(decision: &Decision) -> Self {
        Self {
            run: decision.pump_run,
            speed: decision.pump.value.map(Percent::get),
            valve: decision.valve.value.map(Percent::get),
        }
    }

    /// The most flow and the most careful valve of both.
    pub(super) fn with(self, other: Self) -> Self {
        let both = |one: Option<f32>, other: Option<f32>, join: fn(f32, f32) -> f32| match (one, other) {
            (Some(one), Some(other)) => Some(join(one, other)),
            (one, other) => one.or(other),
        };
        Self {
            run: self.run || other.run,
            speed: both(self.speed, other.speed, f32::max),
            valve: both(self.valve, other.valve, f32::min),
        }
    }
}

/// Sets the limits of a node's GPUs, as far as they differ from those before.
pub(super) fn obey(node: &mut Node, decision: &Decision, shape: &NodeShape) {
    for (at, (told, wanted)) in node.told.iter_mut().zip(&decision.gpus).enumerate() {
        let limits = (wanted.power_cap, wanted.clock_max);
        if *told != limits {
            *told = limits;
            let gpu = &shape.board.gpu;
            let watts = limits.0.map_or(gpu.tdp_watts, |cap| f64::from(cap.get()));
            let clock = limits.1.map_or(gpu.clock_max_mhz, |clock| f64::from(clock.get()));
            node.board.limit(at, (watts, clock), &shape.board);
        }
    }
}
