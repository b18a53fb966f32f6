//! What a restart ends, and what it does not.

use eisbach_protocol::units::{Millis, Watts};
use serde_json::json;

use super::*;

#[test]
fn a_replay_is_refused_after_a_restart_too_and_the_target_still_stands() {
    let mut scene = Scene::new();
    let words = json!({"targets": [{"interval": {}, "load_constraint": kilowatts(400.0)}]});
    let first = scene.signed(ISV, "grid.loadtarget.set.v1", &words);
    scene.send(SET, &first).unwrap();
    let kept = serde_json::to_string(&scene.engine.keep(WALL)).unwrap();
    let mut again = Scene::new();
    again.engine.take_up(serde_json::from_str(&kept).unwrap());
    assert_eq!(again.send(SET, &first), Err(Refusal::Replayed));
    assert_eq!(again.budget_after(10), Some(3000.0));
}

#[test]
fn a_target_in_force_outlives_a_restart_with_an_old_clock_and_ends_after_its_time() {
    let mut scene = Scene::new();
    let interval = json!({"start_time": at(100), "end_time": at(200)});
    scene.set(&json!([{"interval": interval, "load_constraint": kilowatts(400.0)}])).unwrap();
    assert_eq!(scene.budget_after(150), Some(3000.0));
    assert!(scene.engine.has_changed());
    let kept = serde_json::to_string(&scene.engine.keep(WALL + 150_000)).unwrap();
    let budget_after = |seconds: u64, wall_ms: u64| {
        let mut again = Scene::new();
        again.engine.take_up(serde_json::from_str(&kept).unwrap());
        let step = |s: u64| again.engine.step(&again.load, (Millis::from_secs(s), wall_ms + s * 1000)).budget;
        (0..=seconds).map(step).last().flatten().map(Watts::get)
    };
    assert_eq!(budget_after(49, 0), Some(3000.0), "with the clock of 1970");
    assert_eq!(budget_after(120, 0), None);
    assert_eq!(budget_after(40, WALL + 151_000), Some(3000.0));
    assert_eq!(budget_after(1, WALL + 200_000), None, "over in the meantime");
}

#[test]
fn a_breach_outlives_a_restart_and_is_given_back_when_its_time_is_over() {
    let mut scene = Scene::new();
    let hints =
        json!([{"resource_id": "node-7", "resource_type": "node", "action": "suspend", "priority": 1}]);
    scene.alert("active", &hints).unwrap();
    scene.after(600);
    let kept = serde_json::to_string(&scene.engine.keep(WALL)).unwrap();
    let mut again = Scene::new();
    again.engine.take_up(serde_json::from_str(&kept).unwrap());
    again.now = 700_000;
    let (order, told) = again.after(199);
    assert_eq!(
        (order.budget, order.drain, told.len()),
        (Some(Watts::ZERO), true, 0),
        "nothing is told twice"
    );
    let (order, told) = again.after(2);
    assert_eq!((told[0].enforcement.phase, order.drain), (Phase::Reverted, false));
    assert!(order.budget > Some(Watts::ZERO));
}

#[test]
fn a_breach_of_others_is_not_taken_up() {
    let mut scene = Scene::new();
    let hints =
        json!([{"resource_id": "node-7", "resource_type": "node", "action": "suspend", "priority": 1}]);
    scene.alert("active", &hints).unwrap();
    let kept = serde_json::to_string(&scene.engine.keep(WALL)).unwrap();
    for (ours, others) in [("node-7", "node-8"), ("main-a", "main-b")] {
        let mut again = Scene::new();
        again.engine.take_up(serde_json::from_str(&kept.replace(ours, others)).unwrap());
        assert_eq!(again.after(1).0, Order::default());
    }
}
