//! Which of our points are which of the exchange's.
//!
//! ```text
//!   RACK   what every listener reads: the loop as this rack sees it
//!   LOOP   the same and more, by the machines it comes from        (points = "all")
//!   else   every other number of the catalogue, as a generic point (points = "all")
//! ```

use eisbach_protocol::catalogue::{Kind, Owner, POINTS, PointDef, PointId};

/// A kind of object on the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Object {
    Rack,
    Cdu,
    Pump,
    Valve,
    Exchanger,
    Sensor,
    Generic,
    System,
}

impl Object {
    /// As in topics and metadata.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Rack => "Rack",
            Self::Cdu => "CDU",
            Self::Pump => "Pump",
            Self::Valve => "Valve",
            Self::Exchanger => "HX",
            Self::Sensor => "Sensor",
            Self::Generic => "GenericObject",
            Self::System => "System",
        }
    }

    /// Whether it moves coolant towards the rack, so that metadata say so.
    pub(super) const fn serves_the_rack(self) -> bool {
        match self {
            Self::Cdu | Self::Pump | Self::Valve | Self::Exchanger => true,
            Self::Rack | Self::Sensor | Self::Generic | Self::System => false,
        }
    }

    const fn of(owner: Owner) -> Self {
        match owner {
            Owner::Node | Owner::Gpu => Self::Generic,
            Owner::Pump => Self::Pump,
            Owner::Valve => Self::Valve,
            Owner::Meter => Self::Cdu,
            Owner::Room | Owner::Leak => Self::Sensor,
        }
    }
}

/// Where a point's value comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Source {
    /// A point of the catalogue, times this.
    Point(PointId, f32),
    /// Whether the object answers.
    Answers(Owner),
    /// The loop stands still on purpose: because of water, or because somebody asked.
    Isolated,
}

impl Source {
    /// The object that it is read from.
    pub(super) fn owner(self) -> Option<Owner> {
        match self {
            Self::Point(id, _) => def(id).map(|def| def.owner),
            Self::Answers(owner) => Some(owner),
            Self::Isolated => Some(Owner::Pump),
        }
    }
}

/// What a value means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Meaning {
    /// A number with a unit.
    Unit(&'static str),
    /// A state with a name, counted from zero.
    States(&'static [&'static str]),
    /// A pure number.
    Plain,
}

/// One point of the exchange.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// Its object.
    pub(super) object: Object,
    /// Its type.
    pub(super) kind: &'static str,
    /// Last part of its tag, unique for the object of ours that it is read from.
    pub(super) tag: &'static str,
    /// What it means.
    pub(super) meaning: Meaning,
    /// Where in the object it is; empty if the type says enough.
    pub(super) area: &'static str,
    /// It is what we aim at, not what is.
    pub(super) setpoint: bool,
    /// Where it comes from.
    pub(super) source: Source,
}

const GENERIC: &str = "GenericPoint";
const NO_YES: &[&str] = &["No", "Yes"];
const LEAK: &[&str] = &["NoLeak", "Leak"];
const FAULT: &[&str] = &["NoFault", "Fault"];
const ISOLATED: &[&str] = &["NotIsolated", "Isolated"];
const AVAILABLE: &[&str] = &["NotAvailable", "Available"];
/// The control states, in the order of their numbers.
pub(super) const STATES: &[&str] = &["Boot", "Running", "Hot", "Critical", "Leak", "Uncontrollable"];

const fn point(
    object: Object,
    kind: &'static str,
    tag: &'static str,
    meaning: Meaning,
    source: Source,
) -> Point {
    Point { object, kind, tag, meaning, area: "", setpoint: false, source }
}

const fn rack(kind: &'static str, tag: &'static str, meaning: Meaning, source: Source) -> Point {
    point(Object::Rack, kind, tag, meaning, source)
}

impl Point {
    const fn at(self, area: &'static str) -> Self {
        Self { area, ..self }
    }

    const fn aim(self) -> Self {
        Self { setpoint: true, ..self }
    }

