//! The node of each GPU model: GPUs and plates of its own, and everything around them sized for its heat.
//!
//! ```text
//!   model ─► GpuParams, PlateParams        its power, its silicon, 1.5 L/min per kW
//!         └► heat against an 8×H200 node ─► flows, volumes, exchangers in proportion; pressures as they are
//! ```
//!
//! Temperatures in steady state and times to 87 °C without flow follow one lumped model for all (estimates:
//! no curve measured on such GPUs is public).

use eisbach_nvml_sim::GpuModel;

use super::{ExchangerParams, GpuParams, PlantParams, PlateParams, PumpParams, RestParams};
use crate::plant::GPUS;

/// Resistance of a branch whose plate is not there, against the nominal one: nothing flows.
const BLANKED: f64 = 1e12;

impl GpuParams {
    /// A100 SXM4. Estimates but for the power limit and the clocks, which are its data sheet's.
    pub const A100: Self = Self {
        tdp_watts: 400.0,
        base_watts: 35.0,
        leakage_watts: 32.0,
        work_watts: 350.0,
        clock_min_mhz: 210.0,
        clock_max_mhz: 1410.0,
        slowdown_celsius: 89.0,
        shutdown_celsius: 92.0,
        ..Self::H200
    };

    /// H100 SXM: as an H200, with less memory. `nvidia-smi -q` tells of 72 W at idle.
    pub const H100: Self = Self { base_watts: 35.0, ..Self::H200 };

    /// B200. Slowdown, shutdown and 190 W at idle from notes on eight such boards; two dies of silicon; the
    /// rest are estimates.
    pub const B200: Self = Self {
        tdp_watts: 1000.0,
        base_watts: 138.0,
        leakage_watts: 80.0,
        work_watts: 800.0,
        clock_max_mhz: 1965.0,
        die_capacity: 3.5,
        die_resistance: 0.0143,
        memory_capacity: 13.0,
        memory_resistance: 0.14,
        slowdown_celsius: 91.0,
        shutdown_celsius: 93.0,
        ..Self::H200
    };

    /// GB200: the power limit is known, the rest are estimates.
    pub const GB200: Self = Self {
        tdp_watts: 1200.0,
        base_watts: 78.0,
        leakage_watts: 96.0,
        work_watts: 1050.0,
        clock_max_mhz: 2055.0,
        die_resistance: 0.0122,
        memory_resistance: 0.12,
        slowdown_celsius: 89.0,
        shutdown_celsius: 95.0,
        ..Self::B200
    };

    /// B300: the power limit is that of its generation; limits of temperature and clocks as of a B200. Estimates.
    pub const B300: Self = Self {
        tdp_watts: 1400.0,
        base_watts: 72.0,
        leakage_watts: 112.0,
        work_watts: 1240.0,
        die_resistance: 0.0106,
        memory_capacity: 16.0,
        memory_resistance: 0.10,
        ..Self::B200
    };

    /// A socket without a GPU.
    #[must_use]
    pub(crate) fn absent(self) -> Self {
        Self { base_watts: 0.0, leakage_watts: 0.0, work_watts: 0.0, ..self }
    }

    const fn of(model: GpuModel) -> Self {
        match model {
            GpuModel::A100 => Self::A100,
            GpuModel::H100 => Self::H100,
            GpuModel::H200 => Self::H200,
            GpuModel::B200 => Self::B200,
            GpuModel::Gb200 => Self::GB200,
            GpuModel::B300 => Self::B300,
        }
    }
}

impl PlateParams {
    /// A plate for 1000 W: 0.46 kg of copper, 27 mL. Estimates.
    const W1000: Self =
        Self { resistance: 0.012, metal_capacity: 170.0, liquid_capacity: 110.0, ..Self::H200 };
    /// A plate for 1200 W: 0.5 kg of copper, 30 mL. Estimates.
    const W1200: Self =
        Self { resistance: 0.010, metal_capacity: 190.0, liquid_capacity: 120.0, ..Self::H200 };
    /// A plate for 1400 W: 0.52 kg of copper, 32 mL. Estimates.
    const W1400: Self =
        Self { resistance: 0.009, metal_capacity: 200.0, liquid_capacity: 130.0, ..Self::H200 };
    /// A plate of an H200 at the lesser flow of an A100.
    const W400: Self = Self { resistance: 0.0198, ..Self::H200 };

    /// The plate on a GPU, with the pressure drop of an H200's at its own design flow.
    fn of(model: GpuModel) -> Self {
        let (plate, design_lpm) = match model {
            GpuModel::A100 => (Self::W400, 0.6),
            GpuModel::H100 | GpuModel::H200 => (Self::H200, Self::H200.design_lpm),
            GpuModel::B200 => (Self::W1000, 1.5),
            GpuModel::Gb200 => (Self::W1200, 1.8),
            GpuModel::B300 => (Self::W1400, 2.1),
        };
        plate.for_flow(design_lpm / plate.design_lpm)
    }

    /// The same pressure at `share` of the flow.
    fn for_flow(self, share: f64) -> Self {
        Self { design_lpm: self.design_lpm * share, drop: self.drop.for_flow(share), ..self }
    }
}

impl PlantParams {
    /// A usual node of this model, in service for a while.
    #[must_use]
    pub fn of(model: GpuModel) -> Self {
        Self::sized(model, model.gpus_per_node())
    }

