//! The rules of Flex, from the message to the order.

mod restart;

use eisbach_protocol::units::{Millis, Watts};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::bench::{EcSigner, event};
use super::engine::{Engine, FlexRules, Order};
use super::gate::Issuer;
use super::jws::Disbelief;
use super::load::Load;
use super::refusal::Refusal;
use super::shed::Told;
use super::words::{Outcome, Phase};

const SET: &str = "grid/v1/isv/acme/loadtarget/set";
const ISV: &str = "//grid/v1/isv/acme";
const BREACH: &str = "grid/v1/dsx-flex-agent/maxlps/powerbreach";
const AGENT: &str = "//grid/v1/dsx-flex-agent/maxlps";
const WALL: u64 = 1_772_323_200_000;

fn rules() -> FlexRules {
    FlexRules {
        resource: "node-7".into(),
        feeds: vec!["main-a".into()],
        share: 0.01,
        overhead: Watts::new(1000.0),
        ramp_watts_per_s: 1000.0,
        max_age_ms: 60_000,
        hold: Millis::from_secs(900),
    }
}

fn load() -> Load {
    let gpu = |n: u8| (format!("gpu{n}"), Some(Watts::new(600.0)));
    Load { drawn: Some(Watts::new(4800.0)), gpus: (0..8).map(gpu).collect(), limit: Some(Watts::new(5600.0)) }
}

/// An engine at a moment, and somebody who signs.
struct Scene {
    engine: Engine,
    now: u64,
    load: Load,
}

impl Scene {
    fn new() -> Self {
        let signer = EcSigner::fixed();
        let issuers = vec![
            Issuer::isv("acme".into(), vec![signer.pinned()]),
            Issuer::flex_agent("maxlps".into(), vec![signer.pinned()]),
        ];
        Self { engine: Engine::new(rules(), issuers), now: 0, load: load() }
    }

    fn times(&self) -> (Millis, u64) {
        (Millis::new(self.now), WALL + self.now)
    }

    fn send(&mut self, topic: &str, event: &Value) -> Result<(), Refusal> {
        let times = self.times();
        self.engine.message((topic, event.to_string().as_bytes(), false), &self.load, times)
    }

    fn signed(&self, source: &str, kind: &str, words: &Value) -> Value {
        let header = json!({"alg": "ES256", "kid": "k1", "iat": (WALL + self.now) / 1000});
        let data = json!(EcSigner::fixed().sign_under(&header, words.to_string().as_bytes()));
        event(source, kind, WALL + self.now, &data)
    }

    fn set(&mut self, targets: &Value) -> Result<(), Refusal> {
        let event = self.signed(ISV, "grid.loadtarget.set.v1", &json!({"targets": targets}));
        self.send(SET, &event)
    }

    fn alert(&mut self, status: &str, hints: &Value) -> Result<(), Refusal> {
        let words = json!({
            "feed_tag": "main-a", "status": status, "severity": "critical", "shed_hints": hints,
            "breach": {"breach_id": "6f9619ff-8b86-4011-b42d-00c04fc964ff", "detected_at": "2026-03-01T00:00:00Z"},
            "target": {}, "measured_load": {}, "infrastructure_actions": [], "said_at": self.now,
        });
        let event = self.signed(AGENT, "grid.powerbreach.alert.v1", &words);
        self.send(BREACH, &event)
    }

    /// The order after so many seconds, and what became of hints in them.
    fn after(&mut self, seconds: u64) -> (Order, Vec<Told>) {
        let (mut order, mut told) = (Order::default(), Vec::new());
        for _ in 0..=seconds {
            let times = self.times();
            order = self.engine.step(&self.load, times);
            told.extend(self.engine.outcomes());
            self.now += 1000;
        }
        self.now -= 1000;
        (order, told)
    }

    fn budget_after(&mut self, seconds: u64) -> Option<f32> {
        self.after(seconds).0.budget.map(Watts::get)
    }
}

