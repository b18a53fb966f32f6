//! Several devices on one fake wire, in virtual time.

use std::time::Duration;

use eisbach_protocol::registers::{Profile, Signal};
use eisbach_protocol::units::Millis;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::fake_wire::FakeWire;
use crate::clock::Clock;
use crate::modbus::device::{DeviceLink, DeviceSettings, spawn_over};
use crate::modbus::ledger::Budgets;
use crate::modbus::wire::Wire;

/// How long a request may take on the fake wire.
pub(super) const DEADLINE_MS: u64 = 500;
/// Time between two reads of a fast point.
pub(super) const POLL_MS: u64 = 100;

/// Two points that are read with requests of the same length, and two commands.
const STATION: &str = r#"
name = "station"
device = "Station"
sources = { test = "a test" }
link = { max_words = 60, timeout_ms = 500 }
identity = { table = "holding", address = 29, expect = { one_of = [] } }
watchdog = { none = { source = "test", grade = "A" } }
[[commands]]
control = "pump_run"
address = 100
form = { word = { on = 3, off = 1, allow_mask = 3 } }
refresh_ms = 60000
min_interval_ms = 50
persistence = "volatile"
safe = 1.0
source = "test"
grade = "A"
[[commands]]
control = "pump_speed"
address = 103
form = { number = { scale = 0.01, low = 0.0, high = 100.0, dead_band = 0.1 } }
refresh_ms = 60000
min_interval_ms = 50
persistence = "volatile"
safe = 100.0
source = "test"
grade = "A"
[[points]]
signal = "flow"
table = "holding"
address = 200
encoding = "u16"
low = 0.0
high = 65535.0
source = "test"
grade = "A"
[[points]]
signal = "pump_head"
table = "holding"
address = 300
encoding = "u16"
low = 0.0
high = 65535.0
source = "test"
grade = "A"
"#;

/// The station with `unit`'s own identity.
pub(super) fn station(unit: u8) -> Profile {
    let identity = 29 + 10_000 * u16::from(unit);
    toml::from_str(&STATION.replace("one_of = []", &format!("one_of = [{identity}]"))).unwrap()
}

pub(super) fn on_the_bus(unit: u8, profile: Profile) -> DeviceSettings {
    DeviceSettings {
        name: format!("unit{unit}"),
        wire: Wire::Tcp { address: "fake:502".to_owned() },
        unit,
        profile,
        poll_ms: POLL_MS,
        stale_ms: 1_000,
    }
}

/// The links to the devices of one wire, and the task that serves them.
pub(super) struct BusRig {
    pub(super) links: Vec<DeviceLink>,
    pub(super) wire: FakeWire,
    pub(super) clock: Clock,
    _tasks: JoinSet<()>,
}

impl BusRig {
    /// Stations with these units.
    pub(super) fn stations(wire: &FakeWire, clock: Clock, units: &[u8]) -> Self {
        let settings = units.iter().map(|&unit| on_the_bus(unit, station(unit))).collect();
        Self::new(wire, clock, settings)
    }

    pub(super) fn new(wire: &FakeWire, clock: Clock, settings: Vec<DeviceSettings>) -> Self {
        let mut tasks = JoinSet::new();
        let connect = |_: &Wire| wire.clone();
        let token = CancellationToken::new();
        let links = spawn_over(connect, &mut tasks, settings, &Budgets::in_memory(), clock, &token);
        Self { links, wire: wire.clone(), clock, _tasks: tasks }
    }

    /// Lets `duration_ms` pass, and has every value that is ever shown checked: it is the right one or none.
    pub(super) async fn pass(&self, duration_ms: u64) {
        let end = self.clock.now() + Millis::new(duration_ms);
        while self.clock.now() < end {
            sleep(Duration::from_millis(5)).await;
            self.links.iter().for_each(|link| self.only_truth(link));
        }
    }

    #[track_caller]
    fn only_truth(&self, link: &DeviceLink) {
        let base = 10_000.0 * f32::from(link.unit());
        for (signal, address) in [(Signal::Flow, 200.0), (Signal::PumpHead, 300.0)] {
            if let Some(value) = link.reading(signal, self.clock.now()).last_known() {
                let (unit, truth) = (link.unit(), base + address);
                assert!((value - truth).abs() < 1.0, "unit {unit}: {value} where {truth} belongs");
            }
        }
    }

    /// Age of the flow of the device in this place.
    pub(super) fn age(&self, place: usize) -> u64 {
        self.links[place].reading(Signal::Flow, self.clock.now()).age().get()
    }
}
