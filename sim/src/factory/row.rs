//! A row: nodes that share a CDU with its pump, its exchanger and its recovery valve.
//!
//! ```text
//!        ┌─ supply 2 L ─► node 1 ─ return 2 L ─┐
//!  pump ─┼─      …      ─►   …   ─      …     ─┼─► CDU (mixed) ─┐      facility's side of the CDU:
//!   ▲    └─ supply 2 L ─► node K ─ return 2 L ─┘    wall ▼      │        supply ─► CDU ─► buffer ─► valve ─► recovery
//!   └───────────────────────────────────────────────────────────┘                                      └───► river
//! ```
//!
//! A row of one is the node loop of the detailed plant. The nodes of a row share the flow in fixed parts, and so do
//! the branches of a node: both parts move by a percent at most between full and least flow.

use eisbach_protocol::units::{Megahertz, Watts};

use super::board::{Board, BoardShape, PlateShape};
use super::lanes::Lanes;
use super::seam::Demand;
use super::totals::Totals;
use super::water;
use crate::plant::delay::Pipe;
use crate::plant::exchanger::{Stream, WalledExchanger};
use crate::plant::hydraulics::{Hydraulics, M3_S_PER_LPM, Thickness};
use crate::plant::node_loop::{PROPERTIES_CELSIUS, RATED_CELSIUS};
use crate::plant::pump::{Pump, PumpFaults};
use crate::plant::valve::Valve;
use crate::plant::{Coolant, GPUS, PlantParams, PumpParams, Resistance};
use crate::rng::Noise;

/// Cells of a node's pipes: the outlet moves in steps of 1/32 of the delay.
const CELLS: u32 = 32;
/// Speeds of the pump between which the plates' common resistance is fitted.
const FITTED: [f64; 2] = [0.95, 0.45];
/// The node next to the pump gets so much more than the mean, the last one so much less. Estimate.
const NEARNESS: f64 = 0.02;
/// Best efficiency of a row's pump. Estimate: wire to water it makes 0.65.
const ROW_EFFICIENCY: f64 = 0.70;

/// What all nodes of a factory have in common.
#[derive(Clone, Debug)]
pub(super) struct NodeShape {
    pub(super) params: PlantParams,
    pub(super) board: BoardShape,
    rest: PlateShape,
    /// Part of a node's flow through each plate, and through the rest.
    parts: ([f64; GPUS], f64),
    /// All branches of a node together.
    plates: Resistance,
    heat_capacity: f64,
    pub(super) water_kg_s: f64,
    pub(super) water_heat_capacity: f64,
    meter_share: f64,
    well_share: f64,
    pub(super) dt: f64,
}

impl NodeShape {
    pub(super) fn new(params: &PlantParams, dt: f64) -> Self {
        let heat_capacity = Coolant::PG25.heat_capacity(PROPERTIES_CELSIUS);
        let volumetric = heat_capacity * Coolant::PG25.density(PROPERTIES_CELSIUS);
        let (plates, parts) = branches(params);
        let lag = |lag_s: f64| 1.0 - (-dt / lag_s).exp();
        Self {
            board: BoardShape::new(params, volumetric, dt),
            rest: PlateShape::new(&params.rest.plate, volumetric, dt),
            parts,
            plates,
            heat_capacity,
            water_kg_s: params.facility.flow_lpm * M3_S_PER_LPM * water::density(),
            water_heat_capacity: water::heat_capacity(),
            meter_share: lag(params.instruments.flow.lag_s),
            well_share: lag(params.instruments.supply.lag_s),
            dt,
            params: params.clone(),
        }
    }
}

/// The branches of a node as one resistance, fitted at two speeds, and the part of the flow through each.
fn branches(params: &PlantParams) -> (Resistance, ([f64; GPUS], f64)) {
    let mut hydraulics = Hydraulics::new(params);
    let mut at = |speed| {
        let flows = hydraulics.solve(Pump::curve(&params.pump, speed, 1.0), Thickness::AS_RATED, 1.0);
        let series = params.node_loop.pipes.plus(params.node_loop.strainer);
        (flows, flows.head_pa - series.drop(flows.total))
    };
    let [(fast, fast_drop), (slow, slow_drop)] = FITTED.map(&mut at);
    let steep = fast_drop / fast.total - slow_drop / slow.total;
    let quadratic = steep / (fast.total - slow.total);
    let linear = slow_drop / slow.total - quadratic * slow.total;
    let parts = (slow.plates.map(|flow| flow / slow.total), slow.rest / slow.total);
    (Resistance { linear, quadratic }, parts)
}

