//! What a device does when nobody speaks to it: looked up in its own registers, never assumed, never changed.
//!
//! ```text
//!   profile's watchdog ─► read its registers ─► judge ─► Protected | LocalMode | Unprotected | Unknown
//!      after each probe, and every 5 minutes
//! ```
//!
//! A pump that holds its last set-point for ever is an unprotected actuator, and somebody has to know.

mod survey;

use eisbach_protocol::registers::{Action, Profile, Table, Timeout, Watchdog};
use eisbach_protocol::units::Millis;
use serde::Serialize;

#[cfg(test)]
pub(super) use self::survey::probe_devices_over;
pub use self::survey::{DeviceCheck, PointCheck, PresetCheck, RoundTrips, probe_devices};
use super::bus::{Bus, Request, Span};
use super::check::Refusal;
use super::session::{Broken, Failure, Session};

/// Time between two looks. Somebody may change a watchdog at the device's panel.
pub(super) const LOOK_EVERY: Millis = Millis::from_secs(300);

/// What becomes of an actuator when the agent falls silent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Protection {
    /// It goes to its safe state by itself.
    Protected {
        /// After so long, ms, where that can be read.
        after_ms: Option<u64>,
    },
    /// It goes to what was set at its panel. No register tells what that is; a person has to see to it.
    LocalMode {
        /// What must be set there.
        commission: String,
    },
    /// It holds its last set-point, or is not safe in time.
    Unprotected {
        /// Why, and the mend.
        why: String,
    },
    /// It was not seen yet, or does not say.
    Unknown {
        /// Why.
        why: String,
    },
    /// It takes no commands.
    NotNeeded,
}

/// One register that decides about protection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RegisterCheck {
    /// What it is for: `watchdog`, `fail action` or `heartbeat echo`.
    pub purpose: &'static str,
    /// Its table.
    pub table: Table,
    /// Its address, zero-based.
    pub address: u16,
    /// What it must hold, for people.
    pub expected: String,
    /// What it holds; nothing if it cannot be read.
    pub found: Option<u16>,
    /// Whether that protects.
    pub ok: bool,
}

/// What was found and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inspection {
    pub(super) registers: Vec<RegisterCheck>,
    pub(super) protection: Protection,
}

impl Protection {
    /// One stable word for every face.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Protected { .. } => "protected",
            Self::LocalMode { .. } => "local_mode",
            Self::Unprotected { .. } => "unprotected",
            Self::Unknown { .. } => "unknown",
            Self::NotNeeded => "not_needed",
        }
    }

    pub(super) fn unseen() -> Self {
        Self::Unknown { why: "the device was not looked at yet".to_owned() }
    }

    /// The look itself failed.
    pub(super) fn unheard(broken: &Broken) -> Self {
        let why = match broken.unanswered() {
            Some(Request::Read(Span { table, first, .. })) => {
                format!("its watchdog, {table:?} register {first}, gave no answer: {broken}")
            }
            Some(Request::Write { .. }) | None => format!("its watchdog gave no answer: {broken}"),
        };
        Self::Unknown { why }
    }
}

/// Reads the watchdog's registers, two at most, and judges them.
///
/// # Errors
/// If the connection broke.
pub(super) async fn inspect<B: Bus>(
    session: &mut Session<'_, B>,
    profile: &Profile,
) -> Result<Inspection, Broken> {
    let mut registers = Vec::new();
    for mut register in registers_of(profile) {
        let span = Span { table: register.table, first: register.address, count: 1 };
        match session.read_one(span).await {
            Ok(found) => register.found = Some(found),
            Err(Failure::Declined(
                Refusal::Misfit | Refusal::Fault | Refusal::Busy | Refusal::Unreachable,
            )) => {}
            Err(Failure::Broken(broken)) => return Err(broken),
        }
        registers.push(register);
    }
    let protection = judge(profile, &mut registers);
    Ok(Inspection { registers, protection })
}

fn registers_of(profile: &Profile) -> Vec<RegisterCheck> {
    let register = |purpose, table, address, expected| RegisterCheck {
        purpose,
        table,
        address,
        expected,
        found: None,
        ok: false,
    };
    match &profile.watchdog {
        None | Some(Watchdog::None { .. } | Watchdog::LocalMode { .. }) => Vec::new(),
        Some(Watchdog::Timer { timeout, action, .. }) => {
            let Timeout { table, address, ms_per_count, low, high } = *timeout;
            let counts = format!("{low} to {high}, {ms_per_count} ms each");
            let timer = register("watchdog", table, address, counts);
            let action = action.as_ref().map(|Action { table, address, one_of }| {
                register("fail action", *table, *address, format!("one of {one_of:?}"))
            });
            std::iter::once(timer).chain(action).collect()
        }
        Some(Watchdog::Heartbeat { echo, .. }) => echo
            .iter()
            .map(|&echo| register("heartbeat echo", Table::Holding, echo, "the last count".to_owned()))
            .collect(),
    }
}

