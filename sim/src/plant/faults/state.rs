//! The faults that are in, and what they do to each part of the world.

use super::{Fault, FaultKind};
use crate::plant::inputs::Boundary;
use crate::plant::pump::PumpFaults;
use crate::plant::sensors::Sensors;
use crate::plant::valve::Stiction;

/// Rate at which the river gets back to its own temperature, K/s.
const RIVER_RETURN: f64 = 1.0;
/// Rate at which the room's air gets back to its own humidity, 1/s.
const HUMIDITY_RETURN: f64 = 0.01;
const SECONDS_PER_MINUTE: f64 = 60.0;

/// The faults that are in.
#[derive(Clone, Debug, Default)]
pub(in crate::plant) struct Faults {
    /// By kind.
    active: [Option<Active>; FaultKind::ALL.len()],
    /// There is one at all: most of the time there is none, and nothing to look through.
    any: bool,
    /// River against the boundary's, K.
    river_offset: f64,
    /// Humidity of the room against the boundary's.
    humidity_offset: f64,
}

/// One fault that is in.
#[derive(Clone, Copy, Debug)]
struct Active {
    fault: Fault,
    /// How long it has been in, s.
    age_s: f64,
    /// What a stuck sensor shows.
    kept: Option<f64>,
}

impl Faults {
    /// Puts a fault in. One that is in already takes the new numbers, and begins anew.
    pub(in crate::plant) fn inject(&mut self, fault: Fault) {
        if let Some(place) = self.active.get_mut(fault.kind() as usize) {
            *place = Some(Active { fault: fault.held(), age_s: 0.0, kept: None });
            self.any = true;
        }
    }

    pub(in crate::plant) fn clear(&mut self, kind: FaultKind) {
        if let Some(place) = self.active.get_mut(kind as usize) {
            *place = None;
        }
        self.any = self.active.iter().any(Option::is_some);
    }

    pub(in crate::plant) fn has(&self, kind: FaultKind) -> bool {
        self.get(kind).is_some()
    }

    fn get(&self, kind: FaultKind) -> Option<&Active> {
        if self.any { self.active.get(kind as usize)?.as_ref() } else { None }
    }

    /// Lets `dt` pass for slow faults.
    pub(in crate::plant) fn age(&mut self, dt: f64) {
        if self.any {
            self.active.iter_mut().flatten().for_each(|active| active.age_s += dt);
        }
    }

    pub(in crate::plant) fn pump(&self) -> PumpFaults {
        PumpFaults { trip: self.has(FaultKind::PumpTrip), sheared: self.has(FaultKind::FlowLoss) }
    }

    /// Wear of the pump, in place of its own.
    pub(in crate::plant) fn wear(&self) -> Option<f64> {
        match self.get(FaultKind::WornPump)?.fault {
            Fault::WornPump { wear } => Some(wear),
            _ => None,
        }
    }

    /// Share of the head that gas in the pump leaves.
    pub(in crate::plant) fn airless(&self) -> f64 {
        match self.get(FaultKind::AirInLoop).map(|active| active.fault) {
            Some(Fault::AirInLoop { share }) => 1.0 - share,
            _ => 1.0,
        }
    }

    pub(in crate::plant) fn hole_mm(&self) -> Option<f64> {
        match self.get(FaultKind::Leak)?.fault {
            Fault::Leak { hole_mm } => Some(hole_mm),
            _ => None,
        }
    }

    /// Resistance of the strainer against the clean one: the worse of what is in it and what comes bit by bit.
    pub(in crate::plant) fn clogging(&self) -> f64 {
        let sudden = match self.get(FaultKind::CloggedStrainer).map(|active| active.fault) {
            Some(Fault::CloggedStrainer { factor }) => factor,
            _ => 1.0,
        };
        match self.get(FaultKind::CloggingStrainer) {
            Some(Active { fault: Fault::CloggingStrainer { factor, over_s }, age_s, .. }) => {
                let part = if age_s < over_s { age_s / over_s } else { 1.0 };
                sudden.max(1.0 + (factor - 1.0) * part)
            }
            _ => sudden,
        }
    }