/// One node.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) board: Board,
    rest: (f64, f64),
    supply: Pipe,
    return_: Pipe,
    /// Flow through each plate per flow of the row, and through the rest.
    branches: (Lanes, f64),
    /// Part of the row's flow.
    pub(super) part: f64,
    /// Into and out of the plates, °C.
    pub(super) supply_celsius: f64,
    pub(super) return_celsius: f64,
    /// The same as wells show them, and the flow as the meter shows it, L/min.
    pub(super) shown: Shown,
    /// Power caps and clock locks as they were told.
    pub(super) told: [(Option<Watts>, Option<Megahertz>); GPUS],
    /// GPU-seconds in which its GPUs did less than they were asked.
    pub(super) throttled_gpu_s: f64,
}

/// What the heat meter of a node shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Shown {
    pub(super) flow_lpm: f64,
    pub(super) supply_celsius: f64,
    pub(super) return_celsius: f64,
}

/// Nodes and their CDU.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) nodes: Vec<Node>,
    /// How many they are, as a number to reckon with.
    pub(super) size: f64,
    pub(super) pump: Pump,
    pub(super) pump_params: PumpParams,
    pub(super) faults: PumpFaults,
    /// Pump and valve as they are told: run, speed and position, shares of 1.
    pub(super) told: Told,
    /// Pipes, strainer and plates of the whole row.
    loop_: Resistance,
    exchanger: WalledExchanger,
    celsius: f64,
    kg: f64,
    mean_return: f64,
    pub(super) flow: f64,
    pub(super) head_pa: f64,
    pub(super) valve: Valve,
    buffer: f64,
    buffer_kg: f64,
    pub(super) totals: Totals,
}

/// What pump and valve of a row are told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) run: bool,
    pub(super) speed: f64,
    pub(super) valve: f64,
}

/// What a row gives to the facility in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct RowOut {
    /// Out of the buffer, °C.
    pub(super) hot: f64,
    /// Of the row's facility water, the part through heat recovery.
    pub(super) share: f64,
}

/// What acts on a row in one step.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowIn {
    /// Facility water into the CDU, °C.
    pub(super) supply: f64,
    /// Its flow against the usual one.
    pub(super) flowing: f64,
    pub(super) room: f64,
}

impl Row {
    /// `count` nodes at rest, everything at one temperature. The noise decides which port each GPU is plumbed to.
    pub(super) fn new(shape: &NodeShape, count: usize, celsius: f64, noise: &mut Noise) -> Self {
        let params = &shape.params;
        #[expect(clippy::cast_precision_loss, reason = "a few nodes")]
        let size = count as f64;
        let kg = |litres: f64| litres / 1000.0 * Coolant::PG25.density(PROPERTIES_CELSIUS);
        let pump_params = row_pump(&params.pump, size);
        let series = params.node_loop.pipes.plus(params.node_loop.strainer).plus(shape.plates);
        Self {
            nodes: (0..count)
                .map(|at| Node::new(shape, place(at, count), count == 1, celsius, noise))
                .collect(),
            size,
            pump: Pump::new(pump_params),
            pump_params,
            faults: PumpFaults::default(),
            told: Told { run: true, speed: 0.8, valve: 0.5 },
            loop_: series.for_flow(size),
            exchanger: WalledExchanger::new(params.cdu.for_heat(size), shape.dt),
            celsius,
            kg: kg(params.node_loop.cdu_litres) * size,
            mean_return: celsius,
            flow: 0.0,
            head_pa: 0.0,
            valve: Valve::new(params.valve),
            buffer: celsius,
            buffer_kg: params.facility.buffer_litres / 1000.0 * water::density() * size,
            totals: Totals::default(),
        }
    }

