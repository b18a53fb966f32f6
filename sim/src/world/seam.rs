//! Where the plant meets its instruments and actuators: plain conversions, both ways.
//!
//! ```text
//!   plant::Sensors ──► devices::Readings            (Modbus)
//!   plant::Sensors ──► eisbach_nvml_sim::Telemetry  (NVML)
//!   devices::Orders, eisbach_nvml_sim::Request ──► plant::Actuators
//! ```

use eisbach_nvml_sim::{Request, Telemetry, throttle};

use crate::devices::{
    AirReadings, LeakReadings, MeterReadings, Orders, PumpReadings, Readings, ValveReadings,
};
use crate::plant::{Actuators, DT, GPUS, GpuActuators, GpuParams, GpuSensors, Plant};

/// What the drive reports when it has tripped: "blocked motor or pump" in Grundfos' list of alarms.
const TRIPPED: u16 = 51;
/// Heat carried by a litre of coolant a minute and kelvin, W: 25 % propylene glycol at 35 °C.
const COOLANT_WATTS: f64 = 66.8;
/// Power this close to its limit is held there by the limit.
const AT_LIMIT: f64 = 0.98;
const KWH_PER_WATT_STEP: f64 = DT / 3_600_000.0;
const CUBIC_METRES_PER_LPM_STEP: f64 = DT / 60_000.0;

/// The counters that a heat meter keeps.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    energy_kwh: f64,
    volume_m3: f64,
}

/// What the Modbus devices measure after a step.
pub(super) fn readings(plant: &Plant, counters: &mut Counters) -> Readings {
    let (sensors, truth) = (plant.sensors(), plant.truth());
    let meter = sensors.meter;
    let heat_watts = meter.flow_lpm * COOLANT_WATTS * (meter.return_celsius - meter.supply_celsius);
    counters.energy_kwh += heat_watts.max(0.0) * KWH_PER_WATT_STEP;
    counters.volume_m3 += meter.flow_lpm * CUBIC_METRES_PER_LPM_STEP;
    Readings {
        pump: PumpReadings {
            speed: sensors.pump.speed,
            speed_rpm: sensors.pump.rpm,
            head_kpa: sensors.pump.head_kpa,
            flow_lpm: meter.flow_lpm,
            power_watts: sensors.pump.power_watts,
            inlet_kpa: sensors.pump.inlet_kpa,
            liquid_celsius: meter.supply_celsius,
            alarm_code: if sensors.pump.alarm { TRIPPED } else { 0 },
            ..PumpReadings::default()
        },
        valve: ValveReadings {
            position: sensors.valve.position,
            flow_lpm: sensors.valve.flow_lpm,
            t1_celsius: sensors.valve.inlet_celsius,
            t2_celsius: sensors.valve.outlet_celsius,
            recovered_watts: sensors.valve.recovered_watts,
            recovered_kwh: truth.energy.recovery_kwh,
        },
        meter: MeterReadings {
            flow_lpm: meter.flow_lpm,
            supply_celsius: meter.supply_celsius,
            return_celsius: meter.return_celsius,
            energy_kwh: counters.energy_kwh,
            volume_m3: counters.volume_m3,
        },
        air: AirReadings {
            temperature_celsius: sensors.room.celsius,
            humidity_percent: sensors.room.humidity * 100.0,
            dew_point_celsius: sensors.room.dew_point_celsius,
        },
        leak: LeakReadings { leak: sensors.leak.detected, rope_fault: sensors.leak.fault },
    }
}

/// What NVML shows of a GPU that the driver sees, given what was asked of it and what a BMC lets it draw.
pub(super) fn telemetry(
    sensors: &GpuSensors,
    request: &Request,
    out_of_band_watts: f64,
    energy_joules: f64,
) -> Telemetry {
    let percent = whole(sensors.utilisation * 100.0);
    let limit_watts = (f64::from(request.power_limit_milliwatts) / 1000.0).min(out_of_band_watts);
    Telemetry {
        core_celsius: narrow(sensors.core_celsius),
        hbm_celsius: narrow(sensors.memory_celsius),
        power_instant_watts: narrow(sensors.power_watts),
        power_average_watts: narrow(sensors.power_average_watts),
        energy_joules,
        utilisation_percent: percent,
        memory_utilisation_percent: percent / 2,
        sm_clock_mhz: whole(sensors.clock_mhz),
        throttle_reasons: throttle_reasons(sensors, limit_watts),
        out_of_band_limit_milliwatts: if out_of_band_watts.is_finite() {
            whole(out_of_band_watts).saturating_mul(1000)
        } else {
            0
        },
        ..Telemetry::default()
    }
}

