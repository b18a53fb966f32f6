//! Power as the contract writes it: a number and one of three units.

use eisbach_protocol::units::Watts;
use serde::{Deserialize, Serialize};

use super::Malformed;

/// More than any site draws, W. What is above is a wrong unit.
const MOST: f64 = 1e10;

/// A number with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct PowerValue {
    value: f64,
    unit: Unit,
}

/// The units there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum Unit {
    Watt,
    Kilowatt,
    Megawatt,
}

impl PowerValue {
    /// As the contract writes it.
    pub(in super::super) fn from_watts(power: Watts) -> Self {
        Self { value: f64::from(power.get()), unit: Unit::Watt }
    }

    /// In watts, if it is a power at all.
    pub(super) fn watts(self) -> Result<f64, Malformed> {
        let watts = match self.unit {
            Unit::Watt => self.value,
            Unit::Kilowatt => self.value * 1e3,
            Unit::Megawatt => self.value * 1e6,
        };
        if (0.0..=MOST).contains(&watts) { Ok(watts) } else { Err(Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watts(json: &str) -> Result<f64, Malformed> {
        super::super::read::<PowerValue>(json.as_bytes())?.watts()
    }

    #[test]
    fn every_unit_becomes_watts() {
        assert_eq!(watts(r#"{"value":1500,"unit":"watt"}"#), Ok(1500.0));
        assert_eq!(watts(r#"{"value":1.5,"unit":"kilowatt"}"#), Ok(1500.0));
        assert_eq!(watts(r#"{"value":2,"unit":"megawatt"}"#), Ok(2e6));
    }

    #[test]
    fn what_is_no_power_is_refused() {
        for json in [
            r#"{"value":-1,"unit":"watt"}"#,
            r#"{"value":1e999,"unit":"watt"}"#,
            r#"{"value":1e9,"unit":"megawatt"}"#,
            r#"{"value":"1","unit":"watt"}"#,
            r#"{"value":1,"unit":"horse"}"#,
            r#"{"value":1}"#,
            r#"{"value":null,"unit":"watt"}"#,
        ] {
            assert_eq!(watts(json), Err(Malformed), "{json}");
        }
    }
}
