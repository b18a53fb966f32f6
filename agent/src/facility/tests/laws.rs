//! Any order of events, read by a strict host: it never sees a broken rule, and in the end it sees the node.

use eisbach_control::AlarmState;
use eisbach_protocol::catalogue::{PointId, PointValue};
use eisbach_protocol::reading::{BadReason, Reading};
use eisbach_protocol::units::Millis;
use proptest::prelude::*;

use super::host::Host;
use super::world::{World, float, good, rebirth_request};
use crate::facility::face::Inbound;
use crate::facility::sparkplug::REBIRTH_PAUSE;

#[derive(Clone, Debug)]
enum Step {
    Connect(u8),
    Lose,
    Pass(u64),
    Cycle,
    Set(&'static str, PointId, Reading<PointValue>),
    Online(&'static str, bool),
    Alarm(prop::sample::Index),
    AskForRebirth,
    Garbage(Vec<u8>),
    Room(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    let reading = prop_oneof![
        4 => (40.0_f32..60.0).prop_map(float),
        1 => Just(float(f32::NAN)),
        1 => Just(Reading::bad(BadReason::CommLost)),
        1 => (40.0_f32..60.0).prop_map(|value| float(value).aged(Millis::new(9), Millis::new(1))),
        1 => (40.0_f32..60.0).prop_map(|value| Reading::estimated(PointValue::Float(value), Millis::ZERO)),
    ];
    let point = prop_oneof![
        Just(("gpu0", PointId::GpuTemperature)),
        Just(("gpu1", PointId::GpuPower)),
        Just(("pump", PointId::PumpSpeed)),
        Just(("node", PointId::NodeMargin)),
    ];
    let device = prop_oneof![Just("gpu0"), Just("gpu1"), Just("pump")];
    prop_oneof![
        1 => any::<u8>().prop_map(Step::Connect),
        1 => Just(Step::Lose),
        3 => (0_u64..4000).prop_map(Step::Pass),
        8 => Just(Step::Cycle),
        6 => (point, reading).prop_map(|((name, id), reading)| Step::Set(name, id, reading)),
        1 => (0_i64..500).prop_map(|count| Step::Set("node", PointId::NodeCycles, good(PointValue::Int(count)))),
        2 => (device, any::<bool>()).prop_map(|(name, online)| Step::Online(name, online)),
        1 => any::<prop::sample::Index>().prop_map(Step::Alarm),
        1 => Just(Step::AskForRebirth),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Step::Garbage),
        2 => prop_oneof![0_usize..8, Just(usize::MAX)].prop_map(Step::Room),
    ]
}

fn take(world: &mut World, host: &mut Host, step: Step) {
    match step {
        Step::Connect(bd_seq) => {
            *host = Host::default();
            world.connect(bd_seq);
        }
        Step::Lose => world.session.lost(),
        Step::Pass(time_ms) => world.pass(Millis::new(time_ms)),
        Step::Cycle => world.cycle(),
        Step::Set(name, point, reading) => world.set(name, point, reading),
        Step::Online(name, online) => world.object(name).online = online,
        Step::Alarm(which) => {
            let which = which.index(world.report.alarms.len());
            let state = &mut world.report.alarms[which].state;
            *state = if state.is_active() { AlarmState::Normal } else { AlarmState::Unacked };
        }
        Step::AskForRebirth => world.command(&rebirth_request()),
        Step::Garbage(payload) => world.command(&Inbound { payload, ..rebirth_request() }),
        Step::Room(room) => world.room(room),
    }
    for sent in world.sent() {
        host.observe(&sent);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_strict_host_finds_no_fault_and_in_the_end_sees_the_node(
        steps in prop::collection::vec(any_step(), 0..150),
        ends_connected in any::<bool>(),
    ) {
        let (mut world, mut host) = (World::new(), Host::default());
        for step in steps {
            take(&mut world, &mut host, step);
        }
        take(&mut world, &mut host, Step::Room(usize::MAX));
        if !(ends_connected && world.session.state() != crate::facility::FacilityState::Offline) {
            take(&mut world, &mut host, Step::Connect(0));
        }
        take(&mut world, &mut host, Step::Pass(REBIRTH_PAUSE.get()));
        take(&mut world, &mut host, Step::Cycle);
        host.agrees_with(&world.report);
        let words = { take(&mut world, &mut host, Step::Cycle); world.words() };
        prop_assert!(words.is_empty(), "and then it is quiet: {words:?}");
    }
}
