//! What may be told of river and heat network, by whom, and how long it counts.

use eisbach_control::Surroundings;
use eisbach_protocol::units::CubicMetersPerSecond;

use super::*;

#[tokio::test]
async fn who_may_tells_of_the_river_and_the_newest_word_counts_as_a_whole() {
    let mut bench = bench();
    let river = json!({"celsius": 14.5, "cubic_meters_per_s": 22.0, "share": 0.001});
    assert_eq!(bench.asked("scada", "river", river).await, AnswerState::Accepted);
    let told = bench.now().surroundings;
    assert_eq!(told.river.usable(), Some(Celsius::new(14.5)));
    assert_eq!(told.river_flow.usable(), Some(CubicMetersPerSecond::new(22.0)));
    assert_eq!(told.river_share, Some(0.001));
    assert_eq!(bench.asked("sealed", "river", json!({"celsius": 15.0})).await, refused(Refusal::Unsigned));
    bench.asked("scada", "river", json!({"celsius": 15.0})).await;
    let told = bench.now().surroundings;
    assert_eq!((told.river.usable(), told.river_flow.usable()), (Some(Celsius::new(15.0)), None));
}

#[tokio::test]
async fn who_may_tells_of_the_heat_network() {
    let mut bench = bench();
    let heat = json!({"watts": 4000, "network_celsius": 62});
    assert_eq!(bench.asked("scada", "heat_demand", heat).await, AnswerState::Accepted);
    let told = bench.now().surroundings;
    assert_eq!(told.heat_demand.usable(), Some(Watts::new(4000.0)));
    assert_eq!(told.network_supply.usable(), Some(Celsius::new(62.0)));
}

#[tokio::test]
async fn anybody_may_ask_for_less_heat_to_the_river_and_nobody_without_a_right_for_a_cooler_one() {
    let mut bench = bench();
    for (issuer, watts) in [("stranger", 3000.0), ("other", 2000.0), ("third", 2500.0)] {
        assert_eq!(
            bench.asked(issuer, "river_at_most", json!({"watts": watts})).await,
            AnswerState::Accepted
        );
    }
    assert_eq!(bench.now().remote.river_at_most, Some(Watts::new(2000.0)), "the least counts");
    assert_eq!(bench.asked("other", "river_at_most", json!({"watts": 9000})).await, refused(Refusal::Weaker));
    for (action, params) in
        [("river", json!({"celsius": 5})), ("heat_demand", json!({"watts": 0, "network_celsius": 60}))]
    {
        for issuer in ["stranger", "heat"] {
            assert_eq!(
                bench.asked(issuer, action, params.clone()).await,
                refused(Refusal::NotAllowed),
                "{issuer} {action}"
            );
        }
    }
    assert_eq!(bench.now().surroundings, Surroundings::default());
}

#[tokio::test]
async fn a_word_that_makes_no_sense_changes_nothing() {
    let mut bench = bench();
    for (action, params, refusal) in [
        ("river", json!({}), Refusal::BadParams),
        ("river", json!({"celsius": 60}), Refusal::OutOfRange),
        ("river", json!({"cubic_meters_per_s": -1}), Refusal::OutOfRange),
        ("river", json!({"share": 1.5}), Refusal::OutOfRange),
        ("river", json!({"celsius": 1e39}), Refusal::NotANumber),
        ("heat_demand", json!({"watts": 1000}), Refusal::BadParams),
        ("heat_demand", json!({"watts": -1, "network_celsius": 60}), Refusal::OutOfRange),
        ("heat_demand", json!({"watts": 1000, "network_celsius": 200}), Refusal::OutOfRange),
        ("river_at_most", json!({"watts": -1}), Refusal::OutOfRange),
    ] {
        assert_eq!(bench.asked("scada", action, params.clone()).await, refused(refusal), "{action} {params}");
    }
    assert_eq!(bench.now(), InForce::default());
}

#[tokio::test(start_paused = true)]
async fn a_word_grows_old_and_ends() {
    let mut bench = bench();
    bench.asked("scada", "river", json!({"celsius": 14.0, "for_s": 60})).await;
    tokio::time::advance(Duration::from_secs(30)).await;
    let age = bench.now().surroundings.river.age();
    assert!((Millis::from_secs(30)..Millis::from_secs(31)).contains(&age), "{age:?}");
    let answer = bench.answer().await;
    assert_eq!((answer.state, answer.action.as_str()), (AnswerState::Expired, "river"));
    assert_eq!(bench.now().surroundings, Surroundings::default());
}

#[tokio::test]
async fn what_is_told_goes_on_while_somebody_works_on_the_node() {
    let mut bench = bench();
    bench.asked("scada", "river", json!({"celsius": 14.0})).await;
    bench.desk.maintenance(true).await;
    assert_eq!(bench.now().surroundings.river.usable(), Some(Celsius::new(14.0)));
    assert_eq!(
        bench.asked("scada", "river", json!({"celsius": 15.0})).await,
        AnswerState::Done,
        "the older word"
    );
    assert_eq!(bench.answer().await.state, AnswerState::Accepted);
    assert_eq!(bench.now().surroundings.river.usable(), Some(Celsius::new(15.0)));
}

#[tokio::test]
async fn a_bare_number_asks_for_less_heat_to_the_river() {
    let mut bench = bench();
    let action = plain(eisbach_protocol::catalogue::PointId::NodeRiverAtMost, 1500.0).unwrap();
    bench.desk.submit(Submission { face: "sparkplug", retained: false, kind: Kind::Plain(action) });
    assert_eq!(bench.answer().await.state, AnswerState::Accepted);
    assert_eq!(bench.now().remote.river_at_most, Some(Watts::new(1500.0)));
}
