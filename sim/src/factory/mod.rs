//! The factory: one node or twelve thousand, in rows behind CDUs, on one facility loop between river and heat network.
//!
//! ```text
//!   work ─► nodes ─┐
//!   work ─► nodes ─┼─ row: pump, CDU, valve ─┐
//!                  …                         ├─► facility loop ─┬─► heat pump ─► network
//!   work ─► nodes ─── row: pump, CDU, valve ─┘                  └─► exchanger ─► river
//!              ▲ │
//!    decision ─┘ └─► snapshot        one real controller for each node, in a [`Fleet`]
//! ```
//!
//! Formulas and numbers are those of [`plant`](crate::plant); what differs is how they are stepped: by 0.1 or 1 s
//! instead of 10 ms, eight GPUs side by side in arrays, without noise, leaks and vessels. Numbers are `f64`, as there:
//! in `f32` a step's heat would drown in the heat that is stored, and no balance would close.
//!
//! The same seed gives the same factory bit for bit, however many threads step it and in whatever portions.

mod ambient;
mod board;
mod fleet;
mod lanes;
mod params;
mod row;
mod seam;
mod site;
mod table;
#[cfg(test)]
mod tests;
mod totals;
mod water;
mod work;

use eisbach_control::{Decision, GpuLimits, Snapshot, Tuning};
use eisbach_protocol::units::{Celsius, KiloPascal, LitersPerMinute, Quantity};

pub use ambient::Ambient;
pub use fleet::Fleet;
pub use params::{FactoryError, FactoryParams};
pub use site::{SiteNow, SiteTotals};
pub use totals::Totals;
pub use work::Work;

use self::row::{NodeShape, Row, RowIn, RowOut};
use self::seam::Demand;
use self::site::{Served, Site};
use crate::closed_loop::{limits, single, zero_margin};
use crate::plant::hydraulics::M3_S_PER_LPM;
use crate::plant::{GPUS, GpuState};
use crate::rng::Noise;

/// Temperature of everything in a new factory, °C.
const START_CELSIUS: f64 = 20.0;

/// Nodes, rows and site.
#[derive(Clone, Debug)]
pub struct Factory {
    params: FactoryParams,
    shape: NodeShape,
    rows: Vec<Row>,
    site: Site,
    limits: GpuLimits,
    zero_margin: Celsius,
    steps: u64,
}

/// What is wrong in a factory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactoryFault {
    /// The drive of a row's pump switches itself off.
    PumpTrip {
        /// Which row, from 0.
        row: usize,
    },
    /// The coupling of a row's pump shears: the drive turns, the impeller coasts down.
    FlowLoss {
        /// Which row, from 0.
        row: usize,
    },
}

/// One node as it really is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NodeTruth {
    /// Cores of its GPUs, °C.
    pub core_celsius: [f64; GPUS],
    /// Power of its GPUs, W.
    pub watts: [f64; GPUS],
    /// What their hardware has decided.
    pub states: [GpuState; GPUS],
    /// Into the cold plates, °C.
    pub supply_celsius: f64,
    /// Out of the cold plates, mixed, °C.
    pub return_celsius: f64,
    /// Flow, L/min.
    pub flow_lpm: f64,
    /// Position of its row's recovery valve: 0 all river, 1 all recovery.
    pub valve: f64,
    /// GPU-seconds in which its GPUs did less than they were asked.
    pub throttled_gpu_s: f64,
}

impl Factory {
    /// A factory at rest, everything at 20 °C. The seed decides how each node is plumbed.
    ///
    /// # Errors
    ///
    /// Tells which number is wrong.
    pub fn new(params: FactoryParams, seed: u64) -> Result<Self, FactoryError> {
        params.check()?;
        let shape = NodeShape::new(&params.node, params.step_s);
        let mut noise = Noise::new(seed);
        let size = |row: usize| params.nodes_per_row.min(params.nodes - row * params.nodes_per_row);
        let rows: Vec<Row> =
            (0..params.rows()).map(|row| Row::new(&shape, size(row), START_CELSIUS, &mut noise)).collect();
        let rating = params.model.rating();
        let nodes = rows.iter().map(|row| row.size).sum();
        Ok(Self {
            site: Site::new(&params.node, &shape, nodes, START_CELSIUS),
            limits: limits(&rating),
            zero_margin: zero_margin(&rating),
            rows,
            shape,
            params,
            steps: 0,
        })
    }

    /// Moves the whole factory on by one step.
    pub fn step(&mut self, ambient: &Ambient) {
        let dt = self.shape.dt;
        let mut served = [Served::default()];
        self.site.serve(&mut served, ambient.facility_pump, dt);
        let [Served { supply, flowing }] = served;
        let outer = RowIn { supply, flowing, room: ambient.room_celsius };
        let outs: Vec<RowOut> = self.rows.iter_mut().map(|row| row.step(&self.shape, &outer)).collect();
        let given = self.rows.iter().map(|row| row.water(&self.shape)).zip(outs);
        self.site.cool(given, ambient, dt);
        self.steps += 1;
    }