    const fn available(object: Object, owner: Owner) -> Self {
        point(object, "Available", "Available", Meaning::States(AVAILABLE), Source::Answers(owner))
    }
}

const C: Meaning = Meaning::Unit("C");
const LPM: Meaning = Meaning::Unit("LPM");
const KPA: Meaning = Meaning::Unit("kPa");
const PERCENT: Meaning = Meaning::Unit("%");
const KW: Meaning = Meaning::Unit("kW");

const fn as_is(id: PointId) -> Source {
    Source::Point(id, 1.0)
}

const fn thousandth(id: PointId) -> Source {
    Source::Point(id, 0.001)
}

/// The points of the rack.
pub(super) const RACK: [Point; 9] = [
    rack("RackLiquidSupplyTemperature", "SupplyTemperature", C, as_is(PointId::MeterSupply)),
    rack("RackLiquidReturnTemperature", "ReturnTemperature", C, as_is(PointId::MeterReturn)),
    rack("RackLiquidFlow", "Flow", LPM, as_is(PointId::MeterFlow)),
    rack("RackLiquidDifferentialPressure", "DifferentialPressure", KPA, as_is(PointId::PumpHead)),
    rack("RackControlValvePosition", "ValvePosition", PERCENT, as_is(PointId::ValvePosition)),
    rack("RackPower", "Power", KW, thousandth(PointId::NodePower)),
    rack("RackLeakDetect", "Leak", Meaning::States(LEAK), as_is(PointId::LeakDetected)),
    rack("RackLeakSensorFault", "LeakSensorFault", Meaning::States(FAULT), as_is(PointId::LeakFault)),
    rack("RackLiquidIsolationStatus", "LiquidIsolation", Meaning::States(ISOLATED), Source::Isolated),
];

/// Our word on the supply temperature: what we aim at. Whoever asks for another one reads here what came of it.
pub(super) const SUPPLY_TARGET: Point =
    point(Object::Cdu, "LiquidTemperature", "SupplySetpoint", C, as_is(PointId::NodeSupplyTarget))
        .at("Supply")
        .aim();

/// The points of the loop's machines.
pub(super) const LOOP: [Point; 28] = [
    point(Object::Cdu, "LiquidTemperature", "SupplyTemperature", C, as_is(PointId::MeterSupply)).at("Supply"),
    point(Object::Cdu, "LiquidTemperature", "ReturnTemperature", C, as_is(PointId::MeterReturn)).at("Return"),
    point(Object::Cdu, "LiquidFlow", "Flow", LPM, as_is(PointId::MeterFlow)).at("Supply"),
    point(Object::Cdu, "LiquidFlow", "FlowSetpoint", LPM, as_is(PointId::NodeFlowTarget)).at("Supply").aim(),
    point(Object::Cdu, "LiquidDifferentialPressure", "DifferentialPressure", KPA, as_is(PointId::PumpHead))
        .at("Pump"),
    point(Object::Cdu, "LiquidPressure", "InletPressure", KPA, as_is(PointId::PumpInlet)).at("Pump inlet"),
    point(Object::Cdu, "LeakDetect", "Leak", Meaning::States(LEAK), as_is(PointId::LeakDetected)),
    point(Object::Cdu, "Status", "State", Meaning::States(STATES), as_is(PointId::NodeState)),
    point(Object::Cdu, GENERIC, "HeatPower", KW, thousandth(PointId::MeterHeat)).at("Heat carried"),
    Point::available(Object::Cdu, Owner::Meter),
    point(Object::Pump, "PumpSpeed", "ShaftSpeed", Meaning::Unit("RPM"), as_is(PointId::PumpRpm)),
    Point::available(Object::Pump, Owner::Pump),
    point(Object::Pump, GENERIC, "SpeedSetpoint", PERCENT, as_is(PointId::PumpTarget)).at("Speed").aim(),
    point(Object::Valve, "ValvePosition", "Position", PERCENT, as_is(PointId::ValvePosition)),
    Point::available(Object::Valve, Owner::Valve),
    point(Object::Valve, GENERIC, "PositionSetpoint", PERCENT, as_is(PointId::ValveTarget))
        .at("Position")
        .aim(),
    point(Object::Exchanger, "LiquidTemperature", "Inlet", C, as_is(PointId::ValveInlet))
        .at("Recovery inlet"),
    point(Object::Exchanger, "LiquidTemperature", "Outlet", C, as_is(PointId::ValveOutlet))
        .at("Recovery outlet"),
    point(Object::Exchanger, "LiquidFlow", "Flow", LPM, as_is(PointId::ValveFlow)).at("Recovery"),
    point(Object::Exchanger, GENERIC, "RecoveredPower", KW, thousandth(PointId::ValveHeat))
        .at("Heat recovered"),
    point(Object::Sensor, "AirTemperature", "Temperature", C, as_is(PointId::RoomTemperature)).at("Room"),
    point(
        Object::Sensor,
        "AirRelativeHumidity",
        "Humidity",
        Meaning::Unit("%RH"),
        as_is(PointId::RoomHumidity),
    )
    .at("Room"),
    point(Object::Sensor, GENERIC, "DewPoint", C, as_is(PointId::RoomDewPoint)).at("Room dew point"),
    Point::available(Object::Sensor, Owner::Room),
    point(Object::Sensor, "LeakDetect", "Leak", Meaning::States(LEAK), as_is(PointId::LeakDetected)),
    point(Object::Sensor, GENERIC, "Fault", Meaning::States(FAULT), as_is(PointId::LeakFault))
        .at("Sensor fault"),
    Point::available(Object::Sensor, Owner::Leak),
    point(Object::Generic, GENERIC, "GpuPower", KW, thousandth(PointId::NodePower)).at("GPU power"),
];

