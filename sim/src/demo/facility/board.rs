//! What a SCADA host knows of one node: births give names to aliases, data fills them in, deaths take them away.
//!
//! ```text
//!   NBIRTH ──► all tags forgotten, the node's tags by alias      NDATA, DDATA ──► value by alias
//!   DBIRTH ──► the device's tags by alias                        unknown alias, gap in seq ──► ask for births
//!   NDEATH, DDEATH ──► values stay, quality goes                 State, Alarms/… changed ──► notice
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use eisbach_protocol::sparkplug::{BD_SEQ, DataType, Message, Metric, Payload, Topic, Value};

use super::notice::{Notice, What};
use super::tag::{Tag, shown};

/// Name of the node itself among its objects.
pub(crate) const NODE: &str = "node";
/// What the metrics of alarms begin with.
const ALARM_PREFIX: &str = "Alarms/";
/// Messages kept for display.
const MESSAGES_KEPT: usize = 16;
/// Notices kept; a demo makes some dozens.
const NOTICES_KEPT: usize = 4096;
/// Metrics named in the gist of a message.
const GIST_METRICS: usize = 3;

/// A message as it passed.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// Plant time at which it came.
    pub(crate) plant_ms: u64,
    /// Topic without namespace and group.
    pub(crate) topic: String,
    /// The first metrics, and how many more.
    pub(crate) gist: String,
    /// Length of the payload.
    pub(crate) bytes: usize,
}

/// What the host should do about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing.
    Nothing,
    /// Ask the node for its births.
    Births,
}

/// The host's own way to the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Link {
    /// Not connected yet.
    #[default]
    Never,
    Up,
    Lost,
}

/// Where the node's Sparkplug session stands, as a host sees it.
#[derive(Debug, Default, PartialEq)]
enum Session {
    /// No birth heard yet.
    #[default]
    Unknown,
    /// Every message since the birth was heard.
    Born { bd_seq: Option<Value>, next_seq: Option<u8> },
    /// Something was missed; births have been asked for.
    Gap { bd_seq: Option<Value> },
    /// The node said goodbye, or the broker did in its name.
    Dead,
}

/// Everything known of one node.
#[derive(Debug, Default)]
pub(crate) struct Board {
    group: String,
    node: String,
    link: Link,
    session: Session,
    tags: BTreeMap<u64, Tag>,
    alarms: BTreeSet<String>,
    state: Option<String>,
    published: u64,
    unreadable: u64,
    heard: VecDeque<Heard>,
    notices: Vec<Notice>,
}

/// What it shows.
impl Board {
    /// Knows nothing yet of the node.
    #[must_use]
    pub(crate) fn new(group: &str, node: &str) -> Self {
        Self { group: group.to_owned(), node: node.to_owned(), ..Self::default() }
    }

    /// Whether the host itself is connected to the broker.
    #[must_use]
    pub(crate) fn connected(&self) -> bool {
        self.link == Link::Up
    }

    /// The node's control state; `None` while it is not known to live.
    #[must_use]
    pub(crate) fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The alarms that stand.
    pub(crate) fn alarms(&self) -> impl Iterator<Item = &str> {
        self.alarms.iter().map(String::as_str)
    }

    /// A number, if it is there and good.
    #[must_use]
    pub(crate) fn number(&self, object: &str, name: &str) -> Option<f64> {
        self.tag(object, name)?.number()
    }

    /// A word, whatever its quality.
    #[must_use]
    pub(crate) fn text(&self, object: &str, name: &str) -> Option<&str> {
        self.tag(object, name)?.text()
    }

    /// Messages of the node that came through.
    #[must_use]
    pub(crate) const fn published(&self) -> u64 {
        self.published
    }

    /// Messages of the node that could not be read.
    #[must_use]
    pub(crate) const fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// The latest messages, oldest first.
    #[must_use]
    pub(crate) const fn heard(&self) -> &VecDeque<Heard> {
        &self.heard
    }

    /// Everything that changed, oldest first.
    #[must_use]
    pub(crate) fn notices(&self) -> &[Notice] {
        &self.notices
    }

    fn tag(&self, object: &str, name: &str) -> Option<&Tag> {
        self.tags.values().find(|tag| tag.object == object && tag.name == name)
    }
}

/// What it hears.
impl Board {
    /// The host is connected, or no longer.
    pub(crate) fn set_connected(&mut self, connected: bool, plant_ms: u64) {
        match (self.link, connected) {
            (Link::Never, true) => self.link = Link::Up,
            (Link::Lost, true) => {
                self.link = Link::Up;
                self.note(What::BrokerBack, plant_ms);
            }
            (Link::Up, false) => {
                self.link = Link::Lost;
                self.note(What::BrokerGone, plant_ms);
            }
            (Link::Up, true) | (Link::Never | Link::Lost, false) => {}
        }
    }

    /// A message passed the broker.
    pub(crate) fn hear(&mut self, topic: &str, payload: &[u8], plant_ms: u64) -> Wish {
        let (message, object) = match Topic::parse(topic) {
            Ok(Topic::Node { group, message, node }) if self.is_ours(group.as_str(), node.as_str()) => {
                (message, NODE)
            }
            Ok(Topic::Device { group, message, node, device })
                if self.is_ours(group.as_str(), node.as_str()) =>
            {
                (message, device.as_str())
            }
            Ok(Topic::Node { .. } | Topic::Device { .. } | Topic::State { .. }) | Err(_) => {
                return Wish::Nothing;
            }
        };
        if message == Message::Command {
            return Wish::Nothing;
        }
        self.published += 1;
        let Ok(decoded) = Payload::decode(payload) else {
            self.unreadable += 1;
            return Wish::Nothing;
        };
        let wish = self.take(message, object, &decoded, plant_ms);
        let level = topic.splitn(3, '/').nth(2).unwrap_or(topic).to_owned();
        let gist = self.gist(&decoded.metrics);
        if self.heard.len() == MESSAGES_KEPT {
            self.heard.pop_front();
        }
        self.heard.push_back(Heard { plant_ms, topic: level, gist, bytes: payload.len() });
        wish
    }

