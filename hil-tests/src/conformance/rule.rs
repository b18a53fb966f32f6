//! A rule: which assertions of the specification it stands for, what it says, and whether a story keeps it.

use rumqttc::QoS;

use super::story::{Kind, Said, Story};

/// How often a rule was put to the test, or how it was broken.
pub(super) type Outcome = Result<usize, String>;

/// One rule.
pub(super) struct Rule {
    /// The assertions that it stands for.
    pub(super) ids: &'static [&'static str],
    /// What it says.
    pub(super) says: &'static str,
    /// Whether a story keeps it.
    pub(super) holds: fn(&Story) -> Outcome,
}

/// All of `items` must keep it.
pub(super) fn each<T>(
    items: impl IntoIterator<Item = T>,
    keeps: impl Fn(T) -> Result<(), String>,
) -> Outcome {
    items.into_iter().try_fold(0, |kept, item| keeps(item).map(|()| kept + 1))
}

/// Broken with these words unless `truth`.
pub(super) fn must(truth: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if truth { Ok(()) } else { Err(why()) }
}

/// What the node says of this kind leaves with `QoS` 0.
pub(super) fn qos_zero(story: &Story, kind: Kind) -> Outcome {
    each(story.said(&[kind]), |Said { message, .. }| {
        must(message.qos == QoS::AtMostOnce, || format!("{} with {:?}", message.topic, message.qos))
    })
}

/// What the node says of this kind leaves not retained.
pub(super) fn not_retained(story: &Story, kind: Kind) -> Outcome {
    each(story.said(&[kind]), |Said { message, .. }| {
        must(!message.retain, || format!("{} is retained", message.topic))
    })
}

/// What the node says of this kind leaves with `QoS` 0 and not retained.
pub(super) fn plain(story: &Story, kind: Kind) -> Outcome {
    qos_zero(story, kind).and_then(|_| not_retained(story, kind))
}

/// What the node says of this kind has the right topic.
pub(super) fn topic(story: &Story, kind: Kind) -> Outcome {
    each(story.said(&[kind]), |Said { message, .. }| {
        let device = kind.is_of_device().then(|| message.device().unwrap_or_default());
        let wanted = story.topic(kind.word(), device);
        must(message.topic == wanted && device != Some(""), || {
            format!("{} instead of {wanted}", message.topic)
        })
    })
}

/// What the node says of this kind is a Sparkplug payload.
pub(super) fn decodes(story: &Story, kind: Kind) -> Outcome {
    each(story.said(&[kind]), |Said { message, .. }| {
        must(message.payload.is_some(), || format!("{} is no payload", message.topic))
    })
}

/// What the node says of this kind carries a number from 0 to 255.
pub(super) fn numbered(story: &Story, kind: Kind) -> Outcome {
    each(story.said(&[kind]), |Said { message, .. }| {
        must(message.seq().is_some_and(|seq| seq <= 255), || {
            format!("{} has seq {:?}", message.topic, message.seq())
        })
    })
}

/// What the node says of this kind carries the number after that of its message before.
pub(super) fn next_in_order(story: &Story, kind: Kind) -> Outcome {
    let mut kept = 0;
    for session in story.node() {
        let mut last = None;
        for Said { message, .. } in session.said().filter(|said| Kind::NUMBERED.contains(&said.message.kind))
        {
            if message.kind == kind && kind != Kind::NodeBirth {
                let wanted = last.map(|last: u64| (last + 1) % 256);
                must(message.seq() == wanted && wanted.is_some(), || {
                    format!("{} has seq {:?} after {last:?}", message.topic, message.seq())
                })?;
                kept += 1;
            }
            last = message.seq();
        }
    }
    Ok(kept)
}

/// What the node says of this kind carries the time at which it left, in UTC milliseconds.
pub(super) fn timestamped(story: &Story, kind: Kind) -> Outcome {
    /// Between clock and wire on a busy machine.
    const SLACK_MS: u64 = 30_000;
    each(story.said(&[kind]), |Said { message, step, .. }| {
        let stamp = message.payload.as_ref().and_then(|payload| payload.timestamp);
        must(stamp.is_some_and(|stamp| stamp.abs_diff(step.at_ms) < SLACK_MS), || {
            format!("{} is stamped {stamp:?} and left at {}", message.topic, step.at_ms)
        })
    })
}

/// Whether a topic filter lets a topic through.
pub(super) fn lets_through(filter: &str, topic: &str) -> bool {
    let (mut wanted, mut levels) = (filter.split('/'), topic.split('/'));
    loop {
        match (wanted.next(), levels.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(one), Some(other)) if one == other => {}
            (Some(_) | None, _) => return false,
        }
    }
}
