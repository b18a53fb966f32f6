//! The point catalogue: everything the agent knows or commands, once.
//!
//! ```text
//!   POINTS (this table) ──► Sparkplug births and data
//!                      ├──► status socket
//!                      └──► docs
//! ```
//!
//! Each face is a pure function over this table, so adding a point is one line here; the compiler then asks the
//! agent for its value.

/// The object a point belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The node as a whole.
    Node,
    /// One of its GPUs.
    Gpu,
    /// The loop's pump.
    Pump,
    /// The heat-recovery valve.
    Valve,
    /// The flow and heat meter of the node loop.
    Meter,
    /// The room air.
    Room,
    /// The leak rope.
    Leak,
}

impl Owner {
    /// Every kind of owner, in the order in which faces list them.
    pub const ALL: [Self; 7] =
        [Self::Node, Self::Gpu, Self::Pump, Self::Valve, Self::Meter, Self::Room, Self::Leak];

    /// Name on every face; GPUs append their index.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Gpu => "gpu",
            Self::Pump => "pump",
            Self::Valve => "valve",
            Self::Meter => "meter",
            Self::Room => "room",
            Self::Leak => "leak",
        }
    }
}

/// What kind of value a point has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number with a unit.
    Float,
    /// A count or a bit set.
    Int,
    /// Yes or no.
    Bool,
    /// One of a small set of words.
    Text,
}

/// A value for a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PointValue {
    /// See [`Kind::Float`].
    Float(f32),
    /// See [`Kind::Int`].
    Int(i64),
    /// See [`Kind::Bool`].
    Bool(bool),
    /// See [`Kind::Text`].
    Text(&'static str),
    /// A text that others have made: the name of their command, for instance.
    Label(Label),
}

/// Longest [`Label`], in bytes.
pub const LABEL: usize = 64;

/// A short text that is not known beforehand. Copied as a whole, like every other value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Label {
    length: usize,
    bytes: [u8; LABEL],
}

impl Label {
    /// The beginning of `text`, all of it if it is short.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut label = Self { length: 0, bytes: [0; LABEL] };
        for (place, character) in text.char_indices() {
            let end = place + character.len_utf8();
            let Some(room) = label.bytes.get_mut(place..end) else { break };
            character.encode_utf8(room);
            label.length = end;
        }
        label
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|bytes| core::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl core::fmt::Debug for Label {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Debug::fmt(self.as_str(), f)
    }
}

/// One line of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointDef {
    /// Identity in code.
    pub id: PointId,
    /// Name on every face, unique within its owner.
    pub name: &'static str,
    /// Object it belongs to.
    pub owner: Owner,
    /// Kind of value.
    pub kind: Kind,
    /// UCUM unit symbol; empty for pure numbers and words.
    pub unit: &'static str,
    /// Lower end of its usual range.
    pub low: f32,
    /// Upper end of its usual range.
    pub high: f32,
    /// Smaller changes are not reported.
    pub dead_band: f32,
    /// A host may write it: a wish that goes to the desk, where it is judged.
    pub writable: bool,
    /// One line for people.
    pub doc: &'static str,
}

macro_rules! writable {
    () => {
        false
    };
    (writable) => {
        true
    };
}

macro_rules! points {
    ($($id:ident $owner:ident $name:literal $kind:ident $unit:literal $low:literal .. $high:literal dead $dead:literal $doc:literal $(; $writable:ident)?)+) => {
        /// Identity of a point.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum PointId { $(#[doc = $doc] $id),+ }

        /// Number of points.
        pub const COUNT: usize = [$(PointId::$id),+].len();

        /// The catalogue, in the order of [`PointId`].
        pub const POINTS: [PointDef; COUNT] = [$(PointDef {
            id: PointId::$id, name: $name, owner: Owner::$owner, kind: Kind::$kind, unit: $unit,
            low: $low, high: $high, dead_band: $dead, doc: $doc, writable: writable!($($writable)?),
        }),+];
    };
}

