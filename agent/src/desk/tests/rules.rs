//! What may be asked for, by whom, and how it ends: one test a rule.

use eisbach_protocol::alarm::Alarm;

use super::*;

#[tokio::test]
async fn anybody_may_ask_for_more_cooling_or_less_heat() {
    let mut bench = bench();
    for (action, params) in [
        ("pump_at_least", json!({"percent": 80})),
        ("valve_at_most", json!({"percent": 10, "for_s": 60})),
        ("supply_target", json!({"celsius": 25.5})),
        ("power_budget", json!({"watts": 3000})),
        ("drain", json!({})),
    ] {
        assert_eq!(bench.asked("stranger", action, params).await, AnswerState::Accepted, "{action}");
    }
    let InForce { remote, power_budget, .. } = bench.now();
    assert_eq!(
        (remote.pump_at_least, remote.valve_at_most),
        (Some(Percent::new(80.0)), Some(Percent::new(10.0)))
    );
    assert_eq!((remote.supply_target, power_budget), (Some(Celsius::new(25.5)), Some(Watts::new(3000.0))));
    assert!(remote.drain && remote.manual.is_none() && !remote.isolate);
}

#[tokio::test]
async fn i04_a_stranger_gets_nothing_else() {
    let mut bench = bench();
    for (action, params) in [
        ("manual", json!({"pump_percent": 50, "for_s": 60})),
        ("supply_target", json!({"celsius": 38})),
        ("isolate", json!({})),
        ("auto", json!({})),
        ("acknowledge", json!({})),
        ("shelve", json!({"alarm": "pump_silent", "minutes": 5})),
        ("reset", json!({"alarm": "leak"})),
    ] {
        assert_eq!(bench.asked("stranger", action, params).await, refused(Refusal::NotAllowed), "{action}");
    }
    assert_eq!(
        bench.asked("heat", "manual", json!({"pump_percent": 50, "for_s": 60})).await,
        refused(Refusal::NotAllowed)
    );
    assert_eq!(bench.asked("heat", "supply_target", json!({"celsius": 38})).await, AnswerState::Accepted);
    assert_eq!(bench.now().remote.manual, None);
}

#[tokio::test]
async fn the_safest_of_all_orders_counts() {
    let mut bench = bench();
    for (issuer, percent) in [("a", 60), ("b", 90), ("c", 70)] {
        bench.asked(issuer, "pump_at_least", json!({"percent": percent})).await;
    }
    assert_eq!(bench.now().remote.pump_at_least, Some(Percent::new(90.0)));
    for (issuer, celsius) in [("scada", 39.0), ("b", 28.0), ("heat", 38.0)] {
        bench.asked(issuer, "supply_target", json!({"celsius": celsius})).await;
    }
    assert_eq!(bench.now().remote.supply_target, Some(Celsius::new(28.0)));
}

#[tokio::test]
async fn what_is_too_much_is_obeyed_as_far_as_it_goes() {
    let mut bench = bench();
    for (issuer, action, params, to) in [
        ("scada", "pump_at_least", json!({"percent": 150}), 100.0),
        ("scada", "supply_target", json!({"celsius": 60}), 40.0),
        ("heat", "supply_target", json!({"celsius": -20}), 10.0),
        ("scada", "manual", json!({"pump_percent": 5, "for_s": 60}), 30.0),
    ] {
        assert_eq!(bench.asked(issuer, action, params).await, AnswerState::Clamped { to }, "{action}");
    }
    let manual = Manual { pump: Some(Percent::new(30.0)), valve: None };
    assert_eq!(bench.now().remote.manual, Some(manual));
}