    fn is_ours(&self, group: &str, node: &str) -> bool {
        group == self.group && node == self.node
    }

    fn take(&mut self, message: Message, object: &str, payload: &Payload, plant_ms: u64) -> Wish {
        match (message, object) {
            (Message::Command, _) => return Wish::Nothing,
            (Message::Death, NODE) => return self.node_died(payload, plant_ms),
            (Message::Birth, NODE) => {
                self.tags.clear();
                self.session = Session::Born { bd_seq: bd_seq(payload), next_seq: payload.seq };
            }
            (Message::Birth | Message::Data | Message::Death, _in_sequence) => {}
        }
        if !self.in_sequence(payload.seq) {
            return Wish::Births;
        }
        let mut all_known = true;
        match message {
            Message::Birth => {
                self.tags.retain(|_, tag| tag.object != object);
                self.tags.extend(payload.metrics.iter().filter_map(|metric| Tag::born(object, metric)));
            }
            Message::Data => {
                for metric in &payload.metrics {
                    all_known &= self.changed(object, metric);
                }
            }
            Message::Death => {
                self.tags.values_mut().filter(|tag| tag.object == object).for_each(Tag::lose);
                self.note(What::DeviceGone(object.to_owned()), plant_ms);
            }
            Message::Command => {}
        }
        self.notice_changes(plant_ms);
        if all_known { Wish::Nothing } else { Wish::Births }
    }

    /// Whether this is the next message of a session that was heard from its birth.
    fn in_sequence(&mut self, seq: Option<u8>) -> bool {
        match &mut self.session {
            Session::Born { next_seq, .. } if seq.is_some() && *next_seq == seq => {
                *next_seq = seq.map(|seq| seq.wrapping_add(1));
                true
            }
            Session::Born { bd_seq, .. } => {
                self.session = Session::Gap { bd_seq: bd_seq.take() };
                false
            }
            Session::Unknown | Session::Gap { .. } | Session::Dead => false,
        }
    }

    /// A death counts only for the session that it belongs to: a will may come after the next birth.
    fn node_died(&mut self, payload: &Payload, plant_ms: u64) -> Wish {
        let ours = match &self.session {
            Session::Born { bd_seq: born, .. } | Session::Gap { bd_seq: born } => *born == bd_seq(payload),
            Session::Unknown | Session::Dead => false,
        };
        if ours {
            self.session = Session::Dead;
            self.state = None;
            self.tags.values_mut().for_each(Tag::lose);
            self.note(What::NodeGone, plant_ms);
        }
        Wish::Nothing
    }

    /// Whether the metric is known.
    fn changed(&mut self, object: &str, metric: &Metric) -> bool {
        let tag =
            metric.alias().and_then(|alias| self.tags.get_mut(&alias)).filter(|tag| tag.object == object);
        tag.is_some_and(|tag| {
            tag.set(metric);
            true
        })
    }

    fn notice_changes(&mut self, plant_ms: u64) {
        let standing: BTreeSet<String> = self
            .tags
            .values()
            .filter(|tag| tag.object == NODE && tag.value == Some(Value::Boolean(true)))
            .filter_map(|tag| tag.name.strip_prefix(ALARM_PREFIX).map(str::to_owned))
            .collect();
        let before = std::mem::replace(&mut self.alarms, standing);
        let raised: Vec<_> = self.alarms.difference(&before).cloned().map(What::AlarmRaised).collect();
        let cleared: Vec<_> = before.difference(&self.alarms).cloned().map(What::AlarmCleared).collect();
        let state = self.text(NODE, "State").map(str::to_owned);
        if let Some(state) = state.filter(|state| self.state.as_ref() != Some(state)) {
            self.state = Some(state.clone());
            self.note(What::State(state), plant_ms);
        }
        raised.into_iter().chain(cleared).for_each(|what| self.note(what, plant_ms));
    }

    fn note(&mut self, what: What, plant_ms: u64) {
        if self.notices.len() < NOTICES_KEPT {
            self.notices.push(Notice { plant_ms, what });
        }
    }

    fn gist(&self, metrics: &[Metric]) -> String {
        let mut gist = String::new();
        for metric in metrics.iter().take(GIST_METRICS) {
            let tag = metric.alias().and_then(|alias| self.tags.get(&alias));
            let name = metric.name().or_else(|| tag.map(|tag| tag.name.as_str())).unwrap_or("?");
            let value = metric.value(tag.and_then(|tag| tag.datatype)).ok().flatten();
            let separator = if gist.is_empty() { "" } else { ", " };
            let _infallible =
                write!(gist, "{separator}{name} {}", value.as_ref().map_or_else(|| "-".into(), shown));
        }
        let more = metrics.len().saturating_sub(GIST_METRICS);
        if more > 0 {
            let _infallible = write!(gist, " +{more}");
        }
        gist
    }
}

fn bd_seq(payload: &Payload) -> Option<Value> {
    let metric = payload.metrics.iter().find(|metric| metric.name() == Some(BD_SEQ))?;
    metric.value(Some(DataType::Int64)).ok().flatten()
}

#[cfg(test)]
mod tests;
