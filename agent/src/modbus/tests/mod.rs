//! Links against devices that misbehave: on a real socket, and on a fake wire in virtual time.

mod bus_rig;
mod fake_slave;
mod fake_wire;

mod commissioning;
mod failsafe;
mod faults;
mod lifecycle;
mod operator;
mod priorities;
mod quarantine;
mod readings;
mod sharing;
mod silence;
mod writes;

use std::time::Duration;

use eisbach_protocol::registers::{Control, Profile};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use self::fake_slave::FakeSlave;
use super::device::{DeviceLink, DeviceSettings, spawn_all};
use super::state::{Image, Sample};
use super::wire::Wire;
use super::write_state::Verified;
use crate::clock::Clock;

/// Points and commands over every table; the fake slave's registers hold their own address.
const BENCH: &str = r#"
name = "bench"
device = "Bench"
sources = { test = "a test" }
link = { max_words = 60, timeout_ms = 500 }
identity = { table = "holding", address = 29, expect = { one_of = [29] } }
watchdog = { none = { source = "test", grade = "A" } }
[[presets]]
address = 101
value = 0
meaning = "mode"
source = "test"
grade = "A"
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
address = 204
encoding = "u16"
low = 0.0
high = 65535.0
source = "test"
grade = "A"
[[points]]
signal = "dew_point"
table = "input"
address = 300
encoding = "u16"
low = 0.0
high = 65535.0
source = "test"
grade = "A"
[[points]]
signal = "leak"
table = "discrete"
address = 7
encoding = { bit = 0 }
low = 0.0
high = 1.0
source = "test"
grade = "A"
"#;

/// What the points of [`BENCH`] read, in its order.
const TRUTH: [f32; 4] = [200.0, 204.0, 300.0, 1.0];

/// A condition that does not come true within this time never will.
const PATIENCE: Duration = Duration::from_secs(20);

/// Long enough for a busy machine never to make a fresh value stale by itself.
const STALE_MS: u64 = 60_000;

pub(super) fn bench() -> Profile {
    toml::from_str(BENCH).unwrap()
}

/// The links of one test and their tasks.
struct Rig {
    tasks: JoinSet<()>,
    token: CancellationToken,
    clock: Clock,
}

impl Rig {
    fn new() -> Self {
        Self { tasks: JoinSet::new(), token: CancellationToken::new(), clock: Clock::start() }
    }

    fn link(&mut self, address: &str, profile: Profile) -> DeviceLink {
        self.start(settings("bench", address, profile))
    }

    fn start(&mut self, settings: DeviceSettings) -> DeviceLink {
        let links = spawn_all(&mut self.tasks, vec![settings], None, self.clock, &self.token);
        links.into_iter().next().unwrap()
    }

    /// Asks for `value` until the device is seen to hold it.
    async fn obeyed(&mut self, link: &DeviceLink, control: Control, value: f32) {
        let asking = self.keep_asking(link, control, value);
        let held = |verified: &Verified| (verified.value - value).abs() < 0.005;
        until(link, |image| {
            image.writes.iter().filter_map(|write| write.verified).any(|verified| held(&verified))
        })
        .await;
        asking.cancel();
    }

    /// Asks for `value` again and again, as the cycle does.
    fn keep_asking(&mut self, link: &DeviceLink, control: Control, value: f32) -> CancellationToken {
        let (link, stop) = (link.clone(), CancellationToken::new());
        let stopped = stop.clone();
        self.tasks.spawn(async move {
            let asking = async {
                loop {
                    link.request(control, value);
                    sleep(Duration::from_millis(20)).await;
                }
            };
            stopped.run_until_cancelled(asking).await;
        });
        stop
    }
}

fn settings(name: &str, address: &str, profile: Profile) -> DeviceSettings {
    DeviceSettings {
        name: name.to_owned(),
        wire: Wire::Tcp { address: address.to_owned() },
        unit: 17,
        profile,
        poll_ms: 20,
        stale_ms: STALE_MS,
    }
}

/// An address where nobody listens. Each test that needs one names a loopback address of its own, so that no other
/// test's slave is ever given the same port.
async fn free_address(loopback: &str) -> String {
    FakeSlave::at(loopback, |_| None).await.address
}

/// Waits for the link's image to satisfy `condition`.
async fn until(link: &DeviceLink, mut condition: impl FnMut(&Image) -> bool) {
    let mut image = link.cells.image.subscribe();
    let outcome = timeout(PATIENCE, image.wait_for(|image| condition(image))).await;
    assert!(outcome.is_ok(), "never came true; the link is {:?}", link.state());
}

/// Waits until the link asked `more` times from now.
async fn requests(link: &DeviceLink, more: u64) {
    let before = link.counters().requests;
    until(link, |image| image.counters.requests >= before + more).await;
}

/// Waits until every point has a value that was read after now, and checks each.
async fn all_true(link: &DeviceLink, clock: Clock) {
    let since = clock.now();
    until(link, |image| {
        let fresh =
            |cell: &Option<Sample>| cell.is_some_and(|sample| sample.outcome.is_ok() && sample.at > since);
        only_truth(image);
        image.points.iter().take(TRUTH.len()).all(fresh)
    })
    .await;
}

/// No point holds anything but its truth.
#[track_caller]
fn only_truth(image: &Image) {
    for (cell, truth) in image.points.iter().zip(TRUTH) {
        if let Some(Ok(value)) = cell.map(|sample| sample.outcome) {
            assert!((value - truth).abs() < f32::EPSILON, "read {value} where {truth} belongs");
        }
    }
}