#[tokio::test]
async fn without_an_envelope_only_what_is_safe_counts() {
    let plain = |action| Submission { face: "sparkplug", retained: false, kind: Kind::Plain(action) };
    let mut bench = bench();
    bench.desk.submit(plain(Action::PumpAtLeast(Percent::new(85.0))));
    let answer = bench.answer().await;
    assert_eq!((answer.state, answer.issuer.as_str()), (AnswerState::Accepted, "sparkplug"));
    for (action, refusal) in [
        (Action::SupplyTarget(Celsius::new(38.0)), Refusal::NeedsEnvelope),
        (Action::Isolate, Refusal::NeedsEnvelope),
        (Action::PumpAtLeast(Percent::new(f32::NAN)), Refusal::NotANumber),
        (Action::PowerBudget(Watts::new(f32::NAN)), Refusal::NotANumber),
        (Action::SupplyTarget(Celsius::new(f32::NEG_INFINITY)), Refusal::NotANumber),
    ] {
        bench.desk.submit(plain(action));
        assert_eq!(bench.answer().await.state, refused(refusal), "{action:?}");
    }
    assert_eq!(bench.now().remote.pump_at_least, Some(Percent::new(85.0)));

    let mut bench = start(tempfile::tempdir().unwrap(), CommandsConfig { plain: false, ..commands() });
    bench.desk.submit(plain(Action::PumpAtLeast(Percent::new(85.0))));
    assert_eq!(bench.answer().await.state, refused(Refusal::PlainOff));
}

#[tokio::test(start_paused = true)]
async fn every_order_ends_and_says_so() {
    let mut bench = bench();
    let manual = json!({"pump_percent": 90, "valve_percent": 10, "for_s": 60});
    assert_eq!(bench.asked("scada", "manual", manual).await, AnswerState::Accepted);
    assert!(bench.now().remote.manual.is_some() && bench.now().manual_until.is_some());
    let answer = bench.answer().await;
    assert_eq!((answer.state, answer.action.as_str()), (AnswerState::Expired, "manual"));
    assert!((60_000..60_300).contains(&bench.clock.now().get()), "{}", bench.clock.now());
    assert_eq!(bench.now(), InForce::default());
}

#[tokio::test]
async fn the_cycle_ends_orders_by_its_own_clock() {
    let mut bench = bench();
    bench.asked("a", "pump_at_least", json!({"percent": 90, "for_s": 60})).await;
    bench.token.cancel();
    while bench.tasks.join_next().await.is_some() {}
    assert!(bench.now().remote.pump_at_least.is_some(), "the desk is gone, its orders stand until their end");
    let end = bench.clock.now() + Millis::from_secs(61);
    assert_eq!(bench.tray.in_force(end), InForce::default());
}

#[tokio::test]
async fn a_newer_order_replaces_the_older_one_and_both_are_told() {
    let mut bench = bench();
    bench.asked("scada", "manual", json!({"pump_percent": 90, "for_s": 60})).await;
    let second = bench.envelope("scada", "manual", &json!({"pump_percent": 80, "for_s": 60}));
    assert_eq!(bench.says(&second).await, AnswerState::Done, "the first");
    let answer = bench.answer().await;
    assert_eq!((answer.id.as_str(), answer.state), (second["id"].as_str().unwrap(), AnswerState::Accepted));
    assert_eq!(bench.asked("scada", "auto", json!({})).await, AnswerState::Done, "the second");
    assert_eq!(bench.answer().await.action.as_str(), "auto");
    assert_eq!(bench.now(), InForce::default());
}

#[tokio::test]
async fn an_issuer_takes_back_its_own_order_and_no_other() {
    let mut bench = bench();
    bench.asked("scada", "pump_at_least", json!({"percent": 90})).await;
    let release = json!({"action": "pump_at_least"});
    assert_eq!(bench.asked("heat", "release", release.clone()).await, refused(Refusal::NothingToRelease));
    assert_eq!(bench.asked("scada", "release", release).await, AnswerState::Done);
    assert_eq!(bench.answer().await.action.as_str(), "release");
    assert_eq!(bench.now(), InForce::default());
}

