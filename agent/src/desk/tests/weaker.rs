//! No order in force becomes weaker on the word of a name.

use super::*;

/// Strict orders, and what would weaken each.
fn pairs() -> Vec<(&'static str, Value, Vec<Value>)> {
    vec![
        (
            "power_budget",
            json!({"watts": 4000}),
            vec![json!({"watts": 1e6}), json!({"watts": 4000, "for_s": 1})],
        ),
        (
            "pump_at_least",
            json!({"percent": 100}),
            vec![json!({"percent": 0}), json!({"percent": 100, "for_s": 1})],
        ),
        (
            "valve_at_most",
            json!({"percent": 0}),
            vec![json!({"percent": 100}), json!({"percent": 0, "for_s": 1})],
        ),
        (
            "supply_target",
            json!({"celsius": 20}),
            vec![json!({"celsius": 30}), json!({"celsius": 20, "for_s": 1})],
        ),
        ("drain", json!({}), vec![json!({"for_s": 1})]),
    ]
}

#[tokio::test]
async fn i05_nobody_without_proof_makes_an_order_less_strict_or_shorter() {
    for name in ["stranger", "scada"] {
        for (action, strict, weak) in pairs() {
            let mut bench = bench();
            assert_eq!(bench.asked(name, action, strict).await, AnswerState::Accepted, "{action}");
            let before = bench.now();
            for params in weak {
                let mut envelope = bench.envelope(name, action, &params);
                envelope.as_object_mut().unwrap().remove("counter");
                assert_eq!(bench.says(&envelope).await, refused(Refusal::Weaker), "{action} {params}");
            }
            assert_eq!(bench.now(), before, "{action}");
        }
    }
}

#[tokio::test]
async fn i05_a_known_issuer_weakens_its_own_order_with_a_counter_that_is_spent() {
    let mut bench = bench();
    for (action, strict, weak) in pairs() {
        bench.asked("scada", action, strict).await;
        for params in weak {
            let envelope = bench.envelope("scada", action, &params);
            assert_eq!(bench.says(&envelope).await, AnswerState::Done, "the one before");
            assert_eq!(bench.answer().await.state, AnswerState::Accepted, "{action} {params}");
        }
    }
    bench.asked("scada", "pump_at_least", json!({"percent": 90})).await;
    bench.answer().await;
    let mut replayed = bench.envelope("scada", "pump_at_least", &json!({"percent": 10}));
    replayed["counter"] = (bench.counter - 2).into();
    assert_eq!(bench.says(&replayed).await, refused(Refusal::CounterNotNewer));
}

#[tokio::test]
async fn a_stricter_or_longer_order_needs_no_proof() {
    let mut bench = bench();
    bench.asked("a", "pump_at_least", json!({"percent": 70, "for_s": 60})).await;
    for params in [json!({"percent": 70, "for_s": 61}), json!({"percent": 90, "for_s": 61})] {
        assert_eq!(bench.asked("a", "pump_at_least", params).await, AnswerState::Done, "the one before");
        assert_eq!(bench.answer().await.state, AnswerState::Accepted);
    }
    bench.asked("scada", "supply_target", json!({"celsius": 39, "for_s": 600})).await;
    let mut cooler = bench.envelope("scada", "supply_target", &json!({"celsius": 20, "for_s": 60}));
    cooler.as_object_mut().unwrap().remove("counter");
    assert_eq!(bench.says(&cooler).await, AnswerState::Done, "heat by right is no cooling to weaken");
}

#[tokio::test(start_paused = true)]
async fn i05_a_number_without_an_envelope_weakens_no_earlier_one() {
    let mut bench = start(
        tempfile::tempdir().unwrap(),
        CommandsConfig { plain_life: Millis::from_secs(60), ..commands() },
    );
    let plain = |percent| {
        let kind = Kind::Plain(Action::PumpAtLeast(Percent::new(percent)));
        Submission { face: "sparkplug", retained: false, kind }
    };
    for (percent, state) in [(80.0, AnswerState::Accepted), (0.0, refused(Refusal::Weaker))] {
        bench.desk.submit(plain(percent));
        assert_eq!(bench.answer().await.state, state, "{percent}");
    }
    bench.desk.submit(plain(90.0));
    assert_eq!(bench.answer().await.state, AnswerState::Done, "the one before");
    assert_eq!(bench.answer().await.state, AnswerState::Accepted);
    assert_eq!(bench.answer().await.state, AnswerState::Expired, "by its time");
    bench.desk.submit(plain(10.0));
    assert_eq!(bench.answer().await.state, AnswerState::Accepted);
}

#[tokio::test]
async fn i05_nobody_calls_itself_by_the_name_of_a_face() {
    let mut bench = bench();
    for name in FACES {
        let answer = bench.asked(name, "pump_at_least", json!({"percent": 80})).await;
        assert_eq!(answer, refused(Refusal::ReservedName), "{name}");
    }
}

#[tokio::test]
async fn i05_what_is_signed_counts_in_the_order_in_which_it_was_signed() {
    let mut bench = bench();
    let strict = |percent: u32| json!({"percent": percent, "for_s": 600 + percent});
    let mut older = bench.envelope("sealed", "pump_at_least", &strict(90));
    let unnumbered = |envelope: &mut Value| envelope.as_object_mut().unwrap().remove("counter");
    let mut overtaken = bench.envelope("sealed", "pump_at_least", &strict(95));
    unnumbered(&mut overtaken);
    overtaken["issued_at"] = (overtaken["issued_at"].as_u64().unwrap() - 1000).into();
    let newer = bench.envelope("sealed", "pump_at_least", &strict(80));
    older["id"] = "older".into();
    for (envelope, state) in [
        (newer, AnswerState::Accepted),
        (older, refused(Refusal::CounterNotNewer)),
        (overtaken, refused(Refusal::Overtaken)),
    ] {
        bench.submit(format!("key-of-sealed.{envelope}"));
        assert_eq!(bench.answer().await.state, state, "{envelope}");
    }
}
