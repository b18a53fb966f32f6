//! From the parameters in an envelope to an action.
//!
//! ```text
//!   JSON object ──► shape of that action ──► numbers that we can hold ──► Action, and how long
//! ```

use eisbach_control::Manual;
use eisbach_protocol::alarm::Alarm;
use eisbach_protocol::units::Quantity;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Action, ActionName, River};

/// Why parameters are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::desk) enum BadParams {
    /// Missing, unknown, or of the wrong type.
    Shape,
    /// No finite number that this agent can hold.
    NotANumber,
    /// There is no such alarm.
    UnknownAlarm,
    /// There is no such action.
    UnknownAction,
}

/// An action, and how long it shall stay in force if it says so.
pub(in crate::desk) type Asked = (Action, Option<u32>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfPercent {
    percent: f64,
    for_s: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfCelsius {
    celsius: f64,
    for_s: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfWatts {
    watts: f64,
    for_s: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfRiver {
    celsius: Option<f64>,
    cubic_meters_per_s: Option<f64>,
    share: Option<f64>,
    for_s: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfHeat {
    watts: f64,
    network_celsius: f64,
    for_s: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfManual {
    pump_percent: Option<f64>,
    valve_percent: Option<f64>,
    for_s: u32,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfTime {
    for_s: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfNothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfAction<'a> {
    action: &'a str,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfAnyAlarm<'a> {
    #[serde(borrow)]
    alarm: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfAlarm<'a> {
    alarm: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfShelving<'a> {
    alarm: &'a str,
    minutes: u32,
}

/// The action of that name with the parameters that a JSON object names.
///
/// # Errors
/// If they are not those of the action.
pub(in crate::desk) fn parse(name: ActionName, params: Option<&RawValue>) -> Result<Asked, BadParams> {
    let text = params.map_or("{}", RawValue::get);
    match name {
        ActionName::PumpAtLeast => {
            let OfPercent { percent, for_s } = shape(text)?;
            Ok((Action::PumpAtLeast(number(percent)?), for_s))
        }
        ActionName::ValveAtMost => {
            let OfPercent { percent, for_s } = shape(text)?;
            Ok((Action::ValveAtMost(number(percent)?), for_s))
        }
        ActionName::SupplyTarget => {
            let OfCelsius { celsius, for_s } = shape(text)?;
            Ok((Action::SupplyTarget(number(celsius)?), for_s))
        }
        ActionName::PowerBudget => {
            let OfWatts { watts, for_s } = shape(text)?;
            Ok((Action::PowerBudget(number(watts)?), for_s))
        }
        ActionName::RiverAtMost => {
            let OfWatts { watts, for_s } = shape(text)?;
            Ok((Action::RiverAtMost(number(watts)?), for_s))
        }
        ActionName::River => river(&shape(text)?),
        ActionName::HeatDemand => {
            let OfHeat { watts, network_celsius, for_s } = shape(text)?;
            Ok((Action::HeatDemand { watts: number(watts)?, network: number(network_celsius)? }, for_s))
        }
        ActionName::Drain => shape(text).map(|OfTime { for_s }| (Action::Drain, for_s)),
        ActionName::Manual => manual(shape(text)?),
        ActionName::Auto => shape(text).map(|OfNothing {}| (Action::Auto, None)),
        ActionName::Isolate => shape(text).map(|OfNothing {}| (Action::Isolate, None)),
        ActionName::Release => {
            let OfAction { action } = shape(text)?;
            let action = ActionName::parse(action).ok_or(BadParams::UnknownAction)?;
            Ok((Action::Release(action), None))
        }
        ActionName::Acknowledge => {
            let OfAnyAlarm { alarm } = shape(text)?;
            Ok((Action::Acknowledge(alarm.map(named).transpose()?), None))
        }
        ActionName::Shelve => {
            let OfShelving { alarm, minutes } = shape(text)?;
            Ok((Action::Shelve { alarm: named(alarm)?, minutes }, None))
        }
        ActionName::Unshelve => {
            let OfAlarm { alarm } = shape(text)?;
            Ok((Action::Unshelve(named(alarm)?), None))
        }
        ActionName::Reset => {
            let OfAlarm { alarm } = shape(text)?;
            Ok((Action::Reset(named(alarm)?), None))
        }
        ActionName::Rebirth => shape(text).map(|OfNothing {}| (Action::Rebirth, None)),
    }
}

fn river(told: &OfRiver) -> Result<Asked, BadParams> {
    let river = River {
        celsius: told.celsius.map(number).transpose()?,
        flow: told.cubic_meters_per_s.map(number).transpose()?,
        share: told.share.map(single).transpose()?,
    };
    if river == River::default() {
        return Err(BadParams::Shape);
    }
    Ok((Action::River(river), told.for_s))
}

fn manual(OfManual { pump_percent, valve_percent, for_s }: OfManual) -> Result<Asked, BadParams> {
    let held =
        Manual { pump: pump_percent.map(number).transpose()?, valve: valve_percent.map(number).transpose()? };
    if held == Manual::default() {
        return Err(BadParams::Shape);
    }
    Ok((Action::Manual(held), Some(for_s)))
}

fn shape<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, BadParams> {
    serde_json::from_str(text).map_err(|_| BadParams::Shape)
}

/// A number that our own arithmetic can hold.
fn number<Q: Quantity>(value: f64) -> Result<Q, BadParams> {
    single(value).map(Q::from_f32)
}

/// The same without a unit.
fn single(value: f64) -> Result<f32, BadParams> {
    #[expect(clippy::cast_possible_truncation, reason = "what does not fit is judged on the next line")]
    let value = value as f32;
    if value.is_finite() { Ok(value) } else { Err(BadParams::NotANumber) }
}

fn named(name: &str) -> Result<Alarm, BadParams> {
    Alarm::named(name).ok_or(BadParams::UnknownAlarm)
}
