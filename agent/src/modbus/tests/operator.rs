//! A person at the device's own panel, in virtual time.

use super::bus_rig::{BusRig, on_the_bus, station};
use super::fake_wire::{Asked, FakeWire};
use super::*;
use crate::modbus::bus::{Medium, Request};
use eisbach_protocol::registers::{Authority, Signal};

#[tokio::test(start_paused = true)]
async fn i05_a_device_that_a_person_gives_back_gets_its_presets_and_then_its_commands() {
    let clock = Clock::start();
    let wire = FakeWire::sound(Medium::Transactions, clock);
    let mut profile = station(1);
    profile.presets = bench().presets;
    profile.points[0].signal = Signal::PumpLocal;
    profile.authority = Authority::LocalRemote { local: Signal::PumpLocal };
    let has_it = |local: u16| wire.inside().registers.insert((1, 200), local);
    has_it(1);
    let rig = BusRig::new(&wire, clock, vec![on_the_bus(1, profile)]);
    let asking = async |seconds: u64| {
        for _ in 0..seconds * 10 {
            rig.links[0].request(Control::PumpSpeed, 50.0);
            sleep(Duration::from_millis(100)).await;
        }
    };
    asking(5).await;
    assert_eq!(wire.asked(Asked::writes), [], "not even a preset");
    has_it(0);
    asking(5).await;
    let writes: Vec<_> = wire.asked(Asked::writes).iter().map(|asked| asked.request).collect();
    assert_eq!(
        writes,
        [Request::Write { address: 101, word: 0 }, Request::Write { address: 103, word: 5_000 }]
    );
}
