//! The connections to the facility's brokers, and which faces each carries.
//!
//! ```text
//!   [facility]  brokers, tls, client_id, keep_alive_s        [exchange]  the same keys, other brokers
//!      ├─ [facility.sparkplug]                                  └─ …
//!      └─ …                                          a face stands at most once, on either connection
//! ```

use eisbach_control::Tuning;
use eisbach_protocol::units::Millis;
use serde::Deserialize;

use super::ConfigError;
use super::checked::Checker;
use super::dsx::Dsx;
use super::flex::Flex;
use super::raw;
use crate::facility::{
    BrokerAddress, DsxSettings, FlexSettings, JsonSettings, KEEP_ALIVE_S, SparkplugSettings,
};
use crate::tls::TlsFiles;

/// Longest list of brokers: a cluster has three or five.
const MOST_BROKERS: usize = 16;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Connection {
    brokers: Vec<String>,
    tls: Option<raw::Tls>,
    client_id: Option<String>,
    #[serde(default = "ten")]
    keep_alive_s: u16,
    sparkplug: Option<Sparkplug>,
    json: Option<Json>,
    dsx: Option<Dsx>,
    flex: Option<Flex>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sparkplug {
    group: String,
    primary_host: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Json {
    prefix: String,
    period_ms: u64,
    discovery: Option<String>,
}

impl Default for Json {
    fn default() -> Self {
        Self { prefix: "eisbach/v1".into(), period_ms: 1000, discovery: None }
    }
}

const fn ten() -> u16 {
    10
}

/// One connection, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionConfig {
    /// Its section: `facility` or `exchange`.
    pub section: &'static str,
    /// The brokers, in the order of preference; at least one.
    pub brokers: Vec<BrokerAddress>,
    /// There if a broker wants it.
    pub tls: Option<TlsFiles>,
    /// MQTT client id.
    pub client_id: String,
    /// MQTT keep-alive.
    pub keep_alive_s: u16,
    /// The Sparkplug face, if it is here.
    pub sparkplug: Option<SparkplugSettings>,
    /// The plain face, if it is here.
    pub json: Option<JsonSettings>,
    /// The face on the BMS event bus, if it is here.
    pub dsx: Option<DsxSettings>,
    /// The face on DSX Flex, if it is here.
    pub flex: Option<FlexSettings>,
}

impl ConnectionConfig {
    /// The faces that it carries, by their names.
    fn faces(&self) -> impl Iterator<Item = &'static str> {
        let sparkplug = self.sparkplug.iter().map(|_| "sparkplug");
        let json = self.json.iter().map(|_| "json");
        let exchange = self.dsx.iter().map(|_| "dsx").chain(self.flex.iter().map(|_| "flex"));
        sparkplug.chain(json).chain(exchange)
    }
}

/// Checks both connections, each alone and against the other.
pub(super) fn connections(
    checker: &Checker<'_>,
    (node, tuning): (&str, &Tuning),
    devices_tls: Option<&TlsFiles>,
    (facility, exchange): (Option<Connection>, Option<Connection>),
) -> Result<Vec<ConnectionConfig>, ConfigError> {
    let mut checked: Vec<ConnectionConfig> = Vec::new();
    for (section, connection) in [("facility", facility), ("exchange", exchange)] {
        let Some(connection) = connection else { continue };
        let connection = checker.connection(section, connection, (node, tuning), devices_tls)?;
        if let Some(other) = checked.first() {
            checker.apart(other, &connection)?;
        }
        checked.push(connection);
    }
    Ok(checked)
}

