//! Device profiles from files: found, parsed, and refused with one clear line if they make no sense.
//!
//! ```text
//!   <directory>/<name>.toml ──┐
//!                             ├─► parse ─► check ─► Profile
//!   shipped with the agent ───┘   (file, line)  (file, key, value, mend)
//! ```
//!
//! A file overrides the shipped profile of the same name. A broken override is an error and never silently replaced
//! by the shipped one: whoever wrote it had a reason.

mod rules;

use std::path::{Path, PathBuf};
use std::{fs, io};

use eisbach_protocol::profiles::SHIPPED;
use eisbach_protocol::registers::Profile;
use thiserror::Error;

/// Why a profile cannot be used. Each message is one line that names the file, the place and the mend.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// The name cannot be a profile's.
    #[error("profile `{name}`: a profile's name has only lower-case letters, digits and `-`")]
    Name {
        /// As asked for.
        name: String,
    },
    /// There is no such profile.
    #[error("profile `{name}`: {} and it is none of the shipped {}", missing(.wanted.as_deref()), shipped_names())]
    Unknown {
        /// As asked for.
        name: String,
        /// The file looked for, if a directory was given.
        wanted: Option<PathBuf>,
    },
    /// The file is there but cannot be read.
    #[error("profile {}: cannot be read: {source}; let the agent's user read it", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Not TOML, or not the words of a profile.
    #[error("profile {file}, line {line}, `{text}`: {message}")]
    Syntax {
        /// The file, or where it ships.
        file: String,
        /// Counted from one.
        line: usize,
        /// That line.
        text: String,
        /// What the parser expected.
        message: String,
    },
    /// A value makes no sense.
    #[error("profile {file}, {key} = {value}: {mend}")]
    Senseless {
        /// The file, or where it ships.
        file: String,
        /// The key, for example `points[3].low`.
        key: String,
        /// Its value.
        value: String,
        /// What it must be.
        mend: &'static str,
    },
}

/// The profile `name`: from `<directory>/<name>.toml` if that exists, else as shipped.
///
/// # Errors
/// See [`ProfileError`].
pub fn load(name: &str, directory: Option<&Path>) -> Result<Profile, ProfileError> {
    if name.is_empty() || !name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
        return Err(ProfileError::Name { name: name.to_owned() });
    }
    let wanted = directory.map(|directory| directory.join(format!("{name}.toml")));
    if let Some(file) = &wanted {
        match fs::read_to_string(file) {
            Ok(text) => return parse(name, &file.display().to_string(), &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(ProfileError::Unreadable { file: file.clone(), source }),
        }
    }
    match SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
        Some((_, text)) => parse(name, &format!("{name} (shipped)"), text),
        None => Err(ProfileError::Unknown { name: name.to_owned(), wanted }),
    }
}

fn parse(name: &str, file: &str, text: &str) -> Result<Profile, ProfileError> {
    let profile: Profile = toml::from_str(text).map_err(|error| syntax(file, text, &error))?;
    rules::check(name, &profile).map_err(|flaw| ProfileError::Senseless {
        file: file.to_owned(),
        key: flaw.key,
        value: flaw.value,
        mend: flaw.mend,
    })?;
    Ok(profile)
}

fn syntax(file: &str, text: &str, error: &toml::de::Error) -> ProfileError {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or_default();
    let line = before.matches('\n').count();
    ProfileError::Syntax {
        file: file.to_owned(),
        line: line + 1,
        text: text.lines().nth(line).unwrap_or_default().trim().to_owned(),
        message: error.message().replace('\n', ", "),
    }
}

fn missing(wanted: Option<&Path>) -> String {
    wanted.map_or_else(
        || "no profile directory is configured".to_owned(),
        |file| format!("{} does not exist", file.display()),
    )
}