points! {
    NodeState        Node "State"           Text  ""      0.0 .. 0.0      dead 0.0  "Control state"
    NodeRung         Node "Rung"            Int   ""      0.0 .. 4.0      dead 0.0  "Highest rung of the throttling ladder in use"
    NodeLeader       Node "Leader"          Text  ""      0.0 .. 0.0      dead 0.0  "What dictates the node's state"
    NodeReason       Node "Reason"          Text  ""      0.0 .. 0.0      dead 0.0  "Why"
    NodePower        Node "GpuPower"        Float "W"     0.0 .. 16000.0  dead 25.0 "Sum of all GPU powers, unknown ones at their limit"
    NodeMargin       Node "HottestMargin"   Float "K"     -20.0 .. 80.0   dead 0.5  "Smallest distance of any GPU to its slowdown, unknown ones extrapolated"
    NodeCooled       Node "CoolingProven"   Bool  ""      0.0 .. 1.0      dead 0.0  "There is evidence that coolant carries the heat away"
    NodeCycles       Node "Cycles"          Int   ""      0.0 .. 1e9      dead 100.0 "Control cycles completed since start"
    NodeOverruns     Node "CycleOverruns"   Int   ""      0.0 .. 1e9      dead 0.0  "Cycles that took longer than their period"
    NodeDriver       Node "DriverState"     Text  ""      0.0 .. 0.0      dead 0.0  "State of the NVIDIA driver as the GPU process sees it"
    NodeEscalation   Node "Escalation"      Text  ""      0.0 .. 0.0      dead 0.0  "What is asked of others because throttling is not enough"
    NodeEscReason    Node "EscalationReason" Text ""      0.0 .. 0.0      dead 0.0  "Why"
    NodeFirstOut     Node "FirstOut"        Text  ""      0.0 .. 0.0      dead 0.0  "Alarm that began the present trip, or the last one until it is acknowledged"
    NodeAlarmsShown  Node "AlarmsActive"    Int   ""      0.0 .. 64.0     dead 0.0  "Alarms that are active and neither shelved nor suppressed"
    NodeAlarmsUnseen Node "AlarmsUnacked"   Int   ""      0.0 .. 64.0     dead 0.0  "Alarms that nobody has acknowledged yet"
    NodeSupplyTarget Node "SupplySetpoint"  Float "Cel"   10.0 .. 50.0    dead 0.1  "Supply temperature aimed at"
    NodeFlowTarget   Node "FlowDemand"      Float "L/min" 0.0 .. 60.0     dead 0.1  "Coolant flow asked for by power and temperature"
    NodeRiseTarget   Node "RiseSetpoint"    Float "K"     0.0 .. 25.0     dead 0.1  "Rise over the cold plates aimed at"
    NodeReturnTarget Node "ReturnSetpoint"  Float "Cel"   10.0 .. 75.0    dead 0.1  "Return temperature that supply and rise aim at"
    NodeSetPointMode Node "SetpointMode"    Text  ""      0.0 .. 0.0      dead 0.0  "What supply and rise are about: tuned, heat for the network, or cool"
    NodeSetPointReason Node "SetpointReason" Text ""      0.0 .. 0.0      dead 0.0  "Why"
    NodeRiver        Node "RiverTemperature" Float "Cel"  -5.0 .. 40.0    dead 0.05 "River at the intake, as told"
    NodeRiverFlow    Node "RiverFlow"       Float "m3/s"  0.0 .. 100.0    dead 0.1  "Discharge of the river, as told"
    NodeHeatDemand   Node "HeatDemand"      Float "W"     0.0 .. 20000.0  dead 50.0 "Heat that the network takes from this node, as told"
    NodeNetwork      Node "NetworkSupply"   Float "Cel"   0.0 .. 150.0    dead 0.5  "Supply temperature that the heat network asks for, as told"
    NodePermitState  Node "RiverPermit"     Text  ""      0.0 .. 0.0      dead 0.0  "What the river may take: unlimited, open, limited, closed or dry"
    NodePermitted    Node "RiverHeatPermitted" Float "W"  0.0 .. 1e6      dead 50.0 "Most heat that the river may take from this node; bad while it is not limited"
    NodeRiverHeat    Node "RiverHeat"       Float "W"     0.0 .. 20000.0  dead 50.0 "Heat that the river takes from this node, reckoned"
    NodeMixing       Node "RiverMixing"     Float "Cel"   -5.0 .. 40.0    dead 0.02 "River below the site, if every node gave what this one gives for its share; reckoned"
    NodeDayLeft      Node "RiverHeatLeft"   Float "kW.h"  0.0 .. 1e6      dead 0.1  "What is left of this node's share of today's heat for the river; bad while the day is not limited"
    NodeRiverAtMost  Node "RiverHeatAtMost" Float "W"     0.0 .. 20000.0  dead 1.0  "Most heat for the river by order; writing it asks for less for a while" ; writable
    NodeFacility     Node "FacilityLink"    Text  ""      0.0 .. 0.0      dead 0.0  "Connection to the facility's brokers, the worse one if there are two: offline, connected or birthed"
    NodeCertificate  Node "CertificateDays" Float "d"     0.0 .. 3650.0   dead 1.0  "Days until the first of our certificates for the facility ends"
    NodeMode         Node "Mode"            Text  ""      0.0 .. 0.0      dead 0.0  "Whether pump or valve is held by hand from afar: auto, manual, or maintenance while somebody works on the node"
    NodeModeUntil    Node "ModeUntil"       Int   "ms"    0.0 .. 1e13     dead 0.0  "End of the hold by hand, in ms since 1970"
    NodeBudget       Node "PowerBudget"     Float "W"     0.0 .. 16000.0  dead 1.0  "Most that all GPUs may draw together, by order; writing it asks for less for a while" ; writable
    NodeEnvelope     Node "CommandEnvelope" Text  ""      0.0 .. 0.0      dead 0.0  "A command in its envelope, signed or not, is written here; always empty" ; writable
    NodeCommandId    Node "CommandLastId"   Text  ""      0.0 .. 0.0      dead 0.0  "Id of the command answered last"
    NodeCommandState Node "CommandLastState" Text ""      0.0 .. 0.0      dead 0.0  "Its state: accepted, clamped, refused, done or expired"
    NodeCommandReason Node "CommandLastReason" Text ""    0.0 .. 0.0      dead 0.0  "Why it was refused, or how far it goes"
    NodeCommandsGood Node "CommandsAccepted" Int  ""      0.0 .. 1e9      dead 0.0  "Commands obeyed since start"
    NodeCommandsBad  Node "CommandsRefused" Int   ""      0.0 .. 1e9      dead 0.0  "Commands refused since start"
    NodeCommandsLost Node "CommandsDropped" Int   ""      0.0 .. 1e9      dead 0.0  "Commands not looked at since start, because too many came at once"
    NodeLearning     Node "Learning"        Text  ""      0.0 .. 0.0      dead 0.0  "Whether the loop is learned at the moment: active, waiting for steady load, or frozen by trouble"
    NodeAtBound      Node "LearnedAtBound"  Text  ""      0.0 .. 0.0      dead 0.0  "Learned value that stands at its bound; none if all are within"
    NodeHeatFactor   Node "LearnedHeatPerWatt" Float "W/W" 1.0 .. 2.5     dead 0.01 "Heat into the loop per watt of GPU power, as learned"
    NodeBalance      Node "HeatBalance"     Float "%"     0.0 .. 200.0    dead 1.0  "Heat that the meter finds as a share of what GPU power lets expect"
    NodeSuspect      Node "SuspectSensor"   Text  ""      0.0 .. 0.0      dead 0.0  "Loop sensor that does not fit the others: nothing, flow, supply, return, or meter if it is not clear which"
    NodeExchanger    Node "ExchangerResistance" Float "K/kW" 0.0 .. 20.0  dead 0.05 "Supply above the river per heat, while all heat goes there"
    NodeExchangerDrift Node "ExchangerDrift" Float "%"    -50.0 .. 200.0  dead 1.0  "The same against when it was first known: fouling of exchangers"
    NodeRecorder     Node "Recorder"        Text  ""      0.0 .. 0.0      dead 0.0  "Whether the flight record is written: off, recording, failing"
    NodeRecordLost   Node "RecorderLost"    Int   ""      0.0 .. 1e9      dead 0.0  "Control steps since start that are missing in the flight record"

    GpuHealth        Gpu "Health"           Text  ""      0.0 .. 0.0      dead 0.0  "State of the GPU as its driver tells"
    GpuTemperature   Gpu "Temperature"      Float "Cel"   0.0 .. 110.0    dead 0.5  "Core temperature"
    GpuMemoryTemp    Gpu "MemoryTemperature" Float "Cel"  0.0 .. 110.0    dead 0.5  "Memory temperature"
    GpuMargin        Gpu "Margin"           Float "K"     -20.0 .. 80.0   dead 0.5  "Distance to slowdown"
    GpuDoubtful      Gpu "MarginDoubtful"   Bool  ""      0.0 .. 1.0      dead 0.0  "The driver's margin does not fit the temperature; the smaller of both is shown"
    GpuPower         Gpu "Power"            Float "W"     0.0 .. 1500.0   dead 10.0 "Power drawn"
    GpuPowerAverage  Gpu "PowerAverage"     Float "W"     0.0 .. 1500.0   dead 10.0 "Power over the last second"
    GpuEnergy        Gpu "Energy"           Int   "mJ"    0.0 .. 1e15     dead 6e7  "Energy since the driver was loaded"
    GpuLimit         Gpu "PowerLimit"       Float "W"     0.0 .. 1500.0   dead 1.0  "Power limit in force, whoever set it"
    GpuRequested     Gpu "PowerLimitRequested" Float "W"  0.0 .. 1500.0   dead 1.0  "Power limit asked for on this node, by whomever"
    GpuCap           Gpu "PowerCap"         Float "W"     0.0 .. 1500.0   dead 1.0  "Power limit that the agent asks for; the device's default when it asks for none"
    GpuClock         Gpu "SmClock"          Float "MHz"   0.0 .. 3000.0   dead 15.0 "Clock of the multiprocessors"
    GpuClockCap      Gpu "SmClockCap"       Float "MHz"   0.0 .. 3000.0   dead 1.0  "Highest clock that the agent allows"
    GpuUtilization   Gpu "Utilization"      Float "%"     0.0 .. 100.0    dead 2.0  "Share of time a kernel ran"
    GpuReasons       Gpu "ThrottleReasons"  Int   ""      0.0 .. 65535.0  dead 0.0  "Driver's reasons for running slower, as bits"
    GpuPState        Gpu "PerformanceState" Int   ""      0.0 .. 15.0     dead 0.0  "Performance state, 0 is the fastest"
    GpuProcesses     Gpu "Processes"        Int   ""      0.0 .. 1000.0   dead 0.0  "Processes that compute on it"
    GpuMig           Gpu "Mig"              Bool  ""      0.0 .. 1.0      dead 0.0  "The GPU is split into instances"
    GpuPersistence   Gpu "PersistenceMode"  Bool  ""      0.0 .. 1.0      dead 0.0  "The driver keeps limits when nobody uses the GPU"
    GpuEccMended     Gpu "EccCorrected"     Int   ""      0.0 .. 1e9      dead 0.0  "Memory errors mended since the driver was loaded"
    GpuEccUnmended   Gpu "EccUncorrected"   Int   ""      0.0 .. 1e9      dead 0.0  "Memory errors not mended since the driver was loaded"
    GpuRemapped      Gpu "RemappedRows"     Int   ""      0.0 .. 1000.0   dead 0.0  "Memory rows replaced by spare ones"
    GpuRemapPending  Gpu "RemapPending"     Bool  ""      0.0 .. 1.0      dead 0.0  "Rows wait for a reset to be replaced, or could not be"
    GpuRecovery      Gpu "RecoveryAction"   Text  ""      0.0 .. 0.0      dead 0.0  "What the driver says must be done to get it right"
    GpuXids          Gpu "XidErrors"        Int   ""      0.0 .. 1e9      dead 0.0  "Critical errors since the GPU process started"
    GpuXidLast       Gpu "XidLast"          Int   ""      0.0 .. 1000.0   dead 0.0  "Number of the last critical error; 0 if there was none"
    GpuBatch         Gpu "BatchDuration"    Float "ms"    0.0 .. 1000.0   dead 5.0  "Duration of the last batch of driver calls"
    GpuForeign       Gpu "ForeignLimitChanges" Int ""     0.0 .. 1e6      dead 0.0  "Times that somebody else changed the power limit while we held one"
    GpuLowPower      Gpu "LowPowerProfile"  Bool  ""      0.0 .. 1.0      dead 0.0  "We hold the low-power workload profile"
    GpuSlowBy        Gpu "SlowBy"           Text  ""      0.0 .. 0.0      dead 0.0  "What keeps the GPU from running faster, and whose doing that is"
    GpuRungSince     Gpu "RungSince"        Int   "ms"    0.0 .. 1e13     dead 1000.0 "When it came to its rung, in ms since 1970"
    GpuReleaseWaits  Gpu "ReleaseWaitsFor"  Text  ""      0.0 .. 0.0      dead 0.0  "What the way back waits for"
    GpuReleaseMargin Gpu "ReleaseMargin"    Float "K"     0.0 .. 80.0     dead 0.5  "Margin that is missing for the way back"
    GpuReleaseTime   Gpu "ReleaseTime"      Float "s"     0.0 .. 600.0    dead 5.0  "Time for which the margin must still be wide enough"
    GpuReleasePower  Gpu "ReleasePower"     Float "W"     0.0 .. 1500.0   dead 10.0 "Power that is still to be given back"
    GpuRung          Gpu "Rung"             Int   ""      0.0 .. 4.0      dead 0.0  "Rung of the throttling ladder"
    GpuReason        Gpu "Reason"           Text  ""      0.0 .. 0.0      dead 0.0  "Why it is on that rung"
    GpuPlate         Gpu "PlateResistance"  Float "K/kW"  0.0 .. 200.0    dead 0.5  "Core above supply per power, while load is steady"
    GpuPlateDrift    Gpu "PlateDrift"       Float "%"     -50.0 .. 200.0  dead 1.0  "The same against when it was first known, at the same flow: fouling of the cold plate"

    PumpTarget       Pump "SpeedSetpoint"   Float "%"     0.0 .. 100.0    dead 0.2  "Speed asked for"
    PumpLeader       Pump "Leader"          Text  ""      0.0 .. 0.0      dead 0.0  "What dictates the speed"
    PumpReason       Pump "Reason"          Text  ""      0.0 .. 0.0      dead 0.0  "Why"
    PumpSpeed        Pump "Speed"           Float "%"     0.0 .. 110.0    dead 0.2  "Speed as a share of full speed"
    PumpRpm          Pump "ShaftSpeed"      Float "{rev}/min" 0.0 .. 8000.0 dead 20.0 "Shaft speed"
    PumpHead         Pump "Head"            Float "kPa"   0.0 .. 300.0    dead 1.0  "Pressure difference over the pump"
    PumpPower        Pump "Power"           Float "W"     0.0 .. 2000.0   dead 1.0  "Electric power"
    PumpRunning      Pump "Running"         Bool  ""      0.0 .. 1.0      dead 0.0  "The drive turns the pump"
    PumpRemote       Pump "Remote"          Bool  ""      0.0 .. 1.0      dead 0.0  "The pump obeys the bus"
    PumpInlet        Pump "InletPressure"   Float "kPa"   0.0 .. 600.0    dead 2.0  "Pressure at the suction side"
    PumpAtLeast      Pump "SpeedAtLeast"    Float "%"     0.0 .. 100.0    dead 0.2  "Least speed by order; writing it asks for more for a while" ; writable
    PumpLink         Pump "Link"           Text  ""      0.0 .. 0.0      dead 0.0  "State of the connection to the device"
    PumpProtection   Pump "Protection"     Text  ""      0.0 .. 0.0      dead 0.0  "What the device does if the agent falls silent"
    PumpWrites       Pump "WritesToday"    Int   ""      0.0 .. 1e6      dead 10.0 "Registers written since midnight UTC"
    PumpForeign      Pump "ForeignWrites"  Int   ""      0.0 .. 1e6      dead 0.0  "Times that another master changed a set-point"
    PumpFullFlow     Pump "LearnedFullFlow" Float "L/min" 0.0 .. 60.0     dead 0.1  "Flow at full speed with coolant at 35 °C, as learned"
    PumpFriction     Pump "LearnedFriction" Float "%"     0.0 .. 100.0    dead 1.0  "Share of the loop's resistance that grows with flow and viscosity, as learned"

    ValveTarget      Valve "PositionSetpoint" Float "%"   0.0 .. 100.0    dead 0.5  "Position asked for; 0 sends all heat to the river"
    ValveLeader      Valve "Leader"         Text  ""      0.0 .. 0.0      dead 0.0  "What dictates the position"
    ValveReason      Valve "Reason"         Text  ""      0.0 .. 0.0      dead 0.0  "Why"
    ValvePosition    Valve "Position"       Float "%"     0.0 .. 100.0    dead 0.5  "Position"
    ValveFlow        Valve "Flow"           Float "L/min" 0.0 .. 60.0     dead 0.1  "Flow through the recovery branch"
    ValveInlet       Valve "RecoveryInlet"  Float "Cel"   0.0 .. 80.0     dead 0.1  "Temperature into recovery"
    ValveOutlet      Valve "RecoveryOutlet" Float "Cel"   0.0 .. 80.0     dead 0.1  "Temperature out of recovery"
    ValveHeat        Valve "RecoveredPower" Float "W"     0.0 .. 20000.0  dead 50.0 "Heat given to recovery"
    ValveAtMost       Valve "PositionAtMost" Float "%"    0.0 .. 100.0    dead 0.5  "Highest position by order; writing it asks for less for a while" ; writable
    ValveLink         Valve "Link"           Text  ""      0.0 .. 0.0      dead 0.0  "State of the connection to the device"
    ValveProtection   Valve "Protection"     Text  ""      0.0 .. 0.0      dead 0.0  "What the device does if the agent falls silent"
    ValveWrites       Valve "WritesToday"    Int   ""      0.0 .. 1e6      dead 10.0 "Registers written since midnight UTC"
    ValveForeign      Valve "ForeignWrites"  Int   ""      0.0 .. 1e6      dead 0.0  "Times that another master changed a set-point"
    ValveForward     Valve "LearnedForward" Float "%"     0.0 .. 100.0    dead 0.5  "Travel that answers twice the heat, as learned"
    ValveDelay       Valve "SupplyDelay"    Float "s"     0.0 .. 120.0    dead 1.0  "Time from the CDU to the reading of the supply at the present flow, reckoned"

    MeterFlow        Meter "Flow"           Float "L/min" 0.0 .. 60.0     dead 0.05 "Coolant flow"
    MeterSupply      Meter "SupplyTemperature" Float "Cel" 0.0 .. 80.0    dead 0.1  "Coolant into the cold plates"
    MeterReturn      Meter "ReturnTemperature" Float "Cel" 0.0 .. 90.0    dead 0.1  "Coolant out of the cold plates"
    MeterHeat        Meter "HeatPower"      Float "W"     0.0 .. 20000.0  dead 50.0 "Heat carried by the loop"
    MeterLink         Meter "Link"           Text  ""      0.0 .. 0.0      dead 0.0  "State of the connection to the device"

    RoomDewPoint     Room "DewPoint"        Float "Cel"   -20.0 .. 40.0   dead 0.2  "Dew point of the room air"
    RoomTemperature  Room "Temperature"     Float "Cel"   0.0 .. 50.0     dead 0.2  "Temperature of the room air"
    RoomHumidity     Room "RelativeHumidity" Float "%"    0.0 .. 100.0    dead 1.0  "Relative humidity of the room air"
    RoomLink         Room "Link"           Text  ""      0.0 .. 0.0      dead 0.0  "State of the connection to the device"

    LeakDetected     Leak "Detected"        Bool  ""      0.0 .. 1.0      dead 0.0  "Water where none should be"
    LeakFault        Leak "SensorFault"     Bool  ""      0.0 .. 1.0      dead 0.0  "The leak sensor is broken"
    LeakLink         Leak "Link"           Text  ""      0.0 .. 0.0      dead 0.0  "State of the connection to the device"
}

