//! Where an integration writes what it asks of us.
//!
//! ```text
//!   described by us    known from the start, below our own tag
//!   by metadata        BMS/v1/PUB/Metadata/…Request/# ─► of our rack? of our integration? ─► topic derived ─► known
//! ```

use super::identity::Identity;
use super::points::Object;
use super::pulse::THEIR_BEAT;
use super::rails::Refusal;
use super::settings::Described;
use super::topics;
use super::words::Metadata;

/// Points of one kind that are found and followed at most: a rack has one, or one for each of its loops.
const MOST: usize = 8;

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Another supply temperature.
    Supply,
    /// The loop shall stand still.
    Isolation,
    /// Nothing: a sign of life.
    Beat,
}

impl Ask {
    const ALL: [Self; 3] = [Self::Supply, Self::Isolation, Self::Beat];

    /// The point in which it is asked.
    pub(super) const fn point(self) -> (Object, &'static str) {
        match self {
            Self::Supply => (Object::Cdu, "LiquidTemperatureSpRequest"),
            Self::Isolation => (Object::Rack, "RackLiquidIsolationRequest"),
            Self::Beat => (Object::System, THEIR_BEAT),
        }
    }
}

/// The topics that we listen to.
#[derive(Debug)]
pub(super) struct Places {
    integration: String,
    described: Described,
    found: Vec<(Ask, String)>,
}

impl Places {
    /// Those of an integration.
    pub(super) fn new(identity: &Identity, integration: &str, described: Described) -> Self {
        let own = |ask: Ask| {
            let (object, kind) = ask.point();
            let tag = own_tag(identity, ask, integration);
            (ask, topics::asked(integration, object.as_str(), kind, &tag))
        };
        let found = match described {
            Described::ByUs => Ask::ALL.map(own).into(),
            Described::ByMetadata => Vec::new(),
        };
        Self { integration: integration.to_owned(), described, found }
    }

    /// What is subscribed at the beginning of a connection.
    pub(super) fn filters(&self) -> Vec<String> {
        let metadata = Ask::ALL.map(|ask| {
            let (object, kind) = ask.point();
            topics::metadata(object.as_str(), kind, "#")
        });
        let search = match self.described {
            Described::ByUs => Vec::new(),
            Described::ByMetadata => metadata.into(),
        };
        search.into_iter().chain(self.found.iter().map(|(_, topic)| topic.clone())).collect()
    }

    /// What is asked in a topic.
    pub(super) fn ask(&self, topic: &str) -> Option<Ask> {
        self.found.iter().find(|(_, known)| known == topic).map(|(ask, _)| *ask)
    }

    /// Takes up what another BMS describes; a topic that is to be subscribed, if it is new and concerns us.
    ///
    /// # Errors
    /// If it is no metadata, or there is no room.
    pub(super) fn describe(
        &mut self,
        identity: &Identity,
        topic: &str,
        payload: &[u8],
    ) -> Result<Option<String>, Refusal> {
        let metadata = Metadata::read(payload).map_err(|_| Refusal::Malformed)?;
        let named = |ask: &Ask| {
            let (object, kind) = ask.point();
            metadata.object_type == object.as_str()
                && metadata.point_type == kind
                && topic.starts_with(&topics::metadata(object.as_str(), kind, ""))
        };
        let ask = Ask::ALL.into_iter().find(named).ok_or(Refusal::Malformed)?;
        let ours = match ask {
            Ask::Beat => metadata.is_of(&self.integration),
            Ask::Supply | Ask::Isolation => metadata.is_of(&identity.rack_id),
        };
        if !ours || metadata.integration.as_ref() != Some(&self.integration) {
            return Ok(None);
        }
        let topic = topics::derived(topic, &self.integration).ok_or(Refusal::Malformed)?;
        if self.ask(&topic).is_some() {
            return Ok(None);
        }
        if self.found.iter().filter(|(known, _)| *known == ask).count() >= MOST {
            return Err(Refusal::Full);
        }
        self.found.push((ask, topic.clone()));
        Ok(Some(topic))
    }

    /// Whether a topic is one in which points are described.
    pub(super) fn is_description(&self, topic: &str) -> bool {
        self.described == Described::ByMetadata && topic.starts_with("BMS/v1/PUB/Metadata/")
    }
}

/// The tag below which a request to us stands.
pub(super) fn own_tag(identity: &Identity, ask: Ask, integration: &str) -> String {
    let (object, kind) = ask.point();
    match ask {
        Ask::Supply | Ask::Isolation => identity.tag(object, "", kind),
        Ask::Beat => identity.tag(object, "", integration),
    }
}
