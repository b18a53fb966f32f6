//! One rule a test.

use eisbach_control::AlarmState;
use eisbach_protocol::alarm::{ALARMS, Alarm};
use eisbach_protocol::catalogue::{PointId, PointValue};
use eisbach_protocol::reading::{BadReason, Reading};
use eisbach_protocol::sparkplug::{BD_SEQ, DataType, Metric, QualityCode, REBIRTH, Value};
use eisbach_protocol::units::Millis;

use super::world::{EPOCH_MS, Sent, World, float, good, rebirth_request};
use crate::facility::FacilityState;
use crate::facility::face::Inbound;
use crate::facility::sparkplug::REBIRTH_PAUSE;

fn metric<'a>(sent: &'a Sent, name: &str) -> &'a Metric {
    let metrics = &sent.payload().metrics;
    metrics.iter().find(|metric| metric.name() == Some(name)).unwrap_or_else(|| panic!("no {name}"))
}

/// The only metric of the only message.
fn only(sent: &[Sent]) -> Metric {
    assert_eq!(sent.len(), 1, "{sent:?}");
    let metrics = &sent[0].payload().metrics;
    assert_eq!(metrics.len(), 1, "{metrics:?}");
    metrics[0].clone()
}

#[test]
fn commands_are_subscribed_before_the_birth() {
    let mut world = World::new();
    world.connect(7);
    let filters = ["spBv1.0/dc1/NCMD/node-7", "spBv1.0/dc1/DCMD/node-7/+"];
    assert_eq!(world.sent(), filters.map(|filter| Sent::Subscribe(filter.into())));
    assert_eq!(world.session.state(), FacilityState::Connected);
}

#[test]
fn nbirth_comes_before_any_data() {
    let mut world = World::new();
    world.cycle();
    world.set("gpu0", PointId::GpuTemperature, float(80.0));
    world.cycle();
    assert_eq!(world.words(), [""; 0], "nothing leaves while offline");
    world.connect(7);
    let words = ["SUBSCRIBE", "SUBSCRIBE", "NBIRTH", "DBIRTH gpu0", "DBIRTH gpu1", "DBIRTH pump"];
    assert_eq!(world.words(), words);
    assert_eq!(world.session.state(), FacilityState::Birthed);
}

#[test]
fn the_birth_waits_for_the_first_report() {
    let mut world = World::new();
    world.connect(7);
    assert_eq!(world.session.state(), FacilityState::Connected);
    world.cycle();
    assert_eq!(world.session.state(), FacilityState::Birthed);
}

#[test]
fn a_birth_tells_session_command_points_and_alarms() {
    let mut world = World::new();
    world.report.alarms[Alarm::Leak as usize].state = AlarmState::Unacked;
    world.cycle();
    world.connect(7);
    let sent = world.sent();
    let birth = &sent[2];
    assert_eq!(birth.payload().seq, Some(0));
    assert_eq!(metric(birth, BD_SEQ).value(None), Ok(Some(Value::Int64(7))));
    assert_eq!(metric(birth, REBIRTH).value(None), Ok(Some(Value::Boolean(false))));
    for name in [BD_SEQ, REBIRTH] {
        assert_eq!(metric(birth, name).alias(), None, "{name}");
    }
    assert_eq!(metric(birth, "State").value(None), Ok(Some(Value::String("well".into()))));
    assert_eq!(metric(birth, "Alarms/leak").value(None), Ok(Some(Value::Boolean(true))));
    assert_eq!(metric(birth, "Alarms/leak/State").value(None), Ok(Some(Value::String("unacked".into()))));
    assert_eq!(metric(birth, "Alarms/leak/Priority").value(None), Ok(Some(Value::Int64(1))));
    assert_eq!(metric(birth, "Alarms/condensation").value(None), Ok(Some(Value::Boolean(false))));
}

#[test]
fn i13_the_births_of_alarms_leave_room_in_the_largest_payload() {
    let mut world = World::new();
    let longest = AlarmState::LatchedUnacked;
    world.report.alarms.iter_mut().for_each(|view| view.state = longest);
    world.cycle();
    world.connect(7);
    let sent = world.sent();
    let mut birth = sent[2].payload().clone();
    birth.metrics.retain(|metric| metric.name().is_some_and(|name| name.starts_with("Alarms/")));
    assert_eq!(birth.metrics.len(), 3 * ALARMS.len());
    let bytes = birth.encode().len();
    assert!(bytes < 20 * 1024, "{bytes} bytes of 64 KiB");
}

