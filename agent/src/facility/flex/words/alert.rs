//! Breach alerts: a feed draws more than its target, and these loads could be shed.

use eisbach_protocol::units::Watts;
use serde::{Deserialize, Serialize};

use super::power::PowerValue;
use super::uuid::Uuid;
use super::{Malformed, name, read};

/// Most hints that one alert may carry: every GPU of a large hall has its own.
pub(in super::super) const MOST_HINTS: usize = 512;

/// One alert, of which only what a node needs is kept.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Alert {
    /// The breach; one for all its alerts.
    pub(in super::super) breach: Uuid,
    /// Which feed draws too much.
    pub(in super::super) feed: String,
    /// Where the breach stands.
    pub(in super::super) status: Status,
    /// What could be shed.
    pub(in super::super) hints: Vec<Hint>,
}

/// Where a breach stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum Status {
    Active,
    Escalated,
    Resolved,
}

/// A load that could be shed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Hint {
    /// Its name.
    pub(in super::super) resource: String,
    /// What it is.
    pub(in super::super) kind: Resource,
    /// What shall be done with it.
    pub(in super::super) action: Action,
    /// Its cap, W; always there if it shall be capped.
    pub(in super::super) watts: Option<f64>,
}

/// What can be shed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum Resource {
    Node,
    Gpu,
    Chassis,
}

/// How it can be shed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Action {
    PowerCap,
    Throttle,
    Suspend,
}

#[derive(Deserialize)]
struct RawAlert {
    feed_tag: String,
    status: Status,
    breach: RawBreach,
    #[serde(default)]
    shed_hints: Vec<RawHint>,
}

#[derive(Deserialize)]
struct RawBreach {
    breach_id: Uuid,
}

#[derive(Deserialize)]
struct RawHint {
    resource_id: String,
    resource_type: Resource,
    action: Action,
    target_power: Option<PowerValue>,
}

impl Alert {
    /// The alert in signed words.
    ///
    /// # Errors
    /// If it is not what the contract says.
    pub(in super::super) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let raw: RawAlert = read(bytes)?;
        if raw.shed_hints.len() > MOST_HINTS {
            return Err(Malformed);
        }
        Ok(Self {
            breach: raw.breach.breach_id,
            feed: name(raw.feed_tag)?,
            status: raw.status,
            hints: raw.shed_hints.into_iter().map(RawHint::check).collect::<Result<_, _>>()?,
        })
    }
}

impl Hint {
    /// The cap that it asks for.
    #[expect(clippy::cast_possible_truncation, reason = "a power of at most a site, to four digits")]
    pub(in super::super) fn power_cap(&self) -> Option<Watts> {
        self.watts.map(|watts| Watts::new(watts as f32))
    }
}

impl RawHint {
    fn check(self) -> Result<Hint, Malformed> {
        let watts = self.target_power.map(PowerValue::watts).transpose()?;
        let capped = match self.action {
            Action::PowerCap => watts.is_some(),
            Action::Throttle | Action::Suspend => true,
        };
        if !capped {
            return Err(Malformed);
        }
        Ok(Hint { resource: name(self.resource_id)?, kind: self.resource_type, action: self.action, watts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn alert(hints: &Value) -> Vec<u8> {
        json!({
            "feed_tag": "main-a", "status": "active", "severity": "warning",
            "breach": {"breach_id": "6f9619ff-8b86-4011-b42d-00c04fc964ff", "detected_at": "2026-03-01T00:00:00Z"},
            "target": {"correlation_id": "6f9619ff-8b86-4011-b42d-00c04fc964fe", "load_constraint": {"value": 1, "unit": "megawatt"}},
            "measured_load": {"value": 1.1, "unit": "megawatt"},
            "shed_hints": hints, "infrastructure_actions": [],
        })
        .to_string()
        .into_bytes()
    }

    #[test]
    fn a_hint_names_a_resource_and_an_action() {
        let hints = json!([
            {"resource_id": "node-7", "resource_type": "node", "action": "power_cap", "priority": 1, "target_power": {"value": 4, "unit": "kilowatt"}},
            {"resource_id": "node-7/gpu3", "resource_type": "gpu", "action": "suspend", "priority": 2},
        ]);
        let read = Alert::read(&alert(&hints)).unwrap();
        assert_eq!((read.status, read.feed.as_str()), (Status::Active, "main-a"));
        assert_eq!(read.hints[0].watts, Some(4000.0));
        assert_eq!((read.hints[1].kind, read.hints[1].action), (Resource::Gpu, Action::Suspend));
    }

    #[test]
    fn a_cap_without_a_power_is_refused() {
        let hints =
            json!([{"resource_id": "n", "resource_type": "node", "action": "power_cap", "priority": 1}]);
        assert_eq!(Alert::read(&alert(&hints)), Err(Malformed));
    }

    #[test]
    fn more_hints_than_fit_are_refused() {
        let hint = json!({"resource_id": "n", "resource_type": "node", "action": "throttle", "priority": 1});
        assert_eq!(Alert::read(&alert(&json!(vec![hint; MOST_HINTS + 1]))), Err(Malformed));
    }
}
