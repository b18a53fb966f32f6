//! The keys of the dashboard: each breaks something, and mends it when pressed again.

use std::collections::BTreeSet;

use crate::devices::DeviceKind;
use crate::workload::Workload;
use crate::world::{Event, Outside, Wire};

/// One key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// The key.
    pub(crate) key: char,
    /// What it does, in a word or two.
    pub(crate) label: &'static str,
    on: Event,
    off: Option<Event>,
}

/// What a pressed key means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Press {
    /// An event.
    Do(Event),
    /// The end.
    Quit,
}

/// GPU that the keys take away.
const GPU: usize = 3;

/// Every key, in the order of the help line.
pub(crate) const KEYS: [Key; 15] = [
    toggle('p', "trip pump", Event::PumpTrip, Event::PumpOk),
    toggle('f', "no flow", Event::FlowLoss, Event::FlowOk),
    toggle('l', "leak", Event::Leak, Event::LeakDry),
    silence('1', "mute pump", DeviceKind::Pump),
    silence('2', "valve", DeviceKind::Valve),
    silence('3', "meter", DeviceKind::HeatMeter),
    silence('4', "room", DeviceKind::AirSensor),
    silence('5', "rope", DeviceKind::LeakRelay),
    toggle('g', "lose GPU", Event::GpuLost(GPU), Event::GpuBack),
    toggle('h', "hang NVML", Event::NvmlHang(GPU), Event::NvmlOk),
    toggle('b', "cut broker", Event::Outside(Outside::BrokerCut), Event::Outside(Outside::BrokerOk)),
    toggle('r', "hot river", Event::RiverHot, Event::RiverNormal),
    toggle('d', "no demand", Event::HeatDemandLost, Event::HeatDemandOk),
    toggle('w', "full load", Event::Load(Workload::Full), Event::Load(Workload::Training)),
    Key { key: 'k', label: "kill agent", on: Event::Outside(Outside::KillAgent), off: None },
];

const fn toggle(key: char, label: &'static str, on: Event, off: Event) -> Key {
    Key { key, label, on, off: Some(off) }
}

const fn silence(key: char, label: &'static str, kind: DeviceKind) -> Key {
    toggle(key, label, Event::Wire(kind, Wire::Silence), Event::Wire(kind, Wire::Answer))
}

/// Which keys are down.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    down: BTreeSet<char>,
}

impl Keys {
    /// What this key means now.
    pub(crate) fn press(&mut self, key: char) -> Option<Press> {
        if key == 'q' {
            return Some(Press::Quit);
        }
        let known = KEYS.iter().find(|known| known.key == key)?;
        let event = match known.off {
            Some(off) if self.down.remove(&key) => off,
            Some(_) => {
                self.down.insert(key);
                known.on
            }
            None => known.on,
        };
        Some(Press::Do(event))
    }

    /// Something happened, by key or by script: the keys follow.
    pub(crate) fn happened(&mut self, event: Event) {
        for known in &KEYS {
            if known.off == Some(event) {
                self.down.remove(&known.key);
            } else if known.off.is_some() && known.on == event {
                self.down.insert(known.key);
            }
        }
    }

    /// Whether what this key breaks is broken.
    #[must_use]
    pub(crate) fn is_down(&self, key: &Key) -> bool {
        self.down.contains(&key.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_breaks_and_then_mends() {
        let mut keys = Keys::default();
        assert_eq!(keys.press('p'), Some(Press::Do(Event::PumpTrip)));
        assert_eq!(keys.press('p'), Some(Press::Do(Event::PumpOk)));
        assert_eq!(keys.press('p'), Some(Press::Do(Event::PumpTrip)));
    }

    #[test]
    fn every_key_is_its_own_and_q_ends() {
        let own: BTreeSet<char> = KEYS.iter().map(|key| key.key).collect();
        assert_eq!(own.len(), KEYS.len());
        assert!(!own.contains(&'q'));
        assert_eq!(Keys::default().press('q'), Some(Press::Quit));
        assert_eq!(Keys::default().press('x'), None);
    }

    #[test]
    fn keys_follow_the_script() {
        let mut keys = Keys::default();
        keys.happened(Event::PumpTrip);
        assert_eq!(keys.press('p'), Some(Press::Do(Event::PumpOk)));
        assert_eq!(keys.press('k'), Some(Press::Do(Event::Outside(Outside::KillAgent))));
        assert_eq!(keys.press('k'), Some(Press::Do(Event::Outside(Outside::KillAgent))));
    }
}
