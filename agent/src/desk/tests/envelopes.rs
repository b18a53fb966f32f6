//! What is an envelope, and what is none: one test a rule.

use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::*;

#[tokio::test]
async fn a_retained_command_is_refused_however_good_it_is() {
    let mut bench = bench();
    let text = bench.envelope("scada", "pump_at_least", &json!({"percent": 80})).to_string();
    let kind = Kind::Envelope(text.into());
    bench.desk.submit(Submission { face: "json", retained: true, kind });
    assert_eq!(bench.answer().await.state, refused(Refusal::Retained));
    assert_eq!(bench.now(), InForce::default());
}

#[tokio::test]
async fn the_same_command_twice_is_refused() {
    let mut bench = bench();
    let envelope = bench.envelope("stranger", "pump_at_least", &json!({"percent": 80}));
    assert_eq!(bench.says(&envelope).await, AnswerState::Accepted);
    assert_eq!(bench.says(&envelope).await, refused(Refusal::Duplicate));
}

#[tokio::test]
async fn a_command_out_of_its_time_is_refused() {
    let mut bench = bench();
    let now = Clock::wall_ms();
    for (issued, expires, refusal) in [
        (now - 50_000, now - 1, Refusal::TooLate),
        (now + 20_000, now + 30_000, Refusal::FromTheFuture),
        (now, now + 60_001, Refusal::LifeTooLong),
        (now, now - 1, Refusal::LifeTooLong),
        (0, u64::MAX, Refusal::LifeTooLong),
    ] {
        let mut envelope = bench.envelope("stranger", "pump_at_least", &json!({"percent": 80}));
        envelope["issued_at"] = issued.into();
        envelope["expires_at"] = expires.into();
        assert_eq!(bench.says(&envelope).await, refused(refusal), "{issued} {expires}");
    }
    assert_eq!(bench.now(), InForce::default());
}

#[tokio::test]
async fn i04_a_replayed_counter_is_refused_over_restarts_too() {
    let mut bench = bench();
    let manual = json!({"pump_percent": 90, "for_s": 600});
    let mut envelope = bench.envelope("scada", "manual", &manual);
    assert_eq!(bench.says(&envelope).await, AnswerState::Accepted);
    envelope["id"] = "another".into();
    assert_eq!(bench.says(&envelope).await, refused(Refusal::CounterNotNewer));

    let mut bench = bench.restart().await;
    assert_eq!(bench.now(), InForce::default(), "orders do not outlive the agent");
    assert_eq!(bench.says(&envelope).await, refused(Refusal::CounterNotNewer));
    envelope["counter"] = (bench.counter + 1).into();
    assert_eq!(bench.says(&envelope).await, AnswerState::Accepted);
}

#[tokio::test]
async fn i04_a_counter_that_cannot_be_kept_is_none() {
    let mut bench = bench();
    std::fs::remove_dir_all(bench.folder.path()).unwrap();
    let manual = json!({"pump_percent": 90, "for_s": 600});
    assert_eq!(bench.asked("scada", "manual", manual).await, refused(Refusal::NotKept));
    assert_eq!(bench.now(), InForce::default());
    assert_eq!(bench.asked("scada", "pump_at_least", json!({"percent": 80})).await, AnswerState::Accepted);
}

#[tokio::test]
async fn i04_counters_that_cannot_be_read_leave_only_what_is_safe() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(ledger::file(folder.path()), "rubbish").unwrap();
    let mut bench = start(folder, commands());
    let manual = json!({"pump_percent": 90, "for_s": 600});
    assert_eq!(bench.asked("scada", "manual", manual).await, refused(Refusal::LedgerUnreadable));
    assert_eq!(bench.asked("scada", "pump_at_least", json!({"percent": 80})).await, AnswerState::Accepted);
    assert_eq!(std::fs::read_to_string(ledger::file(bench.folder.path())).unwrap(), "rubbish");
}