/// The points of one kind of object, in catalogue order.
pub fn points_of(owner: Owner) -> impl Iterator<Item = &'static PointDef> {
    POINTS.iter().filter(move |def| def.owner == owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_its_ids() {
        for (at, def) in POINTS.iter().enumerate() {
            assert_eq!(def.id as usize, at);
        }
    }

    #[test]
    fn a_name_is_unique_within_its_owner_whatever_its_case() {
        for (at, def) in POINTS.iter().enumerate() {
            let clash = POINTS[..at]
                .iter()
                .find(|other| other.owner == def.owner && other.name.eq_ignore_ascii_case(def.name));
            assert_eq!(clash, None);
        }
    }

    #[test]
    fn a_label_is_cut_between_two_characters() {
        assert_eq!(Label::new("c-17").as_str(), "c-17");
        assert_eq!(Label::new(&"x".repeat(100)).as_str().len(), LABEL);
        assert_eq!(Label::new("€€€€€€€€€€€€€€€€€€€€€€").as_str(), "€€€€€€€€€€€€€€€€€€€€€");
    }

    #[test]
    fn every_float_has_a_unit_a_range_and_a_dead_band() {
        for def in POINTS.iter().filter(|def| def.kind == Kind::Float) {
            assert!(!def.unit.is_empty() && def.low < def.high && def.dead_band > 0.0, "{}", def.name);
        }
    }
}