fn kilowatts(value: f64) -> Value {
    json!({"value": value, "unit": "kilowatt"})
}

fn at(seconds: u64) -> String {
    let minutes = seconds / 60;
    format!("2026-03-01T{:02}:{:02}:{:02}Z", minutes / 60, minutes % 60, seconds % 60)
}

#[test]
fn a_target_becomes_this_nodes_part_of_it_by_the_ramp() {
    let mut scene = Scene::new();
    scene.set(&json!([{"interval": {}, "load_constraint": kilowatts(400.0)}])).unwrap();
    // 1 % of 400 kW, less 1 kW for what is no GPU.
    assert_eq!([0, 1, 1].map(|s| scene.budget_after(s)), [Some(4800.0), Some(3800.0), Some(3000.0)]);
    assert_eq!(scene.budget_after(60), Some(3000.0), "it holds although nobody says more");
}

#[test]
fn a_scheduled_target_begins_and_ends_by_itself() {
    let mut scene = Scene::new();
    scene
        .set(&json!([{"interval": {"start_time": at(100), "end_time": at(200)}, "load_constraint": kilowatts(400.0)}]))
        .unwrap();
    assert_eq!(scene.budget_after(99), None);
    assert_eq!(scene.budget_after(99), Some(3000.0));
    assert_eq!(scene.budget_after(4), Some(6000.0), "back by the ramp");
    assert_eq!(scene.budget_after(60), None);
}

#[test]
fn null_releases_by_the_ramp() {
    let mut scene = Scene::new();
    scene.set(&json!([{"interval": {}, "load_constraint": kilowatts(400.0)}])).unwrap();
    assert_eq!(scene.budget_after(10), Some(3000.0));
    scene.set(&json!([{"interval": {}, "load_constraint": null}])).unwrap();
    assert_eq!(scene.budget_after(1), Some(4000.0));
    assert_eq!(scene.budget_after(60), None);
}

#[test]
fn unsigned_words_are_refused() {
    let mut scene = Scene::new();
    let words = json!({"targets": [{"interval": {}, "load_constraint": kilowatts(400.0)}]});
    let plain = event(ISV, "grid.loadtarget.set.v1", WALL, &words);
    assert_eq!(scene.send(SET, &plain), Err(Refusal::Unsigned));
    let forged = EcSigner::new("k1").sign(words.to_string().as_bytes());
    let forged = event(ISV, "grid.loadtarget.set.v1", WALL, &json!(forged));
    assert_eq!(scene.send(SET, &forged), Err(Refusal::NotBelieved(Disbelief::Signature)));
    assert_eq!(scene.budget_after(1), None);
}

#[test]
fn a_replay_is_refused_in_its_own_and_in_a_fresh_envelope() {
    let mut scene = Scene::new();
    let words = json!({"targets": [{"interval": {}, "load_constraint": kilowatts(400.0)}]});
    let first = scene.signed(ISV, "grid.loadtarget.set.v1", &words);
    scene.send(SET, &first).unwrap();
    scene.now += 10_000;
    scene.set(&json!([{"interval": {}, "load_constraint": null}])).unwrap();
    assert_eq!(scene.send(SET, &first), Err(Refusal::Replayed));
    let fresh = event(ISV, "grid.loadtarget.set.v1", WALL + scene.now, &first["data"]);
    assert_eq!(scene.send(SET, &fresh), Err(Refusal::Replayed));
    assert_eq!(scene.budget_after(60), None);
}

