//! Topics: `spBv1.0/{group}/{message}/{node}[/{device}]` and `spBv1.0/STATE/{host}`.
//!
//! A [`Topic`] is built from checked [`Id`]s, so one that exists can be published. Ids are kept to letters, digits,
//! `_` and `-`: the specification forbids only `/`, `+` and `#`, but brokers that map topics to subjects (NATS)
//! and hosts that map them to tag paths stumble over spaces and dots.

use alloc::string::String;
use core::fmt;

/// First level of every topic.
pub const NAMESPACE: &str = "spBv1.0";
/// Longest id, bytes: that of a certificate's common name (RFC 5280, upper bound), as a node may be named so.
pub const MAX_ID_BYTES: usize = 64;

/// Name of a group, node, device or host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id<'a>(&'a str);

impl<'a> Id<'a> {
    /// A checked id.
    ///
    /// # Errors
    /// If it is empty, longer than [`MAX_ID_BYTES`], or has other characters than `A-Z a-z 0-9 _ -`.
    pub fn new(id: &'a str) -> Result<Self, TopicError> {
        if id.is_empty() {
            return Err(TopicError::EmptyId);
        }
        if id.len() > MAX_ID_BYTES {
            return Err(TopicError::IdTooLong { bytes: id.len() });
        }
        match id.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))) {
            Some(character) => Err(TopicError::IdCharacter { character }),
            None => Ok(Self(id)),
        }
    }

    /// As text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

impl fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What a message of a node or a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// All metrics, with names and types.
    Birth,
    /// Metrics that changed.
    Data,
    /// It is gone.
    Death,
    /// A host writes.
    Command,
}

impl Message {
    const ALL: [Self; 4] = [Self::Birth, Self::Data, Self::Death, Self::Command];

    const fn of_node(self) -> &'static str {
        match self {
            Self::Birth => "NBIRTH",
            Self::Data => "NDATA",
            Self::Death => "NDEATH",
            Self::Command => "NCMD",
        }
    }

    const fn of_device(self) -> &'static str {
        match self {
            Self::Birth => "DBIRTH",
            Self::Data => "DDATA",
            Self::Death => "DDEATH",
            Self::Command => "DCMD",
        }
    }
}

/// A topic of the Sparkplug namespace. Its `Display` is the topic's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "group, node, device and host are the words of the specification")]
pub enum Topic<'a> {
    /// `NBIRTH`, `NDATA`, `NDEATH`, `NCMD`.
    Node { group: Id<'a>, message: Message, node: Id<'a> },
    /// `DBIRTH`, `DDATA`, `DDEATH`, `DCMD`.
    Device { group: Id<'a>, message: Message, node: Id<'a>, device: Id<'a> },
    /// A host tells whether it is there, as retained JSON.
    State { host: Id<'a> },
}

impl<'a> Topic<'a> {
    /// The topic in `text`.
    ///
    /// # Errors
    /// If it is not of this namespace, or an id in it is not one of ours.
    pub fn parse(text: &'a str) -> Result<Self, TopicError> {
        let mut levels = text.split('/');
        if levels.next() != Some(NAMESPACE) {
            return Err(TopicError::Namespace);
        }
        let parts = (levels.next(), levels.next(), levels.next(), levels.next(), levels.next());
        match parts {
            (Some("STATE"), Some(host), None, None, None) => Ok(Self::State { host: Id::new(host)? }),
            (Some(group), Some(word), Some(node), None, None) => Ok(Self::Node {
                group: Id::new(group)?,
                message: message(word, Message::of_node)?,
                node: Id::new(node)?,
            }),
            (Some(group), Some(word), Some(node), Some(device), None) => Ok(Self::Device {
                group: Id::new(group)?,
                message: message(word, Message::of_device)?,
                node: Id::new(node)?,
                device: Id::new(device)?,
            }),
            _ => Err(TopicError::Levels),
        }
    }

    /// The filter that a node subscribes to for the commands of all its devices.
    #[must_use]
    pub fn device_commands(group: Id<'_>, node: Id<'_>) -> String {
        alloc::format!("{NAMESPACE}/{group}/{}/{node}/+", Message::Command.of_device())
    }
}

impl fmt::Display for Topic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node { group, message, node } => {
                write!(f, "{NAMESPACE}/{group}/{}/{node}", message.of_node())
            }
            Self::Device { group, message, node, device } => {
                write!(f, "{NAMESPACE}/{group}/{}/{node}/{device}", message.of_device())
            }
            Self::State { host } => write!(f, "{NAMESPACE}/STATE/{host}"),
        }
    }
}

