//! Who we are on the wire: the topics of one node and its devices, made from checked ids.

use eisbach_protocol::catalogue::Owner;
use eisbach_protocol::sparkplug::{Id, Message, Topic, TopicError};

/// The topics of one node.
#[derive(Clone, Debug)]
pub(super) struct Topics {
    group: String,
    node: String,
    /// `NBIRTH`, `NDATA`, `NDEATH`.
    pub(super) own: ObjectTopics,
    /// The filters of the commands to the node and to any of its devices.
    pub(super) commands: [String; 2],
}

/// What is published about one object.
#[derive(Clone, Debug)]
pub(super) struct ObjectTopics {
    /// It is there, and this is all about it.
    pub(super) birth: String,
    /// This changed.
    pub(super) data: String,
    /// It is gone.
    pub(super) death: String,
}

impl Topics {
    /// Those of this node in this group.
    pub(super) fn new(group: Id<'_>, node: Id<'_>) -> Self {
        let topic = |message| Topic::Node { group, message, node }.to_string();
        Self {
            group: group.as_str().to_owned(),
            node: node.as_str().to_owned(),
            own: ObjectTopics::new(topic),
            commands: [topic(Message::Command), Topic::device_commands(group, node)],
        }
    }

    /// The topics of an object: the node's own, or those of a device of that name.
    ///
    /// # Errors
    /// If the name is no Sparkplug id.
    pub(super) fn of(&self, owner: Owner, name: &str) -> Result<ObjectTopics, TopicError> {
        match owner {
            Owner::Node => Ok(self.own.clone()),
            Owner::Gpu | Owner::Pump | Owner::Valve | Owner::Meter | Owner::Room | Owner::Leak => {
                let (group, node, device) = (Id::new(&self.group)?, Id::new(&self.node)?, Id::new(name)?);
                Ok(ObjectTopics::new(|message| Topic::Device { group, message, node, device }.to_string()))
            }
        }
    }

    /// Whether these are our group and node.
    pub(super) fn are_of(&self, group: Id<'_>, node: Id<'_>) -> bool {
        group.as_str() == self.group && node.as_str() == self.node
    }
}

impl ObjectTopics {
    fn new(topic: impl Fn(Message) -> String) -> Self {
        Self { birth: topic(Message::Birth), data: topic(Message::Data), death: topic(Message::Death) }
    }
}