fn throttle_reasons(sensors: &GpuSensors, limit_watts: f64) -> u64 {
    let bits = [
        (sensors.utilisation <= 0.0, throttle::GPU_IDLE),
        (sensors.power_watts >= AT_LIMIT * limit_watts, throttle::SW_POWER_CAP),
        (sensors.slowed, throttle::HW_SLOWDOWN | throttle::HW_THERMAL),
    ];
    bits.into_iter().filter(|(set, _)| *set).fold(0, |all, (_, bit)| all | bit)
}

/// What everybody wants of one GPU.
pub(super) struct GpuWish {
    pub(super) request: Request,
    /// What a BMC lets it draw, W; infinite for no limit.
    pub(super) out_of_band_watts: f64,
    pub(super) present: bool,
}

/// What the plant's actuators are told: by Modbus, and GPU by GPU through NVML.
pub(super) fn actuators(gpu: &GpuParams, orders: Orders, wishes: impl Iterator<Item = GpuWish>) -> Actuators {
    let mut gpus = [GpuActuators::of(gpu); GPUS];
    for (gpu, GpuWish { request, out_of_band_watts, present }) in gpus.iter_mut().zip(wishes) {
        let requested_watts = f64::from(request.power_limit_milliwatts) / 1000.0;
        gpu.power_limit_watts = requested_watts.min(out_of_band_watts);
        gpu.clock_max_mhz = request.sm_clock_lock.map_or(gpu.clock_max_mhz, |lock| f64::from(lock.max_mhz));
        gpu.present = present;
        gpu.max_q = request.max_q();
    }
    Actuators { pump_run: orders.pump_run, pump_speed: orders.pump_speed, valve: orders.valve_position, gpus }
}

#[expect(clippy::cast_possible_truncation, reason = "a display needs no more digits")]
const fn narrow(value: f64) -> f32 {
    value as f32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "held in range; NaN counts as zero"
)]
fn whole(value: f64) -> u32 {
    value.round().clamp(0.0, 1e6) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use eisbach_nvml_sim::{ClockRange, GpuSpec, SharedState};

    fn request() -> Request {
        let folder = tempfile::tempdir().unwrap();
        let state = SharedState::create(&folder.path().join("nvml"), &[GpuSpec::h200()]).unwrap();
        state.gpus()[0].request_power_limit(300_000, 1);
        state.gpus()[0].request_sm_clock(Some(ClockRange { min_mhz: 345, max_mhz: 1200 }), 1);
        state.gpus()[0].request()
    }

    #[test]
    fn nvml_limits_and_modbus_orders_reach_the_plant() {
        let orders = Orders { pump_run: true, pump_speed: 0.7, valve_position: 0.4 };
        let wish = |out_of_band_watts, present| GpuWish { request: request(), out_of_band_watts, present };
        let wishes = [wish(f64::INFINITY, true), wish(250.0, false)];
        let actuators = actuators(&GpuParams::H200, orders, wishes.into_iter());
        assert!((actuators.pump_speed - 0.7).abs() < 1e-9 && (actuators.valve - 0.4).abs() < 1e-9);
        assert!((actuators.gpus[0].power_limit_watts - 300.0).abs() < 1e-9);
        assert!((actuators.gpus[1].power_limit_watts - 250.0).abs() < 1e-9);
        assert!((actuators.gpus[0].clock_max_mhz - 1200.0).abs() < 1e-9);
        assert_eq!(actuators.gpus.map(|gpu| gpu.present), [true, false, true, true, true, true, true, true]);
        assert_eq!(actuators.gpus[2], GpuActuators::default());
    }

    #[test]
    fn the_reasons_for_a_slow_clock_are_told_apart() {
        let busy = GpuSensors { utilisation: 1.0, power_watts: 250.0, ..GpuSensors::default() };
        let reasons =
            |sensors: GpuSensors| telemetry(&sensors, &request(), f64::INFINITY, 0.0).throttle_reasons;
        assert_eq!(reasons(busy), 0);
        assert_eq!(reasons(GpuSensors { power_watts: 299.0, ..busy }), throttle::SW_POWER_CAP);
        let held = telemetry(&busy, &request(), 250.0, 0.0);
        assert_eq!(
            (held.throttle_reasons, held.out_of_band_limit_milliwatts),
            (throttle::SW_POWER_CAP, 250_000)
        );
        assert_eq!(
            reasons(GpuSensors { slowed: true, ..busy }),
            throttle::HW_SLOWDOWN | throttle::HW_THERMAL
        );
        assert_eq!(reasons(GpuSensors::default()), throttle::GPU_IDLE);
    }
}