fn shipped_names() -> String {
    SHIPPED.map(|(name, _)| name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sound profile; each case below spoils one thing in it.
    const SOUND: &str = r#"
name = "bench"
device = "Bench"
source = "estimate"
max_words = 60
timeout_ms = 500
identity = { table = "holding", address = 29, one_of = [1, 2] }
[[presets]]
address = 101
value = 0
meaning = "mode"
grade = "A"
[[commands]]
control = "pump_speed"
address = 103
form = { number = { scale = 0.01, low = 0.0, high = 100.0, dead_band = 0.5 } }
refresh_ms = 5000
min_interval_ms = 100
grade = "A"
[[points]]
signal = "flow"
table = "holding"
address = 200
encoding = "u32"
scale = 0.1
invalid = [65535]
low = 0.0
high = 60.0
grade = "A"
[[points]]
signal = "leak"
table = "discrete"
address = 0
encoding = { bit = 0 }
low = 0.0
high = 1.0
grade = "A"
"#;

    fn refused(spoiled: &str) -> String {
        let error = parse("bench", "bench.toml", spoiled).unwrap_err().to_string();
        assert!(!error.contains('\n'), "one line: {error}");
        assert!(error.contains("bench.toml"), "names the file: {error}");
        error
    }

    #[test]
    fn every_shipped_profile_makes_sense() {
        for (name, _) in SHIPPED {
            assert_eq!(load(name, None).unwrap().name, name);
        }
    }

    #[test]
    fn a_spoiled_profile_is_refused_by_key_and_value() {
        const SPOILS: [(&str, &str, &str, &str); 27] = [
            ("name = \"bench\"", "name = \"bank\"", "name", "\"bank\""),
            ("max_words = 60", "max_words = 0", "max_words", "0"),
            ("max_words = 60", "max_words = 126", "max_words", "126"),
            ("max_words = 60", "max_words = 1", "points[0].encoding", "U32"),
            ("timeout_ms = 500", "timeout_ms = 49", "timeout_ms", "49"),
            ("timeout_ms = 500", "timeout_ms = 10001", "timeout_ms", "10001"),
            ("one_of = [1, 2]", "one_of = []", "identity.one_of", "[]"),
            ("\"holding\", address = 29", "\"discrete\", address = 29", "identity.table", "Discrete"),
            ("address = 101", "address = 103", "presets[0].address", "103"),
            ("scale = 0.01", "scale = 0.0", "commands[0].form.scale", "0.0"),
            ("scale = 0.01", "scale = -0.01", "commands[0].form.scale", "-0.01"),
            ("scale = 0.01", "scale = 0.001", "commands[0].form.high", "100.0"),
            ("high = 100.0", "high = -1.0", "commands[0].form.high", "-1.0"),
            ("low = 0.0, high", "low = -5.0, high", "commands[0].form.low", "-5.0"),
            ("dead_band = 0.5", "dead_band = nan", "commands[0].form.dead_band", "NaN"),
            ("refresh_ms = 5000", "refresh_ms = 50", "commands[0].refresh_ms", "50"),
            ("min_interval_ms = 100", "min_interval_ms = 1", "commands[0].min_interval_ms", "1"),
            ("control = \"pump_speed\"", "control = \"pump_run\"", "commands[0].form", "Number"),
            ("scale = 0.1\n", "scale = inf\n", "points[0].scale", "inf"),
            ("scale = 0.1\n", "scale = 0\n", "points[0].scale", "0.0"),
            ("scale = 0.1\n", "offset = nan\n", "points[0].offset", "NaN"),
            (
                "encoding = \"u32\"\nscale = 0.1\ninvalid = [65535]",
                "encoding = \"u16\"\ninvalid = [65536]",
                "points[0].invalid",
                "[65536]",
            ),
            ("low = 0.0\nhigh = 60.0", "low = 60.0\nhigh = 60.0", "points[0].high", "60.0"),
            ("address = 200", "address = 65535", "points[0].address", "65535"),
            ("encoding = \"u32\"", "encoding = { bit = 16 }", "points[0].encoding", "Bit(16)"),
            ("signal = \"leak\"", "signal = \"flow\"", "points[1].signal", "Flow"),
            ("encoding = { bit = 0 }", "encoding = \"u16\"", "points[1].encoding", "U16"),
        ];
        assert!(parse("bench", "bench.toml", SOUND).is_ok());
        for (sound, spoiled, key, value) in SPOILS {
            assert!(SOUND.contains(sound), "{sound}");
            let error = refused(&SOUND.replacen(sound, spoiled, 1));
            assert!(error.contains(&format!("{key} = {value}")), "`{spoiled}` gave: {error}");
        }
    }

    #[test]
    fn a_typo_is_refused_with_its_line() {
        let error = refused(&SOUND.replace("timeout_ms", "timeout_sm"));
        assert!(error.contains("line 6, `timeout_sm = 500`: unknown field"), "{error}");
        let error = refused(&SOUND.replace("\"flow\"", "\"flwo\""));
        assert!(error.contains("`signal = \"flwo\"`"), "{error}");
    }

    #[test]
    fn a_duplicate_is_refused() {
        let (head, commands) = SOUND.split_at(SOUND.find("[[commands]]").unwrap());
        let command = &commands[..commands.find("[[points]]").unwrap()];
        let error = refused(&format!("{head}{command}{commands}"));
        assert!(error.contains("commands[1].control = PumpSpeed"), "{error}");
    }

    #[test]
    fn a_file_overrides_the_shipped_profile_even_when_it_is_broken() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("calec-st.toml");
        fs::write(&file, SOUND.replace("\"bench\"", "\"calec-st\"")).unwrap();
        assert_eq!(load("calec-st", Some(directory.path())).unwrap().device, "Bench");
        fs::write(&file, "nonsense").unwrap();
        assert!(matches!(
            load("calec-st", Some(directory.path())),
            Err(ProfileError::Syntax { line: 1, .. })
        ));
        assert_eq!(load("leak-relay", Some(directory.path())).unwrap().name, "leak-relay");
    }

    #[test]
    fn a_name_is_no_path_and_an_unknown_one_lists_what_there_is() {
        assert!(matches!(load("../passwd", None), Err(ProfileError::Name { .. })));
        let error = load("acme", Some(Path::new("/nowhere"))).unwrap_err().to_string();
        assert!(
            error.contains("/nowhere/acme.toml does not exist") && error.contains("grundfos-cim"),
            "{error}"
        );
    }
}