#[tokio::test]
async fn i05_what_a_stranger_asked_for_ends_by_its_time_and_not_by_its_name() {
    let mut bench = bench();
    bench.asked("a", "pump_at_least", json!({"percent": 90})).await;
    let release = json!({"action": "pump_at_least"});
    assert_eq!(bench.asked("a", "release", release).await, refused(Refusal::NotAllowed));
    assert_eq!(bench.now().remote.pump_at_least, Some(Percent::new(90.0)));
}

#[tokio::test]
async fn by_hand_only_while_the_node_runs() {
    let mut bench = bench();
    for state in [StateName::Boot, StateName::Hot, StateName::Critical, StateName::Leak] {
        bench.tray.tell(state);
        let manual = json!({"pump_percent": 90, "for_s": 60});
        assert_eq!(bench.asked("scada", "manual", manual).await, refused(Refusal::NotRunning), "{state:?}");
    }
}

#[tokio::test]
async fn maintenance_ends_what_rests_on_a_right_and_stays_over_a_restart() {
    let mut bench = bench();
    bench.asked("scada", "manual", json!({"pump_percent": 90, "for_s": 60})).await;
    bench.asked("a", "pump_at_least", json!({"percent": 70})).await;
    assert_eq!(bench.desk.maintenance(true).await, Some(Switched { local: true, kept: true }));
    assert_eq!(bench.answer().await.state, AnswerState::Done, "the hold by hand");
    assert!(bench.tray.is_local());
    let mut bench = bench.restart().await;
    assert!(bench.tray.is_local());
    let manual = json!({"pump_percent": 90, "for_s": 60});
    assert_eq!(bench.asked("scada", "manual", manual.clone()).await, refused(Refusal::Local));
    assert_eq!(bench.asked("a", "pump_at_least", json!({"percent": 70})).await, AnswerState::Accepted);
    bench.desk.maintenance(false).await;
    assert_eq!(bench.asked("scada", "manual", manual).await, AnswerState::Accepted);
}

