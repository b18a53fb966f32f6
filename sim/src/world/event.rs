//! What can be done to the world, by key, by script or through the control socket: one word each.
//!
//! ```text
//!   word ──► Event ──► world        plant, wires of the devices, NVML (nvml_event.rs)
//!                 └──► demo, serve  broker, processes
//! ```

use std::fmt;
use std::str::FromStr;

use super::nvml_event::{GpuFault, GpuNumber, NodeEvent};
use super::truth::device_name;
use crate::devices::DeviceKind;
use crate::plant::FaultKind;
use crate::workload::Workload;

/// What happens to the wire of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// It accepts connections and requests, and answers nothing.
    Silence,
    /// It answers as it should.
    Answer,
    /// It refuses connections.
    Refuse,
    /// It resets connections.
    Reset,
    /// It answers after the agent's deadline.
    Late,
}

impl Wire {
    const ALL: [Self; 5] = [Self::Silence, Self::Answer, Self::Refuse, Self::Reset, Self::Late];

    const fn word(self) -> &'static str {
        match self {
            Self::Silence => "silence",
            Self::Answer => "answer",
            Self::Refuse => "refuse",
            Self::Reset => "reset",
            Self::Late => "late",
        }
    }
}

/// What happens to the broker and to the agent's processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// The broker's network is cut.
    BrokerCut,
    /// The broker's network is back.
    BrokerOk,
    /// The agent is killed (SIGKILL).
    KillAgent,
    /// The agent's GPU process is killed (SIGKILL).
    KillGpu,
}

impl Outside {
    const ALL: [Self; 4] = [Self::BrokerCut, Self::BrokerOk, Self::KillAgent, Self::KillGpu];

    const fn word(self) -> &'static str {
        match self {
            Self::BrokerCut => "broker-cut",
            Self::BrokerOk => "broker-ok",
            Self::KillAgent => "kill-agent",
            Self::KillGpu => "kill-gpu",
        }
    }

    const fn nature(self) -> Nature {
        match self {
            Self::BrokerCut | Self::KillAgent | Self::KillGpu => Nature::Fault,
            Self::BrokerOk => Nature::Mend,
        }
    }
}

/// What an event is to those who watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// Something breaks. Its detection is timed.
    Fault,
    /// Something is mended.
    Mend,
    /// Neither.
    Change,
}

/// Before the name of a fault of the plant that is mended.
const MEND: &str = "mend-";

/// GPU that a fault hits when its word names none.
const ANY_GPU: usize = 0;

macro_rules! events {
    ($($event:ident $word:literal $nature:ident $doc:literal)+) => {
        /// One thing that happens.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Event {
            $(#[doc = $doc] $event,)+
            /// A fault of the plant comes, with the numbers usual for it.
            Break(FaultKind),
            /// A fault of the plant goes.
            Mend(FaultKind),
            /// A GPU falls off the bus.
            GpuLost(usize),
            /// NVML calls on a GPU do not return.
            NvmlHang(usize),
            /// Something happens to the driver, or to the calls of the node.
            Node(NodeEvent),
            /// Something happens to a GPU.
            Gpu(GpuFault, usize),
            /// Something happens to a GPU, with a number.
            GpuNumber(GpuNumber, usize, u32),
            /// Something happens to the wire of a device.
            Wire(DeviceKind, Wire),
            /// Another workload.
            Load(Workload),
            /// Something happens outside the world, which only remembers it.
            Outside(Outside),
        }

        /// The events that have no parameter.
        const PLAIN: [(&str, Event); [$($word),+].len()] = [$(($word, Event::$event)),+];

        impl Event {
            /// What it is to those who watch.
            #[must_use]
            pub const fn nature(self) -> Nature {
                match self {
                    $(Self::$event => Nature::$nature,)+
                    Self::Break(_) | Self::GpuLost(_) | Self::NvmlHang(_) => Nature::Fault,
                    Self::Mend(_) => Nature::Mend,
                    Self::Node(event) => event.nature(),
                    Self::Gpu(fault, _) => fault.nature(),
                    Self::GpuNumber(what, ..) => what.nature(),
                    Self::Wire(_, Wire::Answer) => Nature::Mend,
                    Self::Wire(_, Wire::Silence | Wire::Refuse | Wire::Reset | Wire::Late) => Nature::Fault,
                    Self::Load(_) => Nature::Change,
                    Self::Outside(outside) => outside.nature(),
                }
            }
        }

        impl fmt::Display for Event {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$event => f.write_str($word),)+
                    Self::Break(kind) => f.write_str(kind.name()),
                    Self::Mend(kind) => write!(f, "{MEND}{kind}"),
                    Self::GpuLost(ANY_GPU) => f.write_str("gpu-lost"),
                    Self::NvmlHang(ANY_GPU) => f.write_str("nvml-hang"),
                    Self::GpuLost(index) => write!(f, "gpu-lost-{index}"),
                    Self::NvmlHang(index) => write!(f, "nvml-hang-{index}"),
                    Self::Node(event) => f.write_str(event.word()),
                    Self::Gpu(fault, ANY_GPU) => f.write_str(fault.word()),
                    Self::Gpu(fault, index) => write!(f, "{}-{index}", fault.word()),
                    Self::GpuNumber(what, index, number) => {
                        write!(f, "{}-{index}-{number}", what.word())
                    }
                    Self::Wire(device, wire) => write!(f, "{}-{}", wire.word(), device_name(*device)),
                    Self::Load(load) => write!(f, "load-{load}"),
                    Self::Outside(outside) => f.write_str(outside.word()),
                }
            }
        }
    };
}

