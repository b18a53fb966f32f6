//! What a client may still do after its connection was taken away, before its task has noticed.

use std::sync::Arc;

use rumqttc::{Connect, LastWill, Publish, QoS, SubscribeFilter, SubscribeReasonCode};

use crate::broker::Limits;
use crate::broker::hub::{Hub, Joined};

fn hub() -> Arc<Hub> {
    Arc::new(Hub::new(Limits::default()))
}

fn join(hub: &Arc<Hub>) -> Joined {
    let mut connect = Connect::new("node");
    connect.last_will = Some(LastWill::new("gone", "x", QoS::AtMostOnce, false));
    hub.join(connect).unwrap()
}

#[test]
fn a_client_that_was_taken_over_changes_nothing_any_more() {
    let hub = hub();
    let old = join(&hub);
    let mut new = join(&hub);
    let wanted = [SubscribeFilter::new("data".into(), QoS::AtMostOnce)];

    let (codes, _) = old.membership.subscribe(&wanted);
    assert_eq!(codes, [SubscribeReasonCode::Failure]);
    new.membership.publish(&Publish::new("data", QoS::AtMostOnce, "x"));
    assert!(new.queue.try_recv().is_err(), "the old connection subscribed for the new one");

    new.membership.subscribe(&wanted);
    old.membership.unsubscribe(&["data".into()]);
    old.membership.publish(&Publish::new("data", QoS::AtMostOnce, "old"));
    new.membership.publish(&Publish::new("data", QoS::AtMostOnce, "new"));
    assert_eq!(new.queue.try_recv().unwrap().payload, "new");

    assert!(old.stop.is_cancelled() && !new.stop.is_cancelled());
    old.membership.disconnect();
    drop(new);
    assert_eq!(hub.stats().wills, 2, "each connection had its own will, and neither said goodbye in time");
}

#[test]
fn a_new_connection_inherits_no_subscription() {
    let hub = hub();
    let old = join(&hub);
    old.membership.subscribe(&[SubscribeFilter::new("data".into(), QoS::AtMostOnce)]);
    let mut new = join(&hub);
    new.membership.publish(&Publish::new("data", QoS::AtMostOnce, "x"));
    assert!(new.queue.try_recv().is_err());
}

#[test]
fn after_a_cut_nothing_more_is_published_but_the_wills() {
    let hub = hub();
    let client = join(&hub);
    let mut observer = hub.observe();
    hub.dismiss_all();
    client.membership.publish(&Publish::new("data", QoS::AtMostOnce, "late"));
    drop(client);
    assert_eq!(observer.try_recv().unwrap().topic, "gone");
    assert!(observer.try_recv().is_err());
}