/// What is answered once a cycle with this alarm has passed.
async fn of_alarm(bench: &mut Bench, standing: Alarm, action: &str, params: Value) -> AnswerState {
    let envelope = bench.envelope("scada", action, &params);
    bench.submit(envelope.to_string());
    let mut found = Found::default();
    found.conditions.standing.raise_if(true, standing);
    let mut events = Arc::default();
    loop {
        let now = Moment { at: bench.clock.now(), wall_ms: Clock::wall_ms() };
        bench.alarms.step(&found, &mut events, now);
        if let Ok(answer) = bench.tray.answers.try_recv() {
            return answer.state;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_wish_about_an_alarm_is_answered_with_what_became_of_it() {
    let mut bench = bench();
    let alarm = json!({"alarm": "hook_failed"});
    for (action, params, expected) in [
        ("acknowledge", json!({}), AnswerState::Done),
        ("shelve", json!({"alarm": "hook_failed", "minutes": 5}), AnswerState::Done),
        ("unshelve", alarm, AnswerState::Done),
        (
            "shelve",
            json!({"alarm": "leak", "minutes": 5}),
            AnswerState::Refused { reason: "not_shelvable".into() },
        ),
    ] {
        let state = of_alarm(&mut bench, Alarm::HookFailed, action, params).await;
        assert_eq!(state, expected, "{action}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cycle_that_hears_nothing_is_not_waited_for() {
    let mut bench = bench();
    assert_eq!(bench.asked("scada", "acknowledge", json!({})).await, refused(Refusal::Busy));
}

#[tokio::test(start_paused = true)]
async fn i05_a_cycle_that_hears_nothing_holds_up_no_other_command() {
    let mut bench = bench();
    let wishes: Vec<_> = (0..9).map(|_| bench.envelope("scada", "acknowledge", &json!({}))).collect();
    for wish in &wishes {
        bench.submit(wish.to_string());
    }
    let cooling = bench.envelope("a", "pump_at_least", &json!({"percent": 80}));
    bench.submit(cooling.to_string());
    let answer = bench.answer().await;
    assert_eq!(
        (answer.id.as_str(), answer.state),
        (wishes[8]["id"].as_str().unwrap(), refused(Refusal::Busy))
    );
    let answer = bench.answer().await;
    assert_eq!((answer.id.as_str(), answer.state), (cooling["id"].as_str().unwrap(), AnswerState::Accepted));
    assert_eq!(bench.says(&wishes[0]).await, refused(Refusal::Duplicate), "it is taken up, and waits");
}

#[tokio::test]
async fn i05_a_person_at_the_node_does_not_wait_behind_a_flood() {
    let mut bench = bench();
    for _ in 0..INBOX {
        let envelope = bench.envelope("scada", "manual", &json!({"pump_percent": 30, "for_s": 60}));
        bench.submit(envelope.to_string());
    }
    assert_eq!(bench.desk.maintenance(true).await, Some(Switched { local: true, kept: true }));
    assert_eq!(bench.answer().await.state, refused(Refusal::Local));
    assert_eq!(bench.tray.counts().accepted, 0);
}

#[tokio::test]
async fn strangers_leave_room_for_those_who_are_known() {
    let mut bench = bench();
    for stranger in 0..32 {
        bench.asked(&format!("s{stranger}"), "pump_at_least", json!({"percent": 40})).await;
    }
    assert_eq!(bench.asked("s-one-more", "drain", json!({})).await, refused(Refusal::Full));
    assert_eq!(bench.asked("scada", "drain", json!({})).await, AnswerState::Accepted);
}

#[tokio::test]
async fn i05_strangers_leave_room_for_every_known_issuer_and_for_numbers_without_an_envelope() {
    let known = |name: usize| Issuer { name: format!("known-{name}"), may: Vec::new(), key: None };
    let issuers = (0..16).map(known).collect();
    let mut bench = start(tempfile::tempdir().unwrap(), CommandsConfig { issuers, ..commands() });
    for stranger in 0..32 {
        bench.asked(&format!("s{stranger}"), "pump_at_least", json!({"percent": 40})).await;
    }
    for name in 0..16 {
        for (action, params) in [
            ("pump_at_least", json!({"percent": 80})),
            ("valve_at_most", json!({"percent": 10})),
            ("supply_target", json!({"celsius": 20})),
            ("power_budget", json!({"watts": 3000})),
            ("drain", json!({})),
        ] {
            let answer = bench.asked(&format!("known-{name}"), action, params).await;
            assert_eq!(answer, AnswerState::Accepted, "{name} {action}");
        }
    }
    for action in [Action::PumpAtLeast(Percent::new(90.0)), Action::PowerBudget(Watts::new(2000.0))] {
        bench.desk.submit(Submission { face: "sparkplug", retained: false, kind: Kind::Plain(action) });
        assert_eq!(bench.answer().await.state, AnswerState::Accepted, "{action:?}");
    }
}

#[tokio::test]
async fn a_flood_is_counted_and_nobody_waits() {
    let mut bench = bench();
    let text = bench.envelope("a", "rebirth", &json!({})).to_string();
    for _ in 0..1000 {
        let kind = Kind::Envelope(text.clone().into());
        bench.desk.submit(Submission { face: "json", retained: false, kind });
    }
    let counts = bench.tray.counts();
    assert!(counts.dropped >= 1000 - INBOX as u64, "{counts:?}");
    assert_eq!(bench.answer().await.state, AnswerState::Done);
    assert_eq!(bench.desk.rebirths(), 1);
}

#[tokio::test]
async fn new_numbers_of_the_controller_count_at_once() {
    let mut bench = bench();
    let tuning = Tuning { supply_target_max: Celsius::new(37.0), ..Tuning::default() };
    bench.orders.send_modify(|orders| orders.tuning = tuning);
    let answer = bench.asked("scada", "supply_target", json!({"celsius": 39})).await;
    assert_eq!(answer, AnswerState::Clamped { to: 37.0 });
}
