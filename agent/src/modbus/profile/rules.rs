//! What a profile must be beyond its syntax, so that nothing read or written by it can be nonsense.

use std::fmt::Debug;
use std::ops::RangeInclusive;

use eisbach_protocol::registers::{
    Command, CommandForm, Control, Encoding, Identity, Point, Preset, Profile, Table,
};

/// Most registers one Modbus read can carry (Modbus application protocol 1.1b3, function 03).
const MAX_WORDS: RangeInclusive<u16> = 1..=125;
/// Below, a device's own reply delay fails; above, a silent device is noticed too late.
const TIMEOUT_MS: RangeInclusive<u32> = 50..=10_000;
/// Two writes closer than this serve no actuator and load the device.
const MIN_INTERVAL_MS: RangeInclusive<u32> = 50..=600_000;

/// The first thing found wrong.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) mend: &'static str,
}

/// Whether `profile`, asked for as `name`, makes sense.
pub(super) fn check(name: &str, profile: &Profile) -> Result<(), Flaw> {
    ensure(profile.name == name, "name", &profile.name, "must be the file's name without `.toml`")?;
    ensure(MAX_WORDS.contains(&profile.max_words), "max_words", profile.max_words, "must be 1 to 125")?;
    ensure(
        TIMEOUT_MS.contains(&profile.timeout_ms),
        "timeout_ms",
        profile.timeout_ms,
        "must be 50 to 10000",
    )?;
    let lines = profile.points.len() + profile.commands.len();
    ensure(lines > 0, "points", lines, "list at least one point or command")?;
    profile.identity.as_ref().map_or(Ok(()), identity)?;
    for (at, preset) in profile.presets.iter().enumerate() {
        self::preset(at, preset, profile)?;
    }
    for (at, command) in profile.commands.iter().enumerate() {
        self::command(at, command, profile)?;
    }
    for (at, point) in profile.points.iter().enumerate() {
        self::point(at, point, profile)?;
    }
    Ok(())
}

fn identity(identity: &Identity) -> Result<(), Flaw> {
    let register = identity.table != Table::Discrete;
    ensure(register, "identity.table", identity.table, "must be `holding` or `input`")?;
    ensure(!identity.one_of.is_empty(), "identity.one_of", &identity.one_of, "list at least one value")
}

fn preset(at: usize, preset: &Preset, profile: &Profile) -> Result<(), Flaw> {
    let key = format!("presets[{at}].address");
    let twice = profile.presets.iter().take(at).any(|other| other.address == preset.address);
    ensure(!twice, &key, preset.address, "is set by an earlier preset; remove one")?;
    let commanded = profile.commands.iter().any(|command| command.address == preset.address);
    ensure(!commanded, &key, preset.address, "is a command's register; remove one")
}

fn command(at: usize, command: &Command, profile: &Profile) -> Result<(), Flaw> {
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
    )?;
    ensure(
        MIN_INTERVAL_MS.contains(&command.min_interval_ms),
        key("min_interval_ms"),
        command.min_interval_ms,
        "must be 50 to 600000",
    )?;
    ensure(
        command.refresh_ms >= command.min_interval_ms,
        key("refresh_ms"),
        command.refresh_ms,
        "must not be below min_interval_ms",
    )?;
    match (control, &command.form) {
        (Control::PumpRun, CommandForm::Word { on, off, reset }) => {
            ensure(on != off, key("form.on"), on, "must differ from off")?;
            let reset = reset.unwrap_or(*on);
            ensure(reset != *off, key("form.reset"), reset, "must differ from off")
        }
        (
            Control::PumpSpeed | Control::ValvePosition,
            &CommandForm::Number { scale, low, high, dead_band },
        ) => number(&key("form"), scale, low, high, dead_band),
        (Control::PumpRun, form @ CommandForm::Number { .. }) => {
            ensure(false, key("form"), form, "must be a `word`: on and off as whole control words")
        }
        (Control::PumpSpeed | Control::ValvePosition, form @ CommandForm::Word { .. }) => {
            ensure(false, key("form"), form, "must be a `number`")
        }
    }
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

fn point(at: usize, point: &Point, profile: &Profile) -> Result<(), Flaw> {
    let key = |field: &str| format!("points[{at}].{field}");
    let twice = profile.points.iter().take(at).any(|other| other.signal == point.signal);
    ensure(!twice, key("signal"), point.signal, "is listed twice; remove one")?;
    let words = point.encoding.words();
    let (encoding, mend) = match (point.table, point.encoding) {
        (Table::Discrete, encoding) => {
            (encoding == Encoding::Bit(0), "a discrete input is always `{ bit = 0 }`")
        }
        (Table::Holding | Table::Input, Encoding::Bit(bit)) => (bit < 16, "must be bit 0 to 15"),
        (Table::Holding | Table::Input, _) => (words <= profile.max_words, "is longer than max_words"),
    };
    ensure(encoding, key("encoding"), point.encoding, mend)?;
    let fits = |marker: &u32| words == 2 || *marker <= u32::from(u16::MAX);
    ensure(
        point.invalid.iter().all(fits),
        key("invalid"),
        &point.invalid,
        "is wider than the value and never seen",
    )?;
    ensure(
        point.address.checked_add(words - 1).is_some(),
        key("address"),
        point.address,
        "reaches beyond register 65535",
    )?;
    ensure(
        point.scale.is_finite() && point.scale != 0.0,
        key("scale"),
        point.scale,
        "must be finite and not zero",
    )?;
    ensure(point.offset.is_finite(), key("offset"), point.offset, "must be finite")?;
    ensure(point.low.is_finite(), key("low"), point.low, "must be finite")?;
    ensure(
        point.high.is_finite() && point.low < point.high,
        key("high"),
        point.high,
        "must be finite and above low",
    )
}

fn ensure(sound: bool, key: impl Into<String>, value: impl Debug, mend: &'static str) -> Result<(), Flaw> {
    if sound { Ok(()) } else { Err(Flaw { key: key.into(), value: format!("{value:?}"), mend }) }
}
