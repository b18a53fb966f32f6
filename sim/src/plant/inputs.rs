//! What acts on the world: the agent through its actuators, and everything else at the boundary.

use super::GPUS;
use super::params::GpuParams;

/// What the agent can set. Numbers out of range are held in range; a NaN counts as the low end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Actuators {
    /// The pump is told to run.
    pub pump_run: bool,
    /// Speed set-point, 0 to 1 of full speed.
    pub pump_speed: f64,
    /// Recovery valve: 0 all river, 1 all recovery.
    pub valve: f64,
    /// The GPUs.
    pub gpus: [GpuActuators; GPUS],
}

/// What can be set on a GPU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GpuActuators {
    /// Power limit, W.
    pub power_limit_watts: f64,
    /// Highest SM clock, MHz.
    pub clock_max_mhz: f64,
    /// The driver sees it. A lost GPU stays powered and idles.
    pub present: bool,
    /// The workload power profile Max-Q holds.
    pub max_q: bool,
}

impl Actuators {
    /// Design flow, full cooling, no limits, for these GPUs.
    #[must_use]
    pub fn of(gpu: &GpuParams) -> Self {
        Self { pump_run: true, pump_speed: 0.95, valve: 0.0, gpus: [GpuActuators::of(gpu); GPUS] }
    }
}

impl GpuActuators {
    /// No limits for such a GPU.
    #[must_use]
    pub const fn of(gpu: &GpuParams) -> Self {
        Self {
            power_limit_watts: gpu.tdp_watts,
            clock_max_mhz: gpu.clock_max_mhz,
            present: true,
            max_q: false,
        }
    }
}

impl Default for Actuators {
    /// Design flow, full cooling, no limits, for H200.
    fn default() -> Self {
        Self::of(&GpuParams::H200)
    }
}

impl Default for GpuActuators {
    fn default() -> Self {
        Self::of(&GpuParams::H200)
    }
}

/// What the rest of the world does to the node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Boundary {
    /// River temperature, -5 to 40 °C.
    pub river_celsius: f64,
    /// Water that the river's pump draws, share of its design, 0 to 1: less through a full screen, none from a drained
    /// creek.
    pub river_intake: f64,
    /// Room temperature, -20 to 60 °C.
    pub room_celsius: f64,
    /// Relative humidity of the room, 0 to 1.
    pub room_humidity: f64,
    /// Heat that the district network takes if it can get it, W: recovered heat and compressor together.
    pub heat_demand_watts: f64,
    /// Supply temperature that the district network wants, 30 to 95 °C; `None` for the heat pump's own.
    pub network_celsius: Option<f64>,
    /// Work asked of each GPU, 0 to 1.
    pub utilisation: [f64; GPUS],
}

impl Default for Boundary {
    /// A spring day: river at 12 °C, room at 24 °C and 50 %, 8 kW for the network, GPUs idle.
    fn default() -> Self {
        Self {
            river_celsius: 12.0,
            river_intake: 1.0,
            room_celsius: 24.0,
            room_humidity: 0.5,
            heat_demand_watts: 8000.0,
            network_celsius: None,
            utilisation: [0.0; GPUS],
        }
    }
}

impl Boundary {
    /// The same with every number in its range.
    pub(super) fn held(&self) -> Self {
        Self {
            river_celsius: held(self.river_celsius, -5.0, 40.0),
            river_intake: held(self.river_intake, 0.0, 1.0),
            room_celsius: held(self.room_celsius, -20.0, 60.0),
            room_humidity: held(self.room_humidity, 0.0, 1.0),
            heat_demand_watts: held(self.heat_demand_watts, 0.0, 1e6),
            network_celsius: self.network_celsius.map(|celsius| held(celsius, 30.0, 95.0)),
            utilisation: self.utilisation.map(|share| held(share, 0.0, 1.0)),
        }
    }
}

impl Actuators {
    /// The same with every number in its range.
    pub(super) fn held(&self, gpu: &GpuParams) -> Self {
        Self {
            pump_run: self.pump_run,
            pump_speed: held(self.pump_speed, 0.0, 1.0),
            valve: held(self.valve, 0.0, 1.0),
            gpus: self.gpus.map(|set| GpuActuators {
                power_limit_watts: held(set.power_limit_watts, 0.0, gpu.tdp_watts),
                clock_max_mhz: held(set.clock_max_mhz, gpu.clock_min_mhz, gpu.clock_max_mhz),
                present: set.present,
                max_q: set.max_q,
            }),
        }
    }
}

/// `value` between `low` and `high`; a NaN becomes `low`.
pub(super) fn held(value: f64, low: f64, high: f64) -> f64 {
    if value.is_nan() { low } else { value.clamp(low, high) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_held_in_range_before_it_touches_the_world() {
        let mut boundary = Boundary { river_celsius: f64::INFINITY, ..Boundary::default() };
        boundary.utilisation[3] = f64::NAN;
        let held = boundary.held();
        assert!((held.river_celsius - 40.0).abs() < 1e-12 && held.utilisation[3].abs() < 1e-12);

        let actuators = Actuators { pump_speed: -1.0, valve: f64::NAN, ..Actuators::default() };
        let held = actuators.held(&GpuParams::H200);
        assert!(held.pump_speed.abs() < 1e-12 && held.valve.abs() < 1e-12);
    }
}
