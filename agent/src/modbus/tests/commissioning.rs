//! What protects a device when the agent falls silent, and the one look at everything.

use super::bus_rig::{BusRig, on_the_bus, station};
use super::fake_wire::{Asked, FakeWire, Fate};
use crate::clock::Clock;
use crate::modbus::bus::Medium;
use crate::modbus::commission::{DeviceCheck, Protection, probe_devices_over};
use crate::modbus::device::DeviceSettings;
use eisbach_protocol::registers::{Profile, Watchdog};
use tokio::time::sleep;

fn watchdog(text: &str) -> Option<Watchdog> {
    let parsed: toml::Table = toml::from_str(&format!("watchdog = {text}")).unwrap();
    Some(parsed["watchdog"].clone().try_into().unwrap())
}

/// A timer in register 109 and its action in 108.
pub(super) fn guarded(unit: u8) -> Profile {
    let mut profile = station(unit);
    profile.watchdog = watchdog(
        "{ timer = { timeout = { table = \"holding\", address = 109, ms_per_count = 1000, low = 130, high = 600 }, \
         action = { table = \"holding\", address = 108, one_of = [2] }, source = \"test\", grade = \"A\" } }",
    );
    profile
}

async fn pass(ms: u64) {
    sleep(std::time::Duration::from_millis(ms)).await;
}

#[tokio::test(start_paused = true)]
async fn a_watchdog_is_read_after_the_probe_and_every_five_minutes_and_never_written() {
    let clock = Clock::start();
    let wire = FakeWire::sound(Medium::Transactions, clock);
    wire.inside().registers.extend([((1, 109), 200), ((1, 108), 0)]);
    let rig = BusRig::new(&wire, clock, vec![on_the_bus(1, guarded(1))]);
    assert!(matches!(rig.links[0].protection(), Protection::Unknown { .. }));
    pass(1_000).await;
    assert!(
        matches!(rig.links[0].protection(), Protection::Unprotected { why } if why.contains("fail action"))
    );
    wire.inside().registers.insert((1, 108), 2);
    pass(301_000).await;
    assert_eq!(rig.links[0].protection(), Protection::Protected { after_ms: Some(200_000) });
    wire.inside().registers.insert((1, 109), 0);
    pass(301_000).await;
    assert!(matches!(rig.links[0].protection(), Protection::Unprotected { .. }));
    assert_eq!(wire.asked(|asked| asked.reads(109)).len(), 3);
    assert!(wire.asked(Asked::writes).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_watchdog_that_the_device_does_not_show_is_unknown() {
    let clock = Clock::start();
    let wire = FakeWire::scheming(Medium::Transactions, clock, |asked| {
        asked.reads(109).then_some(Fate::Exception(0x02))
    });
    let rig = BusRig::new(&wire, clock, vec![on_the_bus(1, guarded(1))]);
    pass(1_000).await;
    assert!(matches!(rig.links[0].protection(), Protection::Unknown { why } if why.contains("109")));
}

async fn survey(wire: &FakeWire, settings: &[DeviceSettings], clock: Clock) -> Vec<DeviceCheck> {
    let checks = probe_devices_over(|_| wire.clone(), settings, clock).await;
    assert!(wire.asked(Asked::writes).is_empty(), "a probe never writes");
    assert!(checks.iter().zip(settings).all(|(check, settings)| check.name == settings.name));
    checks
}

#[tokio::test(start_paused = true)]
async fn a_probe_says_everything_about_every_device_and_writes_nothing() {
    let clock = Clock::start();
    let wire =
        FakeWire::scheming(Medium::Anonymous, clock, |asked| (asked.unit == 3).then_some(Fate::Silence));
    wire.inside().registers.extend([((1, 109), 200), ((1, 108), 2), ((2, 29), 7)]);
    let mut preset = guarded(1);
    preset.presets = toml::from_str::<Profile>(&toml::to_string(&station(1)).unwrap().replace(
        "presets = []",
        "presets = [{ address = 101, value = 5, meaning = \"mode\", source = \"test\", grade = \"A\" }]",
    ))
    .unwrap()
    .presets;
    let settings = [
        on_the_bus(1, preset),
        on_the_bus(2, station(2)),
        on_the_bus(3, station(3)),
        on_the_bus(4, station(4)),
    ];
    let checks = survey(&wire, &settings, clock).await;
    let [sound, strange, silent, last] = checks.as_slice() else { panic!("{checks:?}") };

    assert!(sound.reached && sound.identity_ok == Some(true) && sound.error.is_none(), "{sound:?}");
    assert_eq!((sound.presets[0].wanted, sound.presets[0].found), (5, Some(10_101)));
    assert_eq!(sound.protection, Protection::Protected { after_ms: Some(200_000) });
    assert_eq!(
        sound.watchdog.iter().map(|register| (register.address, register.ok)).collect::<Vec<_>>(),
        [(109, true), (108, true)]
    );
    assert_eq!(
        sound.points.iter().map(|point| point.value).collect::<Vec<_>>(),
        [Some(10_200.0), Some(10_300.0)]
    );
    assert!(sound.points.iter().all(|point| point.quality == "good"));
    assert_eq!(sound.round_trips.requests, 6);

    assert_eq!(strange.identity_ok, Some(false));
    assert!(strange.stranger.as_deref().is_some_and(|said| said.contains("holds [7]")), "{strange:?}");
    assert!(strange.points.is_empty());

    assert!(!silent.reached && silent.identity_ok.is_none());
    assert!(silent.error.as_deref().is_some_and(|said| said.contains("no answer")), "{silent:?}");

    assert!(last.reached && matches!(last.protection, Protection::Unprotected { .. }));
    let json = serde_json::to_string(&checks).unwrap();
    for word in
        ["\"verdict\":\"protected\"", "\"signal\":\"flow\"", "\"expected\":\"130 to 600, 1000 ms each\""]
    {
        assert!(json.contains(word), "{word} in {json}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_ends_whatever_a_device_does() {
    for fate in
        [Fate::Silence, Fate::Exception(0x02), Fate::Exception(0x06), Fate::Exception(0x0B), Fate::Close]
    {
        let clock = Clock::start();
        let wire =
            FakeWire::scheming(Medium::Transactions, clock, move |asked| (!asked.reads(29)).then_some(fate));
        let checks = survey(&wire, &[on_the_bus(1, station(1))], clock).await;
        assert!(checks[0].points.iter().all(|point| point.value.is_none()), "{fate:?}");
        assert!(clock.now().get() < 60_000, "{fate:?} took {}", clock.now());
    }
}
