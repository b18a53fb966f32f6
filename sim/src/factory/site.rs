//! The facility loop that all rows share, with the heat pump and the river behind it.
//!
//! ```text
//!            ┌────── supply pipe ◄──────┬── river exchanger ◄── Σ 1−y ──┐
//!            ▼                          │                               │
//!    rows (CDU, buffer)                 └── heat pump ◄──────── Σ y ────┤ valve of each row
//!            └──────────────────────────────────────────────────────────┘
//! ```
//!
//! What the rows get of the pipe in the next seconds is in it already, so the rows may run ahead of the facility by as
//! long as a drop needs through it, each on its own: that is what makes them independent of one another and of how
//! many threads step them.

use super::ambient::Ambient;
use super::row::{NodeShape, RowOut};
use super::water;
use crate::plant::delay::Pipe;
use crate::plant::exchanger::{Stream, WalledExchanger};
use crate::plant::heat_pump::{HeatPump, Lift};
use crate::plant::{HeatPumpParams, PlantParams};

/// Of the pipe's content, what may be drawn ahead.
const AHEAD: f64 = 0.9;
/// The facility pump coasts down in this time, s. Estimate.
const COAST_S: f64 = 2.0;
/// Slower than this share of its flow the water counts as standing.
const STANDING: f64 = 1e-3;

/// Heat through the site's ends since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SiteTotals {
    /// Heat taken out of the facility loop by the heat pump, J.
    pub recovery_j: f64,
    /// Heat delivered to the network: recovered heat and the compressor's energy, J.
    pub network_j: f64,
    /// The heat pump's electric energy, J.
    pub heat_pump_j: f64,
    /// Heat into the river, J.
    pub river_j: f64,
}

/// The site's ends right now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SiteNow {
    /// Out of the exchangers, mixed, into the supply pipe, °C.
    pub cooled_celsius: f64,
    /// Heat into the river, W.
    pub river_watts: f64,
    /// Rise of the river behind the outlet, fully mixed, K; infinite where heat meets no water.
    pub river_rise_kelvin: f64,
    /// Heat taken by the heat pump, W.
    pub recovery_watts: f64,
    /// Heat delivered to the network, W.
    pub network_watts: f64,
    /// The heat pump's electric power, W.
    pub heat_pump_watts: f64,
}

/// Pipe, exchanger and heat pump of the site.
#[derive(Clone, Debug)]
pub(super) struct Site {
    supply: Pipe,
    supply_kg: f64,
    /// Facility flow against its usual one.
    flowing: f64,
    coast: f64,
    kg_s: f64,
    heat_capacity: f64,
    heat_pump: HeatPump,
    river: WalledExchanger,
    river_capacity: f64,
    pub(super) now: SiteNow,
    pub(super) totals: SiteTotals,
}

/// Of one step of the rows: the facility's water that they get.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Served {
    pub(super) supply: f64,
    pub(super) flowing: f64,
}

impl Site {
    pub(super) fn new(params: &PlantParams, shape: &NodeShape, nodes: f64, celsius: f64) -> Self {
        let supply_kg = params.facility.pipe_litres / 1000.0 * water::density() * nodes;
        let river = params.river.for_heat(nodes);
        let heat_pump = HeatPumpParams {
            evaporator: params.heat_pump.evaporator * nodes,
            ramp_watts_per_s: params.heat_pump.ramp_watts_per_s * nodes,
            ..params.heat_pump
        };
        Self {
            supply: Pipe::new(supply_kg, celsius),
            supply_kg,
            flowing: 1.0,
            coast: (-shape.dt / COAST_S).exp(),
            kg_s: shape.water_kg_s * nodes,
            heat_capacity: shape.water_heat_capacity,
            heat_pump: HeatPump::new(heat_pump),
            river: WalledExchanger::new(river, shape.dt),
            river_capacity: river.cold_design,
            now: SiteNow { cooled_celsius: celsius, ..SiteNow::default() },
            totals: SiteTotals::default(),
        }
    }

    /// Steps that the rows may run ahead.
    pub(super) fn ahead(&self, dt: f64) -> usize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds over a step")]
        let steps = (AHEAD * self.supply_kg / (self.kg_s * dt)) as usize;
        steps.max(1)
    }

    /// What the rows get in the next steps; the pump turns or coasts for all of them.
    pub(super) fn serve(&self, served: &mut [Served], pump: bool, dt: f64) {
        let (mut pipe, mut flowing) = (self.supply.clone(), self.flowing);
        for next in served {
            flowing = self.next_flow(flowing, pump);
            // What is pushed in behind does not come out within these steps.
            *next = Served { supply: pipe.push(flowing * self.kg_s * dt, 0.0), flowing };
        }
    }

    /// Cools what the rows gave in one step. `outs` brings the capacity of each row's water when the pump turns.
    pub(super) fn cool(&mut self, outs: impl Iterator<Item = (f64, RowOut)>, ambient: &Ambient, dt: f64) {
        self.flowing = self.next_flow(self.flowing, ambient.facility_pump);
        // Rows in their order: the sum does not depend on who stepped them.
        let (mut recovery, mut recovery_heat, mut river, mut river_heat) = (0.0, 0.0, 0.0, 0.0);
        for (capacity, out) in outs {
            let capacity = capacity * self.flowing;
            recovery += out.share * capacity;
            recovery_heat += out.share * capacity * out.hot;
            river += (1.0 - out.share) * capacity;
            river_heat += (1.0 - out.share) * capacity * out.hot;
        }
        self.heat_pump.set_network(ambient.network_celsius);
        let lift = if recovery > 0.0 {
            self.heat_pump.step(recovery, recovery_heat / recovery, ambient.heat_demand_watts, dt)
        } else {
            Lift::default()
        };
        let hot = Stream { capacity: river, celsius: if river > 0.0 { river_heat / river } else { 0.0 } };
        let cold =
            Stream { capacity: self.river_capacity * ambient.intake_share, celsius: ambient.river_celsius };
        let wall = self.river.step(hot, cold, dt);
        let whole = recovery + river;
        if whole > 0.0 {
            self.now.cooled_celsius = (recovery_heat + river_heat - lift.source - wall.from_hot) / whole;
        }
        self.supply.push(self.flowing * self.kg_s * dt, self.now.cooled_celsius);
        self.note(lift, wall.to_cold, ambient, dt);
    }

    /// Heat in the supply pipe and the river exchanger above 0 °C, J.
    pub(super) fn stored(&self) -> f64 {
        self.heat_capacity * self.supply.kg_kelvin() + self.river.stored()
    }

    fn next_flow(&self, flowing: f64, pump: bool) -> f64 {
        let coasted = flowing * self.coast;
        if pump {
            1.0
        } else if coasted < STANDING {
            0.0
        } else {
            coasted
        }
    }

    fn note(&mut self, lift: Lift, river: f64, ambient: &Ambient, dt: f64) {
        let mixing = ambient.river_flow_m3_s * water::density() * water::heat_capacity();
        self.now = SiteNow {
            river_watts: river,
            // Nothing warms nothing.
            river_rise_kelvin: if river.abs() > 0.0 { river / mixing } else { 0.0 },
            recovery_watts: lift.source,
            network_watts: lift.delivered,
            heat_pump_watts: lift.electric,
            ..self.now
        };
        self.totals.recovery_j += lift.source * dt;
        self.totals.network_j += lift.delivered * dt;
        self.totals.heat_pump_j += lift.electric * dt;
        self.totals.river_j += river * dt;
    }
}