#[test]
fn what_is_old_or_from_the_future_is_refused() {
    let mut scene = Scene::new();
    let words = json!({"targets": [{"interval": {}, "load_constraint": kilowatts(400.0)}]});
    let mut signed_at = |seconds: i64| {
        let header =
            json!({"alg": "ES256", "kid": "k1", "iat": i64::try_from(WALL / 1000).unwrap() + seconds});
        let data = EcSigner::fixed().sign_under(&header, words.to_string().as_bytes());
        scene.send(SET, &event(ISV, "grid.loadtarget.set.v1", WALL, &json!(data)))
    };
    assert_eq!(signed_at(-62), Err(Refusal::Expired), "whatever the envelope says");
    assert_eq!(signed_at(10), Err(Refusal::Future));
    assert_eq!(signed_at(-30), Ok(()));
    let mut scene = Scene::new();
    let event = scene.signed(ISV, "grid.loadtarget.set.v1", &words);
    scene.now = 61_000;
    assert_eq!(scene.send(SET, &event), Err(Refusal::Expired));
    let over = json!([{"interval": {"end_time": at(30)}, "load_constraint": kilowatts(1.0)}]);
    assert_eq!(scene.set(&over), Err(Refusal::Expired));
    let far =
        json!([{"interval": {"start_time": "2026-03-09T00:00:00Z"}, "load_constraint": kilowatts(1.0)}]);
    assert_eq!(scene.set(&far), Err(Refusal::Future));
}

#[test]
fn words_that_could_be_replayed_for_ever_are_refused() {
    let mut scene = Scene::new();
    let mut undated = |source: &str, topic: &str, kind: &str, words: &Value| {
        let data = json!(EcSigner::fixed().sign(words.to_string().as_bytes()));
        scene.send(topic, &event(source, kind, WALL, &data))
    };
    let mut set = |interval: &Value| {
        let words = json!({"targets": [{"interval": interval, "load_constraint": kilowatts(400.0)}]});
        undated(ISV, SET, "grid.loadtarget.set.v1", &words)
    };
    assert_eq!(set(&json!({})), Err(Refusal::Undated));
    assert_eq!(set(&json!({"end_time": at(600)})), Err(Refusal::Undated));
    let long_ago = "2026-02-28T23:00:00Z";
    assert_eq!(set(&json!({"start_time": long_ago})), Err(Refusal::Undated), "without an end");
    assert_eq!(set(&json!({"start_time": long_ago, "end_time": at(600)})), Ok(()));
    assert_eq!(set(&json!({"start_time": at(0)})), Ok(()));
    let alert = json!({"feed_tag": "main-a", "status": "resolved", "breach": {}});
    assert_eq!(undated(AGENT, BREACH, "grid.powerbreach.alert.v1", &alert), Err(Refusal::Undated));
}

#[test]
fn words_that_found_no_room_cannot_be_brought_again() {
    let mut scene = Scene::new();
    let many = |from: u64| {
        let target = |n| json!({"interval": {"start_time": at(from + n), "end_time": at(5000 + from + n)}, "load_constraint": kilowatts(400.0)});
        json!((0..32).map(target).collect::<Vec<_>>())
    };
    scene.set(&many(100)).unwrap();
    scene.set(&many(200)).unwrap();
    let more = json!({"targets": many(300)});
    let more = scene.signed(ISV, "grid.loadtarget.set.v1", &more);
    assert_eq!(scene.send(SET, &more), Err(Refusal::Full));
    let fresh = event(ISV, "grid.loadtarget.set.v1", WALL, &more["data"]);
    assert_eq!(scene.send(SET, &fresh), Err(Refusal::Replayed));
    assert!(scene.engine.has_changed(), "and that is kept");
}

#[test]
fn what_is_older_than_the_newest_word_is_refused() {
    let mut scene = Scene::new();
    let older = json!({"targets": [{"interval": {}, "load_constraint": kilowatts(900.0)}]});
    let older = scene.signed(ISV, "grid.loadtarget.set.v1", &older);
    scene.now += 1000;
    scene.set(&json!([{"interval": {}, "load_constraint": kilowatts(400.0)}])).unwrap();
    assert_eq!(scene.send(SET, &older), Err(Refusal::Outdated));
}