events! {
    PumpTrip        "pump-trip"         Fault  "The pump's drive trips and reports an alarm."
    PumpOk          "pump-ok"           Mend   "What made the drive trip is gone; its alarm stays until a reset."
    PanelReset      "panel-reset"       Mend   "Someone presses reset at the pump's panel."
    PanelLocal      "panel-local"       Change "Someone puts the pump into local at its panel."
    PanelRemote     "panel-remote"      Change "Someone gives the pump back to the bus at its panel."
    FlowLoss        "flow-loss"         Fault  "The coolant stops, whatever the drive does: a broken coupling."
    FlowOk          "flow-ok"           Mend   "The coolant flows again."
    Leak            "leak"              Fault  "Water on the leak rope."
    LeakDry         "leak-dry"          Mend   "The leak rope is dry."
    LeakSensorFault "leak-sensor-fault" Fault  "The leak rope is broken."
    LeakSensorOk    "leak-sensor-ok"    Mend   "The leak rope is whole."
    GpuBack         "gpu-back"          Mend   "All GPUs are back on the bus, and have been reset."
    NvmlOk          "nvml-ok"           Mend   "NVML calls return again, at once, and are all there and allowed."
    RiverHot        "river-hot"         Fault  "The river warms up as in a heat wave."
    RiverNormal     "river-normal"      Mend   "The river is as usual."
    HeatDemandLost  "heat-demand-lost"  Fault  "The heat network takes nothing."
    HeatDemandOk    "heat-demand-ok"    Mend   "The heat network takes what it gets."
}

/// A word that is no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{word}\" is no event; known are {}", known_words())]
pub struct UnknownEvent {
    /// What was given.
    pub word: String,
}

impl FromStr for Event {
    type Err = UnknownEvent;

    fn from_str(word: &str) -> Result<Self, UnknownEvent> {
        let plain = PLAIN.iter().find(|(known, _)| *known == word).map(|(_, event)| *event);
        let outside = || Outside::ALL.into_iter().find(|known| known.word() == word).map(Self::Outside);
        let load = || word.strip_prefix("load-")?.parse().ok().map(Self::Load);
        plain
            .or_else(|| word.parse().ok().map(Self::Break))
            .or_else(|| word.strip_prefix(MEND)?.parse().ok().map(Self::Mend))
            .or_else(|| on_gpu(word, "gpu-lost").map(Self::GpuLost))
            .or_else(|| on_gpu(word, "nvml-hang").map(Self::NvmlHang))
            .or_else(|| of_node(word))
            .or_else(|| {
                GpuFault::ALL.into_iter().find_map(|it| Some(Self::Gpu(it, on_gpu(word, it.word())?)))
            })
            .or_else(|| GpuNumber::ALL.into_iter().find_map(|it| with_number(word, it)))
            .or_else(|| on_wire(word))
            .or_else(load)
            .or_else(outside)
            .ok_or_else(|| UnknownEvent { word: word.to_owned() })
    }
}

/// The faults of the plant that have no word of their own above.
fn of_plant() -> impl Iterator<Item = FaultKind> {
    FaultKind::ALL.into_iter().filter(|kind| PLAIN.iter().all(|(word, _)| *word != kind.name()))
}

fn on_gpu(word: &str, fault: &str) -> Option<usize> {
    match word.strip_prefix(fault)? {
        "" => Some(ANY_GPU),
        suffix => suffix.strip_prefix('-')?.parse().ok(),
    }
}

