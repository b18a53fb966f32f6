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
    #[error("profile {}: cannot be read: {source}; name a file that the agent's user may read", .file.display())]
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
    if !rules::is_name(name) {
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

/// The profile in `file`, named as the file is.
///
/// # Errors
/// See [`ProfileError`].
pub fn load_file(file: &Path) -> Result<Profile, ProfileError> {
    let text = fs::read_to_string(file)
        .map_err(|source| ProfileError::Unreadable { file: file.to_owned(), source })?;
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    parse(&name, &file.display().to_string(), &text)
}

/// The profile in `text`, which must be that of `name`; `file` is for the message. Any text is judged without a panic.
///
/// # Errors
/// [`ProfileError::Syntax`] or [`ProfileError::Senseless`].
pub fn parse(name: &str, file: &str, text: &str) -> Result<Profile, ProfileError> {
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
mod tests;
