//! What can go wrong, and how it is put in and taken out.
//!
//! ```text
//!   Fault (with its numbers) ──inject──► Faults ──► what each part of the world asks of it, step by step
//!   FaultKind (its name)     ──clear───►    └─────► sensors, on their way out
//! ```

mod kind;
mod sensor;
mod state;

use serde::{Deserialize, Serialize};

use super::GPUS;
use super::inputs::held;

pub use kind::{FaultKind, UnknownFault};
pub use sensor::SensorError;
pub(super) use state::Faults;

/// Longest time that a slow fault may take, s: a year.
const SLOWEST_S: f64 = 31_536_000.0;

/// A fault with its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// The drive switches itself off and raises its alarm; the flow coasts down, until the second pump takes over
    /// where there is one.
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
    /// The recovery valve stays where it is, and says so.
    StuckValve,
    /// The strainer has more resistance.
    CloggedStrainer {
        /// Resistance against the clean strainer, 1 to 1000.
        factor: f64,
    },
    /// The second pump does not start when it should.
    StandbyFailed,
    /// The pump is worn: less head, less efficiency.
    WornPump {
        /// From 0 (new) to 1 (worn out: 25 % of head and 30 % of efficiency gone).
        wear: f64,
    },
    /// Gas in the pump: head is lost, and flow and head flicker.
    AirInLoop {
        /// Share of the head that is lost, 0 to 1.
        share: f64,
    },
    /// The recovery valve's stem sticks and slips; its motor does not notice.
    StickyValve {
        /// The motor goes this far before the stem breaks loose, 0 to 0.5 of the stroke.
        stick: f64,
        /// The stem then slips by this much, 0 to `stick`.
        jump: f64,
    },
    /// The exchanger between node loop and facility loop is fouled.
    FouledCdu {
        /// Share of its clean conductance that is lost in the end, 0 to 0.95.
        loss: f64,
        /// Two thirds of it are lost after this, s; 0 for at once.
        over_s: f64,
    },
    /// The exchanger between facility loop and river is fouled.
    FouledRiver {
        /// Share of its clean conductance that is lost in the end, 0 to 0.95.
        loss: f64,
        /// Two thirds of it are lost after this, s; 0 for at once.
        over_s: f64,
    },
    /// The strainer clogs little by little.
    CloggingStrainer {
        /// Resistance in the end against the clean strainer, 1 to 1000.
        factor: f64,
        /// It gets there in a straight line in this time, s.
        over_s: f64,
    },
    /// The building's pump stands still: no water comes to the node's exchanger.
    FacilityPumpLost,
    /// The river's pump stands still: no water comes to the river's exchanger.
    RiverPumpLost,
    /// Humid air gets into the room.
    HumidAir {
        /// Relative humidity in the end, 0 to 1.
        humidity: f64,
        /// Change of it in a minute.
        per_minute: f64,
    },
    /// The flow meter errs, L/min.
    FlowSensor {
        /// How.
        how: SensorError,
    },
    /// The supply's thermometer errs, K.
    SupplySensor {
        /// How.
        how: SensorError,
    },
    /// The return's thermometer errs, K.
    ReturnSensor {
        /// How.
        how: SensorError,
    },
    /// The pump's differential pressure errs, kPa.
    HeadSensor {
        /// How.
        how: SensorError,
    },
    /// The dew point errs, K.
    DewPointSensor {
        /// How.
        how: SensorError,
    },
    /// The core temperature of one GPU errs, K.
    GpuSensor {
        /// Which, counted from 0.
        index: usize,
        /// How.
        how: SensorError,
    },
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
            Self::StandbyFailed => FaultKind::StandbyFailed,
            Self::WornPump { .. } => FaultKind::WornPump,
            Self::AirInLoop { .. } => FaultKind::AirInLoop,
            Self::StickyValve { .. } => FaultKind::StickyValve,
            Self::FouledCdu { .. } => FaultKind::FouledCdu,
            Self::FouledRiver { .. } => FaultKind::FouledRiver,
            Self::CloggingStrainer { .. } => FaultKind::CloggingStrainer,
            Self::FacilityPumpLost => FaultKind::FacilityPumpLost,
            Self::RiverPumpLost => FaultKind::RiverPumpLost,
            Self::HumidAir { .. } => FaultKind::HumidAir,
            Self::FlowSensor { .. } => FaultKind::FlowSensor,
            Self::SupplySensor { .. } => FaultKind::SupplySensor,
            Self::ReturnSensor { .. } => FaultKind::ReturnSensor,
            Self::HeadSensor { .. } => FaultKind::HeadSensor,
            Self::DewPointSensor { .. } => FaultKind::DewPointSensor,
            Self::GpuSensor { .. } => FaultKind::GpuSensor,
        }
    }

    /// The same with every number in its range.
    fn held(self) -> Self {
        let loss = |loss| held(loss, 0.0, 0.95);
        let slow = |over_s| held(over_s, 0.0, SLOWEST_S);
        match self {
            Self::Leak { hole_mm } => Self::Leak { hole_mm: held(hole_mm, 0.0, 20.0) },
            Self::RiverHeat { target_celsius, kelvin_per_minute } => Self::RiverHeat {
                target_celsius: held(target_celsius, 0.0, 40.0),
                kelvin_per_minute: held(kelvin_per_minute, 0.0, 6000.0),
            },
            Self::CloggedStrainer { factor } => Self::CloggedStrainer { factor: held(factor, 1.0, 1000.0) },
            Self::WornPump { wear } => Self::WornPump { wear: held(wear, 0.0, 1.0) },
            Self::AirInLoop { share } => Self::AirInLoop { share: held(share, 0.0, 1.0) },
            Self::StickyValve { stick, jump } => {
                let stick = held(stick, 0.0, 0.5);
                Self::StickyValve { stick, jump: held(jump, 0.0, stick) }
            }
            Self::FouledCdu { loss: share, over_s } => {
                Self::FouledCdu { loss: loss(share), over_s: slow(over_s) }
            }
            Self::FouledRiver { loss: share, over_s } => {
                Self::FouledRiver { loss: loss(share), over_s: slow(over_s) }
            }
            Self::CloggingStrainer { factor, over_s } => {
                Self::CloggingStrainer { factor: held(factor, 1.0, 1000.0), over_s: slow(over_s) }
            }
            Self::HumidAir { humidity, per_minute } => {
                Self::HumidAir { humidity: held(humidity, 0.0, 1.0), per_minute: held(per_minute, 0.0, 60.0) }
            }
            Self::GpuSensor { index, how } => Self::GpuSensor { index: index.min(GPUS - 1), how },
            same @ (Self::PumpTrip
            | Self::FlowLoss
            | Self::LeakSensorFault
            | Self::HeatDemandLost
            | Self::StuckValve
            | Self::StandbyFailed
            | Self::FacilityPumpLost
            | Self::RiverPumpLost
            | Self::FlowSensor { .. }
            | Self::SupplySensor { .. }
            | Self::ReturnSensor { .. }
            | Self::HeadSensor { .. }
            | Self::DewPointSensor { .. }) => same,
        }
    }
}