fn of_node(word: &str) -> Option<Event> {
    NodeEvent::ALL.into_iter().find(|event| event.word() == word).map(Event::Node)
}

fn with_number(word: &str, what: GpuNumber) -> Option<Event> {
    let (index, number) = word.strip_prefix(what.word())?.strip_prefix('-')?.split_once('-')?;
    Some(Event::GpuNumber(what, index.parse().ok()?, number.parse().ok()?))
}

fn on_wire(word: &str) -> Option<Event> {
    let (verb, device) = word.split_once('-')?;
    let wire = Wire::ALL.into_iter().find(|wire| wire.word() == verb)?;
    let kind = DeviceKind::ALL.into_iter().find(|kind| device_name(*kind) == device)?;
    Some(Event::Wire(kind, wire))
}

fn known_words() -> String {
    format!(
        "{}, [{MEND}]({}), {}, {}, gpu-lost[-N], nvml-hang[-N], ({})[-N], ({})-N-NUMBER, ({})-({}), \
         load-(training|inference|idle|full|step|constant:LEVEL)",
        PLAIN.map(|(word, _)| word).join(", "),
        of_plant().map(FaultKind::name).collect::<Vec<_>>().join("|"),
        NodeEvent::ALL.map(NodeEvent::word).join(", "),
        Outside::ALL.map(Outside::word).join(", "),
        GpuFault::ALL.map(GpuFault::word).join("|"),
        GpuNumber::ALL.map(GpuNumber::word).join("|"),
        Wire::ALL.map(Wire::word).join("|"),
        DeviceKind::ALL.map(device_name).join("|"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_event() -> Vec<Event> {
        let wires =
            Wire::ALL.into_iter().flat_map(|wire| DeviceKind::ALL.map(|kind| Event::Wire(kind, wire)));
        let numbered = [0, 7].into_iter().flat_map(|gpu| [Event::GpuLost(gpu), Event::NvmlHang(gpu)]);
        let gpus = GpuFault::ALL.into_iter().flat_map(|fault| [0, 7].map(|gpu| Event::Gpu(fault, gpu)));
        let numbers = GpuNumber::ALL.map(|what| Event::GpuNumber(what, 3, 500));
        let loads = [Workload::Training, Workload::STEP, Workload::Constant { level: 0.5 }].map(Event::Load);
        let outside = Outside::ALL.map(Event::Outside);
        PLAIN
            .map(|(_, event)| event)
            .into_iter()
            .chain(outside)
            .chain(of_plant().flat_map(|kind| [Event::Break(kind), Event::Mend(kind)]))
            .chain(NodeEvent::ALL.map(Event::Node))
            .chain(gpus)
            .chain(numbers)
            .chain(wires)
            .chain(numbered)
            .chain(loads)
            .collect()
    }

    #[test]
    fn every_event_reads_back_from_its_own_word() {
        for event in every_event() {
            let word = event.to_string();
            assert_eq!(word.parse(), Ok(event), "{word}");
            assert!(!word.contains([' ', ',']), "{word} fits into a script");
        }
    }

    #[test]
    fn a_leak_and_the_leak_relay_are_told_apart() {
        assert_eq!("leak".parse(), Ok(Event::Leak));
        assert_eq!("silence-leak".parse(), Ok(Event::Wire(DeviceKind::LeakRelay, Wire::Silence)));
        assert_eq!("leak-sensor-fault".parse(), Ok(Event::LeakSensorFault));
    }

    #[test]
    fn every_fault_of_the_plant_can_come_and_go_by_its_name() {
        for kind in FaultKind::ALL {
            assert!(kind.name().parse::<Event>().is_ok(), "{kind}");
            assert_eq!(format!("mend-{kind}").parse(), Ok(Event::Mend(kind)));
        }
        assert_eq!("pump-trip".parse(), Ok(Event::PumpTrip), "it has its own word");
        assert_eq!("sticky-valve".parse(), Ok(Event::Break(FaultKind::StickyValve)));
    }

    #[test]
    fn an_unknown_word_is_answered_with_all_known_ones() {
        for word in [
            "pump-tripp",
            "",
            "silence-",
            "gpu-xid-3",
            "gpu-ecc-",
            "foreign-limit-0-x",
            "silence-gpu",
            "gpu-lost-",
            "gpu-lost--1",
            "PUMP-TRIP",
            "load-",
        ] {
            let error = word.parse::<Event>().unwrap_err().to_string();
            assert!(
                error.contains("pump-trip") && error.contains("silence") && error.contains("meter"),
                "{error}"
            );
        }
    }
}
