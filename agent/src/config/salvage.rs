//! What can still be read from a file that is no configuration: the actuators' addresses.
//!
//! A typo must not stop cooling. Each section is read on its own, so a broken one spoils only itself.

use std::path::PathBuf;

use eisbach_protocol::registers::Profile;

use super::devices::{self, DeviceRole};
use crate::modbus::profile;
use crate::modbus::wire::Wire;
use crate::tls::TlsFiles;

/// An actuator as far as it can be known.
#[derive(Clone, Debug)]
pub struct Actuator {
    /// Pump or valve.
    pub role: DeviceRole,
    /// How it is reached.
    pub wire: Wire,
    /// Unit id.
    pub unit: u8,
    /// Its registers.
    pub profile: Profile,
}

/// The actuators that `text` still names.
#[must_use]
pub fn actuators(text: &str) -> Vec<Actuator> {
    [DeviceRole::Pump, DeviceRole::Valve].into_iter().filter_map(|role| actuator(text, role)).collect()
}

fn actuator(text: &str, role: DeviceRole) -> Option<Actuator> {
    let section = section(text, role.as_str())?;
    let address = value(&section, "address")?.as_str()?.to_owned();
    // A key that is there and cannot be read is no default: another unit or device may be hit by it.
    let number = |key| match value(&section, key) {
        Some(number) => number.as_integer().map(Some).ok_or(Unreadable),
        None if mentions(&section, key) => Err(Unreadable),
        None => Ok(None),
    };
    let words = |key| match value(&section, key) {
        Some(words) => words.as_str().map(|words| Some(words.to_owned())).ok_or(Unreadable),
        None if mentions(&section, key) => Err(Unreadable),
        None => Ok(None),
    };
    let name = words("profile").ok()?.unwrap_or_else(|| role.default_profile().to_owned());
    // A plant's own meaning of a device goes before the shipped one, here too.
    let directory = paths(text, "profiles").ok()?;
    let profile = profile::load(&name, directory.as_deref()).ok()?;
    let unit = match number("unit").ok()? {
        Some(unit) => u8::try_from(unit).ok()?,
        None => profile.link.unit.unwrap_or(1),
    };
    let profile = match (number("slot").ok()?, profile.slots) {
        (Some(slot), _) => profile.in_slot(u16::try_from(slot).ok()?).ok()?,
        (None, None) => profile,
        (None, Some(_)) => return None,
    };
    let wire = devices::wire(&address, words("serial").ok()?.as_deref(), &profile, tls(text)).ok()?;
    Some(Actuator { role, wire, unit, profile })
}

/// A key that is there and says nothing.
struct Unreadable;

fn tls(text: &str) -> Option<TlsFiles> {
    let section = section(text, "tls")?;
    let file = |key| value(&section, key)?.as_str().map(PathBuf::from);
    Some(TlsFiles { ca: file("ca")?, certificate: file("certificate")?, key: file("key")? })
}

/// Where the agent's state lies, if the file still says so.
#[must_use]
pub fn state(text: &str) -> Option<PathBuf> {
    paths(text, "state").ok().flatten()
}

/// A key of `[paths]`, if it is there.
fn paths(text: &str, key: &str) -> Result<Option<PathBuf>, Unreadable> {
    let Some(section) = section(text, "paths") else {
        return Ok(None);
    };
    match value(&section, key) {
        Some(path) => path.as_str().map(|path| Some(PathBuf::from(path))).ok_or(Unreadable),
        None if mentions(&section, key) => Err(Unreadable),
        None => Ok(None),
    }
}

/// The value of a key, read line by line: what does not parse is passed over.
fn value(section: &[&str], key: &str) -> Option<toml::Value> {
    section.iter().find_map(|line| toml::from_str::<toml::Table>(line).ok()?.get(key).cloned())
}

fn mentions(section: &[&str], key: &str) -> bool {
    section.iter().any(|line| line.trim_start().starts_with(key))
}

fn section<'a>(text: &'a str, name: &str) -> Option<Vec<&'a str>> {
    let mut lines = text.lines();
    lines.find(|line| line.trim().trim_start_matches('[').trim_end_matches(']').trim() == name)?;
    Some(lines.take_while(|line| !line.trim_start().starts_with('[')).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i14_a_typo_elsewhere_does_not_hide_the_pump() {
        let text = "[node\nname = \n[pump]\naddress = \"10.0.0.1:502\"\npoll_ms = = 3\n[valve]\naddress = \"10.0.0.2:502\"\nunit = 7\n";
        let found = actuators(text);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].role, found[0].wire.to_string().as_str(), found[0].unit),
            (DeviceRole::Pump, "10.0.0.1:502", 1)
        );
        assert_eq!((found[1].role, found[1].unit), (DeviceRole::Valve, 7));
    }

    #[test]
    fn a_unit_or_profile_that_cannot_be_read_is_not_guessed() {
        for line in [
            "unit = = 3",
            "unit = 999",
            "profile = grundfos",
            "profile = \"nobody\"",
            "serial = \"9600 8X1\"",
            "slot = 3",
        ] {
            assert!(actuators(&format!("[pump]\naddress = \"10.0.0.1:502\"\n{line}\n")).is_empty(), "{line}");
        }
    }

    #[test]
    fn a_plants_own_profile_goes_before_the_shipped_one() {
        let folder = tempfile::tempdir().unwrap();
        let text =
            format!("[node\n[pump]\naddress = \"10.0.0.1:502\"\n[paths]\nprofiles = {:?}\n", folder.path());
        assert_eq!(actuators(&text).len(), 1, "nothing of that name there: the shipped one");
        std::fs::write(folder.path().join("grundfos-cim.toml"), "broken").unwrap();
        assert!(actuators(&text).is_empty(), "whoever wrote it had a reason");
        assert!(actuators(&text.replace("profiles = ", "profiles = = ")).is_empty());
    }

    #[test]
    fn the_place_of_the_state_is_found_beside_a_typo() {
        assert_eq!(state("[node\n[paths]\nstate = \"/srv/state\"\n"), Some(PathBuf::from("/srv/state")));
    }

    #[test]
    fn rubbish_yields_nothing() {
        assert!(actuators("\u{0}\u{ff}[[[").is_empty());
    }
}