impl Checker<'_> {
    fn connection(
        &self,
        section: &'static str,
        raw: Connection,
        (node, tuning): (&str, &Tuning),
        devices_tls: Option<&TlsFiles>,
    ) -> Result<ConnectionConfig, ConfigError> {
        let key = |name: &str| format!("{section}.{name}");
        self.within(&key("brokers"), raw.brokers.len(), &(1..=MOST_BROKERS))?;
        let address = |text: &String| {
            text.parse::<BrokerAddress>()
                .map_err(|must| self.value(&key("brokers"), format!("\"{text}\""), must.to_string()))
        };
        let brokers = raw.brokers.iter().map(address).collect::<Result<Vec<_>, _>>()?;
        let tls = match raw.tls {
            Some(tls) => Some(self.tls(&key("tls"), tls)?),
            None => devices_tls.cloned(),
        };
        for broker in brokers.iter().filter(|broker| broker.tls) {
            if tls.is_none() {
                let must = format!("with ca, certificate and key in [{section}.tls]");
                return Err(self.value(&key("brokers"), format!("\"{broker}\""), must));
            }
            if broker.host.contains(':') {
                let must = "a name within TLS: certificates are not found by an IPv6 address";
                return Err(self.value(&key("brokers"), format!("\"{broker}\""), must));
            }
        }
        self.within(&key("keep_alive_s"), raw.keep_alive_s, &KEEP_ALIVE_S)?;
        let client_id = raw.client_id.unwrap_or_else(|| node.to_owned());
        self.name(&key("client_id"), &client_id)?;
        let connection = ConnectionConfig {
            section,
            tls: tls.filter(|_| brokers.iter().any(|broker| broker.tls)),
            brokers,
            client_id,
            keep_alive_s: raw.keep_alive_s,
            sparkplug: raw.sparkplug.map(|face| self.sparkplug(section, face)).transpose()?,
            json: raw.json.map(|face| self.json(section, face)).transpose()?,
            dsx: raw.dsx.map(|face| self.dsx(section, face, node, tuning)).transpose()?,
            flex: raw.flex.map(|face| self.flex(section, face, node)).transpose()?,
        };
        if connection.faces().next().is_none() {
            let must = format!("at least one face, for example [{section}.sparkplug]");
            return Err(self.value(section, "no face", must));
        }
        Ok(connection)
    }

    fn sparkplug(&self, section: &str, raw: Sparkplug) -> Result<SparkplugSettings, ConfigError> {
        self.name(&format!("{section}.sparkplug.group"), &raw.group)?;
        if let Some(host) = &raw.primary_host {
            self.name(&format!("{section}.sparkplug.primary_host"), host)?;
        }
        Ok(SparkplugSettings { group: raw.group, primary_host: raw.primary_host })
    }

    fn json(&self, section: &str, raw: Json) -> Result<JsonSettings, ConfigError> {
        self.topic(&format!("{section}.json.prefix"), &raw.prefix)?;
        if let Some(discovery) = &raw.discovery {
            self.topic(&format!("{section}.json.discovery"), discovery)?;
        }
        self.within(&format!("{section}.json.period_ms"), raw.period_ms, &(200..=60_000))?;
        let period = Millis::new(raw.period_ms);
        Ok(JsonSettings { prefix: raw.prefix, period, discovery: raw.discovery })
    }

    /// The first levels of a topic.
    fn topic(&self, key: &str, topic: &str) -> Result<(), ConfigError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let level = |level: &str| !level.is_empty() && level.chars().all(plain);
        if topic.len() <= 64 && topic.split('/').all(level) {
            Ok(())
        } else {
            let must = "levels of letters, digits, '-' or '_' with '/' between them, 64 at most in all";
            Err(self.value(key, format!("\"{topic}\""), must))
        }
    }

    /// Two connections of one client id at one broker throw each other out, for ever.
    fn apart(&self, one: &ConnectionConfig, other: &ConnectionConfig) -> Result<(), ConfigError> {
        if let Some(face) = other.faces().find(|face| one.faces().any(|also| also == *face)) {
            let section = format!("{}.{face}", other.section);
            return Err(self.value(&section, "here and in the other section", "in one of both"));
        }
        let shared = other.brokers.iter().find(|broker| one.brokers.contains(broker));
        match shared {
            Some(broker) if one.client_id == other.client_id => Err(self.value(
                &format!("{}.brokers", other.section),
                format!("\"{broker}\""),
                format!("only in [{}]: put the face there too, or give another client_id", one.section),
            )),
            Some(_) | None => Ok(()),
        }
    }
}