/// What the `registers`, as [`registers_of`] lists them, make of the device. Each is marked.
fn judge(profile: &Profile, registers: &mut [RegisterCheck]) -> Protection {
    for register in registers.iter_mut() {
        register.ok = register.found.is_some_and(|found| match (&profile.watchdog, register.purpose) {
            (Some(Watchdog::Timer { timeout, .. }), "watchdog") => {
                (timeout.low..=timeout.high).contains(&found)
            }
            (Some(Watchdog::Timer { action: Some(action), .. }), _) => action.one_of.contains(&found),
            (_, _) => true,
        });
    }
    if profile.commands.is_empty() {
        return Protection::NotNeeded;
    }
    if let Some(unread) = registers.iter().find(|register| register.found.is_none()) {
        let RegisterCheck { purpose, table, address, .. } = unread;
        return Protection::Unknown {
            why: format!("its {purpose}, {table:?} register {address}, cannot be read"),
        };
    }
    if let Some(RegisterCheck { purpose, table, address, expected, found: Some(found), .. }) =
        registers.iter().find(|register| !register.ok)
    {
        let why = format!("its {purpose}, {table:?} register {address}, holds {found}; set it to {expected}");
        return Protection::Unprotected { why };
    }
    match &profile.watchdog {
        None | Some(Watchdog::None { .. }) => Protection::Unprotected {
            why: "it holds its last set-point for ever when nobody writes to it".to_owned(),
        },
        Some(Watchdog::LocalMode { commission, .. }) => {
            Protection::LocalMode { commission: commission.as_str().to_owned() }
        }
        Some(Watchdog::Timer { timeout, .. }) => in_time(profile, timeout, registers),
        Some(Watchdog::Heartbeat { .. }) => Protection::Protected { after_ms: None },
    }
}

/// A watchdog must outlast a lost refresh, or it takes the device away from a sound agent.
fn in_time(profile: &Profile, timeout: &Timeout, registers: &[RegisterCheck]) -> Protection {
    let counts = registers.first().and_then(|register| register.found).unwrap_or(0);
    let after_ms = u64::from(counts) * u64::from(timeout.ms_per_count);
    let refresh_ms = profile.commands.iter().map(|command| u64::from(command.refresh_ms)).max().unwrap_or(0);
    if after_ms > 2 * refresh_ms {
        Protection::Protected { after_ms: Some(after_ms) }
    } else {
        let why = format!(
            "its watchdog runs out after {after_ms} ms, within two refreshes of {refresh_ms} ms; set {:?} register \
             {} to more, or refresh_ms in the profile to less",
            timeout.table, timeout.address
        );
        Protection::Unprotected { why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modbus::profile::load;

    fn valve() -> Profile {
        let mut valve = load("belimo-energy-valve", None).unwrap();
        let Some(Watchdog::Timer { timeout, action: Some(action), .. }) = &mut valve.watchdog else {
            panic!("the valve has a timer and an action");
        };
        (timeout.low, timeout.high, timeout.ms_per_count) = (10, 600, 1_000);
        action.one_of = heapless::Vec::from_slice(&[2, 3]).unwrap();
        valve.commands[0].refresh_ms = 30_000;
        valve
    }

    fn judged(profile: &Profile, found: [Option<u16>; 2]) -> Protection {
        let mut registers = registers_of(profile);
        for (register, found) in registers.iter_mut().zip(found) {
            register.found = found;
        }
        judge(profile, &mut registers)
    }

    fn why(protection: Protection) -> String {
        match protection {
            Protection::Unprotected { why } | Protection::Unknown { why } => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_watchdog_that_is_on_and_safe_and_in_time_protects() {
        assert_eq!(judged(&valve(), [Some(120), Some(2)]), Protection::Protected { after_ms: Some(120_000) });
    }

    #[test]
    fn a_watchdog_that_is_off_or_unsafe_or_too_short_does_not_protect_and_says_why() {
        let off = why(judged(&valve(), [Some(0), Some(2)]));
        assert!(off.contains("109, holds 0; set it to 10 to 600"), "{off}");
        let hold = why(judged(&valve(), [Some(120), Some(0)]));
        assert!(hold.contains("108, holds 0; set it to one of [2, 3]"), "{hold}");
        let short = why(judged(&valve(), [Some(60), Some(2)]));
        assert!(short.contains("60000 ms, within two refreshes of 30000 ms"), "{short}");
    }

    #[test]
    fn a_watchdog_that_cannot_be_read_is_unknown() {
        assert!(matches!(judged(&valve(), [None, Some(2)]), Protection::Unknown { .. }));
        assert!(matches!(judged(&valve(), [Some(0), None]), Protection::Unknown { .. }));
    }

    #[test]
    fn a_device_without_a_watchdog_is_unprotected_unless_it_takes_no_commands() {
        let mut valve = valve();
        valve.watchdog = None;
        assert!(matches!(judged(&valve, [None; 2]), Protection::Unprotected { .. }));
        valve.commands.clear();
        assert_eq!(judged(&valve, [None; 2]), Protection::NotNeeded);
    }

    #[test]
    fn a_local_mode_is_for_a_person_to_commission() {
        let pump = load("grundfos-cim", None).unwrap();
        assert!(
            matches!(judged(&pump, [None; 2]), Protection::LocalMode { commission } if !commission.is_empty())
        );
    }
}
