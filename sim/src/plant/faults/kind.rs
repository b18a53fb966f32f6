//! The names of faults.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Fault, SensorError};

macro_rules! kinds {
    ($($kind:ident $name:literal $place:ident $typical:expr,)+) => {
        /// A fault without its numbers: what is cleared.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[expect(missing_docs, reason = "the variants are explained at `Fault`")]
        pub enum FaultKind {
            $($kind,)+
        }

        impl FaultKind {
            /// All of them, as they are declared.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$kind),+];

            /// Its name, as in configuration and on the command line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            /// The fault with numbers that make a good demonstration.
            #[must_use]
            pub const fn typical(self) -> Fault {
                match self {
                    $(Self::$kind => $typical,)+
                }
            }

            /// Whether it comes from outside the node: another node beside it would have it too.
            #[must_use]
            pub const fn is_outside(self) -> bool {
                match self {
                    $(Self::$kind => matches!(Place::$place, Place::Outside),)+
                }
            }
        }
    };
}

/// Where a fault is.
enum Place {
    Node,
    Outside,
}

/// Two kelvin, litres or kilopascals too much.
const OFF: SensorError = SensorError::Off(2.0);

kinds! {
    PumpTrip         "pump-trip"          Node    Fault::PumpTrip,
    FlowLoss         "flow-loss"          Node    Fault::FlowLoss,
    Leak             "leak"               Node    Fault::Leak { hole_mm: 1.0 },
    RiverHeat        "river-heat"         Outside Fault::RiverHeat { target_celsius: 24.0, kelvin_per_minute: 2.0 },
    LeakSensorFault  "leak-sensor-fault"  Node    Fault::LeakSensorFault,
    HeatDemandLost   "heat-demand-lost"   Outside Fault::HeatDemandLost,
    StuckValve       "stuck-valve"        Node    Fault::StuckValve,
    CloggedStrainer  "clogged-strainer"   Node    Fault::CloggedStrainer { factor: 10.0 },
    StandbyFailed    "standby-failed"     Node    Fault::StandbyFailed,
    WornPump         "worn-pump"          Node    Fault::WornPump { wear: 0.8 },
    AirInLoop        "air-in-loop"        Node    Fault::AirInLoop { share: 0.3 },
    StickyValve      "sticky-valve"       Node    Fault::StickyValve { stick: 0.02, jump: 0.01 },
    FouledCdu        "fouled-cdu"         Node    Fault::FouledCdu { loss: 0.3, over_s: 600.0 },
    FouledRiver      "fouled-river"       Outside Fault::FouledRiver { loss: 0.3, over_s: 600.0 },
    CloggingStrainer "clogging-strainer"  Node    Fault::CloggingStrainer { factor: 10.0, over_s: 600.0 },
    FacilityPumpLost "facility-pump-lost" Outside Fault::FacilityPumpLost,
    RiverPumpLost    "river-pump-lost"    Outside Fault::RiverPumpLost,
    HumidAir         "humid-air"          Outside Fault::HumidAir { humidity: 0.75, per_minute: 0.05 },
    FlowSensor       "flow-sensor"        Node    Fault::FlowSensor { how: SensorError::Stuck },
    SupplySensor     "supply-sensor"      Node    Fault::SupplySensor { how: OFF },
    ReturnSensor     "return-sensor"      Node    Fault::ReturnSensor { how: SensorError::DriftPerMinute(0.5) },
    HeadSensor       "head-sensor"        Node    Fault::HeadSensor { how: SensorError::NotANumber },
    DewPointSensor   "dew-point-sensor"   Node    Fault::DewPointSensor { how: SensorError::NotANumber },
    GpuSensor        "gpu-sensor"         Node    Fault::GpuSensor { index: 0, how: SensorError::Stuck },
}

/// No fault has this name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no fault is called '{name}'; use one of {}", FaultKind::ALL.map(FaultKind::name).join(", "))]
pub struct UnknownFault {
    /// The name as given.
    pub name: String,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_found_by_its_name() {
        for kind in FaultKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
            assert_eq!(kind.typical().kind(), kind);
            let json = format!("\"{kind}\"");
            assert_eq!(serde_json::from_str::<FaultKind>(&json).unwrap(), kind);
        }
        let unknown = "flood".parse::<FaultKind>().unwrap_err().to_string();
        assert!(unknown.contains("'flood'") && unknown.contains("pump-trip"), "{unknown}");
    }

    #[test]
    fn every_fault_reads_back_from_configuration() {
        for kind in FaultKind::ALL {
            let text = toml::to_string(&kind.typical()).unwrap();
            assert_eq!(toml::from_str::<Fault>(&text).unwrap(), kind.typical(), "{text}");
        }
        let fault: Fault = serde_json::from_str(r#"{"kind":"leak","hole_mm":2.0}"#).unwrap();
        assert_eq!(fault, Fault::Leak { hole_mm: 2.0 });
        let fault: Fault = toml::from_str("kind = 'gpu-sensor'\nindex = 3\nhow = { off = -5.0 }").unwrap();
        assert_eq!(fault, Fault::GpuSensor { index: 3, how: SensorError::Off(-5.0) });
    }
}