#[test]
fn a_birth_tells_unit_range_and_that_nothing_can_be_written() {
    let mut world = World::new();
    world.cycle();
    world.connect(7);
    let sent = world.sent();
    let temperature = metric(&sent[3], "Temperature");
    for (key, value) in [
        ("engUnit", Value::String("Cel".into())),
        ("engLow", Value::Double(0.0)),
        ("engHigh", Value::Double(110.0)),
        ("readOnly", Value::Boolean(true)),
        ("documentation", Value::String("Core temperature".into())),
    ] {
        assert_eq!(temperature.property(key), Some(Ok(value)));
    }
    assert_eq!(metric(&sent[3], "Health").property("engLow"), None, "a word has no range");
}

#[test]
fn aliases_are_the_same_after_a_restart_and_without_the_other_objects() {
    let aliases = |world: &mut World| {
        world.cycle();
        world.connect(7);
        let pump = world.sent().into_iter().find(|sent| sent.word() == "DBIRTH pump").unwrap();
        pump.payload().metrics.iter().map(Metric::alias).collect::<Vec<_>>()
    };
    let (mut world, mut fewer) = (World::new(), World::new());
    fewer.report.objects.remove(1);
    assert_eq!(aliases(&mut world), aliases(&mut fewer));
}

#[test]
fn seq_wraps_from_255_to_0_over_node_and_device_messages() {
    let mut world = World::new();
    world.connect(7);
    let mut seqs = Vec::new();
    for turn in 0_u16..150 {
        world.set("node", PointId::NodeOverruns, good(PointValue::Int(turn.into())));
        world.set("gpu1", PointId::GpuPower, float(100.0 * f32::from(turn)));
        world.cycle();
        seqs.extend(
            world.sent().into_iter().filter(|sent| sent.word() != "SUBSCRIBE").map(|sent| sent.payload().seq),
        );
    }
    assert!(seqs.len() > 256);
    for (at, seq) in seqs.iter().enumerate() {
        assert_eq!(seq.map(usize::from), Some(at % 256));
    }
}

#[test]
fn rebirth_keeps_bdseq_and_resets_seq() {
    let mut world = World::born();
    world.pass(REBIRTH_PAUSE);
    world.command(&rebirth_request());
    let sent = world.sent();
    let words: Vec<_> = sent.iter().map(Sent::word).collect();
    assert_eq!(words, ["NBIRTH", "DBIRTH gpu0", "DBIRTH gpu1", "DBIRTH pump"]);
    assert_eq!(sent[0].payload().seq, Some(0));
    assert_eq!(metric(&sent[0], BD_SEQ).value(None), Ok(Some(Value::Int64(7))));
    assert_eq!(sent[3].payload().seq, Some(3));
    assert_eq!(world.counters.snapshot().rebirths, 1);
}

#[test]
fn a_rebirth_storm_is_debounced_to_one_birth_each_five_seconds() {
    let mut world = World::born();
    let mut births = 0;
    for _ in 0..200 {
        world.pass(Millis::new(100));
        world.command(&rebirth_request());
        world.cycle();
        births += world.words().iter().filter(|word| *word == "NBIRTH").count();
    }
    assert_eq!(births, 4, "20 s of requests");
}

#[test]
fn no_data_leaves_between_a_rebirth_request_and_the_birth() {
    let mut world = World::born();
    world.command(&rebirth_request());
    world.set("gpu0", PointId::GpuTemperature, float(90.0));
    world.cycle();
    assert_eq!(world.words(), [""; 0]);
    assert_eq!(world.session.state(), FacilityState::Connected);
    world.pass(REBIRTH_PAUSE);
    world.cycle();
    let sent = world.sent();
    assert_eq!(sent[0].word(), "NBIRTH");
    assert_eq!(metric(&sent[1], "Temperature").value(None), Ok(Some(Value::Float(90.0))));
}

#[test]
fn an_unchanged_value_is_never_sent_twice() {
    let mut world = World::born();
    for _ in 0..100 {
        world.pass(Millis::new(100));
        world.cycle();
    }
    assert_eq!(world.words(), [""; 0]);
}

#[test]
fn a_change_is_measured_against_the_last_published_value_with_the_points_dead_band() {
    let mut world = World::born();
    for (value, sent) in [(50.2, 0), (50.4, 0), (50.5, 1), (50.9, 0), (50.1, 0), (50.0, 1)] {
        world.set("gpu0", PointId::GpuTemperature, float(value));
        world.cycle();
        assert_eq!(world.sent().len(), sent, "{value} with a dead-band of 0.5");
    }
}

