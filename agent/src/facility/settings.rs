//! What a connection is made of, and what would never work.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use eisbach_protocol::sparkplug::{Id, TopicError};

use super::dsx::DsxSettings;
use super::flex::FlexSettings;
use super::json::JsonSettings;
use super::link::{BrokerAddress, MAX_PACKET_BYTES};
use super::sparkplug::{self, SparkplugSettings};
use crate::desk::Desk;
use crate::tls::TlsFiles;

/// Keep-alives that make sense, seconds. Below, the watchdog would end slow connects; above, a dead node goes
/// unnoticed for more than ten minutes.
pub const KEEP_ALIVE_S: RangeInclusive<u16> = 5..=300;

/// Where the brokers are, who we are to them, and what they are told.
#[derive(Clone, Debug)]
pub struct FacilitySettings {
    /// Its section in the configuration.
    pub section: &'static str,
    /// The brokers, in the order of preference.
    pub brokers: Vec<BrokerAddress>,
    /// Needed if one of them wants TLS.
    pub tls: Option<TlsFiles>,
    /// MQTT client id, unique at the broker: letters, digits, `_` and `-`.
    pub client_id: String,
    /// MQTT keep-alive, seconds, within [`KEEP_ALIVE_S`]. The broker tells of our death 1.5 times this after we
    /// fall silent.
    pub keep_alive_s: u16,
    /// Name of the node on every face: letters, digits, `_` and `-`.
    pub node: String,
    /// Folder that outlives the process; `bdseq` is kept in it.
    pub state_dir: PathBuf,
    /// Who judges what hosts ask for; without one it is refused.
    pub desk: Option<Desk>,
    /// The Sparkplug face, if this connection carries it.
    pub sparkplug: Option<SparkplugSettings>,
    /// The plain face, if this connection carries it.
    pub json: Option<JsonSettings>,
    /// The face on the BMS event bus of the DSX Exchange, if this connection carries it.
    pub dsx: Option<DsxSettings>,
    /// The face on DSX Flex, if this connection carries it.
    pub flex: Option<FlexSettings>,
}

/// Why a link was not started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FacilityError {
    /// An id would make a topic that brokers or hosts stumble over.
    #[error("facility {what}: {reason}")]
    Id {
        /// Which setting.
        what: &'static str,
        /// What is wrong with it.
        reason: TopicError,
    },
    /// Nowhere to connect to.
    #[error("facility has no broker: give at least one, \"mqtts://host:8883\"")]
    NoBroker,
    /// A broker wants TLS and there is nothing to prove who we are.
    #[error("facility broker {broker} is within TLS: give ca, certificate and key")]
    NoTls {
        /// As configured.
        broker: String,
    },
    /// A certificate carries names, and this address is none that the library could look for.
    #[error(
        "facility broker {broker}: an IPv6 address cannot be used within TLS; give the name in its certificate"
    )]
    Ipv6Tls {
        /// As configured.
        broker: String,
    },
    /// Out of [`KEEP_ALIVE_S`].
    #[error("facility keep-alive is {seconds} s: give {} to {} s", KEEP_ALIVE_S.start(), KEEP_ALIVE_S.end())]
    KeepAlive {
        /// As configured.
        seconds: u16,
    },
    /// Nothing would be told.
    #[error("facility has no face: add [facility.sparkplug] or another one")]
    NoFace,
    /// The catalogue has outgrown the packet limit: a birth would end every connection.
    #[error("a birth takes {bytes} bytes, more than the {limit} it may take: raise the packet limit")]
    BirthTooLong {
        /// What the longest birth needs.
        bytes: usize,
        /// What it may need.
        limit: usize,
    },
}

impl FacilitySettings {
    /// Everything that would otherwise fail, or panic in the MQTT library, at each connection.
    ///
    /// # Errors
    /// The first thing that cannot work.
    pub fn check(&self) -> Result<(), FacilityError> {
        let id = |what, text| Id::new(text).map(|_| ()).map_err(|reason| FacilityError::Id { what, reason });
        id("node", &self.node)?;
        id("client id", &self.client_id)?;
        if self.brokers.is_empty() {
            return Err(FacilityError::NoBroker);
        }
        for broker in self.brokers.iter().filter(|broker| broker.tls) {
            if self.tls.is_none() {
                return Err(FacilityError::NoTls { broker: broker.to_string() });
            }
            if broker.host.contains(':') {
                return Err(FacilityError::Ipv6Tls { broker: broker.to_string() });
            }
        }
        if !KEEP_ALIVE_S.contains(&self.keep_alive_s) {
            return Err(FacilityError::KeepAlive { seconds: self.keep_alive_s });
        }
        let told = [self.sparkplug.is_some(), self.json.is_some(), self.dsx.is_some(), self.flex.is_some()];
        if !told.contains(&true) {
            return Err(FacilityError::NoFace);
        }
        let Some(sparkplug) = &self.sparkplug else { return Ok(()) };
        id("group", &sparkplug.group)?;
        sparkplug.primary_host.as_deref().map_or(Ok(()), |host| id("primary host", host))?;
        // Half of it: text values are not known yet, nor how long names of objects are.
        let (bytes, limit) = (sparkplug::longest_birth(), MAX_PACKET_BYTES / 2);
        if bytes > limit {
            return Err(FacilityError::BirthTooLong { bytes, limit });
        }
        Ok(())
    }
}
