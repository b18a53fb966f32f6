//! The host's own duties, which our simulated host has to keep for the rest to prove anything.

use super::rule::{Outcome, Rule, each, must};
use super::story::{Kind, Said, Session, Story};

pub(super) const RULES: &[Rule] = &[
    Rule {
        ids: &["host-topic-phid-birth-payload"],
        says: "a host's birth is JSON with online = true and a time in UTC milliseconds",
        holds: |story| said(story, true, |_, _| true),
    },
    Rule {
        ids: &["payloads-state-birth-payload"],
        says: "the time in a host's birth is that of its will",
        holds: |story| said(story, true, |session, stamp| will(session) == Some((false, stamp))),
    },
    Rule {
        ids: &["payloads-state-will-message-payload"],
        says: "a host's will is JSON with online = false and a time in UTC milliseconds",
        holds: |story| {
            each(story.host(), |session| {
                let will = will(session);
                must(will.is_some_and(|(online, _)| !online), || format!("the host's will is {will:?}"))
            })
        },
    },
    Rule {
        ids: &[
            "operational-behavior-host-application-connect-will-payload",
            "host-topic-phid-death-payload-timestamp-connect",
        ],
        says: "a host's own death has the time of its will",
        holds: |story| said(story, false, |session, stamp| will(session) == Some((false, stamp))),
    },
    Rule {
        ids: &["operational-behavior-host-application-host-id"],
        says: "no two connections at one broker speak for one host at a time",
        holds: |story| {
            let hosts: Vec<_> = story.host().collect();
            each(&hosts, |host| {
                let twin = hosts.iter().find(|twin| {
                    let open = twin.ended().is_none_or(|ended| ended > host.began);
                    twin.server == host.server && twin.began < host.began && open
                });
                must(twin.is_none(), || "a second host of that id".to_owned())
            })
        },
    },
];

fn will(session: &Session) -> Option<(bool, u64)> {
    session.will.as_ref()?.state()
}

/// Judges what the host itself says about being there or not.
fn said(story: &Story, online: bool, keeps: impl Fn(&Session, u64) -> bool) -> Outcome {
    /// A host's time is that of its CONNECT, and it may say it again.
    const HOUR_MS: u64 = 3_600_000;
    let topic = story.state_topic();
    let states = story.host().flat_map(Session::said).filter(|said| said.message.kind == Kind::State);
    let mut kept = 0;
    for Said { session, step, message } in states {
        let state = message.state();
        must(state.is_some() && message.topic == topic, || format!("{} is no STATE", message.topic))?;
        let Some((is_online, stamp)) = state.filter(|(is_online, _)| *is_online == online) else { continue };
        must(stamp.abs_diff(step.at_ms) < HOUR_MS && keeps(session, stamp), || {
            format!("STATE online={is_online} of {stamp}, the will has {:?}", will(session))
        })?;
        kept += 1;
    }
    Ok(kept)
}
