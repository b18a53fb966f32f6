//! What a host did not hear, on the bare session.

use eisbach_protocol::alarm::Alarm;
use eisbach_protocol::catalogue::PointId;
use eisbach_protocol::sparkplug::{Metric, Value};
use eisbach_protocol::units::Millis;

use super::world::{EPOCH_MS, Sent, World, float};
use crate::report::events::{AlarmChange, AlarmEvent, EventKind, Events};

/// Every metric that was sent as history, with the object it went to.
fn historical(sent: &[Sent]) -> Vec<(String, Metric)> {
    let data = sent.iter().filter(|sent| sent.word().contains("DATA"));
    let metrics =
        data.flat_map(|sent| sent.payload().metrics.iter().map(|metric| (sent.word(), metric.clone())));
    metrics.filter(|(_, metric)| metric.is_historical()).collect()
}

fn away_for(world: &mut World, seconds: u64) {
    for second in 0..seconds {
        world.set("gpu0", PointId::GpuTemperature, float(f32::from(u16::try_from(second).unwrap())));
        world.cycle();
        world.pass(Millis::from_secs(1));
    }
}

/// All that is sent in so many reports.
fn cycles(world: &mut World, count: usize) -> Vec<Sent> {
    let mut all = Vec::new();
    for _ in 0..count {
        world.pass(Millis::new(100));
        world.cycle();
        all.extend(world.sent());
    }
    all
}

/// All that is sent on a new connection in a second.
fn reconnected(world: &mut World) -> Vec<Sent> {
    world.connect(8);
    let mut sent = world.sent();
    sent.extend(cycles(world, 10));
    sent
}

#[test]
fn what_changed_while_nobody_heard_follows_the_births_as_history() {
    let mut world = World::born();
    world.session.lost();
    away_for(&mut world, 60);
    let sent = reconnected(&mut world);
    let words: Vec<_> = sent.iter().map(Sent::word).collect();
    assert_eq!(words[2..6], ["NBIRTH", "DBIRTH gpu0", "DBIRTH gpu1", "DBIRTH pump"], "births come first");
    let told = historical(&sent);
    assert!((5..=7).contains(&told.len()), "one change each ten seconds: {told:?}");
    assert!(told.iter().all(|(word, _)| word == "DDATA gpu0"));
    let times: Vec<_> = told.iter().map(|(_, metric)| metric.timestamp_ms().unwrap()).collect();
    assert!(times.is_sorted() && times.windows(2).all(|pair| pair[1] - pair[0] == 10_000), "{times:?}");
    assert!(historical(&cycles(&mut world, 10)).is_empty(), "once");
}

#[test]
fn history_takes_its_place_in_the_order_of_messages() {
    let mut world = World::born();
    world.session.lost();
    away_for(&mut world, 30);
    let sent = reconnected(&mut world);
    let numbers: Vec<_> = sent
        .iter()
        .filter(|sent| sent.word() != "SUBSCRIBE")
        .map(|sent| sent.payload().seq.unwrap())
        .collect();
    assert!(numbers.iter().copied().eq(0..u8::try_from(numbers.len()).unwrap()), "{numbers:?}");
}

#[test]
fn a_host_that_was_there_to_the_end_hears_nothing_twice() {
    let mut world = World::born();
    for second in 0_u16..60 {
        world.set("gpu0", PointId::GpuTemperature, float(f32::from(second)));
        world.pass(Millis::from_secs(1));
        world.cycle();
    }
    assert!(world.stop());
    world.session.lost();
    assert!(historical(&reconnected(&mut world)).is_empty());
}

#[test]
fn what_may_have_gone_into_a_dead_connection_is_told_again() {
    let mut world = World::born();
    for second in 0_u16..120 {
        world.set("gpu0", PointId::GpuTemperature, float(f32::from(second)));
        world.pass(Millis::from_secs(1));
        world.cycle();
    }
    world.session.lost();
    let told = historical(&reconnected(&mut world));
    assert!((2..=4).contains(&told.len()), "the last half minute: {told:?}");
}

#[test]
fn an_alarm_that_went_into_a_dead_connection_is_told_again() {
    let mut world = World::born();
    let event =
        AlarmEvent { alarm: Alarm::PumpSilent, change: AlarmChange::Cleared, by: None, wall_ms: EPOCH_MS };
    Events::push(&mut world.report.events, EventKind::Alarm(event));
    world.cycle();
    world.pass(Millis::from_secs(29));
    world.cycle();
    world.session.lost();
    assert_eq!(historical(&reconnected(&mut world)).len(), 1);
    world.pass(Millis::from_secs(31));
    world.cycle();
    world.session.lost();
    assert!(historical(&reconnected(&mut world)).is_empty(), "it has arrived by now");
}

#[test]
fn history_that_went_into_a_dead_connection_is_told_again() {
    let mut world = World::born();
    world.session.lost();
    away_for(&mut world, 60);
    let told = historical(&reconnected(&mut world)).len();
    world.session.lost();
    assert!(told > 0);
    assert!(historical(&reconnected(&mut world)).len() >= told);
}

#[test]
fn an_alarm_that_came_and_went_while_nobody_heard_is_told() {
    let mut world = World::born();
    world.session.lost();
    world.cycle();
    for (change, at) in [(AlarmChange::Raised { first_out: true }, 5), (AlarmChange::Cleared, 9)] {
        let event = AlarmEvent { alarm: Alarm::PumpSilent, change, by: None, wall_ms: EPOCH_MS + at };
        Events::push(&mut world.report.events, EventKind::Alarm(event));
    }
    world.pass(Millis::new(100));
    world.cycle();
    let sent = reconnected(&mut world);
    let birth = sent.iter().find(|sent| sent.word() == "NBIRTH").unwrap();
    let alias =
        birth.payload().metrics.iter().find(|metric| metric.name() == Some("Alarms/pump_silent")).unwrap();
    let told = historical(&sent);
    let told: Vec<_> = told
        .iter()
        .map(|(_, metric)| (metric.alias(), metric.timestamp_ms(), metric.value(alias.datatype()).unwrap()))
        .collect();
    let expected = [(5, true), (9, false)]
        .map(|(at, stands)| (alias.alias(), Some(EPOCH_MS + at), Some(Value::Boolean(stands))));
    assert_eq!(told, expected);
}

#[test]
fn i13_history_is_bounded_told_slowly_and_what_is_lost_is_counted() {
    let mut world = World::born();
    world.session.lost();
    // Far more than an hour, each time with another value of everything that is kept.
    for look in 0_u16..3000 {
        let reading = float(f32::from(look) * 100.0);
        for object in &mut world.report.objects {
            object.points.iter_mut().for_each(|(_, point)| *point = reading);
        }
        world.cycle();
        world.pass(Millis::from_secs(10));
    }
    let dropped = world.counters.snapshot().history_dropped;
    assert!(dropped > 1000, "{dropped}");
    world.connect(8);
    let mut told = historical(&world.sent()).len();
    loop {
        let sent = cycles(&mut world, 1);
        assert!(sent.len() <= 8, "history leaves room for the rest");
        let history = historical(&sent).len();
        if history == 0 {
            break;
        }
        told += history;
    }
    assert!((15_000..=16_384).contains(&told), "{told}");
}

#[test]
fn history_of_an_object_that_is_gone_is_counted_as_lost() {
    let mut world = World::born();
    world.session.lost();
    away_for(&mut world, 30);
    world.object("gpu0").online = false;
    world.cycle();
    reconnected(&mut world);
    assert!(world.counters.snapshot().history_dropped > 0);
}