/// The definition of a point.
pub(super) fn def(id: PointId) -> Option<&'static PointDef> {
    POINTS.iter().find(|def| def.id == id)
}

/// A number of the catalogue that has no point above, as a generic one. Words have no place on this bus.
pub(super) fn generic(def: &'static PointDef) -> Option<Point> {
    let known = LOOP.iter().chain([&SUPPLY_TARGET]).any(|point| match point.source {
        Source::Point(id, _) => id == def.id,
        Source::Answers(_) | Source::Isolated => false,
    });
    let meaning = match def.kind {
        Kind::Float | Kind::Int => unit(def.unit),
        Kind::Bool => Meaning::States(NO_YES),
        Kind::Text => return None,
    };
    let source = as_is(def.id);
    let point = point(Object::of(def.owner), GENERIC, def.name, meaning, source).at(def.name);
    (!known).then_some(point)
}

/// A unit as this bus writes it.
fn unit(ucum: &'static str) -> Meaning {
    match ucum {
        "" => Meaning::Plain,
        "Cel" => C,
        "L/min" => LPM,
        "{rev}/min" => Meaning::Unit("RPM"),
        same => Meaning::Unit(same),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Point> {
        RACK.into_iter().chain([SUPPLY_TARGET]).chain(LOOP).chain(POINTS.iter().filter_map(generic)).collect()
    }

    #[test]
    fn a_tag_is_unique_for_its_type_and_the_object_it_is_read_from() {
        let all = all();
        for (at, one) in all.iter().enumerate() {
            let same = |other: &&Point| {
                (other.object, other.kind, other.tag) == (one.object, one.kind, one.tag)
                    && other.source.owner() == one.source.owner()
            };
            assert_eq!(all[..at].iter().find(same), None, "{one:?}");
        }
    }

    #[test]
    fn every_number_of_the_catalogue_is_there() {
        for def in POINTS.iter().filter(|def| def.kind != Kind::Text) {
            let of = |point: &Point| matches!(point.source, Source::Point(id, _) if id == def.id);
            assert!(all().iter().any(of), "{}", def.name);
        }
    }

    #[test]
    fn a_generic_point_says_where_it_is() {
        for point in all() {
            assert!(point.kind != GENERIC || !point.area.is_empty(), "{point:?}");
            assert!(point.object != Object::Rack || (point.area.is_empty() && !point.setpoint), "{point:?}");
        }
    }
}
