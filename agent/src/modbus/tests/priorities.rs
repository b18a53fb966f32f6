//! Who goes first on a busy wire.

use std::time::Duration;

use super::bus_rig::{BusRig, on_the_bus, station};
use super::fake_wire::{Asked, EXCHANGE, FakeWire, Fate};
use crate::clock::Clock;
use crate::modbus::bus::{Medium, Request};
use eisbach_protocol::registers::{Control, PollClass, Signal};
use eisbach_protocol::units::Millis;
use tokio::time::sleep;

const EXCHANGE_MS: u64 = 20;

/// So many stations that there is always a read overdue.
const MANY: [u8; 6] = [1, 2, 3, 4, 5, 6];

async fn busy() -> BusRig {
    let clock = Clock::start();
    let wire = FakeWire::sound(Medium::Anonymous, clock);
    let rig = BusRig::stations(&wire, clock, &MANY);
    rig.pass(1_000).await;
    // What a device holds is looked at once before its first write.
    rig.links.iter().for_each(|link| link.request(Control::PumpSpeed, 5.0));
    rig.pass(5_000).await;
    let reads = wire.asked(|asked| asked.at > Millis::new(5_000)).len();
    assert!(reads >= 45, "the wire is busy all the time: {reads} exchanges in a second");
    rig
}

/// When the first write after `since` to the unit was sent.
fn written(rig: &BusRig, unit: u8, since: Millis) -> Option<Asked> {
    rig.wire.asked(|asked| asked.unit == unit && asked.writes() && asked.at >= since).first().copied()
}

#[tokio::test(start_paused = true)]
async fn i02_a_write_waits_for_no_more_than_the_one_exchange_on_the_wire() {
    assert_eq!(EXCHANGE.as_millis(), u128::from(EXCHANGE_MS));
    let rig = busy().await;
    for round in 0..60_u8 {
        let place = usize::from(round) % MANY.len();
        sleep(Duration::from_millis(301 + u64::from(round) % 23)).await;
        let since = rig.clock.now();
        rig.links[place].request(Control::PumpSpeed, f32::from(round) + 10.0);
        sleep(Duration::from_millis(2 * EXCHANGE_MS)).await;
        let write = written(&rig, MANY[place], since).expect("written");
        let waited = write.at.since(since).get();
        assert!(waited <= EXCHANGE_MS, "round {round}: waited {waited} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn writes_to_all_units_at_once_go_before_all_reads() {
    let rig = busy().await;
    let since = rig.clock.now();
    for link in &rig.links {
        link.request(Control::PumpSpeed, 50.0);
    }
    sleep(Duration::from_millis(20 * EXCHANGE_MS)).await;
    let log = rig.wire.asked(|asked| asked.at > since);
    let polls = |asked: &Asked| asked.reads(200) || asked.reads(300);
    let written = log.iter().take_while(|asked| !polls(asked)).filter(|asked| asked.writes()).count();
    assert_eq!(written, MANY.len(), "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn i01_reads_go_on_however_much_is_written() {
    let rig = busy().await;
    let (mut oldest, mut value) = (0, 0_u16);
    for _ in 0..600 {
        value = (value + 7) % 97;
        for link in &rig.links {
            link.request(Control::PumpSpeed, f32::from(value));
        }
        rig.pass(50).await;
        oldest = (0..MANY.len()).map(|place| rig.age(place)).max().unwrap().max(oldest);
    }
    assert!(oldest < 5_000, "the oldest value was {oldest} ms old");
    let counts = |writes: bool| rig.wire.asked(|asked| asked.writes() == writes).len();
    assert!(counts(true) > 300 && counts(false) > 300);
}

#[tokio::test(start_paused = true)]
async fn slow_points_are_read_seldom_and_never_starve() {
    let clock = Clock::start();
    let wire = FakeWire::sound(Medium::Transactions, clock);
    let settings = MANY.iter().map(|&unit| {
        let mut profile = station(unit);
        profile.points[1].poll = PollClass::Slow;
        on_the_bus(unit, profile)
    });
    let rig = BusRig::new(&wire, clock, settings.collect());
    rig.pass(60_000).await;
    for unit in MANY {
        let slow = wire.asked(|asked| asked.unit == unit && asked.reads(300)).len();
        let fast = wire.asked(|asked| asked.unit == unit && asked.reads(200)).len();
        assert!((14..=61).contains(&slow) && fast > 7 * slow, "unit {unit}: {slow} slow reads, {fast} fast");
    }
}

#[tokio::test(start_paused = true)]
async fn the_gap_that_a_unit_needs_is_kept_around_its_exchanges() {
    let clock = Clock::start();
    let wire = FakeWire::sound(Medium::Anonymous, clock);
    let mut slow = station(2);
    slow.link.min_gap_ms = 30;
    let rig = BusRig::new(&wire, clock, vec![on_the_bus(1, station(1)), on_the_bus(2, slow)]);
    rig.pass(5_000).await;
    let log = wire.asked(|_| true);
    let mut mixed = 0;
    for two in log.windows(2) {
        let gap = two[1].at.since(two[0].at).get() - EXCHANGE_MS;
        if two.iter().any(|asked| asked.unit == 2) {
            assert!(gap >= 30, "{two:?}");
            mixed += 1;
        }
    }
    assert!(mixed > 50);
}

#[tokio::test(start_paused = true)]
async fn a_busy_device_does_not_hold_the_wire() {
    let clock = Clock::start();
    let wire = FakeWire::sound(Medium::Transactions, clock);
    let rig = BusRig::stations(&wire, clock, &[1, 2]);
    rig.pass(1_000).await;
    let from = clock.now();
    wire.scheme(|asked| (asked.unit == 1 && asked.reads(200)).then_some(Fate::Exception(0x06)));
    rig.pass(10_000).await;
    let others = wire.asked(|asked| asked.unit == 2 && asked.reads(200) && asked.at > from).len();
    let busy = wire.asked(|asked| asked.unit == 1 && asked.reads(200) && asked.at > from).len();
    assert!(others >= 95, "{others} of 100");
    assert!(busy <= 3 * 101, "asked {busy} times in 100 periods");
    assert!(
        rig.links[0].reading(Signal::Flow, clock.now()).last_known().is_some(),
        "the old value grows old"
    );
}

#[tokio::test(start_paused = true)]
async fn i07_a_heartbeat_comes_from_completed_cycles_only() {
    let clock = Clock::start();
    let wire = FakeWire::sound(Medium::Transactions, clock);
    let mut profile = station(1);
    let heartbeat =
        "watchdog = { heartbeat = { address = 110, period_ms = 200, source = \"test\", grade = \"A\" } }";
    let parsed: toml::Table = toml::from_str(heartbeat).unwrap();
    profile.watchdog = Some(parsed["watchdog"].clone().try_into().unwrap());
    let rig = BusRig::new(&wire, clock, vec![on_the_bus(1, profile)]);
    let beats = || wire.asked(|asked| matches!(asked.request, Request::Write { address: 110, .. })).len();
    rig.pass(2_000).await;
    assert_eq!(beats(), 0, "no cycle, no heartbeat");
    for cycle in 1..=100 {
        rig.links[0].beat(cycle);
        rig.pass(100).await;
    }
    let alive = beats();
    assert!((45..=51).contains(&alive), "{alive} beats in 10 s");
    rig.pass(5_000).await;
    assert!(beats() <= alive + 1, "a hung cycle stops it");
}
