use super::*;
use eisbach_control::AlarmState;
use eisbach_protocol::reading::{BadReason, Reading};

fn now(seconds: u64) -> Moment {
    Moment { at: Millis::from_secs(seconds), wall_ms: 1_700_000_000_000 + seconds * 1000 }
}

fn standing(alarms: &[Alarm]) -> Found {
    let mut found = Found::default();
    alarms.iter().for_each(|alarm| found.conditions.standing.raise_if(true, *alarm));
    found
}

fn order(alarm: Option<Alarm>, action: AlarmAction) -> AlarmOrder {
    AlarmOrder { alarm, action, by: Short::new("shift-1") }
}

struct Bench {
    alarms: Alarms,
    desk: AlarmDesk,
    remote: AlarmDesk,
    events: Arc<Events>,
    tasks: JoinSet<()>,
    token: CancellationToken,
}

impl Bench {
    fn start(state: &std::path::Path) -> Self {
        let (mut tasks, token) = (JoinSet::new(), CancellationToken::new());
        let (alarms, desk) = Alarms::start(&mut tasks, state.to_owned(), now(0), token.clone());
        let remote = desk.clone();
        Self { alarms, desk, remote, events: Arc::default(), tasks, token }
    }

    /// What becomes of an order in the next cycle, and whether the latch is to be reset.
    fn order(&mut self, found: &Found, order: AlarmOrder) -> (Result<AlarmVerdict, AlarmError>, bool) {
        let mut answer = self.desk.order(order).unwrap();
        let reset = self.alarms.step(found, &mut self.events, now(1));
        (answer.try_recv().unwrap(), reset)
    }

    fn state(&self, alarm: Alarm) -> AlarmState {
        self.alarms.views()[alarm as usize].state
    }