#[test]
fn data_carries_alias_value_and_time_and_nothing_that_the_birth_told() {
    let mut world = World::born();
    world.pass(Millis::new(800));
    let reading = Reading::measured(PointValue::Float(61.0), Millis::new(300));
    world.set("gpu1", PointId::GpuTemperature, reading);
    world.cycle();
    let sent = world.sent();
    assert_eq!(sent[0].word(), "DDATA gpu1");
    assert_eq!(sent[0].payload().timestamp_ms, Some(EPOCH_MS + 800));
    let metric = only(&sent);
    assert_eq!((metric.name(), metric.datatype()), (None, None));
    assert!(metric.alias().is_some());
    assert_eq!(metric.timestamp_ms(), Some(EPOCH_MS + 500), "when it was measured");
    assert_eq!(metric.property("engUnit"), None);
}

#[test]
fn an_alarm_that_comes_or_goes_is_node_data() {
    let mut world = World::born();
    for stands in [true, false] {
        let state = if stands { AlarmState::Unacked } else { AlarmState::Normal };
        world.report.alarms[Alarm::PumpSilent as usize].state = state;
        world.cycle();
        let sent = world.sent();
        let [data] = sent.as_slice() else { panic!("{sent:?}") };
        assert_eq!(data.word(), "NDATA");
        let [shown, word] = data.payload().metrics.as_slice() else { panic!("{data:?}") };
        assert_eq!(shown.value(Some(DataType::Boolean)), Ok(Some(Value::Boolean(stands))));
        let state = if stands { "unacked" } else { "normal" };
        assert_eq!(word.value(Some(DataType::String)), Ok(Some(Value::String(state.into()))));
    }
}

#[test]
fn i11_a_change_of_quality_is_sent_with_the_last_value() {
    let mut world = World::born();
    let stale = good(PointValue::Float(50.0)).aged(Millis::new(3000), Millis::new(2000));
    world.pass(Millis::new(3000));
    world.set("pump", PointId::PumpSpeed, stale);
    world.cycle();
    let metric = only(&world.sent());
    assert_eq!(metric.quality(), QualityCode::Stale);
    let value = metric.value(Some(DataType::Float));
    assert_eq!(value, Ok(Some(Value::Float(50.0))));
    assert_eq!(metric.timestamp_ms(), Some(EPOCH_MS), "when it was last measured");

    world.set("pump", PointId::PumpSpeed, float(50.0));
    world.cycle();
    let metric = only(&world.sent());
    assert_eq!((metric.quality(), metric.property(QualityCode::KEY)), (QualityCode::Good, None));
}

#[test]
fn i01_bad_is_null_and_so_is_what_is_no_number() {
    for bad in [
        Reading::bad(BadReason::CommLost),
        float(f32::NAN),
        float(f32::INFINITY),
        good(PointValue::Text("fast")),
    ] {
        let mut world = World::born();
        world.set("pump", PointId::PumpSpeed, bad);
        world.cycle();
        let metric = only(&world.sent());
        assert_eq!((metric.value(None), metric.quality()), (Ok(None), QualityCode::Bad));
        assert!(metric.timestamp_ms().is_some());

        world.set("pump", PointId::PumpSpeed, Reading::bad(BadReason::DeviceFault));
        world.cycle();
        assert_eq!(world.words(), [""; 0], "still bad, for whatever reason");
    }
}

#[test]
fn a_bad_point_is_born_as_null_with_its_type() {
    let mut world = World::new();
    world.set("pump", PointId::PumpRunning, Reading::bad(BadReason::NeverRead));
    world.cycle();
    world.connect(7);
    let sent = world.sent();
    let running = metric(sent.last().unwrap(), "Running");
    assert_eq!(running.value(None), Ok(None));
    assert_eq!(running.datatype(), Some(DataType::Boolean));
    assert_eq!(running.quality(), QualityCode::Bad);
}

#[test]
fn a_device_that_goes_dies_and_sends_no_data_until_it_is_born_again() {
    let mut world = World::born();
    world.object("gpu0").online = false;
    world.cycle();
    world.set("gpu0", PointId::GpuTemperature, float(90.0));
    world.cycle();
    let sent = world.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].word(), "DDEATH gpu0");
    assert!(sent[0].payload().metrics.is_empty() && sent[0].payload().timestamp_ms.is_some());
    assert_eq!(sent[0].payload().seq, Some(4));

    world.object("gpu0").online = true;
    world.cycle();
    assert_eq!(world.words(), ["DBIRTH gpu0"]);
}

