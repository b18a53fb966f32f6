//! What a SCADA host knows of one node: births give names to aliases, data fills them in, deaths take them away.
//!
//! ```text
//!   NBIRTH ──► all tags forgotten, the node's tags by alias      NDATA, DDATA ──► value by alias
//!   DBIRTH ──► the device's tags by alias                        unknown alias, gap in seq ──► ask for births
//!   NDEATH, DDEATH ──► values stay, quality goes                 State, Alarms/… changed ──► notice
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use eisbach_protocol::sparkplug::{BD_SEQ, DataType, Message, Metric, Payload, QualityCode, Topic, Value};

use super::notice::{Notice, What};

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

/// A tag as the host sees it.
#[derive(Clone, Debug)]
pub(crate) struct Tag {
    object: String,
    name: String,
    datatype: Option<DataType>,
    /// Its value; `None` for a null.
    pub(crate) value: Option<Value>,
    /// Its quality.
    pub(crate) quality: QualityCode,
}

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
    connected: bool,
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
    pub(crate) const fn connected(&self) -> bool {
        self.connected
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

    /// A tag by the names of its object and itself.
    #[must_use]
    pub(crate) fn tag(&self, object: &str, name: &str) -> Option<&Tag> {
        self.tags.values().find(|tag| tag.object == object && tag.name == name)
    }

    /// A number, if it is there and good.
    #[must_use]
    pub(crate) fn number(&self, object: &str, name: &str) -> Option<f64> {
        let tag = self.tag(object, name).filter(|tag| tag.quality == QualityCode::Good)?;
        tag.value.as_ref()?.as_f64().filter(|number| number.is_finite())
    }

    /// A word, whatever its quality.
    #[must_use]
    pub(crate) fn text(&self, object: &str, name: &str) -> Option<&str> {
        match self.tag(object, name)?.value.as_ref()? {
            Value::String(text) | Value::Text(text) => Some(text),
            Value::Int8(_)
            | Value::Int16(_)
            | Value::Int32(_)
            | Value::Int64(_)
            | Value::UInt8(_)
            | Value::UInt16(_)
            | Value::UInt32(_)
            | Value::UInt64(_)
            | Value::Float(_)
            | Value::Double(_)
            | Value::Boolean(_)
            | Value::DateTime(_) => None,
        }
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
}

/// What it hears.
impl Board {
    /// The host is connected, or no longer.
    pub(crate) const fn set_connected(&mut self, connected: bool) {
        self.connected = connected;
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
                payload.metrics.iter().for_each(|metric| self.born(object, metric));
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

    fn born(&mut self, object: &str, metric: &Metric) {
        let (Some(name), Some(alias)) = (metric.name(), metric.alias()) else { return };
        let mut tag = Tag {
            object: object.to_owned(),
            name: name.to_owned(),
            datatype: metric.datatype(),
            value: None,
            quality: QualityCode::Bad,
        };
        tag.set(metric);
        self.tags.insert(alias, tag);
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
            let name = metric.name().or(tag.map(|tag| tag.name.as_str())).unwrap_or("?");
            let value = metric.value(tag.and_then(|tag| tag.datatype)).ok().flatten();
            let separator = if gist.is_empty() { "" } else { ", " };
            let _infallible = write!(gist, "{separator}{name} {}", value.map_or_else(|| "-".into(), shown));
        }
        let more = metrics.len().saturating_sub(GIST_METRICS);
        if more > 0 {
            let _infallible = write!(gist, " +{more}");
        }
        gist
    }
}

impl Tag {
    fn set(&mut self, metric: &Metric) {
        match metric.value(self.datatype) {
            Ok(value) => {
                self.value = value;
                self.quality = metric.quality();
            }
            Err(_) => self.quality = QualityCode::Bad,
        }
    }

    const fn lose(&mut self) {
        self.quality = QualityCode::Stale;
    }
}

fn bd_seq(payload: &Payload) -> Option<Value> {
    let metric = payload.metrics.iter().find(|metric| metric.name() == Some(BD_SEQ))?;
    metric.value(Some(DataType::Int64)).ok().flatten()
}

/// A value for people.
fn shown(value: Value) -> String {
    match value {
        Value::Int8(number) => number.to_string(),
        Value::Int16(number) => number.to_string(),
        Value::Int32(number) => number.to_string(),
        Value::Int64(number) => number.to_string(),
        Value::UInt8(number) => number.to_string(),
        Value::UInt16(number) => number.to_string(),
        Value::UInt32(number) => number.to_string(),
        Value::UInt64(number) | Value::DateTime(number) => number.to_string(),
        Value::Float(number) => format!("{number:.1}"),
        Value::Double(number) => format!("{number:.1}"),
        Value::Boolean(flag) => flag.to_string(),
        Value::String(text) | Value::Text(text) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NBIRTH: &str = "spBv1.0/demo/NBIRTH/node-1";
    const NDATA: &str = "spBv1.0/demo/NDATA/node-1";
    const NDEATH: &str = "spBv1.0/demo/NDEATH/node-1";
    const DBIRTH: &str = "spBv1.0/demo/DBIRTH/node-1/gpu0";
    const DDATA: &str = "spBv1.0/demo/DDATA/node-1/gpu0";
    const DDEATH: &str = "spBv1.0/demo/DDEATH/node-1/gpu0";

    fn payload(seq: Option<u8>, metrics: Vec<Metric>) -> Vec<u8> {
        Payload { timestamp_ms: Some(1), seq, metrics }.encode()
    }

    fn death(bd_seq: i64) -> Vec<u8> {
        payload(None, vec![Metric::named(BD_SEQ, Value::Int64(bd_seq))])
    }

    fn text(word: &str) -> Value {
        Value::String(word.into())
    }

    /// A node with a state and an alarm, and a GPU with a temperature.
    fn born() -> Board {
        let mut board = Board::new("demo", "node-1");
        let node = vec![
            Metric::named(BD_SEQ, Value::Int64(4)),
            Metric::named("State", text("running")).with_alias(1),
            Metric::named("Alarms/leak", Value::Boolean(false)).with_alias(2),
        ];
        let gpu = vec![Metric::named("Temperature", Value::Float(61.5)).with_alias(257)];
        assert_eq!(board.hear(NBIRTH, &payload(Some(0), node), 100), Wish::Nothing);
        assert_eq!(board.hear(DBIRTH, &payload(Some(1), gpu), 100), Wish::Nothing);
        board
    }

    fn whats(board: &Board) -> Vec<What> {
        board.notices().iter().map(|notice| notice.what.clone()).collect()
    }

    #[test]
    fn a_birth_gives_names_and_data_fills_them_in() {
        let mut board = born();
        assert_eq!(board.number("gpu0", "Temperature"), Some(61.5));
        let data = vec![Metric::aliased(257, Value::Float(63.0))];
        assert_eq!(board.hear(DDATA, &payload(Some(2), data), 200), Wish::Nothing);
        assert_eq!(board.number("gpu0", "Temperature"), Some(63.0));
        assert_eq!(board.published(), 3);
        assert_eq!(board.heard().back().map(|heard| heard.gist.as_str()), Some("Temperature 63.0"));
        assert_eq!(board.heard().back().map(|heard| heard.topic.as_str()), Some("DDATA/node-1/gpu0"));
    }

    #[test]
    fn alarms_and_states_are_noticed_when_they_change_with_their_plant_time() {
        let mut board = born();
        let data = vec![Metric::aliased(1, text("leak")), Metric::aliased(2, Value::Boolean(true))];
        board.hear(NDATA, &payload(Some(2), data.clone()), 300);
        board.hear(NDATA, &payload(Some(3), data), 400);
        board.hear(NDATA, &payload(Some(4), vec![Metric::aliased(2, Value::Boolean(false))]), 500);
        let expected = [
            What::State("running".into()),
            What::State("leak".into()),
            What::AlarmRaised("leak".into()),
            What::AlarmCleared("leak".into()),
        ];
        assert_eq!(whats(&board), expected);
        assert_eq!(
            board.notices().iter().map(|notice| notice.plant_ms).collect::<Vec<_>>(),
            [100, 300, 300, 500]
        );
    }

    #[test]
    fn who_comes_late_asks_for_births() {
        let mut board = Board::new("demo", "node-1");
        let data = payload(Some(7), vec![Metric::aliased(1, text("running"))]);
        assert_eq!(board.hear(NDATA, &data, 0), Wish::Births);
    }

    #[test]
    fn a_gap_or_an_unknown_alias_asks_for_births() {
        let mut gap = born();
        assert_eq!(gap.hear(DDATA, &payload(Some(3), vec![]), 0), Wish::Births);
        assert_eq!(gap.hear(DDATA, &payload(Some(4), vec![]), 0), Wish::Births, "until they come");

        let mut unknown = born();
        let stranger = vec![Metric::aliased(99, Value::Boolean(true))];
        assert_eq!(unknown.hear(NDATA, &payload(Some(2), stranger), 0), Wish::Births);
    }

    #[test]
    fn the_sequence_goes_on_after_255() {
        let mut board = born();
        for seq in (2..=u8::MAX).chain([0, 1]) {
            assert_eq!(board.hear(DDATA, &payload(Some(seq), vec![]), 0), Wish::Nothing, "{seq}");
        }
    }

    #[test]
    fn a_death_takes_the_quality_and_leaves_the_value() {
        let mut board = born();
        board.hear(DDEATH, &payload(Some(2), vec![]), 600);
        assert_eq!(board.number("gpu0", "Temperature"), None);
        assert_eq!(board.tag("gpu0", "Temperature").unwrap().value, Some(Value::Float(61.5)));
        assert_eq!(whats(&board).last(), Some(&What::DeviceGone("gpu0".into())));
    }

    #[test]
    fn only_the_death_of_this_session_counts() {
        let mut board = born();
        board.hear(NDEATH, &death(3), 700);
        assert_eq!(board.state(), Some("running"));
        board.hear(NDEATH, &death(4), 800);
        assert_eq!((board.state(), whats(&board).last()), (None, Some(&What::NodeGone)));
    }

    #[test]
    fn strangers_commands_and_nonsense_change_nothing() {
        let mut board = born();
        for topic in
            ["spBv1.0/demo/NDATA/node-2", "spBv1.0/demo/NCMD/node-1", "spBv1.0/STATE/scada", "weather"]
        {
            assert_eq!(board.hear(topic, &payload(Some(2), vec![]), 0), Wish::Nothing);
        }
        assert_eq!((board.published(), board.unreadable()), (2, 0));
        assert_eq!(board.hear(NDATA, &[0xFF; 20], 0), Wish::Nothing);
        assert_eq!((board.published(), board.unreadable()), (3, 1));
    }
}