#[tokio::test]
async fn a_command_for_another_node_is_refused() {
    let mut bench = bench();
    let mut envelope = bench.envelope("scada", "pump_at_least", &json!({"percent": 80}));
    envelope["target"] = "node-2".into();
    assert_eq!(bench.says(&envelope).await, refused(Refusal::WrongTarget));
    let mut envelope = bench.envelope("scada", "isolate", &json!({}));
    envelope.as_object_mut().unwrap().remove("target");
    assert_eq!(bench.says(&envelope).await, refused(Refusal::WrongTarget));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_word() {
    let mut bench = bench();
    let manual = |params: Value| ("manual", params);
    for ((action, params), refusal) in [
        (("pump_at_least", json!({"percent": -1})), Refusal::OutOfRange),
        (("pump_at_least", json!({"percent": 1e300})), Refusal::NotANumber),
        (("pump_at_least", json!({"percent": null})), Refusal::BadParams),
        (("pump_at_least", json!({"percent": "80"})), Refusal::BadParams),
        (("pump_at_least", json!({"percent": 80, "more": 1})), Refusal::BadParams),
        (("pump_at_least", json!({"percent": 80, "for_s": 0})), Refusal::OutOfRange),
        (("pump_at_least", json!({"percent": 80, "for_s": 86_401})), Refusal::TooLong),
        (("power_budget", json!({"watts": -1})), Refusal::OutOfRange),
        (manual(json!({"for_s": 60})), Refusal::BadParams),
        (manual(json!({"pump_percent": 50})), Refusal::BadParams),
        (manual(json!({"pump_percent": 50, "for_s": 3600})), Refusal::TooLong),
        (("acknowledge", json!({"alarm": "nonsense"})), Refusal::UnknownAlarm),
        (("shelve", json!({"alarm": "pump_silent", "minutes": 481})), Refusal::OutOfRange),
        (("release", json!({"action": "pump_at_least"})), Refusal::NothingToRelease),
        (("release", json!({"action": "nonsense"})), Refusal::UnknownAction),
        (("dance", json!({})), Refusal::UnknownAction),
    ] {
        assert_eq!(bench.asked("scada", action, params.clone()).await, refused(refusal), "{action} {params}");
    }
    assert_eq!(bench.now(), InForce::default());
}

#[tokio::test]
async fn an_envelope_is_read_strictly() {
    let mut bench = bench();
    let good = bench.envelope("scada", "pump_at_least", &json!({"percent": 80})).to_string();
    for (wrong, refusal) in [
        (good.replace("\"counter\"", "\"zaehler\""), Refusal::Malformed),
        (good.replace("\"action\"", "\"id\":\"x\",\"action\""), Refusal::Malformed),
        (good.replace("\"percent\":80", "\"percent\":80,\"percent\":1"), Refusal::BadParams),
        (good.replace("\"percent\":80", "\"percent\":NaN"), Refusal::Malformed),
        (good.replace("\"percent\":80", "\"percent\":1e999"), Refusal::BadParams),
        (good.replace("\"scada\"", "\"\""), Refusal::BadName),
        (good.replace("\"scada\"", "\"ä\""), Refusal::BadName),
        (good.replace("\"scada\"", &format!("{:?}", "x".repeat(65))), Refusal::BadName),
        (format!("{good}{{}}"), Refusal::Malformed),
        (format!("{good}{}", " ".repeat(9000)), Refusal::TooLarge),
        (String::new(), Refusal::Malformed),
        ("[".repeat(4000), Refusal::Malformed),
    ] {
        bench.submit(wrong.clone());
        let answer = bench.answer().await;
        assert_eq!(answer.state, refused(refusal), "{wrong:.300}");
    }
    assert_eq!(bench.now(), InForce::default());
    bench.submit(good);
    assert_eq!(bench.answer().await.state, AnswerState::Accepted);
}

#[tokio::test]
async fn ten_thousand_malformed_envelopes_do_nothing_and_are_counted() {
    let mut bench = bench();
    let good = bench.envelope("scada", "manual", &json!({"pump_percent": 30, "for_s": 600})).to_string();
    let mut told = 0;
    let mut lot = proptest::test_runner::TestRunner::deterministic();
    let spoilt = (0..good.len(), any::<u8>(), any::<bool>());
    for round in 1..=10_000_u64 {
        let (at, byte, cut) = spoilt.new_tree(&mut lot).unwrap().current();
        let mut text = good.clone().into_bytes();
        if cut {
            text.truncate(at);
        } else {
            text[at] = byte;
            // No spoilt byte may make it a good one.
            text.push(b'}');
        }
        bench.submit(text);
        while bench.tray.counts().refused < round {
            tokio::task::yield_now().await;
        }
        told += std::iter::from_fn(|| bench.tray.next_answer())
            .inspect(|answer| assert!(matches!(answer.state, AnswerState::Refused { .. })))
            .count();
    }
    assert!(told > 0 && told <= 8 * Refusal::ALL.len(), "{told} events would turn the ring over");
    assert_eq!((bench.now(), bench.tray.counts().accepted), (InForce::default(), 0));
}

#[tokio::test]
async fn what_must_be_signed_counts_only_signed_and_by_its_own_key() {
    let mut bench = bench();
    let unsigned = bench.envelope("sealed", "pump_at_least", &json!({"percent": 80}));
    assert_eq!(bench.says(&unsigned).await, refused(Refusal::Unsigned));
    for (key, expected) in [
        ("key-of-scada", refused(Refusal::BadSignature)),
        ("nonsense", refused(Refusal::BadSignature)),
        ("key-of-sealed", AnswerState::Accepted),
    ] {
        let envelope = bench.envelope("sealed", "manual", &json!({"pump_percent": 80, "for_s": 60}));
        bench.submit(format!("{key}.{envelope}"));
        assert_eq!(bench.answer().await.state, expected, "{key}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(&text);
    }
}
