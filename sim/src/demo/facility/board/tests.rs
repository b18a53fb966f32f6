//! A host's view of a short life of one node.

use super::*;

const NBIRTH: &str = "spBv1.0/demo/NBIRTH/node-1";
const NDATA: &str = "spBv1.0/demo/NDATA/node-1";
const NDEATH: &str = "spBv1.0/demo/NDEATH/node-1";
const DBIRTH: &str = "spBv1.0/demo/DBIRTH/node-1/gpu0";
const DDATA: &str = "spBv1.0/demo/DDATA/node-1/gpu0";
const DDEATH: &str = "spBv1.0/demo/DDEATH/node-1/gpu0";

fn payload(seq: Option<u8>, metrics: Vec<Metric>) -> Vec<u8> {
    Payload { timestamp_ms: Some(1), seq, metrics }.encode()
}

fn death(bd_seq: i64) -> Vec<u8> {
    payload(None, vec![Metric::named(BD_SEQ, Value::Int64(bd_seq))])
}

fn text(word: &str) -> Value {
    Value::String(word.into())
}

/// A node with a state and an alarm, and a GPU with a temperature.
fn born() -> Board {
    let mut board = Board::new("demo", "node-1");
    let node = vec![
        Metric::named(BD_SEQ, Value::Int64(4)),
        Metric::named("State", text("running")).with_alias(1),
        Metric::named("Alarms/leak", Value::Boolean(false)).with_alias(2),
    ];
    let gpu = vec![Metric::named("Temperature", Value::Float(61.5)).with_alias(257)];
    assert_eq!(board.hear(NBIRTH, &payload(Some(0), node), 100), Wish::Nothing);
    assert_eq!(board.hear(DBIRTH, &payload(Some(1), gpu), 100), Wish::Nothing);
    board
}

fn whats(board: &Board) -> Vec<What> {
    board.notices().iter().map(|notice| notice.what.clone()).collect()
}

#[test]
fn a_birth_gives_names_and_data_fills_them_in() {
    let mut board = born();
    assert_eq!(board.number("gpu0", "Temperature"), Some(61.5));
    let data = vec![Metric::aliased(257, Value::Float(63.0))];
    assert_eq!(board.hear(DDATA, &payload(Some(2), data), 200), Wish::Nothing);
    assert_eq!(board.number("gpu0", "Temperature"), Some(63.0));
    assert_eq!(board.published(), 3);
    assert_eq!(board.heard().back().map(|heard| heard.gist.as_str()), Some("Temperature 63.0"));
    assert_eq!(board.heard().back().map(|heard| heard.topic.as_str()), Some("DDATA/node-1/gpu0"));
}

#[test]
fn alarms_and_states_are_noticed_when_they_change_with_their_plant_time() {
    let mut board = born();
    let data = vec![Metric::aliased(1, text("leak")), Metric::aliased(2, Value::Boolean(true))];
    board.hear(NDATA, &payload(Some(2), data.clone()), 300);
    board.hear(NDATA, &payload(Some(3), data), 400);
    board.hear(NDATA, &payload(Some(4), vec![Metric::aliased(2, Value::Boolean(false))]), 500);
    let expected = [
        What::State("running".into()),
        What::State("leak".into()),
        What::AlarmRaised("leak".into()),
        What::AlarmCleared("leak".into()),
    ];
    assert_eq!(whats(&board), expected);
    assert_eq!(
        board.notices().iter().map(|notice| notice.plant_ms).collect::<Vec<_>>(),
        [100, 300, 300, 500]
    );
}

#[test]
fn the_loss_of_the_broker_is_noticed_and_its_absence_at_first_is_not() {
    let mut board = Board::new("demo", "node-1");
    for (connected, plant_ms) in [(false, 1), (true, 2), (true, 3), (false, 4), (false, 5), (true, 6)] {
        board.set_connected(connected, plant_ms);
    }
    assert_eq!(whats(&board), [What::BrokerGone, What::BrokerBack]);
    assert!(board.connected());
}

#[test]
fn who_comes_late_asks_for_births() {
    let mut board = Board::new("demo", "node-1");
    let data = payload(Some(7), vec![Metric::aliased(1, text("running"))]);
    assert_eq!(board.hear(NDATA, &data, 0), Wish::Births);
}

#[test]
fn a_gap_or_an_unknown_alias_asks_for_births() {
    let mut gap = born();
    assert_eq!(gap.hear(DDATA, &payload(Some(3), vec![]), 0), Wish::Births);
    assert_eq!(gap.hear(DDATA, &payload(Some(4), vec![]), 0), Wish::Births, "until they come");

    let mut unknown = born();
    let stranger = vec![Metric::aliased(99, Value::Boolean(true))];
    assert_eq!(unknown.hear(NDATA, &payload(Some(2), stranger), 0), Wish::Births);
}

#[test]
fn the_sequence_goes_on_after_255() {
    let mut board = born();
    for seq in (2..=u8::MAX).chain([0, 1]) {
        assert_eq!(board.hear(DDATA, &payload(Some(seq), vec![]), 0), Wish::Nothing, "{seq}");
    }
}

#[test]
fn a_death_takes_the_quality_and_leaves_the_value() {
    let mut board = born();
    board.hear(DDEATH, &payload(Some(2), vec![]), 600);
    assert_eq!(board.number("gpu0", "Temperature"), None);
    assert_eq!(board.tag("gpu0", "Temperature").unwrap().value, Some(Value::Float(61.5)));
    assert_eq!(whats(&board).last(), Some(&What::DeviceGone("gpu0".into())));
}

#[test]
fn only_the_death_of_this_session_counts() {
    let mut board = born();
    board.hear(NDEATH, &death(3), 700);
    assert_eq!(board.state(), Some("running"));
    board.hear(NDEATH, &death(4), 800);
    assert_eq!((board.state(), whats(&board).last()), (None, Some(&What::NodeGone)));
}

#[test]
fn strangers_commands_and_nonsense_change_nothing() {
    let mut board = born();
    for topic in ["spBv1.0/demo/NDATA/node-2", "spBv1.0/demo/NCMD/node-1", "spBv1.0/STATE/scada", "weather"] {
        assert_eq!(board.hear(topic, &payload(Some(2), vec![]), 0), Wish::Nothing);
    }
    assert_eq!((board.published(), board.unreadable()), (2, 0));
    assert_eq!(board.hear(NDATA, &[0xFF; 20], 0), Wish::Nothing);
    assert_eq!((board.published(), board.unreadable()), (3, 1));
}
