//! What can go wrong, and how it is put in and taken out.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::inputs::held;
use super::pump::PumpFaults;

/// Rate at which the river gets back to its own temperature, K/s.
const RIVER_RETURN: f64 = 1.0;

/// A fault with its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// The drive switches itself off and raises its alarm; the flow coasts down.
    PumpTrip,
    /// The coupling shears: the drive turns and raises no alarm, the impeller coasts down.
    FlowLoss,
    /// A hole: the rope gets wet, the loop loses pressure, and in the end the pump draws air.
    Leak {
        /// Diameter, 0 to 20 mm.
        hole_mm: f64,
    },
    /// The river warms (or cools) to a temperature and stays there.
    RiverHeat {
        /// Where it goes, 0 to 40 °C.
        target_celsius: f64,
        /// How fast, K/min.
        kelvin_per_minute: f64,
    },
    /// The leak rope is broken: it reports a fault, and no leak.
    LeakSensorFault,
    /// The district network takes nothing.
    HeatDemandLost,
    /// The recovery valve stays where it is.
    StuckValve,
    /// The strainer has more resistance.
    CloggedStrainer {
        /// Resistance against the clean strainer, 1 to 1000.
        factor: f64,
    },
}

/// A fault without its numbers: what is cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the variants are explained at `Fault`")]
pub enum FaultKind {
    PumpTrip,
    FlowLoss,
    Leak,
    RiverHeat,
    LeakSensorFault,
    HeatDemandLost,
    StuckValve,
    CloggedStrainer,
}

/// No fault has this name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no fault is called '{name}'; use one of {}", FaultKind::ALL.map(FaultKind::name).join(", "))]
pub struct UnknownFault {
    /// The name as given.
    pub name: String,
}

impl Fault {
    /// Which fault it is.
    #[must_use]
    pub const fn kind(&self) -> FaultKind {
        match self {
            Self::PumpTrip => FaultKind::PumpTrip,
            Self::FlowLoss => FaultKind::FlowLoss,
            Self::Leak { .. } => FaultKind::Leak,
            Self::RiverHeat { .. } => FaultKind::RiverHeat,
            Self::LeakSensorFault => FaultKind::LeakSensorFault,
            Self::HeatDemandLost => FaultKind::HeatDemandLost,
            Self::StuckValve => FaultKind::StuckValve,
            Self::CloggedStrainer { .. } => FaultKind::CloggedStrainer,
        }
    }
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::PumpTrip,
        Self::FlowLoss,
        Self::Leak,
        Self::RiverHeat,
        Self::LeakSensorFault,
        Self::HeatDemandLost,
        Self::StuckValve,
        Self::CloggedStrainer,
    ];

    /// Its name, as in configuration and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PumpTrip => "pump-trip",
            Self::FlowLoss => "flow-loss",
            Self::Leak => "leak",
            Self::RiverHeat => "river-heat",
            Self::LeakSensorFault => "leak-sensor-fault",
            Self::HeatDemandLost => "heat-demand-lost",
            Self::StuckValve => "stuck-valve",
            Self::CloggedStrainer => "clogged-strainer",
        }
    }

    /// The fault with numbers that make a good demonstration.
    #[must_use]
    pub const fn typical(self) -> Fault {
        match self {
            Self::PumpTrip => Fault::PumpTrip,
            Self::FlowLoss => Fault::FlowLoss,
            Self::Leak => Fault::Leak { hole_mm: 1.0 },
            Self::RiverHeat => Fault::RiverHeat { target_celsius: 24.0, kelvin_per_minute: 2.0 },
            Self::LeakSensorFault => Fault::LeakSensorFault,
            Self::HeatDemandLost => Fault::HeatDemandLost,
            Self::StuckValve => Fault::StuckValve,
            Self::CloggedStrainer => Fault::CloggedStrainer { factor: 10.0 },
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for FaultKind {
    type Err = UnknownFault;

    fn from_str(name: &str) -> Result<Self, UnknownFault> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| UnknownFault { name: name.to_owned() })
    }
}

/// The faults that are in.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    pump: PumpFaults,
    hole_mm: Option<f64>,
    river: Option<RiverRamp>,
    /// River against the boundary's, K.
    river_offset: f64,
    rope_broken: bool,
    demand_lost: bool,
    valve_stuck: bool,
    clogging: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
struct RiverRamp {
    target_celsius: f64,
    kelvin_per_s: f64,
}

