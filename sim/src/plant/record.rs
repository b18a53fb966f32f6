//! Writes down what is so at the end of a step.

use super::facility::Cooling;
use super::hydraulics::M3_S_PER_LPM;
use super::inputs::{Actuators, Boundary};
use super::node_loop::Carried;
use super::pump::Drive;
use super::truth::{FacilityTruth, GpuTruth, LoopTruth, PowerTruth, PumpTruth, RoomTruth, Truth, ValveTruth};
use super::{DT, FaultKind, Plant, air};

impl Plant {
    pub(super) fn record(
        &mut self,
        actuators: &Actuators,
        boundary: &Boundary,
        carried: &Carried,
        cooling: &Cooling,
        power: PowerTruth,
    ) {
        let throttled = self.gpus.iter().filter(|gpu| gpu.throttled()).map(|_| DT).sum::<f64>();
        let mut energy = self.truth.energy;
        energy.add(&power, DT);
        self.truth = Truth {
            #[expect(clippy::cast_precision_loss, reason = "exact for more than a million years of steps")]
            time_s: self.steps as f64 * DT,
            gpus: self.truth.gpus,
            node_loop: self.loop_truth(carried),
            pump: self.pump_truth(carried, self.truth.pump.air),
            valve: self.valve_truth(cooling),
            facility: FacilityTruth {
                supply_celsius: cooling.supply_celsius,
                return_celsius: cooling.hot_celsius,
                river_celsius: boundary.river_celsius,
                heat_demand_watts: boundary.heat_demand_watts,
                cop: self.facility.cop(),
                flow_lpm: self.facility.flow() / M3_S_PER_LPM,
                river_intake: boundary.river_intake,
            },
            room: RoomTruth {
                celsius: boundary.room_celsius,
                humidity: boundary.room_humidity,
                dew_point_celsius: air::dew_point(boundary.room_celsius, boundary.room_humidity),
            },
            power,
            energy,
            throttled_gpu_seconds: self.truth.throttled_gpu_seconds + throttled,
        };
        self.record_gpus(actuators, boundary, carried);
    }

    fn record_gpus(&mut self, actuators: &Actuators, boundary: &Boundary, carried: &Carried) {
        let plates = self.node_loop.plates().iter().zip(carried.flows.plates);
        let inputs = actuators.gpus.iter().zip(boundary.utilisation);
        let each = self.gpus.iter().zip(plates).zip(inputs);
        for (truth, ((gpu, (plate, flow)), (set, asked))) in self.truth.gpus.iter_mut().zip(each) {
            *truth = GpuTruth {
                core_celsius: gpu.core_celsius(),
                memory_celsius: gpu.memory_celsius(),
                plate_celsius: plate.metal(),
                outlet_celsius: plate.outlet(),
                flow_lpm: flow / M3_S_PER_LPM,
                watts: gpu.power(),
                clock_mhz: gpu.clock_mhz(),
                utilisation: if set.present { asked } else { 0.0 },
                state: gpu.state(),
                throttled: gpu.throttled(),
                present: set.present,
            };
        }
    }

    fn loop_truth(&self, carried: &Carried) -> LoopTruth {
        LoopTruth {
            supply_celsius: carried.supply_celsius,
            return_celsius: self.node_loop.return_celsius(),
            flow_lpm: carried.flows.total / M3_S_PER_LPM,
            inlet_kpa: self.vessel.pressure_kpa(),
            leaked_litres: self.vessel.leaked_litres(),
            rope_wet: self.vessel.rope_wet(),
            rope_broken: self.faults.has(FaultKind::LeakSensorFault),
        }
    }

    fn pump_truth(&self, carried: &Carried, air: f64) -> PumpTruth {
        PumpTruth {
            running: matches!(self.pump.drive(), Drive::Running { .. }),
            tripped: self.pump.drive() == Drive::Tripped,
            speed: self.pump.speed(),
            impeller: self.pump.impeller(),
            head_kpa: carried.flows.head_pa / 1000.0,
            on_standby: self.pump.on_standby(),
            air,
        }
    }

    fn valve_truth(&self, cooling: &Cooling) -> ValveTruth {
        ValveTruth {
            position: self.valve.motor(),
            recovery_share: self.valve.recovery_share(),
            fault: self.valve.fault(),
            flow_lpm: cooling.recovery_flow / M3_S_PER_LPM,
            inlet_celsius: cooling.hot_celsius,
            outlet_celsius: cooling.recovery_out_celsius,
        }
    }
}