#[test]
fn what_is_foreign_is_refused() {
    let mut scene = Scene::new();
    let words = json!({"targets": [{"interval": {}, "load_constraint": kilowatts(400.0)}]});
    let stranger = scene.signed("//grid/v1/isv/other", "grid.loadtarget.set.v1", &words);
    assert_eq!(scene.send("grid/v1/isv/other/loadtarget/set", &stranger), Err(Refusal::ForeignIssuer));
    assert_eq!(scene.send(SET, &stranger), Err(Refusal::Topic), "in a topic that is not the stranger's");
    let other = json!([{"interval": {}, "feed_tags": ["main-b"], "load_constraint": kilowatts(400.0)}]);
    assert_eq!(scene.set(&other), Err(Refusal::ForeignFeed));
    let usurped = scene.signed(AGENT, "grid.loadtarget.set.v1", &words);
    assert_eq!(scene.send(BREACH, &usurped), Err(Refusal::Topic), "a watcher sets no targets");
    let hints =
        json!([{"resource_id": "node-8", "resource_type": "node", "action": "throttle", "priority": 1}]);
    assert_eq!(scene.alert("active", &hints), Err(Refusal::ForeignResource));
    let (topic, payload) = (SET, scene.signed(ISV, "grid.loadtarget.set.v1", &words).to_string());
    let times = scene.times();
    assert_eq!(
        scene.engine.message((topic, payload.as_bytes(), true), &scene.load, times),
        Err(Refusal::Retained)
    );
    assert_eq!(scene.after(5).0, Order::default());
}

#[test]
fn a_hint_for_the_node_is_a_cap_at_once_and_its_outcome_is_told_when_the_limits_follow() {
    let mut scene = Scene::new();
    let hints = json!([{"resource_id": "node-7", "resource_type": "node", "action": "power_cap", "priority": 1, "target_power": kilowatts(4.0)}]);
    scene.alert("active", &hints).unwrap();
    let (order, told) = scene.after(1);
    assert_eq!((order.budget, told.len()), (Some(Watts::new(3000.0)), 0), "4 kW less 1 kW overhead");
    scene.load.limit = Some(Watts::new(3000.0));
    let (_, told) = scene.after(1);
    let line = &told[0].enforcement.results[0];
    assert_eq!((line.outcome, line.applied), (Outcome::Applied, Some(Watts::new(3000.0))));
    assert_eq!(scene.after(60).1.len(), 0, "told once");
    scene.alert("resolved", &json!([])).unwrap();
    let (order, told) = scene.after(1);
    assert_eq!((told[0].enforcement.phase, order.budget), (Phase::Reverted, Some(Watts::new(4000.0))));
    assert_eq!(scene.budget_after(60), None);
}

#[test]
fn limits_that_do_not_follow_are_told_as_failed() {
    let mut scene = Scene::new();
    let hints =
        json!([{"resource_id": "node-7", "resource_type": "node", "action": "throttle", "priority": 1}]);
    scene.alert("active", &hints).unwrap();
    let (order, told) = scene.after(9);
    assert_eq!((order.budget, told.len()), (Some(Watts::new(4800.0 * 0.7)), 0));
    let (_, told) = scene.after(2);
    assert_eq!(told[0].enforcement.results[0].outcome, Outcome::Failed);
}

#[test]
fn hints_for_gpus_lower_the_shared_budget_by_what_those_give_up() {
    let mut scene = Scene::new();
    let hint = |gpu: u8, action: &str| {
        json!({"resource_id": format!("node-7/gpu{gpu}"), "resource_type": "gpu", "action": action, "priority": 1,
            "target_power": kilowatts(0.4)})
    };
    scene.alert("active", &json!([hint(0, "power_cap"), hint(1, "suspend"), hint(9, "suspend")])).unwrap();
    let order = scene.after(0).0;
    assert_eq!((order.budget, order.drain), (Some(Watts::new(4800.0 - 200.0 - 600.0)), false));
    scene.load.limit = Some(Watts::new(4000.0));
    let outcomes: Vec<_> = scene.after(1).1[0].enforcement.results.iter().map(|line| line.outcome).collect();
    assert_eq!(outcomes, [Outcome::Applied, Outcome::Applied, Outcome::Skipped]);
}