    /// Moves on by one step.
    pub(super) fn step(&mut self, shape: &NodeShape, outer: &RowIn) -> RowOut {
        let density = self.circulate(shape);
        let kg_s = self.flow * density;
        let volumetric = density * shape.heat_capacity;

        let (mut hot, mut mixed) = (0.0, 0.0);
        let (mut gpus, mut rest) = (0.0, 0.0);
        for node in &mut self.nodes {
            let out = node.step(shape, self.flow, volumetric, (kg_s * node.part, self.celsius));
            hot += node.part * out.hot;
            mixed += node.part * node.return_celsius;
            gpus += out.gpus;
            rest += out.rest;
            self.totals.throttled_gpu_s += out.throttled * shape.dt;
            self.totals.peak_celsius = self.totals.peak_celsius.max(out.hottest);
        }
        self.mean_return = mixed;

        let pump = self.pump.power(self.flow, self.head_pa);
        let pump_heat = self.pump.heat(pump);
        let capacity = kg_s * shape.heat_capacity;
        let water = outer.flowing * self.water(shape);
        let facility = Stream { capacity: water, celsius: outer.supply };
        let wall = self.exchanger.step(Stream { capacity, celsius: hot }, facility, shape.dt);
        let room = shape.params.node_loop.room_loss * self.size * (self.celsius - outer.room);
        let gain = capacity * (hot - self.celsius) + pump_heat - wall.from_hot - room;
        self.celsius += gain * shape.dt / (self.kg * shape.heat_capacity);

        self.valve.step(self.told.valve, false, shape.dt);
        let out = RowOut { hot: self.buffer, share: self.valve.recovery_share_again() };
        let carried = water * (outer.supply - self.buffer);
        self.buffer += (carried + wall.to_cold) * shape.dt / (self.buffer_kg * shape.water_heat_capacity);
        self.totals.add(gpus, rest, (pump, pump_heat), room, shape.dt);
        out
    }

    /// Flow, m³/s, and head, Pa, with the pump at full speed and the coolant as rated.
    pub(super) fn full_speed(&self) -> (f64, f64) {
        let curve = Pump::curve(&self.pump_params, 1.0, 1.0);
        let whole = Resistance { quadratic: self.loop_.quadratic + curve.fall, ..self.loop_ };
        let flow = whole.flow(curve.shutoff_pa);
        (flow, curve.head(flow))
    }

    /// Tells pump and valve what the nodes ask of them; what nobody asks stays as it is.
    pub(super) fn follow(&mut self, demand: Demand) {
        self.told = Told {
            run: demand.run,
            speed: demand.speed.map_or(self.told.speed, |speed| f64::from(speed) / 100.0),
            valve: demand.valve.map_or(self.told.valve, |valve| f64::from(valve) / 100.0),
        };
    }

    /// The row's part of the facility water when the facility pump turns, W/K.
    pub(super) fn water(&self, shape: &NodeShape) -> f64 {
        self.size * shape.water_kg_s * shape.water_heat_capacity
    }

    /// Heat in metal, coolant and the row's part of the facility water above 0 °C, J.
    pub(super) fn stored(&self, shape: &NodeShape) -> f64 {
        let nodes: f64 = self.nodes.iter().map(|node| node.stored(shape)).sum();
        nodes
            + shape.heat_capacity * self.kg * self.celsius
            + shape.water_heat_capacity * self.buffer_kg * self.buffer
            + self.exchanger.stored()
    }

    /// Turns the pump; returns the coolant's density.
    fn circulate(&mut self, shape: &NodeShape) -> f64 {
        let celsius = (self.celsius + self.mean_return) / 2.0;
        let density = Coolant::PG25.density(celsius);
        let viscosity = Coolant::PG25.viscosity(celsius) / Coolant::PG25.viscosity(RATED_CELSIUS);
        self.pump.step(self.told.run, self.told.speed, self.faults, shape.dt);
        let curve = self.pump.curve_now(1.0);
        let thick = self.loop_.scaled(viscosity, density / Coolant::PG25.density(RATED_CELSIUS));
        let with_pump = Resistance { linear: thick.linear, quadratic: thick.quadratic + curve.fall };
        self.flow = with_pump.flow(curve.shutoff_pa);
        self.head_pa = curve.head(self.flow);
        density
    }
}

/// A pump for a row: the same head for so many times the flow, and better built.
fn row_pump(node: &PumpParams, size: f64) -> PumpParams {
    if size <= 1.0 {
        return *node;
    }
    PumpParams {
        fall: node.fall / (size * size),
        best_lpm: node.best_lpm * size,
        drive_watts: node.drive_watts * size,
        efficiency: ROW_EFFICIENCY,
        ..*node
    }
}

