//! What a broker says in our name when we fall silent.
//!
//! Made anew for each connection, since Sparkplug's names its session.

use rumqttc::{LastWill, QoS};

use crate::clock::Clock;
use crate::facility::sparkplug::{BdSeq, node_death};

/// The will of a connection's faces: there is one a connection.
#[derive(Debug)]
pub(crate) enum Will {
    /// Nobody is told; DSX has its heartbeats.
    None,
    /// Sparkplug's `NDEATH`, numbered.
    Death {
        /// The number of each connection.
        bd_seq: BdSeq,
        /// Where deaths are told.
        topic: String,
    },
    /// A word that the broker keeps.
    Status {
        /// Where the word stands.
        topic: String,
        /// The word.
        payload: String,
    },
}

impl Will {
    /// The number of the next connection and what the broker shall say at its end.
    pub(super) async fn reserve(&mut self) -> (u8, Option<LastWill>) {
        match self {
            Self::None => (0, None),
            Self::Death { bd_seq, topic } => {
                let number = bd_seq.reserve().await;
                let death = node_death(number, Clock::wall_ms());
                (number, Some(LastWill::new(&*topic, death, QoS::AtLeastOnce, false)))
            }
            Self::Status { topic, payload } => {
                (0, Some(LastWill::new(&*topic, payload.clone(), QoS::AtLeastOnce, true)))
            }
        }
    }

    /// A CONNECT may have left with it.
    pub(super) const fn spent(&mut self) {
        match self {
            Self::None | Self::Status { .. } => {}
            Self::Death { bd_seq, .. } => bd_seq.spent(),
        }
    }
}