fn message(word: &str, name: fn(Message) -> &'static str) -> Result<Message, TopicError> {
    Message::ALL.into_iter().find(|message| name(*message) == word).ok_or(TopicError::Message)
}

/// Why a text is not an id or a topic of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicError {
    /// It does not start with [`NAMESPACE`].
    Namespace,
    /// Too few or too many levels.
    Levels,
    /// No such message at this place.
    Message,
    /// An id is empty.
    EmptyId,
    /// An id is longer than [`MAX_ID_BYTES`].
    IdTooLong {
        /// Its length.
        bytes: usize,
    },
    /// An id has a character that it may not have.
    IdCharacter {
        /// The first such.
        character: char,
    },
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespace => write!(f, "topic does not start with {NAMESPACE}/"),
            Self::Levels => write!(f, "topic has too few or too many levels"),
            Self::Message => write!(f, "no such Sparkplug message"),
            Self::EmptyId => write!(f, "id is empty"),
            Self::IdTooLong { bytes } => write!(f, "id of {bytes} bytes, at most {MAX_ID_BYTES} are allowed"),
            Self::IdCharacter { character } => {
                write!(f, "id contains {character:?}, allowed are letters, digits, '_' and '-'")
            }
        }
    }
}

impl core::error::Error for TopicError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn each_topic_reads_back_as_itself() {
        for text in [
            "spBv1.0/dc1/NBIRTH/node-7",
            "spBv1.0/dc1/NDATA/node-7",
            "spBv1.0/dc1/NDEATH/node-7",
            "spBv1.0/dc1/NCMD/node-7",
            "spBv1.0/dc1/DBIRTH/node-7/pump_1",
            "spBv1.0/dc1/DDATA/node-7/pump_1",
            "spBv1.0/dc1/DDEATH/node-7/pump_1",
            "spBv1.0/dc1/DCMD/node-7/pump_1",
            "spBv1.0/STATE/scada",
        ] {
            assert_eq!(Topic::parse(text).map(|topic| topic.to_string()), Ok(text.to_string()));
        }
    }

    #[test]
    fn what_is_no_topic_of_ours_is_refused_by_reason() {
        for (text, reason) in [
            ("", TopicError::Namespace),
            ("spAv1.0/dc1/NDATA/n", TopicError::Namespace),
            ("spBv1.0", TopicError::Levels),
            ("spBv1.0/STATE", TopicError::Levels),
            ("spBv1.0/dc1/NDATA", TopicError::Levels),
            ("spBv1.0/dc1/DDATA/n/d/e", TopicError::Levels),
            ("spBv1.0/dc1/DDATA/n", TopicError::Message),
            ("spBv1.0/dc1/NDATA/n/d", TopicError::Message),
            ("spBv1.0/dc1/ndata/n", TopicError::Message),
            ("spBv1.0//NDATA/n", TopicError::EmptyId),
            ("spBv1.0/STATE/", TopicError::EmptyId),
            ("spBv1.0/dc1/NDATA/a b", TopicError::IdCharacter { character: ' ' }),
            ("spBv1.0/dc1/NDATA/+", TopicError::IdCharacter { character: '+' }),
        ] {
            assert_eq!(Topic::parse(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn an_id_is_bounded_and_plain() {
        let longest = "x".repeat(MAX_ID_BYTES);
        assert!(Id::new(&longest).is_ok());
        let longer = "x".repeat(MAX_ID_BYTES + 1);
        assert_eq!(Id::new(&longer), Err(TopicError::IdTooLong { bytes: MAX_ID_BYTES + 1 }));
        assert_eq!(Id::new("pümp"), Err(TopicError::IdCharacter { character: 'ü' }));
    }

    #[test]
    fn the_command_filter_covers_every_device_of_the_node() {
        let (group, node) = (Id::new("dc1").unwrap(), Id::new("node-7").unwrap());
        assert_eq!(Topic::device_commands(group, node), "spBv1.0/dc1/DCMD/node-7/+");
    }

    proptest! {
        #[test]
        fn any_text_parses_or_is_refused_and_never_panics(text in "(spBv1\\.0/)?\\PC{0,60}") {
            if let Ok(topic) = Topic::parse(&text) {
                prop_assert_eq!(topic.to_string(), text);
            }
        }
    }
}
