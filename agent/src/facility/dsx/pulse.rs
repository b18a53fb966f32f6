//! Heartbeats: ours each ten seconds, and the integration's said back to it.
//!
//! ```text
//!   HeartbeatTimestampBms   our time, each 10 s            HeartbeatEchoBms   the integration's last one, when it changes
//! ```

use eisbach_protocol::units::Millis;

use super::identity::Identity;
use super::points::Object;
use super::topics;
use super::words::{Metadata, Number, Value};
use crate::facility::face::{Moment, Outlet};
use crate::facility::link::{Delivery, Refused};

/// From one beat to the next.
pub(super) const BEAT: Millis = Millis::from_secs(10);
/// An echo is said again after this.
const REPEAT: Millis = Millis::from_secs(95);

pub(super) const OWN_BEAT: &str = "HeartbeatTimestampBms";
pub(super) const OWN_ECHO: &str = "HeartbeatEchoBms";
pub(super) const THEIR_BEAT: &str = "HeartbeatTimestampIntegration";
pub(super) const THEIR_ECHO: &str = "HeartbeatEchoIntegration";

/// The heartbeats that we publish.
#[derive(Debug)]
pub(super) struct Pulse {
    topic: String,
    echo: Option<Echo>,
    next: Option<Millis>,
}

#[derive(Debug)]
struct Echo {
    topic: String,
    heard: Option<u64>,
    told: Option<(u64, Millis)>,
}

impl Pulse {
    /// Ours, and the echo for an integration.
    pub(super) fn new(identity: &Identity, integration: Option<&str>) -> Self {
        let topic = |kind, tag: &str| topics::value(Object::System.as_str(), kind, tag);
        let echo = |integration| Echo {
            topic: topic(OWN_ECHO, &tag(identity, integration)),
            heard: None,
            told: None,
        };
        Self {
            topic: topic(OWN_BEAT, &tag(identity, &identity.node)),
            echo: integration.map(echo),
            next: None,
        }
    }

    /// The metadata of our own heartbeats, with their tags.
    pub(super) fn described(identity: &Identity, integration: Option<&str>) -> Vec<(Metadata, String)> {
        let beat = (system(identity, OWN_BEAT, &identity.node), tag(identity, &identity.node));
        let echo = |of: &str| (system(identity, OWN_ECHO, of), tag(identity, of));
        [Some(beat), integration.map(echo)].into_iter().flatten().collect()
    }

    /// The metadata of the heartbeats that an integration shall write, with their tags.
    pub(super) fn asked_of(identity: &Identity, integration: &str) -> [(Metadata, String); 2] {
        let of = |kind, id: &str| {
            let metadata = system(identity, kind, id);
            let metadata = Metadata { scope: None, integration: Some(integration.to_owned()), ..metadata };
            (metadata, tag(identity, id))
        };
        [of(THEIR_BEAT, integration), of(THEIR_ECHO, &identity.node)]
    }

    /// What the integration said last.
    pub(super) const fn heard(&mut self, beat: u64) {
        if let Some(echo) = &mut self.echo {
            echo.heard = Some(beat);
        }
    }

    /// A new connection begins with a beat.
    pub(super) const fn forget(&mut self) {
        self.next = None;
        if let Some(echo) = &mut self.echo {
            echo.told = None;
        }
    }

    /// Tells what is due.
    ///
    /// # Errors
    /// If the transport is full.
    pub(super) fn publish(&mut self, now: Moment, out: &mut Outlet<'_>) -> Result<(), Refused> {
        if self.next.is_none_or(|next| now.at >= next) {
            out.publish(&self.topic, beat(now.wall_ms, now.wall_ms), Delivery::Once)?;
            // From beat to beat, so that they do not drift; anew if one was missed.
            let next = self.next.map_or(now.at, |next| next) + BEAT;
            self.next = Some(if next > now.at { next } else { now.at + BEAT });
        }
        let Some(echo) = &mut self.echo else { return Ok(()) };
        let Some(heard) = echo.heard else { return Ok(()) };
        if echo.told.is_none_or(|(told, at)| told != heard || now.at.since(at) >= REPEAT) {
            out.publish(&echo.topic, beat(heard, now.wall_ms), Delivery::Once)?;
            echo.told = Some((heard, now.at));
        }
        Ok(())
    }
}

fn tag(identity: &Identity, of: &str) -> String {
    identity.tag(Object::System, "", of)
}

/// A heartbeat is of a system, and stands for everything below our tag.
fn system(identity: &Identity, kind: &str, of: &str) -> Metadata {
    Metadata {
        object_name: Some(of.to_owned()),
        object_id: Some(of.to_owned()),
        scope: Some(identity.tag_path.clone()),
        ..identity.name(Object::System, kind, "")
    }
}

fn beat(time_ms: u64, wall_ms: u64) -> Vec<u8> {
    let value = Some(Number::Whole(i64::try_from(time_ms).unwrap_or(i64::MAX)));
    Value { value, timestamp: wall_ms, quality: 1 }.write()
}
