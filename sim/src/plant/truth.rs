//! What is really so, whether a sensor sees it or not.

use serde::Serialize;

use super::GPUS;
use super::gpu::GpuState;

/// The world at the end of a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Truth {
    /// Time since the world began, or since it settled, s.
    pub time_s: f64,
    /// The GPUs.
    pub gpus: [GpuTruth; GPUS],
    /// The node loop.
    pub node_loop: LoopTruth,
    /// The pump.
    pub pump: PumpTruth,
    /// The recovery valve.
    pub valve: ValveTruth,
    /// The facility loop.
    pub facility: FacilityTruth,
    /// Room air.
    pub room: RoomTruth,
    /// Heat and power right now.
    pub power: PowerTruth,
    /// Heat and power added up.
    pub energy: EnergyTruth,
    /// GPU-seconds in which a GPU did less than its workload asked, by whatever hand.
    pub throttled_gpu_seconds: f64,
}

/// One GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct GpuTruth {
    /// Die, °C.
    pub core_celsius: f64,
    /// Memory stacks, °C.
    pub memory_celsius: f64,
    /// Metal of the cold plate, °C.
    pub plate_celsius: f64,
    /// Coolant out of the cold plate, °C.
    pub outlet_celsius: f64,
    /// Flow through the cold plate, L/min.
    pub flow_lpm: f64,
    /// Power, W.
    pub watts: f64,
    /// SM clock, MHz.
    pub clock_mhz: f64,
    /// Work asked of it, 0 to 1.
    pub utilisation: f64,
    /// What its hardware has decided.
    pub state: GpuState,
    /// It does less than asked.
    pub throttled: bool,
    /// The driver sees it.
    pub present: bool,
}

/// The node loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LoopTruth {
    /// Into the cold plates, °C.
    pub supply_celsius: f64,
    /// Out of the cold plates, mixed, °C.
    pub return_celsius: f64,
    /// Flow, L/min.
    pub flow_lpm: f64,
    /// Pressure at the pump's inlet, over ambient, kPa.
    pub inlet_kpa: f64,
    /// Liquid lost, L.
    pub leaked_litres: f64,
    /// The leak rope lies in water.
    pub rope_wet: bool,
    /// The leak rope is broken.
    pub rope_broken: bool,
}

/// The pump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PumpTruth {
    /// The drive turns the motor.
    pub running: bool,
    /// The drive has tripped.
    pub tripped: bool,
    /// Speed of the motor, share of full speed.
    pub speed: f64,
    /// Speed of the impeller, share of full speed.
    pub impeller: f64,
    /// Head, kPa.
    pub head_kpa: f64,
    /// The second pump runs in place of the first.
    pub on_standby: bool,
    /// Share of the head that air and cavitation take.
    pub air: f64,
}

/// The recovery valve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ValveTruth {
    /// Position of the motor: 0 all river, 1 all recovery.
    pub position: f64,
    /// Share of the flow that goes through recovery.
    pub recovery_share: f64,
    /// It pushes and does not move.
    pub fault: bool,
    /// Flow through recovery, L/min.
    pub flow_lpm: f64,
    /// Into recovery, °C.
    pub inlet_celsius: f64,
    /// Out of recovery, °C.
    pub outlet_celsius: f64,
}

/// The facility loop and its ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct FacilityTruth {
    /// Into the CDU, °C.
    pub supply_celsius: f64,
    /// Out of the CDU, after the buffer, °C.
    pub return_celsius: f64,
    /// The river, °C.
    pub river_celsius: f64,
    /// Heat that the network would take, W.
    pub heat_demand_watts: f64,
    /// COP of the heat pump.
    pub cop: f64,
    /// Flow, L/min.
    pub flow_lpm: f64,
    /// Water that the river's pump draws, share of its design.
    pub river_intake: f64,
}

/// Room air.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct RoomTruth {
    /// Temperature, °C.
    pub celsius: f64,
    /// Relative humidity, 0 to 1.
    pub humidity: f64,
    /// Dew point, °C.
    pub dew_point_celsius: f64,
}

/// Heat and power in the last step, W. What comes in is `gpus + rest + pump_heat`; what leaves is `recovery +
/// river + room`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PowerTruth {
    /// All GPUs.
    pub gpus: f64,
    /// The rest of the node.
    pub rest: f64,
    /// The pump's electric power.
    pub pump: f64,
    /// The part of it that ends in the coolant.
    pub pump_heat: f64,
    /// Heat taken out of the facility loop by the heat pump.
    pub recovery: f64,
    /// Heat delivered to the network: recovered heat and the compressor's power.
    pub network: f64,
    /// The heat pump's electric power.
    pub heat_pump: f64,
    /// Heat into the river.
    pub river: f64,
    /// Heat from the loop into the room.
    pub room: f64,
}

impl PowerTruth {
    /// Power of the node's electronics, W.
    #[must_use]
    pub fn it(&self) -> f64 {
        self.gpus + self.rest
    }

    /// Heat that stays in the world, W: what comes in minus what leaves.
    #[must_use]
    pub fn net(&self) -> f64 {
        self.it() + self.pump_heat - self.recovery - self.river - self.room
    }
}

/// Energies since the world began, or since it settled, kWh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct EnergyTruth {
    /// The node's electronics.
    pub it_kwh: f64,
    /// The pump.
    pub pump_kwh: f64,
    /// Heat recovered.
    pub recovery_kwh: f64,
    /// Heat delivered to the network.
    pub network_kwh: f64,
    /// The heat pump's electricity.
    pub heat_pump_kwh: f64,
    /// Heat into the river.
    pub river_kwh: f64,
    /// Heat into the room.
    pub room_kwh: f64,
}

impl EnergyTruth {
    /// Adds `power` over `seconds`.
    pub(super) fn add(&mut self, power: &PowerTruth, seconds: f64) {
        let kwh = seconds / 3_600_000.0;
        self.it_kwh += power.it() * kwh;
        self.pump_kwh += power.pump * kwh;
        self.recovery_kwh += power.recovery * kwh;
        self.network_kwh += power.network * kwh;
        self.heat_pump_kwh += power.heat_pump * kwh;
        self.river_kwh += power.river * kwh;
        self.room_kwh += power.room * kwh;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_at_a_kilowatt_is_a_kilowatt_hour() {
        let mut energy = EnergyTruth::default();
        for _ in 0..3600 {
            energy.add(&PowerTruth { river: 1000.0, ..PowerTruth::default() }, 1.0);
        }
        assert!((energy.river_kwh - 1.0).abs() < 1e-9);
    }
}