impl Faults {
    pub(super) fn inject(&mut self, fault: Fault) {
        match fault {
            Fault::PumpTrip => self.pump.trip = true,
            Fault::FlowLoss => self.pump.sheared = true,
            Fault::Leak { hole_mm } => self.hole_mm = Some(held(hole_mm, 0.0, 20.0)),
            Fault::RiverHeat { target_celsius, kelvin_per_minute } => {
                self.river = Some(RiverRamp {
                    target_celsius: held(target_celsius, 0.0, 40.0),
                    kelvin_per_s: held(kelvin_per_minute, 0.0, 6000.0) / 60.0,
                });
            }
            Fault::LeakSensorFault => self.rope_broken = true,
            Fault::HeatDemandLost => self.demand_lost = true,
            Fault::StuckValve => self.valve_stuck = true,
            Fault::CloggedStrainer { factor } => self.clogging = Some(held(factor, 1.0, 1000.0)),
        }
    }

    pub(super) fn clear(&mut self, kind: FaultKind) {
        match kind {
            FaultKind::PumpTrip => self.pump.trip = false,
            FaultKind::FlowLoss => self.pump.sheared = false,
            FaultKind::Leak => self.hole_mm = None,
            FaultKind::RiverHeat => self.river = None,
            FaultKind::LeakSensorFault => self.rope_broken = false,
            FaultKind::HeatDemandLost => self.demand_lost = false,
            FaultKind::StuckValve => self.valve_stuck = false,
            FaultKind::CloggedStrainer => self.clogging = None,
        }
    }

    pub(super) fn has(&self, kind: FaultKind) -> bool {
        match kind {
            FaultKind::PumpTrip => self.pump.trip,
            FaultKind::FlowLoss => self.pump.sheared,
            FaultKind::Leak => self.hole_mm.is_some(),
            FaultKind::RiverHeat => self.river.is_some(),
            FaultKind::LeakSensorFault => self.rope_broken,
            FaultKind::HeatDemandLost => self.demand_lost,
            FaultKind::StuckValve => self.valve_stuck,
            FaultKind::CloggedStrainer => self.clogging.is_some(),
        }
    }

    pub(super) fn pump(&self) -> PumpFaults {
        self.pump
    }

    pub(super) fn hole_mm(&self) -> Option<f64> {
        self.hole_mm
    }

    /// Resistance of the strainer against the clean one.
    pub(super) fn clogging(&self) -> f64 {
        self.clogging.unwrap_or(1.0)
    }

    /// The heat that the network takes of what it would take.
    pub(super) fn demand(&self, boundary: f64) -> f64 {
        if self.demand_lost { 0.0 } else { boundary }
    }

    /// River temperature after `dt`, given the boundary's.
    pub(super) fn river(&mut self, boundary: f64, dt: f64) -> f64 {
        let (target, rate) = match self.river {
            Some(ramp) => (ramp.target_celsius - boundary, ramp.kelvin_per_s),
            None => (0.0, RIVER_RETURN),
        };
        let reach = rate * dt;
        self.river_offset = target.clamp(self.river_offset - reach, self.river_offset + reach);
        boundary + self.river_offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_goes_in_and_comes_out() {
        for kind in FaultKind::ALL {
            let mut faults = Faults::default();
            faults.inject(kind.typical());
            assert_eq!(
                FaultKind::ALL.map(|other| faults.has(other)),
                FaultKind::ALL.map(|other| other == kind)
            );
            faults.clear(kind);
            assert!(!faults.has(kind), "{kind}");
        }
    }

    #[test]
    fn every_fault_is_found_by_its_name() {
        for kind in FaultKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
            assert_eq!(kind.typical().kind(), kind);
        }
        let unknown = "flood".parse::<FaultKind>().unwrap_err().to_string();
        assert!(unknown.contains("'flood'") && unknown.contains("pump-trip"), "{unknown}");
    }

    #[test]
    fn a_fault_reads_from_configuration() {
        let fault: Fault = serde_json::from_str(r#"{"kind":"leak","hole_mm":2.0}"#).unwrap();
        assert_eq!(fault, Fault::Leak { hole_mm: 2.0 });
    }

    #[test]
    fn the_river_ramps_up_and_comes_back() {
        let mut faults = Faults::default();
        faults.inject(Fault::RiverHeat { target_celsius: 24.0, kelvin_per_minute: 60.0 });
        let warm: Vec<f64> = (0..30).map(|_| faults.river(12.0, 1.0)).collect();
        assert!((warm[4] - 17.0).abs() < 1e-9 && (warm[29] - 24.0).abs() < 1e-9, "{warm:?}");
        faults.clear(FaultKind::RiverHeat);
        let back = (0..30).map(|_| faults.river(12.0, 1.0)).last();
        assert_eq!(back, Some(12.0));
    }

    #[test]
    fn nonsense_numbers_are_held_in_range() {
        let mut faults = Faults::default();
        faults.inject(Fault::CloggedStrainer { factor: f64::NAN });
        assert!((faults.clogging() - 1.0).abs() < 1e-12);
    }
}
