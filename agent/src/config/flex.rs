//! DSX Flex: whose words about power count, and what they mean for this node.

use std::collections::BTreeMap;
use std::path::PathBuf;

use eisbach_protocol::units::{Millis, Watts};
use serde::Deserialize;

use super::ConfigError;
use super::checked::Checker;
use crate::facility::{FlexRules, FlexSettings, IssuerFiles, IssuerRole};

/// Issuers that make sense: a site has a few.
const MOST_ISSUERS: usize = 8;
/// Keys of one issuer: an old one, a new one, and some.
const MOST_KEYS: usize = 8;
/// Feeds of one node.
const MOST_FEEDS: usize = 16;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Flex {
    agent: Option<String>,
    resource: Option<String>,
    feeds: Vec<String>,
    #[serde(default = "one")]
    share: f64,
    #[serde(default)]
    overhead_watts: f32,
    #[serde(default = "two_hundred")]
    ramp_watts_per_s: f32,
    #[serde(default = "sixty")]
    max_age_s: u64,
    #[serde(default = "nine_hundred")]
    hold_s: u64,
    signing: Option<Signing>,
    #[serde(default)]
    issuers: Vec<Issuer>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signing {
    kid: String,
    key: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Issuer {
    role: Role,
    name: String,
    keys: BTreeMap<String, PathBuf>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Role {
    Isv,
    DsxFlexAgent,
}

const fn one() -> f64 {
    1.0
}
const fn two_hundred() -> f32 {
    200.0
}
const fn sixty() -> u64 {
    60
}
const fn nine_hundred() -> u64 {
    900
}

impl Checker<'_> {
    /// The face of the node of this name.
    pub(super) fn flex(&self, section: &str, raw: Flex, node: &str) -> Result<FlexSettings, ConfigError> {
        let key = |name: &str| format!("{section}.flex.{name}");
        let agent = raw.agent.unwrap_or_else(|| node.to_owned());
        self.name(&key("agent"), &agent)?;
        self.within(&key("feeds"), raw.feeds.len(), &(1..=MOST_FEEDS))?;
        for feed in &raw.feeds {
            self.text(&key("feeds"), feed)?;
        }
        let resource = raw.resource.unwrap_or_else(|| node.to_owned());
        self.text(&key("resource"), &resource)?;
        self.within(&key("share"), raw.share, &(1e-6..=1.0))?;
        self.within(&key("overhead_watts"), raw.overhead_watts, &(0.0..=10_000.0))?;
        self.within(&key("ramp_watts_per_s"), raw.ramp_watts_per_s, &(10.0..=10_000.0))?;
        self.within(&key("max_age_s"), raw.max_age_s, &(5..=600))?;
        self.within(&key("hold_s"), raw.hold_s, &(60..=86_400))?;
        self.within(&key("issuers"), raw.issuers.len(), &(1..=MOST_ISSUERS))?;
        let issuers = raw.issuers.into_iter().map(|issuer| self.flex_issuer(&key("issuers"), issuer));
        let issuers = issuers.collect::<Result<Vec<_>, _>>()?;
        for (at, one) in issuers.iter().enumerate() {
            if issuers.iter().take(at).any(|other| (other.role, &other.name) == (one.role, &one.name)) {
                let must = "there once, with all its keys";
                return Err(self.value(&key("issuers.name"), format!("\"{}\"", one.name), must));
            }
        }
        let signing = raw.signing.map(|Signing { kid, key: file }| {
            self.text(&key("signing.kid"), &kid)?;
            self.absolute(&key("signing.key"), &file)?;
            Ok((kid, file))
        });
        let rules = FlexRules {
            resource,
            feeds: raw.feeds,
            share: raw.share,
            overhead: Watts::new(raw.overhead_watts),
            ramp_watts_per_s: raw.ramp_watts_per_s,
            max_age_ms: raw.max_age_s.saturating_mul(1000),
            hold: Millis::from_secs(raw.hold_s),
        };
        Ok(FlexSettings { agent, rules, issuers, signing: signing.transpose()? })
    }

    fn flex_issuer(&self, key: &str, raw: Issuer) -> Result<IssuerFiles, ConfigError> {
        self.name(&format!("{key}.name"), &raw.name)?;
        self.within(&format!("{key}.keys"), raw.keys.len(), &(1..=MOST_KEYS))?;
        for (kid, file) in &raw.keys {
            self.text(&format!("{key}.keys"), kid)?;
            self.absolute(&format!("{key}.keys.{kid}"), file)?;
        }
        let role = match raw.role {
            Role::Isv => IssuerRole::Isv,
            Role::DsxFlexAgent => IssuerRole::FlexAgent,
        };
        Ok(IssuerFiles { role, name: raw.name, keys: raw.keys.into_iter().collect() })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const GOOD: &str = r#"
        [node]
        name = "node-7"
        [pump]
        address = "10.0.0.1:502"
        [meter]
        address = "10.0.0.2:502"
        [exchange]
        brokers = ["mqtt://10.0.0.3:1883"]
        [exchange.flex]
        feeds = ["main-a"]
        share = 0.001
        [exchange.flex.signing]
        kid = "node-7-2026"
        key = "/etc/eisbach/flex/node-7.key"
        [[exchange.flex.issuers]]
        role = "isv"
        name = "acme-energy"
        keys = { "acme-2026" = "/etc/eisbach/flex/acme-2026.pem" }
        [[exchange.flex.issuers]]
        role = "dsx-flex-agent"
        name = "maxlps"
        keys = { "m1" = "/etc/eisbach/flex/m1.pem" }
    "#;

    fn parsed(text: &str) -> Result<FlexSettings, String> {
        let config = super::super::parse(Path::new("agent.toml"), text).map_err(|error| error.to_string())?;
        Ok(config.facility[0].flex.clone().unwrap())
    }

    #[test]
    fn the_node_is_a_resource_by_its_name() {
        let settings = parsed(GOOD).unwrap();
        assert_eq!((settings.agent.as_str(), settings.rules.resource.as_str()), ("node-7", "node-7"));
        assert_eq!(settings.issuers[1].role, IssuerRole::FlexAgent);
        assert_eq!(
            settings.issuers[0].keys,
            [("acme-2026".into(), "/etc/eisbach/flex/acme-2026.pem".into())]
        );
    }

    #[test]
    fn i14_every_bad_value_gets_one_clear_line() {
        for (good, bad, expected) in [
            ("feeds = [\"main-a\"]", "feeds = []", "exchange.flex.feeds = 0"),
            ("feeds = [\"main-a\"]", "", "missing field `feeds`"),
            ("share = 0.001", "share = 0", "exchange.flex.share = 0"),
            ("share = 0.001", "share = nan", "exchange.flex.share = NaN"),
            ("share = 0.001", "ramp_watts_per_s = 1", "exchange.flex.ramp_watts_per_s = 1"),
            ("share = 0.001", "max_age_s = 100000", "exchange.flex.max_age_s = 100000"),
            ("share = 0.001", "overhead_watts = -1", "exchange.flex.overhead_watts = -1"),
            (
                "\"/etc/eisbach/flex/node-7.key\"",
                "\"node-7.key\"",
                "exchange.flex.signing.key = \"node-7.key\"",
            ),
            ("\"/etc/eisbach/flex/m1.pem\"", "\"m1.pem\"", "exchange.flex.issuers.keys.m1 = \"m1.pem\""),
            ("{ \"m1\" = \"/etc/eisbach/flex/m1.pem\" }", "{}", "exchange.flex.issuers.keys = 0"),
            ("role = \"isv\"", "role = \"infra\"", "unknown variant `infra`"),
            ("\"acme-energy\"", "\"acme energy\"", "exchange.flex.issuers.name = \"acme energy\""),
            (
                "role = \"dsx-flex-agent\"\n        name = \"maxlps\"",
                "role = \"isv\"\n        name = \"acme-energy\"",
                "there once",
            ),
        ] {
            assert!(GOOD.contains(good), "{good}");
            let line = parsed(&GOOD.replacen(good, bad, 1)).unwrap_err();
            assert!(line.contains(expected) && line.lines().count() == 1, "{bad}: {line}");
        }
    }
}