/// Part of the row's flow that a node gets.
#[expect(clippy::cast_precision_loss, reason = "a few nodes")]
fn place(at: usize, count: usize) -> f64 {
    let mean = 1.0 / count as f64;
    if count == 1 {
        return mean;
    }
    mean * (1.0 + NEARNESS * (1.0 - 2.0 * at as f64 / (count as f64 - 1.0)))
}

/// What one node did in a step.
struct NodeOut {
    /// Out of the return pipe, °C.
    hot: f64,
    gpus: f64,
    rest: f64,
    throttled: f64,
    hottest: f64,
}

impl Node {
    fn new(shape: &NodeShape, part: f64, as_drawn: bool, celsius: f64, noise: &mut Noise) -> Self {
        let params = &shape.params;
        let kg = |litres: f64| litres / 1000.0 * Coolant::PG25.density(PROPERTIES_CELSIUS);
        let (mut contact, (mut plates, rest)) = (params.contact_spread, shape.parts);
        if !as_drawn {
            // Other ports and other paste in each node.
            let sockets = params.sockets.clamp(1, GPUS);
            contact.get_mut(..sockets).into_iter().for_each(|lanes| lanes.rotate_left(pick(sockets, noise)));
            plates.get_mut(..sockets).into_iter().for_each(|lanes| lanes.rotate_left(pick(sockets, noise)));
        }
        Self {
            board: Board::new(&shape.board, contact, celsius, shape.dt),
            rest: (celsius, celsius),
            supply: Pipe::with_cells(kg(params.node_loop.supply_litres), celsius, CELLS),
            return_: Pipe::with_cells(kg(params.node_loop.return_litres), celsius, CELLS),
            branches: (Lanes(plates) * part, rest * part),
            part,
            supply_celsius: celsius,
            return_celsius: celsius,
            shown: Shown { flow_lpm: 0.0, supply_celsius: celsius, return_celsius: celsius },
            told: [(None, None); GPUS],
            throttled_gpu_s: 0.0,
        }
    }

    fn step(
        &mut self,
        shape: &NodeShape,
        flow: f64,
        volumetric: f64,
        (kg_s, celsius): (f64, f64),
    ) -> NodeOut {
        let kg = kg_s * shape.dt;
        self.supply_celsius = self.supply.push(kg, celsius);
        let inlet = self.supply_celsius;
        let out = self.board.step(&shape.board, self.branches.0 * flow, volumetric, inlet);
        let rest = shape.params.rest.base_watts + shape.params.rest.per_gpu_watt * out.power;
        let rest_flow = self.branches.1 * flow;
        self.rest = shape.rest.step(self.rest, rest, inlet, (rest_flow, rest_flow * volumetric));
        if flow > 0.0 {
            self.return_celsius = (out.mixed + rest_flow * self.rest.1) / (flow * self.part);
        }
        self.throttled_gpu_s += out.throttled * shape.dt;
        self.show(shape, flow * self.part);
        NodeOut {
            hot: self.return_.push(kg, self.return_celsius),
            gpus: out.power,
            rest,
            throttled: out.throttled,
            hottest: out.hottest,
        }
    }

    fn show(&mut self, shape: &NodeShape, flow: f64) {
        let shown = &mut self.shown;
        shown.flow_lpm += shape.meter_share * (flow / M3_S_PER_LPM - shown.flow_lpm);
        shown.supply_celsius += shape.well_share * (self.supply_celsius - shown.supply_celsius);
        shown.return_celsius += shape.well_share * (self.return_celsius - shown.return_celsius);
    }

    fn stored(&self, shape: &NodeShape) -> f64 {
        let pipes = shape.heat_capacity * (self.supply.kg_kelvin() + self.return_.kg_kelvin());
        self.board.stored(&shape.board) + shape.rest.stored(self.rest.0, self.rest.1) + pipes
    }
}

/// One of so many, by chance.
fn pick(of: usize, noise: &mut Noise) -> usize {
    #[expect(clippy::cast_precision_loss, reason = "eight")]
    let place = noise.unit() * of as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 7")]
    let place = place as usize;
    place.min(of.saturating_sub(1))
}