#[test]
fn a_suspended_node_is_drained_and_gets_no_more_than_the_least() {
    let mut scene = Scene::new();
    let hints =
        json!([{"resource_id": "node-7", "resource_type": "node", "action": "suspend", "priority": 1}]);
    scene.alert("escalated", &hints).unwrap();
    let order = scene.after(0).0;
    assert_eq!((order.budget, order.drain), (Some(Watts::ZERO), true));
}

#[test]
fn a_breach_that_is_told_again_throttles_no_further_and_one_that_is_not_ends() {
    let mut scene = Scene::new();
    let hints =
        json!([{"resource_id": "node-7", "resource_type": "node", "action": "throttle", "priority": 1}]);
    for _ in 0..5 {
        scene.alert("active", &hints).unwrap();
        assert_eq!(scene.budget_after(20), Some(4800.0 * 0.7));
        scene.load.drawn = Some(Watts::new(3300.0));
        scene.now += 1000;
    }
    let (_, told) = scene.after(870);
    assert_eq!(told.len(), 0);
    let (_, told) = scene.after(60);
    assert_eq!(told.iter().map(|told| told.enforcement.phase).collect::<Vec<_>>(), [Phase::Reverted]);
    assert_eq!(scene.budget_after(60), None);
}

#[test]
fn ten_thousand_malformed_payloads_change_nothing() {
    let mut scene = Scene::new();
    let words = json!({"targets": [{"interval": {}, "load_constraint": kilowatts(400.0)}]});
    let good = scene.signed(ISV, "grid.loadtarget.set.v1", &words).to_string();
    let signed = good.find("\"data\":\"").unwrap() + 8..good.find("\",\"datacontenttype").unwrap();
    let mut random = 1_u32;
    for _ in 0..10_000 {
        let mut bad = good.clone().into_bytes();
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let at = signed.start + (random >> 4) as usize % signed.len();
        match random >> 29 {
            0 => bad.truncate(at),
            1 => bad.insert(at, b'"'),
            2 => drop(bad.remove(at)),
            3 => bad[at] = 0xFF,
            _ => bad[at] ^= 1,
        }
        let times = scene.times();
        assert!(scene.engine.message((SET, &bad, false), &scene.load, times).is_err());
    }
    assert_eq!(scene.after(5).0, Order::default());
    assert_eq!(scene.send(SET, &serde_json::from_str(&good).unwrap()), Ok(()), "the one that is whole");
}

proptest! {
    #[test]
    fn no_message_makes_it_panic(topic in ".{0,60}", payload in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut scene = Scene::new();
        let times = scene.times();
        prop_assert!(scene.engine.message((&topic, &payload, false), &scene.load, times).is_err());
        prop_assert!(scene.engine.message((SET, &payload, false), &scene.load, times).is_err());
        prop_assert_eq!(scene.after(1).0, Order::default());
    }

    #[test]
    fn no_signed_words_make_it_panic(words in ".{0,200}", power in any::<f64>(), start in any::<i32>()) {
        let mut scene = Scene::new();
        let event = event(ISV, "grid.loadtarget.set.v1", WALL, &json!(EcSigner::fixed().sign(words.as_bytes())));
        prop_assert!(scene.send(SET, &event).is_err());
        let _ = scene.set(&json!([{"interval": {"start_time": start}, "load_constraint": kilowatts(power)}]));
        let budget = scene.budget_after(1);
        prop_assert!(budget.is_none_or(|budget| (0.0..16_000.0).contains(&budget)));
    }
}
