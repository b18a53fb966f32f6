//! The BMS event bus of the DSX Exchange: how this node takes part.

use eisbach_control::Tuning;
use eisbach_protocol::units::Celsius;
use serde::Deserialize;

use super::ConfigError;
use super::checked::Checker;
use crate::facility::{Described, DsxSettings, Points, RequestSettings, fits};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dsx {
    rack_id: String,
    rack_name: Option<String>,
    tag_path: Option<String>,
    #[serde(default)]
    points: HowMuch,
    #[serde(default = "yes")]
    rack_power: bool,
    requests: Option<Who>,
    integration: Option<String>,
    supply_min_celsius: Option<f32>,
    supply_max_celsius: Option<f32>,
    supply_kelvin_per_min: Option<f32>,
    #[serde(default)]
    isolation: bool,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum HowMuch {
    #[default]
    Rack,
    All,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Who {
    Own,
    Metadata,
}

const fn yes() -> bool {
    true
}

/// Coldest supply that can be asked for unless it is said: what condensation allows is judged each second anyway.
const SUPPLY_MIN_CELSIUS: f32 = 15.0;
/// Fastest walk unless it is said (estimate: an exchanger of a hall follows this).
const KELVIN_PER_MIN: f32 = 1.0;

impl Checker<'_> {
    /// The face; `node` is its name, and `tuning` says what it aims at by itself.
    pub(super) fn dsx(
        &self,
        section: &str,
        raw: Dsx,
        node: &str,
        tuning: &Tuning,
    ) -> Result<DsxSettings, ConfigError> {
        let key = |name: &str| format!("{section}.dsx.{name}");
        self.text(&key("rack_id"), &raw.rack_id)?;
        let rack_name = raw.rack_name.clone().unwrap_or_else(|| raw.rack_id.clone());
        self.text(&key("rack_name"), &rack_name)?;
        let tag_path = match &raw.tag_path {
            Some(path) => path.clone(),
            None => node.to_owned(),
        };
        if !fits(&tag_path) {
            let must = "levels of letters, digits, '-' or '_' with '/' between them, 200 at most in all";
            return Err(self.value(&key("tag_path"), format!("\"{tag_path}\""), must));
        }
        let points = match raw.points {
            HowMuch::Rack => Points::Rack,
            HowMuch::All => Points::All,
        };
        Ok(DsxSettings {
            requests: self.requests(section, &raw, tuning)?,
            rack_name,
            rack_id: raw.rack_id,
            tag_path,
            points,
            rack_power: raw.rack_power,
        })
    }

    fn requests(
        &self,
        section: &str,
        raw: &Dsx,
        tuning: &Tuning,
    ) -> Result<Option<RequestSettings>, ConfigError> {
        let key = |name: &str| format!("{section}.dsx.{name}");
        let (who, integration) = match (raw.requests, &raw.integration) {
            (Some(who), Some(integration)) => (who, integration),
            (Some(_), None) => {
                let must = "there: the integration whose requests are heard";
                return Err(self.value(&key("integration"), "nothing", must));
            }
            (None, Some(name)) => {
                let must = "together with requests = \"own\" or \"metadata\"";
                return Err(self.value(&key("integration"), format!("\"{name}\""), must));
            }
            (None, None) => return self.no_requests(section, raw),
        };
        self.name(&key("integration"), integration)?;
        if integration == "PUB" {
            return Err(self.value(
                &key("integration"),
                "\"PUB\"",
                "the name of an integration, not the BMS's own",
            ));
        }
        let own = tuning.supply_target;
        let (min, max) = (
            raw.supply_min_celsius.unwrap_or(SUPPLY_MIN_CELSIUS),
            raw.supply_max_celsius.unwrap_or_else(|| own.get()),
        );
        self.within(&key("supply_min_celsius"), min, &(10.0..=own.get()))?;
        self.within(&key("supply_max_celsius"), max, &(own.get()..=50.0))?;
        let kelvin_per_min = raw.supply_kelvin_per_min.unwrap_or(KELVIN_PER_MIN);
        self.within(&key("supply_kelvin_per_min"), kelvin_per_min, &(0.1..=10.0))?;
        Ok(Some(RequestSettings {
            integration: integration.clone(),
            described: match who {
                Who::Own => Described::ByUs,
                Who::Metadata => Described::ByMetadata,
            },
            supply_min: Celsius::new(min),
            supply_max: Celsius::new(max),
            kelvin_per_min,
            supply_own: own,
            isolation: raw.isolation,
        }))
    }

    /// Guard rails without anybody to keep off are a mistake.
    fn no_requests(&self, section: &str, raw: &Dsx) -> Result<Option<RequestSettings>, ConfigError> {
        let key = |name: &str| format!("{section}.dsx.{name}");
        let rails = [
            ("supply_min_celsius", raw.supply_min_celsius.is_some()),
            ("supply_max_celsius", raw.supply_max_celsius.is_some()),
            ("supply_kelvin_per_min", raw.supply_kelvin_per_min.is_some()),
            ("isolation", raw.isolation),
        ];
        match rails.into_iter().find(|(_, given)| *given) {
            Some((name, _)) => {
                let must = "together with requests = \"own\" or \"metadata\" and integration";
                Err(self.value(&key(name), "the given value", must))
            }
            None => Ok(None),
        }
    }

    /// A name that others gave: anything printable.
    pub(super) fn text(&self, key: &str, text: &str) -> Result<(), ConfigError> {
        if !text.trim().is_empty() && text.len() <= 64 && !text.chars().any(char::is_control) {
            Ok(())
        } else {
            Err(self.value(key, format!("{text:?}"), "1 to 64 printable characters"))
        }
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
        [exchange.dsx]
        rack_id = "R12"
        tag_path = "site1/row3/r12/node-7"
        requests = "own"
        integration = "MEPAI"
        supply_min_celsius = 20
    "#;

    fn parsed(text: &str) -> Result<DsxSettings, String> {
        let config = super::super::parse(Path::new("agent.toml"), text).map_err(|error| error.to_string())?;
        Ok(config.facility[0].dsx.clone().unwrap())
    }

    #[test]
    fn without_rails_an_integration_can_only_ask_for_colder_supply_and_no_isolation() {
        let settings = parsed(GOOD).unwrap();
        let requests = settings.requests.unwrap();
        assert_eq!((requests.supply_min, requests.supply_max), (Celsius::new(20.0), requests.supply_own));
        assert!(!requests.isolation && settings.points == Points::Rack);
    }

    #[test]
    fn only_the_rack_must_be_named() {
        let text = GOOD.split_once("tag_path").unwrap().0;
        let settings = parsed(text).unwrap();
        assert_eq!((settings.tag_path.as_str(), settings.rack_name.as_str()), ("node-7", "R12"));
        assert_eq!(settings.requests, None);
    }

    #[test]
    fn i14_every_bad_value_gets_one_clear_line() {
        for (good, bad, expected) in [
            ("rack_id = \"R12\"", "", "missing field `rack_id`"),
            ("rack_id = \"R12\"", "rack_id = \"\"", "exchange.dsx.rack_id = \"\""),
            ("site1/row3", "site 1/row3", "exchange.dsx.tag_path"),
            ("requests = \"own\"", "requests = \"all\"", "unknown variant `all`"),
            ("requests = \"own\"", "", "exchange.dsx.integration = \"MEPAI\" must be together with requests"),
            ("integration = \"MEPAI\"", "", "exchange.dsx.integration = nothing"),
            ("\"MEPAI\"", "\"PUB\"", "exchange.dsx.integration = \"PUB\""),
            ("\"MEPAI\"", "\"a/b\"", "exchange.dsx.integration = \"a/b\""),
            ("supply_min_celsius = 20", "supply_min_celsius = 60", "exchange.dsx.supply_min_celsius = 60"),
            ("supply_min_celsius = 20", "supply_max_celsius = nan", "exchange.dsx.supply_max_celsius"),
            ("supply_min_celsius = 20", "supply_max_celsius = 20", "between 35 and 50"),
            ("supply_min_celsius = 20", "supply_kelvin_per_min = 0", "supply_kelvin_per_min = 0"),
            ("requests = \"own\"\n        integration = \"MEPAI\"", "isolation = true", "supply_min_celsius"),
            ("supply_min_celsius", "supply_min", "unknown field `supply_min`"),
        ] {
            assert!(GOOD.contains(good), "{good}");
            let line = parsed(&GOOD.replacen(good, bad, 1)).unwrap_err();
            assert!(line.contains(expected) && line.lines().count() == 1, "{bad}: {line}");
        }
    }
}
