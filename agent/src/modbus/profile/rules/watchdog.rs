//! What the device does when nobody writes: known wherever something is written, and never switched by the agent.

use std::ops::RangeInclusive;

use eisbach_protocol::registers::{Action, Profile, Table, Timeout, Watchdog};

use super::{Flaw, OrMissing, ensure, source};

/// The cycle runs ten times a second, and no device is patient for minutes.
const PERIOD_MS: RangeInclusive<u32> = 100..=60_000;

pub(super) fn check(profile: &Profile) -> Result<(), Flaw> {
    let Some(watchdog) = &profile.watchdog else {
        return ensure(
            profile.commands.is_empty(),
            "watchdog",
            OrMissing(None::<Watchdog>),
            "say what the device does when nobody commands it: none, local_mode, timer or heartbeat",
        );
    };
    match watchdog {
        Watchdog::None { source: name, .. } => source("watchdog.none", name, profile),
        Watchdog::LocalMode { commission, source: name, .. } => {
            ensure(
                !commission.trim().is_empty(),
                "watchdog.local_mode.commission",
                commission,
                "say what must be set at the panel",
            )?;
            source("watchdog.local_mode", name, profile)
        }
        Watchdog::Timer { timeout, action, source: name, .. } => {
            self::timeout(timeout, profile)?;
            action.as_ref().map_or(Ok(()), |action| self::action(action, timeout, profile))?;
            source("watchdog.timer", name, profile)
        }
        &Watchdog::Heartbeat { address, period_ms, echo, source: ref name, .. } => {
            let key = |field: &str| format!("watchdog.heartbeat.{field}");
            ensure(
                !is_written(Table::Holding, address, profile),
                key("address"),
                address,
                "is the register of a command or preset too; one of them is wrong",
            )?;
            ensure(PERIOD_MS.contains(&period_ms), key("period_ms"), period_ms, "must be 100 to 60000")?;
            if let Some(echo) = echo {
                let own = echo == address || is_written(Table::Holding, echo, profile);
                ensure(!own, key("echo"), echo, "must be a register that only the device writes")?;
            }
            source("watchdog.heartbeat", name, profile)
        }
    }
}

fn timeout(timeout: &Timeout, profile: &Profile) -> Result<(), Flaw> {
    let key = |field: &str| format!("watchdog.timer.timeout.{field}");
    ensure(!timeout.table.is_bits(), key("table"), timeout.table, "must be `holding` or `input`")?;
    ensure(
        !is_written(timeout.table, timeout.address, profile),
        key("address"),
        timeout.address,
        "is the register of a command or preset; the agent never sets a watchdog",
    )?;
    ensure(timeout.ms_per_count > 0, key("ms_per_count"), timeout.ms_per_count, "must be above zero")?;
    ensure(timeout.low > 0, key("low"), timeout.low, "must be above zero: zero switches a watchdog off")?;
    ensure(timeout.low <= timeout.high, key("high"), timeout.high, "must not be below low")?;
    let shortest = u64::from(timeout.low) * u64::from(timeout.ms_per_count);
    let fed = profile.commands.iter().all(|command| shortest > 2 * u64::from(command.refresh_ms));
    ensure(
        fed,
        key("low"),
        timeout.low,
        "times ms_per_count must be more than twice every command's refresh_ms, so that one may get lost",
    )
}

fn action(action: &Action, timeout: &Timeout, profile: &Profile) -> Result<(), Flaw> {
    let key = |field: &str| format!("watchdog.timer.action.{field}");
    ensure(!action.table.is_bits(), key("table"), action.table, "must be `holding` or `input`")?;
    let same = (action.table, action.address) == (timeout.table, timeout.address);
    ensure(!same, key("address"), action.address, "is the timeout's register too; one of them is wrong")?;
    ensure(
        !is_written(action.table, action.address, profile),
        key("address"),
        action.address,
        "is the register of a command or preset; the agent never sets a watchdog",
    )?;
    ensure(!action.one_of.is_empty(), key("one_of"), &action.one_of, "list at least one safe choice")
}

fn is_written(table: Table, address: u16, profile: &Profile) -> bool {
    let commanded = profile.commands.iter().any(|command| command.address == address);
    let preset = profile.presets.iter().any(|preset| preset.address == address);
    table == Table::Holding && (commanded || preset)
}
