//! What is written: only what can be, never more often than the device bears, and with a proof that can be had.

use std::ops::RangeInclusive;

use eisbach_protocol::registers::{Command, CommandForm, Control, Effect, Persistence, Profile, Table};

use super::{Flaw, OrMissing, ensure, source};

/// Two writes closer than this serve no actuator and load the device.
const MIN_INTERVAL_MS: RangeInclusive<u32> = 50..=600_000;
/// A request not repeated within a day is forgotten.
const LONGEST_REFRESH_MS: u32 = DAY_MS;
/// A device that takes over a word later than this has not taken it.
const LONGEST_READ_BACK_MS: u32 = 60_000;
/// From at once to the slowest actuator.
const EFFECT_WITHIN_MS: RangeInclusive<u32> = 100..=600_000;
const DAY_MS: u32 = 86_400_000;

pub(super) fn check(at: usize, command: &Command, profile: &Profile) -> Result<(), Flaw> {
    let line = format!("commands[{at}]");
    unique(at, command, profile)?;
    rates(&line, command)?;
    form(&line, command)?;
    safe(&line, command)?;
    read_back(&line, command, profile)?;
    command.effect.as_ref().map_or(Ok(()), |effect| self::effect(&line, effect, profile))?;
    source(&line, &command.source, profile)
}

fn unique(at: usize, command: &Command, profile: &Profile) -> Result<(), Flaw> {
    let key = |field: &str| format!("commands[{at}].{field}");
    let mut earlier = profile.commands.iter().take(at);
    let control = command.control;
    ensure(
        !earlier.clone().any(|other| other.control == control),
        key("control"),
        control,
        "is listed twice; remove one",
    )?;
    ensure(
        !earlier.any(|other| other.address == command.address),
        key("address"),
        command.address,
        "is another command's register; remove one",
    )
}

fn rates(line: &str, command: &Command) -> Result<(), Flaw> {
    let key = |field: &str| format!("{line}.{field}");
    ensure(
        MIN_INTERVAL_MS.contains(&command.min_interval_ms),
        key("min_interval_ms"),
        command.min_interval_ms,
        "must be 50 to 600000",
    )?;
    ensure(
        (command.min_interval_ms..=LONGEST_REFRESH_MS).contains(&command.refresh_ms),
        key("refresh_ms"),
        command.refresh_ms,
        "must be from min_interval_ms to one day",
    )?;
    let budget = command.daily_budget;
    let worn = match command.persistence {
        Persistence::Volatile => false,
        Persistence::Eeprom | Persistence::Unknown => true,
    };
    ensure(
        budget.is_some() || !worn,
        key("daily_budget"),
        OrMissing(budget),
        "is needed unless persistence is `volatile`: the register may wear out",
    )?;
    let Some(budget) = budget else { return Ok(()) };
    // The last tenth is kept for writes towards more cooling: the refresh must do without it.
    let repeated = u64::from(DAY_MS.div_ceil(command.refresh_ms));
    ensure(
        u64::from(budget) * 9 > repeated * 10,
        key("daily_budget"),
        budget,
        "is used up by the refresh alone; raise it, or refresh_ms",
    )
}

fn form(line: &str, command: &Command) -> Result<(), Flaw> {
    match (command.control, &command.form) {
        (Control::PumpRun, &CommandForm::Word { on, off, reset, arm, allow_mask }) => {
            let key = |field: &str| format!("{line}.form.word.{field}");
            ensure(on != off, key("on"), on, "must differ from off")?;
            ensure(reset != Some(off), key("reset"), off, "must differ from off")?;
            ensure(arm != Some(on), key("arm"), on, "must differ from on: the device starts on the edge")?;
            let words = [("on", Some(on)), ("off", Some(off)), ("reset", reset), ("arm", arm)];
            let words = words.into_iter().filter_map(|(field, word)| Some((field, word?)));
            for (field, word) in words {
                within(word, allow_mask, key(field))?;
            }
            command.release.map_or(Ok(()), |release| within(release, allow_mask, format!("{line}.release")))
        }
        (
            Control::PumpSpeed | Control::ValvePosition,
            &CommandForm::Number { scale, low, high, dead_band },
        ) => number(&format!("{line}.form.number"), scale, low, high, dead_band),
        (Control::PumpRun, form @ CommandForm::Number { .. }) => {
            ensure(false, format!("{line}.form"), form, "must be a `word`: on and off as whole control words")
        }
        (Control::PumpSpeed | Control::ValvePosition, form @ CommandForm::Word { .. }) => {
            ensure(false, format!("{line}.form"), form, "must be a `number`")
        }
    }
}

