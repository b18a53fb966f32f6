//! Scripts: what happens when, on the plant's clock.
//!
//! ```text
//!   script  = entry { "," entry }          "20s pump-trip, 50s pump-ok"
//!   entry   = time event                   times count from the plant's start and need no order
//!   time    = number ( "ms" | "s" | "m" )  500ms, 20s, 1.5m
//! ```

use std::str::FromStr;

use super::event::{Event, UnknownEvent};

/// Most entries of a script.
const MOST_ENTRIES: usize = 1000;

/// Events with their plant times, earliest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script(Vec<Entry>);

/// One line of a script.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// When, ms of plant time.
    pub at_ms: u64,
    /// What.
    pub event: Event,
}

/// Why a text is no script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// An entry that is not "time event".
    #[error("\"{entry}\" is not \"TIME EVENT\"; for example \"20s pump-trip, 50s pump-ok\"")]
    Entry {
        /// The entry.
        entry: String,
    },
    /// A time that cannot be read.
    #[error("in \"{entry}\": {source}")]
    Time {
        /// The entry.
        entry: String,
        /// What is wrong.
        source: PlantTimeError,
    },
    /// An event that is not known.
    #[error("in \"{entry}\": {source}")]
    Event {
        /// The entry.
        entry: String,
        /// What is known.
        source: UnknownEvent,
    },
    /// Too long.
    #[error("a script of {entries} entries is too long; at most {MOST_ENTRIES} are run")]
    TooLong {
        /// Its length.
        entries: usize,
    },
}

/// A text that is no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is no time; write 500ms, 20s or 2m, a day at most")]
pub struct PlantTimeError {
    text: String,
}

impl Script {
    /// The entries, earliest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// Takes out the next entry that is due at `now_ms`.
    pub fn due(&mut self, now_ms: u64) -> Option<Entry> {
        let due = self.0.first().is_some_and(|entry| entry.at_ms <= now_ms);
        due.then(|| self.0.remove(0))
    }
}

impl FromStr for Script {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, ScriptError> {
        let mut entries = text
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(read_entry)
            .collect::<Result<Vec<_>, _>>()?;
        if entries.len() > MOST_ENTRIES {
            return Err(ScriptError::TooLong { entries: entries.len() });
        }
        entries.sort_by_key(|entry| entry.at_ms);
        Ok(Self(entries))
    }
}

fn read_entry(entry: &str) -> Result<Entry, ScriptError> {
    let mut words = entry.split_whitespace();
    let (Some(time), Some(event), None) = (words.next(), words.next(), words.next()) else {
        return Err(ScriptError::Entry { entry: entry.to_owned() });
    };
    let at_ms = plant_time(time).map_err(|source| ScriptError::Time { entry: entry.to_owned(), source })?;
    let event = event.parse().map_err(|source| ScriptError::Event { entry: entry.to_owned(), source })?;
    Ok(Entry { at_ms, event })
}

/// Milliseconds of a time such as `500ms`, `20s` or `1.5m`.
///
/// # Errors
/// If it has no such form, or is longer than a day.
pub fn plant_time(text: &str) -> Result<u64, PlantTimeError> {
    const DAY_MS: f64 = 86_400_000.0;
    let error = || PlantTimeError { text: text.to_owned() };
    let unit_at = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).ok_or_else(error)?;
    let (number, unit) = text.split_at(unit_at);
    let factor = match unit {
        "ms" => 1.0,
        "s" => 1_000.0,
        "m" => 60_000.0,
        _ => return Err(error()),
    };
    let ms = number.parse::<f64>().map_err(|_| error())? * factor;
    if !(0.0..=DAY_MS).contains(&ms) {
        return Err(error());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within a day, not negative")]
    let ms = ms.round() as u64;
    Ok(ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_manuals_example_reads_as_it_says() {
        let script: Script = "20s pump-trip, 50s pump-ok".parse().unwrap();
        let expected =
            [Entry { at_ms: 20_000, event: Event::PumpTrip }, Entry { at_ms: 50_000, event: Event::PumpOk }];
        assert_eq!(script.entries(), expected);
    }

    #[test]
    fn entries_come_in_the_order_of_their_times() {
        let mut script: Script = "2m flow-ok,500ms flow-loss , 1.5s leak,".parse().unwrap();
        assert_eq!(script.due(499), None);
        assert_eq!(script.due(2000).map(|entry| entry.event), Some(Event::FlowLoss));
        assert_eq!(script.due(2000).map(|entry| entry.event), Some(Event::Leak));
        assert_eq!(script.due(2000), None);
        assert_eq!(script.due(120_000).map(|entry| entry.event), Some(Event::FlowOk));
        assert_eq!(script.due(u64::MAX), None);
    }

    #[test]
    fn an_empty_script_is_a_script() {
        assert_eq!("".parse(), Ok(Script::default()));
    }

    #[test]
    fn an_error_names_the_entry_and_the_mend() {
        let message = |text: &str| text.parse::<Script>().unwrap_err().to_string();
        assert!(message("20s").contains("TIME EVENT"));
        assert!(message("20s pump-trip 50s pump-ok").contains("TIME EVENT"));
        assert!(message("20 pump-trip").contains("500ms, 20s or 2m"));
        assert!(message("-5s pump-trip").contains("\"-5s\" is no time"));
        assert!(message("25h pump-trip").contains("no time"));
        assert!(message("20s pump-trap").contains("pump-trip"));
        assert!(message(&"1s leak,".repeat(1001)).contains("1001"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,80}") {
            let _ = text.parse::<Script>();
        }

        #[test]
        fn whole_milliseconds_survive(ms in 0_u64..86_400_000) {
            prop_assert_eq!(plant_time(&format!("{ms}ms")), Ok(ms));
        }
    }
}