#[test]
fn a_device_that_is_away_is_not_born_with_the_node() {
    let mut world = World::new();
    world.object("gpu1").online = false;
    world.cycle();
    world.connect(7);
    assert_eq!(world.words()[2..], ["NBIRTH", "DBIRTH gpu0", "DBIRTH pump"]);
}

#[test]
fn a_device_that_leaves_the_report_dies_and_a_new_one_is_born_without_the_others() {
    let mut world = World::born();
    let gpu = world.report.objects.remove(1);
    world.cycle();
    assert_eq!(world.words(), ["DDEATH gpu0"]);
    world.report.objects.push(gpu);
    world.cycle();
    assert_eq!(world.words(), ["DBIRTH gpu0"]);
}

#[test]
fn what_the_transport_refuses_stays_pending_and_takes_no_place_in_the_order() {
    let mut world = World::born();
    world.set("gpu0", PointId::GpuTemperature, float(80.0));
    world.room(0);
    world.cycle();
    assert_eq!(world.words(), [""; 0]);
    assert_eq!(world.counters.snapshot().refused, 1);
    world.room(1);
    world.cycle();
    let sent = world.sent();
    assert_eq!((sent[0].word().as_str(), sent[0].payload().seq), ("DDATA gpu0", Some(4)));
}

#[test]
fn a_birth_cut_short_goes_on_where_it_was() {
    let mut world = World::new();
    world.cycle();
    world.room(1);
    world.connect(7);
    assert_eq!(world.words(), ["SUBSCRIBE"]);
    world.room(4);
    world.cycle();
    assert_eq!(world.words(), ["SUBSCRIBE", "SUBSCRIBE", "NBIRTH", "DBIRTH gpu0"]);
    world.room(2);
    world.cycle();
    assert_eq!(world.words(), ["DBIRTH gpu1", "DBIRTH pump"]);
}

#[test]
fn every_birth_comes_before_any_data_however_long_they_take() {
    let mut world = World::new();
    world.room(4);
    world.connect(7);
    world.cycle();
    world.set("node", PointId::NodePower, float(9000.0));
    world.set("gpu0", PointId::GpuTemperature, float(90.0));
    world.room(usize::MAX);
    world.cycle();
    let words = world.words();
    let first_data = words.iter().position(|word| word.contains("DATA")).unwrap();
    let last_birth = words.iter().rposition(|word| word.contains("BIRTH")).unwrap();
    assert!(last_birth < first_data, "{words:?}");
}

#[test]
fn a_new_connection_starts_over_with_its_own_bdseq() {
    let mut world = World::born();
    world.session.lost();
    assert_eq!(world.session.state(), FacilityState::Offline);
    world.cycle();
    world.connect(8);
    let sent = world.sent();
    assert_eq!(sent[2].word(), "NBIRTH");
    assert_eq!(metric(&sent[2], BD_SEQ).value(None), Ok(Some(Value::Int64(8))));
    let counted = world.counters.snapshot();
    assert_eq!((counted.reconnects, counted.rebirths), (1, 0));
}

#[test]
fn a_retained_or_malformed_command_is_refused_and_counted() {
    let mut world = World::born();
    world.pass(REBIRTH_PAUSE);
    world.command(&Inbound { retained: true, ..rebirth_request() });
    world.command(&Inbound { payload: vec![0xFF; 9], ..rebirth_request() });
    world.command(&Inbound { topic: "spBv1.0/dc1/DCMD/node-7/pump".into(), ..rebirth_request() });
    assert_eq!(world.words(), [""; 0]);
    assert_eq!(world.counters.snapshot().commands_refused, 3);
    assert_eq!(world.session.state(), FacilityState::Birthed);
}

#[test]
fn a_stop_says_ndeath_with_its_bdseq_and_no_seq_and_then_disconnects() {
    let mut world = World::born();
    assert!(world.stop());
    let sent = world.sent();
    assert_eq!(sent.iter().map(Sent::word).collect::<Vec<_>>(), ["NDEATH", "DISCONNECT"]);
    assert_eq!(sent[0].payload().seq, None);
    assert_eq!(sent[0].payload().metrics.len(), 1);
    assert_eq!(metric(&sent[0], BD_SEQ).value(None), Ok(Some(Value::Int64(7))));
}

#[test]
fn a_stop_that_cannot_say_ndeath_does_not_disconnect_so_that_the_will_says_it() {
    let mut world = World::born();
    world.room(0);
    assert!(!world.stop());
    assert!(!World::new().stop(), "offline there is nobody to tell");
}