    /// How the valve's stem sticks, in place of its own way.
    pub(in crate::plant) fn stiction(&self) -> Option<Stiction> {
        match self.get(FaultKind::StickyValve)?.fault {
            Fault::StickyValve { stick, jump } => Some(Stiction { stick, jump }),
            _ => None,
        }
    }

    /// Share of its clean conductance that the node's exchanger has lost.
    pub(in crate::plant) fn cdu_loss(&self) -> f64 {
        self.get(FaultKind::FouledCdu).map_or(0.0, Active::fouling)
    }

    /// Share of its clean conductance that the river's exchanger has lost.
    pub(in crate::plant) fn river_loss(&self) -> f64 {
        self.get(FaultKind::FouledRiver).map_or(0.0, Active::fouling)
    }

    /// The boundary as it is with the faults, after `dt`.
    pub(in crate::plant) fn around(&mut self, boundary: &Boundary, dt: f64) -> Boundary {
        Boundary {
            river_celsius: self.river(boundary.river_celsius, dt),
            river_intake: if self.has(FaultKind::RiverPumpLost) { 0.0 } else { boundary.river_intake },
            heat_demand_watts: if self.has(FaultKind::HeatDemandLost) {
                0.0
            } else {
                boundary.heat_demand_watts
            },
            room_humidity: self.humidity(boundary.room_humidity, dt),
            ..*boundary
        }
    }

    /// River temperature after `dt`, given the boundary's.
    fn river(&mut self, boundary: f64, dt: f64) -> f64 {
        let (target, rate) = match self.get(FaultKind::RiverHeat).map(|active| active.fault) {
            Some(Fault::RiverHeat { target_celsius, kelvin_per_minute }) => {
                (target_celsius - boundary, kelvin_per_minute / SECONDS_PER_MINUTE)
            }
            _ => (0.0, RIVER_RETURN),
        };
        self.river_offset = towards(self.river_offset, target, rate * dt);
        boundary + self.river_offset
    }

    fn humidity(&mut self, boundary: f64, dt: f64) -> f64 {
        let (target, rate) = match self.get(FaultKind::HumidAir).map(|active| active.fault) {
            Some(Fault::HumidAir { humidity, per_minute }) => {
                (humidity - boundary, per_minute / SECONDS_PER_MINUTE)
            }
            _ => (0.0, HUMIDITY_RETURN),
        };
        self.humidity_offset = towards(self.humidity_offset, target, rate * dt);
        boundary + self.humidity_offset
    }

    /// Makes the sensors err.
    pub(in crate::plant) fn spoil(&mut self, sensors: &mut Sensors) {
        if !self.any {
            return;
        }
        for active in self.active.iter_mut().flatten() {
            let (how, value) = match active.fault {
                Fault::FlowSensor { how } => (how, &mut sensors.meter.flow_lpm),
                Fault::SupplySensor { how } => (how, &mut sensors.meter.supply_celsius),
                Fault::ReturnSensor { how } => (how, &mut sensors.meter.return_celsius),
                Fault::HeadSensor { how } => (how, &mut sensors.pump.head_kpa),
                Fault::DewPointSensor { how } => (how, &mut sensors.room.dew_point_celsius),
                Fault::GpuSensor { index, how } => {
                    let Some(Some(gpu)) = sensors.gpus.get_mut(index) else { continue };
                    (how, &mut gpu.core_celsius)
                }
                _ => continue,
            };
            *value = how.shown(*value, &mut active.kept, active.age_s);
        }
    }
}

impl Active {
    /// Share of a clean exchanger's conductance that is lost by now.
    fn fouling(&self) -> f64 {
        let (Fault::FouledCdu { loss, over_s } | Fault::FouledRiver { loss, over_s }) = self.fault else {
            return 0.0;
        };
        if over_s > 0.0 { loss * (1.0 - (-self.age_s / over_s).exp()) } else { loss }
    }
}