fn within(word: u16, allow_mask: u16, key: String) -> Result<(), Flaw> {
    ensure(word & !allow_mask == 0, key, word, "sets a bit outside allow_mask")
}

/// Every value between `low` and `high` must have a register word: a command that cannot be written is none.
fn number(form: &str, scale: f32, low: f32, high: f32, dead_band: f32) -> Result<(), Flaw> {
    let key = |field: &str| format!("{form}.{field}");
    let words = 0.0..=f32::from(u16::MAX);
    ensure(scale.is_finite() && scale > 0.0, key("scale"), scale, "must be above zero")?;
    ensure(words.contains(&(low / scale)), key("low"), low, "low / scale must be 0 to 65535")?;
    ensure(
        words.contains(&(high / scale)) && low < high,
        key("high"),
        high,
        "must be above low, and high / scale at most 65535",
    )?;
    ensure(
        (0.0..high - low).contains(&dead_band),
        key("dead_band"),
        dead_band,
        "must be zero or more, and below high - low",
    )
}

fn safe(line: &str, command: &Command) -> Result<(), Flaw> {
    let (sound, mend) = match command.form {
        CommandForm::Word { .. } => {
            ([0.0_f32, 1.0].iter().any(|word| word.total_cmp(&command.safe).is_eq()), "must be 0.0 or 1.0")
        }
        CommandForm::Number { low, high, .. } => {
            ((low..=high).contains(&command.safe), "must be from low to high")
        }
    };
    ensure(sound, format!("{line}.safe"), command.safe, mend)
}

fn read_back(line: &str, command: &Command, profile: &Profile) -> Result<(), Flaw> {
    let key = |field: &str| format!("{line}.read_back.{field}");
    let back = &command.read_back;
    let table = match back.address {
        Some(_) => !back.table.is_bits(),
        None => back.table == Table::Holding,
    };
    ensure(
        table,
        key("table"),
        back.table,
        "must be `holding`, or `input` with an address: a word is read back",
    )?;
    if let (Some(address), Table::Holding) = (back.address, back.table) {
        let preset = profile.presets.iter().any(|preset| preset.address == address);
        let other = profile.commands.iter().any(|other| other.address == address && other != command);
        ensure(
            !preset && !other,
            key("address"),
            address,
            "is written by another line; one of them is wrong",
        )?;
    }
    ensure(
        back.within_ms <= LONGEST_READ_BACK_MS,
        key("within_ms"),
        back.within_ms,
        "must be at most 60000",
    )?;
    match command.form {
        CommandForm::Word { on, off, .. } => {
            ensure(back.tolerance == 0, key("tolerance"), back.tolerance, "must be 0 for a `word`")?;
            let told_apart = (on ^ off) & !back.ignore_mask != 0;
            ensure(told_apart, key("ignore_mask"), back.ignore_mask, "hides the difference of on and off")
        }
        CommandForm::Number { .. } => {
            ensure(back.ignore_mask == 0, key("ignore_mask"), back.ignore_mask, "must be 0 for a `number`")
        }
    }
}

fn effect(line: &str, effect: &Effect, profile: &Profile) -> Result<(), Flaw> {
    let key = |field: &str| format!("{line}.effect.{field}");
    let known = profile.points.iter().any(|point| point.signal == effect.signal);
    ensure(known, key("signal"), effect.signal, "is not among the points; add it")?;
    ensure(
        effect.tolerance.is_finite() && effect.tolerance > 0.0,
        key("tolerance"),
        effect.tolerance,
        "must be above zero",
    )?;
    ensure(
        EFFECT_WITHIN_MS.contains(&effect.within_ms),
        key("within_ms"),
        effect.within_ms,
        "must be 100 to 600000",
    )
}