    /// A node with room for `sockets` GPUs, eight at most, all of them plumbed.
    #[must_use]
    pub fn sized(model: GpuModel, sockets: usize) -> Self {
        let mut node = Self {
            gpu: GpuParams::of(model),
            plate: PlateParams::of(model),
            sockets: sockets.min(GPUS),
            ..Self::default()
        };
        node.branch_spread.iter_mut().skip(sockets).for_each(|branch| *branch = BLANKED);
        let share = node.size();
        node.for_heat(share)
    }

    /// Heat that the liquid takes at full load, W.
    #[must_use]
    pub fn installed_watts(&self) -> f64 {
        let gpus: f64 = std::iter::repeat_n(self.gpu.tdp_watts, self.sockets).sum();
        gpus * (1.0 + self.rest.per_gpu_watt) + self.rest.base_watts
    }

    /// Installed heat against that of eight H200.
    #[must_use]
    pub fn size(&self) -> f64 {
        self.installed_watts() / Self::default().installed_watts()
    }

    /// The node as on the drawing board: even plates, new pump, clean exchangers.
    #[must_use]
    pub fn without_flaws(self) -> Self {
        let even = |branch: f64| if branch < BLANKED { 1.0 } else { branch };
        Self {
            branch_spread: self.branch_spread.map(even),
            contact_spread: [1.0; GPUS],
            pump: PumpParams { wear: 0.0, ..self.pump },
            cdu: ExchangerParams { fouling: 0.0, ..self.cdu },
            river: ExchangerParams { fouling: 0.0, ..self.river },
            ..self
        }
    }

    /// Plates with `factor` times the copper and the liquid, 0.6 to 1.5: how long they last without flow is
    /// what is least known.
    #[must_use]
    pub fn with_thermal_mass(self, factor: f64) -> Self {
        let plate = PlateParams {
            metal_capacity: self.plate.metal_capacity * factor,
            liquid_capacity: self.plate.liquid_capacity * factor,
            ..self.plate
        };
        Self { plate, ..self }
    }

    /// Everything around the GPUs for `share` of the heat, at the same temperatures and pressures.
    fn for_heat(mut self, share: f64) -> Self {
        let rest = PlateParams {
            resistance: self.rest.plate.resistance / share,
            still_resistance: self.rest.plate.still_resistance / share,
            metal_capacity: self.rest.plate.metal_capacity * share,
            liquid_capacity: self.rest.plate.liquid_capacity * share,
            ..self.rest.plate.for_flow(share)
        };
        self.rest = RestParams { plate: rest, ..self.rest };
        self.node_loop.pipes = self.node_loop.pipes.for_flow(share);
        self.node_loop.strainer = self.node_loop.strainer.for_flow(share);
        self.pump.fall /= share * share;
        let numbers = [
            &mut self.node_loop.supply_litres,
            &mut self.node_loop.return_litres,
            &mut self.node_loop.cdu_litres,
            &mut self.pump.best_lpm,
            &mut self.pump.drive_watts,
            &mut self.vessel.gas_litres,
            &mut self.vessel.loop_litres,
            &mut self.facility.flow_lpm,
            &mut self.facility.buffer_litres,
            &mut self.facility.pipe_litres,
            &mut self.heat_pump.evaporator,
            &mut self.heat_pump.ramp_watts_per_s,
            &mut self.heat_pump.part_load.full_watts,
            &mut self.instruments.flow_cutoff_lpm,
        ];
        numbers.into_iter().for_each(|number| *number *= share);
        Self { cdu: self.cdu.for_heat(share), river: self.river.for_heat(share), ..self }
    }
}

impl ExchangerParams {
    /// Larger plates, the same temperatures.
    pub(crate) const fn for_heat(self, share: f64) -> Self {
        Self {
            hot_film: self.hot_film * share,
            cold_film: self.cold_film * share,
            hot_design: self.hot_design * share,
            cold_design: self.cold_design * share,
            fouling: self.fouling / share,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_of_an_h200_is_the_default_one() {
        assert_eq!(PlantParams::of(GpuModel::H200), PlantParams::default());
        assert_eq!(PlantParams::of(GpuModel::H200).without_flaws(), PlantParams::ideal());
    }

    #[test]
    fn limits_of_the_plant_are_those_that_nvml_tells() {
        for model in GpuModel::ALL {
            let (gpu, rating) = (PlantParams::of(model).gpu, model.rating());
            let told = [
                (gpu.tdp_watts, rating.power_default_watts),
                (gpu.clock_min_mhz, rating.sm_clock_min_mhz),
                (gpu.clock_max_mhz, rating.sm_clock_max_mhz),
                (gpu.slowdown_celsius, rating.slowdown_celsius.unsigned_abs()),
                (gpu.shutdown_celsius, rating.shutdown_celsius.unsigned_abs()),
            ];
            assert!(
                told.iter().all(|(plant, nvml)| (plant - f64::from(*nvml)).abs() < 1e-9),
                "{model}: {told:?}"
            );
        }
    }

    #[test]
    fn a_node_of_four_is_plumbed_for_four() {
        let node = PlantParams::of(GpuModel::Gb200);
        assert_eq!((node.sockets, node.branch_spread.iter().filter(|branch| **branch < 2.0).count()), (4, 4));
        assert!((node.installed_watts() - 6540.0).abs() < 1e-6, "{}", node.installed_watts());
    }
}