    /// The numbers that it is made of.
    #[must_use]
    pub const fn params(&self) -> &FactoryParams {
        &self.params
    }

    /// Time since the beginning, s.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "exact for more than a million years of steps")]
    pub fn time_s(&self) -> f64 {
        self.steps as f64 * self.params.step_s
    }

    /// The controller's numbers, with flow and head at full speed as a commissioning engineer would note them for a
    /// node of this factory.
    #[must_use]
    pub fn commissioned(&self, tuning: Tuning) -> Tuning {
        let Some(row) = self.rows.first() else { return tuning };
        let (flow, head_pa) = row.full_speed();
        let tenth = |value: f64| single((value * 10.0).round() / 10.0);
        Tuning {
            full_speed_flow: LitersPerMinute::from_f32(tenth(flow / M3_S_PER_LPM / row.size)),
            full_speed_head: KiloPascal::from_f32(tenth(head_pa / 1000.0)),
            ..tuning
        }
    }

    /// A snapshot to be written into, over and over.
    #[must_use]
    pub fn blank_snapshot(&self) -> Snapshot {
        seam::blank(self.limits, self.params.node.sockets, self.params.nodes_per_row > 1)
    }

    /// Writes what the controller of `node` sees into a snapshot that was blank once. No such node: nothing.
    pub fn snapshot(&self, node: usize, ambient: &Ambient, snapshot: &mut Snapshot) {
        if let Some((row, node)) = self.find(node) {
            seam::show_outside(ambient, self.nodes(), snapshot);
            seam::show_row(row, snapshot);
            seam::show_node(node, self.zero_margin, snapshot);
        }
    }

    /// Does what the controllers of a row's nodes have decided, in the order of the nodes: pump and valve follow the
    /// most careful of them.
    pub fn obey<'a>(&mut self, row: usize, decisions: impl IntoIterator<Item = &'a Decision>) {
        let Some(row) = self.rows.get_mut(row) else { return };
        let mut demand = Demand::default();
        for (node, decision) in row.nodes.iter_mut().zip(decisions) {
            seam::obey(node, decision, &self.shape);
            demand = demand.with(Demand::of(decision));
        }
        row.follow(demand);
    }

    /// Work asked of the GPUs of `node`, 0 to 1.
    pub fn work(&mut self, node: usize, utilisation: [f64; GPUS]) {
        let per_row = self.params.nodes_per_row;
        let node = self.rows.get_mut(node / per_row).and_then(|row| row.nodes.get_mut(node % per_row));
        if let Some(node) = node {
            node.board.work(utilisation, &self.shape.board);
        }
    }

    /// Puts a fault in, or takes it out.
    pub fn fault(&mut self, fault: FactoryFault, is_in: bool) {
        let (FactoryFault::PumpTrip { row } | FactoryFault::FlowLoss { row }) = fault;
        let Some(row) = self.rows.get_mut(row) else { return };
        match fault {
            FactoryFault::PumpTrip { .. } => row.faults.trip = is_in,
            FactoryFault::FlowLoss { .. } => row.faults.sheared = is_in,
        }
    }

    /// One node as it really is.
    #[must_use]
    pub fn truth(&self, node: usize) -> Option<NodeTruth> {
        let (row, node) = self.find(node)?;
        Some(NodeTruth {
            core_celsius: node.board.die.0,
            watts: node.board.power.0,
            states: node.board.states,
            supply_celsius: node.supply_celsius,
            return_celsius: node.return_celsius,
            flow_lpm: node.part * row.flow / M3_S_PER_LPM,
            valve: row.valve.motor(),
            throttled_gpu_s: node.throttled_gpu_s,
        })
    }

    /// The site's ends right now.
    #[must_use]
    pub const fn site(&self) -> &SiteNow {
        &self.site.now
    }

    /// Heat through the site's ends since the beginning.
    #[must_use]
    pub const fn site_totals(&self) -> &SiteTotals {
        &self.site.totals
    }

    /// Energies and marks of all rows since the beginning.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.rows.iter().fold(Totals::default(), |sum, row| sum.with(&row.totals))
    }

    /// Heat in metal, coolant and water above 0 °C, J.
    #[must_use]
    pub fn stored_heat(&self) -> f64 {
        self.rows.iter().map(|row| row.stored(&self.shape)).sum::<f64>() + self.site.stored()
    }

    /// How many nodes there are, as a number to reckon with.
    fn nodes(&self) -> f64 {
        self.rows.iter().map(|row| row.size).sum()
    }

    fn find(&self, node: usize) -> Option<(&Row, &row::Node)> {
        let row = self.rows.get(node / self.params.nodes_per_row)?;
        Some((row, row.nodes.get(node % self.params.nodes_per_row)?))
    }
}
