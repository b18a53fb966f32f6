//! The envelope of every event (`CloudEvents` 1.0.2, structured). Its attributes are not signed; only `data` is.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::uuid::Uuid;
use super::{LONGEST_NAME, Malformed, name, read, rfc3339, wall_ms};

const VERSION: &str = "1.0.2";
const CONTENT: &str = "application/json";

/// An event as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Event {
    /// One for each event.
    pub(in super::super) id: Uuid,
    /// Who says that he wrote it.
    pub(in super::super) source: Publisher,
    /// What it is about; none if it is something we do not follow.
    pub(in super::super) kind: Option<Kind>,
    /// When it was written, milliseconds since 1970.
    pub(in super::super) time_ms: u64,
    /// What it belongs to.
    pub(in super::super) correlation: Option<Uuid>,
    /// Trace that it belongs to (W3C Trace Context).
    pub(in super::super) trace: String,
    /// The signed words; none if it is not signed.
    pub(in super::super) data: Option<String>,
}

/// What we follow and what we say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    LoadTargetSet,
    BreachAlert,
    BreachEnforcement,
}

impl Kind {
    const ALL: [Self; 3] = [Self::LoadTargetSet, Self::BreachAlert, Self::BreachEnforcement];

    const fn as_str(self) -> &'static str {
        match self {
            Self::LoadTargetSet => "grid.loadtarget.set.v1",
            Self::BreachAlert => "grid.powerbreach.alert.v1",
            Self::BreachEnforcement => "grid.powerbreach.enforcement.v1",
        }
    }

    const fn subject(self) -> &'static str {
        match self {
            Self::LoadTargetSet => "loadtarget",
            Self::BreachAlert | Self::BreachEnforcement => "powerbreach",
        }
    }
}

/// Who writes events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Publisher {
    /// In which role.
    pub(in super::super) role: Role,
    /// Under which name, unique in its role.
    pub(in super::super) name: String,
}

/// The roles there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Role {
    /// Sets load targets.
    Isv,
    /// Watches feeds and tells of breaches.
    FlexAgent,
    /// Enforces: ours.
    Infra,
}

impl Role {
    const ALL: [Self; 3] = [Self::Isv, Self::FlexAgent, Self::Infra];

    /// As in topics and sources.
    pub(in super::super) const fn as_str(self) -> &'static str {
        match self {
            Self::Isv => "isv",
            Self::FlexAgent => "dsx-flex-agent",
            Self::Infra => "infra",
        }
    }
}

impl Publisher {
    /// From the attribute `source`.
    pub(in super::super) fn of_source(source: &str) -> Result<Self, Malformed> {
        Self::of_path(source.strip_prefix("//").ok_or(Malformed)?)
            .and_then(|(publisher, rest)| if rest.is_empty() { Ok(publisher) } else { Err(Malformed) })
    }

    /// From the beginning of a topic, and what follows there.
    pub(in super::super) fn of_path(path: &str) -> Result<(Self, &str), Malformed> {
        let path = path.strip_prefix("grid/v1/").ok_or(Malformed)?;
        let (role, rest) = path.split_once('/').ok_or(Malformed)?;
        let role = Role::ALL.into_iter().find(|known| known.as_str() == role).ok_or(Malformed)?;
        let (own, rest) = rest.split_once('/').unwrap_or((rest, ""));
        Ok((Self { role, name: name(own.to_owned())? }, rest))
    }

    /// The attribute `source`.
    pub(in super::super) fn source(&self) -> String {
        format!("//grid/v1/{}/{}", self.role.as_str(), self.name)
    }

    /// The topic of this publisher under which it says `what`.
    pub(in super::super) fn topic(&self, what: &str) -> String {
        format!("grid/v1/{}/{}/{what}", self.role.as_str(), self.name)
    }
}

#[derive(Deserialize)]
struct RawEvent {
    specversion: String,
    id: Uuid,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    time: String,
    datacontenttype: String,
    #[serde(rename = "subject")]
    _subject: String,
    traceparent: String,
    correlationid: Option<Uuid>,
    data: Data,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Data {
    Signed(String),
    Plain(IgnoredAny),
}

#[derive(Serialize)]
struct Written<'a> {
    specversion: &'static str,
    id: Uuid,
    source: String,
    #[serde(rename = "type")]
    kind: &'static str,
    time: String,
    datacontenttype: &'static str,
    subject: &'static str,
    traceparent: String,
    data: &'a str,
}