/// `from`, moved towards `target` by `reach` at most.
fn towards(from: f64, target: f64, reach: f64) -> f64 {
    target.clamp(from - reach, from + reach)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plant::SensorError;

    fn with(fault: Fault) -> Faults {
        let mut faults = Faults::default();
        faults.inject(fault);
        faults
    }

    #[test]
    fn every_fault_goes_in_and_comes_out() {
        for kind in FaultKind::ALL {
            let mut faults = with(kind.typical());
            assert_eq!(
                FaultKind::ALL.map(|other| faults.has(other)),
                FaultKind::ALL.map(|other| other == kind)
            );
            faults.clear(kind);
            assert!(!faults.has(kind), "{kind}");
        }
    }

    #[test]
    fn without_faults_the_world_around_is_as_it_is() {
        let boundary = Boundary::default();
        assert_eq!(Faults::default().around(&boundary, 0.01), boundary);
    }

    #[test]
    fn the_river_ramps_up_and_comes_back() {
        let mut faults = with(Fault::RiverHeat { target_celsius: 24.0, kelvin_per_minute: 60.0 });
        let warm: Vec<f64> = (0..30).map(|_| faults.river(12.0, 1.0)).collect();
        assert!((warm[4] - 17.0).abs() < 1e-9 && (warm[29] - 24.0).abs() < 1e-9, "{warm:?}");
        faults.clear(FaultKind::RiverHeat);
        let back = (0..30).map(|_| faults.river(12.0, 1.0)).last();
        assert_eq!(back, Some(12.0));
    }

    #[test]
    fn humid_air_comes_bit_by_bit_and_goes() {
        let mut faults = with(Fault::HumidAir { humidity: 0.8, per_minute: 0.1 });
        let minutes: Vec<f64> = (0..5).map(|_| faults.humidity(0.5, 60.0)).collect();
        assert!((minutes[0] - 0.6).abs() < 1e-9 && (minutes[4] - 0.8).abs() < 1e-9, "{minutes:?}");
        faults.clear(FaultKind::HumidAir);
        assert!(
            (0..60).map(|_| faults.humidity(0.5, 1.0)).last().is_some_and(|end| (end - 0.5).abs() < 1e-9)
        );
    }

    #[test]
    fn slow_faults_take_their_time() {
        let mut faults = with(Fault::CloggingStrainer { factor: 11.0, over_s: 100.0 });
        faults.inject(Fault::FouledCdu { loss: 0.4, over_s: 100.0 });
        faults.age(50.0);
        assert!((faults.clogging() - 6.0).abs() < 1e-9, "{}", faults.clogging());
        assert!((faults.cdu_loss() - 0.4 * (1.0 - (-0.5_f64).exp())).abs() < 1e-9);
        assert!(faults.river_loss().abs() < 1e-12);
        faults.age(1e6);
        assert!((faults.clogging() - 11.0).abs() < 1e-9 && (faults.cdu_loss() - 0.4).abs() < 1e-6);
    }

    #[test]
    fn nonsense_numbers_are_held_in_range() {
        assert!((with(Fault::CloggedStrainer { factor: f64::NAN }).clogging() - 1.0).abs() < 1e-12);
        let sticky = with(Fault::StickyValve { stick: 0.02, jump: 9.0 }).stiction().unwrap();
        assert!((sticky.jump - sticky.stick).abs() < 1e-12);
        assert!(with(Fault::FouledRiver { loss: 2.0, over_s: -1.0 }).river_loss() < 1.0);
    }

    #[test]
    fn a_fault_of_one_sensor_leaves_the_others_alone() {
        let mut sensors = Sensors::default();
        with(Fault::SupplySensor { how: SensorError::Off(3.0) }).spoil(&mut sensors);
        assert!((sensors.meter.supply_celsius - 3.0).abs() < 1e-12);
        sensors.meter.supply_celsius = 0.0;
        assert_eq!(sensors, Sensors::default());
    }
}
