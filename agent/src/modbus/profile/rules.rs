//! What a profile must be beyond its syntax, so that nothing read or written by it can be nonsense.
//!
//! ```text
//!   name, sources ─► link, identity ─► presets ─► watchdog ─► authority, slots ─► commands ─► points, reads
//! ```
//!
//! The first thing found wrong is told, with its key, its value and the mend.

mod command;
mod link;
mod point;
mod reads;
mod slots;
mod watchdog;

use std::fmt::{self, Debug};

use eisbach_protocol::registers::{Authority, Preset, Profile, Watchdog};

/// The first thing found wrong.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) mend: &'static str,
}

/// Whether `profile`, asked for as `name`, makes sense.
pub(super) fn check(name: &str, profile: &Profile) -> Result<(), Flaw> {
    head(name, profile)?;
    link::check(profile)?;
    for (at, preset) in profile.presets.iter().enumerate() {
        self::preset(at, preset, profile)?;
    }
    watchdog::check(profile)?;
    authority(profile)?;
    slots::check(profile)?;
    for (at, command) in profile.commands.iter().enumerate() {
        command::check(at, command, profile)?;
    }
    for (at, point) in profile.points.iter().enumerate() {
        point::check(at, point, profile)?;
    }
    reads::check(profile)
}

/// Whether `name` can be a profile's: it becomes a file's name.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn head(name: &str, profile: &Profile) -> Result<(), Flaw> {
    ensure(profile.name == name, "name", &profile.name, "must be the file's name without `.toml`")?;
    ensure(is_name(name), "name", &profile.name, "may have only lower-case letters, digits and `-`")?;
    ensure(!profile.device.trim().is_empty(), "device", &profile.device, "name maker and model")?;
    ensure(!profile.sources.is_empty(), "sources", "none", "name at least one: key = \"where to find it\"")?;
    for (key, text) in &profile.sources {
        ensure(is_name(key), "sources", key, "a key may have only lower-case letters, digits and `-`")?;
        ensure(!text.trim().is_empty(), format!("sources.{key}"), text, "say where to find it")?;
    }
    let lines = profile.points.len() + profile.commands.len();
    ensure(lines > 0, "points", lines, "list at least one point or command")
}

fn preset(at: usize, preset: &Preset, profile: &Profile) -> Result<(), Flaw> {
    let key = format!("presets[{at}].address");
    let twice = profile.presets.iter().take(at).any(|other| other.address == preset.address);
    ensure(!twice, &key, preset.address, "is set by an earlier preset; remove one")?;
    let commanded = profile.commands.iter().any(|command| command.address == preset.address);
    ensure(!commanded, &key, preset.address, "is a command's register; remove one")?;
    source(&format!("presets[{at}]"), &preset.source, profile)
}

fn authority(profile: &Profile) -> Result<(), Flaw> {
    match profile.authority {
        Authority::Exclusive => Ok(()),
        Authority::LocalRemote { local } => ensure(
            profile.points.iter().any(|point| point.signal == local),
            "authority.local_remote.local",
            local,
            "is not among the points; add it",
        ),
        Authority::Slot => {
            ensure(profile.slots.is_some(), "authority", "slot", "needs a [slots] section")?;
            let open = profile.commands.iter().position(|command| !command.slotted);
            let key = format!("commands[{}].slotted", open.unwrap_or_default());
            ensure(open.is_none(), key, false, "must be true where each agent asks in its own slot")?;
            let beats = matches!(profile.watchdog, Some(Watchdog::Heartbeat { .. }));
            ensure(
                beats || profile.commands.is_empty(),
                "authority",
                "slot",
                "needs a [watchdog.heartbeat]: a slot ends when its agent does",
            )
        }
    }
}

/// `key.source` must be one of the profile's sources.
fn source(key: &str, name: &str, profile: &Profile) -> Result<(), Flaw> {
    let known = profile.sources.keys().any(|known| known == name);
    ensure(known, format!("{key}.source"), name, "is not a key in [sources]; add it there")
}

fn ensure(sound: bool, key: impl Into<String>, value: impl Debug, mend: &'static str) -> Result<(), Flaw> {
    if sound { Ok(()) } else { Err(Flaw { key: key.into(), value: format!("{value:?}"), mend }) }
}

/// A value that may be missing, as a person would say it.
struct OrMissing<T>(Option<T>);

impl<T: Debug> Debug for OrMissing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("missing"),
        }
    }
}