impl Event {
    /// The event in a payload.
    ///
    /// # Errors
    /// If it is not what the contract says.
    pub(in super::super) fn read(payload: &[u8]) -> Result<Self, Malformed> {
        let raw: RawEvent = read(payload)?;
        if raw.specversion != VERSION || raw.datacontenttype != CONTENT || raw.source.len() > 2 * LONGEST_NAME
        {
            return Err(Malformed);
        }
        let data = match raw.data {
            Data::Signed(data) => Some(data),
            Data::Plain(IgnoredAny) => None,
        };
        Ok(Self {
            id: raw.id,
            source: Publisher::of_source(&raw.source)?,
            kind: Kind::ALL.into_iter().find(|kind| kind.as_str() == raw.kind),
            time_ms: wall_ms(&raw.time)?,
            correlation: raw.correlationid,
            trace: trace(raw.traceparent)?,
            data,
        })
    }

    /// The payload of an event of ours, in the trace of the event that caused it; none beyond the year 9999.
    pub(in super::super) fn write(
        id: Uuid,
        source: &Publisher,
        kind: Kind,
        wall_ms: u64,
        cause: &str,
        data: &str,
    ) -> Option<Vec<u8>> {
        let mut parts = cause.split('-');
        let (version, trace, flags) = (parts.next()?, parts.next()?, parts.nth(1)?);
        let written = Written {
            specversion: VERSION,
            id,
            source: source.source(),
            kind: kind.as_str(),
            time: rfc3339(wall_ms)?,
            datacontenttype: CONTENT,
            subject: kind.subject(),
            traceparent: format!("{version}-{trace}-{}-{flags}", id.half()),
            data,
        };
        serde_json::to_vec(&written).ok()
    }
}

/// Four groups of hexadecimal digits.
fn trace(text: String) -> Result<String, Malformed> {
    let groups = text.split('-').map(str::len).eq([2, 32, 16, 2]);
    let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'));
    if groups && digits { Ok(text) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn event() -> Value {
        json!({
            "specversion": "1.0.2", "id": "6f9619ff-8b86-4011-b42d-00c04fc964ff",
            "source": "//grid/v1/isv/acme-energy", "type": "grid.loadtarget.set.v1",
            "time": "2026-03-01T00:00:00Z", "datacontenttype": "application/json", "subject": "loadtarget",
            "correlationid": "6f9619ff-8b86-4011-b42d-00c04fc964fe", "traceparent": TRACE,
            "tracestate": "x=y", "data": "a.b.c",
        })
    }

    fn read(event: &Value) -> Result<Event, Malformed> {
        Event::read(event.to_string().as_bytes())
    }

    #[test]
    fn an_event_tells_who_what_and_when() {
        let read = read(&event()).unwrap();
        assert_eq!((read.source.role, read.source.name.as_str()), (Role::Isv, "acme-energy"));
        assert_eq!((read.kind, read.time_ms), (Some(Kind::LoadTargetSet), 1_772_323_200_000));
        assert_eq!(read.data.as_deref(), Some("a.b.c"));
    }

    #[test]
    fn plain_data_is_seen_to_be_unsigned() {
        let mut event = event();
        event["data"] = json!({"targets": []});
        assert_eq!(read(&event).unwrap().data, None);
    }

    #[test]
    fn every_attribute_that_the_contract_requires_is_required_and_judged() {
        for (key, bad) in [
            ("specversion", "1.0"),
            ("id", "1"),
            ("source", "//grid/v1/king/x"),
            ("time", "now"),
            ("datacontenttype", "text/plain"),
            ("traceparent", "00-1-2-3"),
        ] {
            let (mut changed, mut missing) = (event(), event());
            changed[key] = json!(bad);
            missing.as_object_mut().unwrap().remove(key);
            assert_eq!((read(&changed), read(&missing)), (Err(Malformed), Err(Malformed)), "{key}");
        }
        for key in ["type", "subject", "data"] {
            let mut missing = event();
            missing.as_object_mut().unwrap().remove(key);
            assert_eq!(read(&missing), Err(Malformed), "{key}");
        }
        assert_eq!(Event::read(br#"{"id":"x","id":"y"}"#), Err(Malformed));
    }

    #[test]
    fn what_we_write_we_can_read() {
        let id = Uuid::from_random([7; 16]);
        let ours = Publisher { role: Role::Infra, name: "node-7".into() };
        let payload = Event::write(id, &ours, Kind::BreachEnforcement, 1_772_323_200_000, TRACE, "a.b.c");
        let read = Event::read(&payload.unwrap()).unwrap();
        assert_eq!((read.id, &read.source, read.kind), (id, &ours, Some(Kind::BreachEnforcement)));
        assert_eq!(read.trace, format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", id.half()));
    }

    #[test]
    fn a_topic_names_its_publisher() {
        let (publisher, rest) = Publisher::of_path("grid/v1/isv/acme-energy/loadtarget/set").unwrap();
        assert_eq!(
            (publisher.topic(rest).as_str(), rest),
            ("grid/v1/isv/acme-energy/loadtarget/set", "loadtarget/set")
        );
        assert_eq!(Publisher::of_path("grid/v2/isv/acme-energy"), Err(Malformed));
    }
}
