//! Every number of the world, each with its source, or the word "estimate".
//!
//! The world differs from the controller's model on purpose: plates that share the flow unevenly, a worn
//! pump, fouled exchangers, heat that does not come from GPUs, walls that lag. [`PlantParams::ideal`] is the
//! same node without these flaws.

mod facility;
mod instruments;
mod model;
mod node;

pub use facility::{
    Characteristic, ExchangerParams, FacilityParams, HeatPumpParams, PartLoad, Stiction, ValveParams,
};
pub use instruments::InstrumentParams;
pub use node::{GpuParams, LoopParams, PlateParams, PumpParams, RestParams, StandbyParams, VesselParams};

use super::GPUS;

/// One node and what it is connected to. The default is a node that has been in service for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct PlantParams {
    /// The GPUs, all of one kind.
    pub gpu: GpuParams,
    /// GPUs there are; the branches of the others are blanked off.
    pub sockets: usize,
    /// The cold plate of each GPU.
    pub plate: PlateParams,
    /// Flow resistance of each GPU's branch against the nominal one: ports near the inlet get more. Estimate.
    pub branch_spread: [f64; GPUS],
    /// Thermal resistance from die to plate of each GPU against the nominal one: paste and pressure.
    /// Estimate.
    pub contact_spread: [f64; GPUS],
    /// Everything else that the loop cools.
    pub rest: RestParams,
    /// Pipes of the node loop.
    pub node_loop: LoopParams,
    /// The pump.
    pub pump: PumpParams,
    /// A second pump like it, where there is one.
    pub standby: Option<StandbyParams>,
    /// Expansion vessel.
    pub vessel: VesselParams,
    /// Exchanger between node loop (hot) and facility loop (cold).
    pub cdu: ExchangerParams,
    /// Facility loop.
    pub facility: FacilityParams,
    /// Exchanger between facility loop (hot) and river (cold).
    pub river: ExchangerParams,
    /// Recovery valve.
    pub valve: ValveParams,
    /// Heat pump that takes the recovered heat.
    pub heat_pump: HeatPumpParams,
    /// The sensors.
    pub instruments: InstrumentParams,
}

impl PlantParams {
    /// The node as on the drawing board: even plates, new pump, clean exchangers.
    #[must_use]
    pub fn ideal() -> Self {
        Self::default().without_flaws()
    }
}

impl Default for PlantParams {
    fn default() -> Self {
        Self {
            gpu: GpuParams::H200,
            sockets: GPUS,
            plate: PlateParams::H200,
            branch_spread: [0.93, 0.95, 0.97, 0.99, 1.01, 1.03, 1.06, 1.10],
            contact_spread: [1.00, 1.03, 0.97, 1.05, 0.98, 1.00, 1.02, 1.04],
            rest: RestParams::HGX,
            node_loop: LoopParams::NODE,
            pump: PumpParams::NODE,
            standby: None,
            vessel: VesselParams::NODE,
            cdu: ExchangerParams::CDU,
            facility: FacilityParams::SHARE,
            river: ExchangerParams::RIVER,
            valve: ValveParams::ENERGY_VALVE,
            heat_pump: HeatPumpParams::DISTRICT,
            instruments: InstrumentParams::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ideal_node_has_no_flaws() {
        let ideal = PlantParams::ideal();
        let worn = PlantParams::default();
        assert!(
            ideal
                .branch_spread
                .iter()
                .chain(&ideal.contact_spread)
                .all(|factor| (factor - 1.0).abs() < 1e-12)
        );
        assert!(ideal.pump.wear < worn.pump.wear);
        assert!(ideal.cdu.fouling < worn.cdu.fouling && ideal.river.fouling < worn.river.fouling);
    }
}