    async fn stop(mut self) {
        self.token.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

#[tokio::test]
async fn what_was_acknowledged_and_put_aside_is_so_after_a_restart() {
    let state = tempfile::tempdir().unwrap();
    let found = standing(&[Alarm::PumpSilent, Alarm::Uncontrollable]);
    let mut bench = Bench::start(state.path());
    bench.alarms.step(&found, &mut bench.events, now(1));
    assert_eq!(
        bench.order(&found, order(Some(Alarm::PumpSilent), AlarmAction::Acknowledge)).0,
        Ok(AlarmVerdict::Done { changed: 1 })
    );
    let shelve = AlarmAction::Shelve { minutes: 30 };
    assert!(bench.order(&found, order(Some(Alarm::MeterSilent), shelve)).0.is_ok());
    bench.alarms.step(&standing(&[Alarm::PumpSilent]), &mut bench.events, now(2));
    bench.stop().await;

    let bench = Bench::start(state.path());
    assert_eq!(bench.state(Alarm::PumpSilent), AlarmState::Acked);
    assert_eq!(bench.state(Alarm::Uncontrollable), AlarmState::LatchedUnacked);
    assert!(bench.alarms.views()[Alarm::MeterSilent as usize].is_shelved());
    bench.stop().await;
}

#[tokio::test]
async fn every_change_is_an_event_and_a_persons_has_a_name() {
    let state = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(state.path());
    let found = standing(&[Alarm::ConfigRefused]);
    bench.alarms.step(&found, &mut bench.events, now(1));
    bench.order(&found, order(Some(Alarm::ConfigRefused), AlarmAction::Acknowledge)).0.unwrap();
    bench.alarms.step(&found, &mut bench.events, now(2));
    bench.alarms.step(&Found::default(), &mut bench.events, now(3));
    let told: Vec<_> = bench.events.since(0).events.map(|event| event.kind.clone()).collect();
    let event = |change, by: Option<&str>, second| {
        EventKind::Alarm(AlarmEvent {
            alarm: Alarm::ConfigRefused,
            change,
            by: by.map(Short::new),
            wall_ms: now(second).wall_ms,
        })
    };
    assert_eq!(
        told,
        [
            event(AlarmChange::Raised { first_out: false }, None, 1),
            event(AlarmChange::Acknowledged, Some("shift-1"), 1),
            event(AlarmChange::Cleared, None, 3),
        ]
    );
    bench.stop().await;
}

#[tokio::test]
async fn all_that_is_to_be_seen_is_acknowledged_at_once_and_what_is_hidden_is_not() {
    let state = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(state.path());
    let found = standing(&[Alarm::LossOfFlow, Alarm::OverTemperature, Alarm::ConfigRefused]);
    bench.alarms.step(&found, &mut bench.events, now(1));
    let all = |action| order(None, action);
    assert_eq!(
        bench.order(&found, all(AlarmAction::Acknowledge)).0,
        Ok(AlarmVerdict::Done { changed: 2 }),
        "over_temperature is hidden behind the loss of flow"
    );
    assert_eq!(bench.state(Alarm::OverTemperature), AlarmState::Unacked);
    assert_eq!(
        bench.order(&found, all(AlarmAction::Acknowledge)).0,
        Err(AlarmError::Refused(Refusal::NothingToDo))
    );
    assert_eq!(bench.order(&found, all(AlarmAction::Reset)).0, Err(AlarmError::NeedsName));
    bench.stop().await;
}

#[tokio::test]
async fn i02_a_leak_alarm_is_reset_through_its_interlock_and_only_when_the_rope_is_dry() {
    let state = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(state.path());
    let in_leak = |detected: Reading<bool>, fault: bool| {
        let leak = LeakInput { detected, fault: Reading::measured(fault, Millis::ZERO) };
        let mut of_control = AlarmSet::NONE;
        of_control.raise_if(true, Alarm::Leak);
        Found::of(&leak, false, of_control, AlarmSet::NONE)
    };
    let told = |wet| Reading::measured(wet, Millis::ZERO);
    let reset = || order(Some(Alarm::Leak), AlarmAction::Reset);
    bench.alarms.step(&in_leak(told(true), false), &mut bench.events, now(1));
    bench.desk = bench.desk.at_the_node();
    let wet = bench.order(&in_leak(told(true), false), reset());
    assert_eq!(wet, (Err(AlarmError::Refused(Refusal::StillActive)), false));
    for unknown in [in_leak(Reading::bad(BadReason::CommLost), false), in_leak(told(false), true)] {
        bench.alarms.step(&unknown, &mut bench.events, now(1));
        assert_eq!(bench.state(Alarm::Leak), AlarmState::LatchedUnacked, "a fault clears nothing");
        assert_eq!(bench.order(&unknown, reset()), (Err(AlarmError::NotKnownDry), false));
    }
    let dry = in_leak(told(false), false);
    let near = bench.desk.clone();
    bench.desk = bench.remote.clone();
    assert_eq!(
        bench.order(&dry, reset()),
        (Err(AlarmError::LocalOnly), false),
        "nobody far away sees the floor"
    );
    bench.desk = near;
    assert_eq!(bench.order(&dry, reset()), (Ok(AlarmVerdict::LatchAsked), true));
    assert_eq!(bench.state(Alarm::Leak), AlarmState::LatchedUnacked, "until the interlock has let go");
    bench.alarms.step(&Found::default(), &mut bench.events, now(2));
    assert_eq!(bench.state(Alarm::Leak), AlarmState::Normal);
    bench.stop().await;
}

#[tokio::test]
async fn i02_isolation_is_an_alarm_of_its_own_and_is_reset_like_a_leak_once_the_order_is_over() {
    let state = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(state.path());
    let isolated = |ordered| {
        let told = |is| Reading::measured(is, Millis::ZERO);
        let mut of_control = AlarmSet::NONE;
        of_control.raise_if(true, Alarm::Isolated);
        let rope = LeakInput { detected: told(false), fault: told(false) };
        Found::of(&rope, ordered, of_control, AlarmSet::NONE)
    };
    let reset = || order(Some(Alarm::Isolated), AlarmAction::Reset);
    bench.alarms.step(&isolated(true), &mut bench.events, now(1));
    assert_eq!(bench.state(Alarm::Leak), AlarmState::Normal);
    assert_eq!(bench.order(&isolated(true), reset()).0, Err(AlarmError::Refused(Refusal::StillActive)));
    bench.alarms.step(&isolated(false), &mut bench.events, now(1));
    assert_eq!(bench.state(Alarm::Isolated), AlarmState::LatchedUnacked);
    assert_eq!(bench.order(&isolated(false), reset()), (Err(AlarmError::LocalOnly), false));
    bench.desk = bench.desk.at_the_node();
    assert_eq!(bench.order(&isolated(false), reset()), (Ok(AlarmVerdict::LatchAsked), true));
    bench.alarms.step(&Found::default(), &mut bench.events, now(2));
    assert_eq!(bench.state(Alarm::Isolated), AlarmState::Normal);
    bench.stop().await;
}

#[tokio::test]
async fn i13_orders_that_find_no_room_are_refused() {
    let state = tempfile::tempdir().unwrap();
    let bench = Bench::start(state.path());
    let ack = || order(None, AlarmAction::Acknowledge);
    let waiting: Vec<_> = (0..WAITING).map(|_| bench.desk.order(ack()).unwrap()).collect();
    assert_eq!(bench.desk.order(ack()).unwrap_err(), AlarmError::Busy);
    drop(waiting);
    bench.stop().await;
}
