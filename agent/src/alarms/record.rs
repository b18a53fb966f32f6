//! What the book must not forget, as one small file.
//!
//! Kept is every alarm that is not in its ordinary state: whether it was seen, whether it is latched, until when it is
//! put aside. Whether an alarm stands is found out anew after a start.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use eisbach_control::{AlarmBook, AlarmState, AlarmView, Devices};
use eisbach_protocol::alarm::{ALARMS, Alarm};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::kept_file;

/// Longest record that is read; all alarms in their longest form are a tenth of it.
const LONGEST: u64 = 64 * 1024;
/// Version of the form.
const VERSION: u32 = 1;

/// What is kept of all alarms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    version: u32,
    alarms: Vec<Kept>,
}

/// What is kept of one alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    name: String,
    state: String,
    #[serde(default)]
    first_out: bool,
    shelved_until_ms: Option<u64>,
    #[serde(default)]
    shelvable_until_ms: Option<u64>,
    #[serde(default)]
    devices: u8,
    on_ms: Option<u64>,
    ack_ms: Option<u64>,
    clear_ms: Option<u64>,
}

impl Default for Record {
    fn default() -> Self {
        Self { version: VERSION, alarms: Vec::new() }
    }
}

impl Record {
    /// What the book knows.
    pub(super) fn of(book: &AlarmBook) -> Self {
        let kept = |view: &AlarmView| view.is_of_interest() || view.shelvable_until_ms.is_some();
        let alarms = ALARMS.iter().zip(book.views()).filter(|(_, view)| kept(view));
        let alarms = alarms.map(|(def, view)| Kept {
            name: def.name.to_owned(),
            state: view.state.as_str().to_owned(),
            first_out: view.first_out,
            shelved_until_ms: view.shelved_until_ms,
            shelvable_until_ms: view.shelvable_until_ms,
            devices: view.known.bits(),
            on_ms: view.on_ms,
            ack_ms: view.ack_ms,
            clear_ms: view.clear_ms,
        });
        Self { alarms: alarms.collect(), ..Self::default() }
    }

    /// Every alarm that this version knows, and in a state that it knows.
    pub(super) fn views(&self) -> impl Iterator<Item = (Alarm, AlarmView)> {
        self.alarms.iter().filter_map(|kept| {
            let alarm = Alarm::named(&kept.name)?;
            let state = AlarmState::ALL.into_iter().find(|state| state.as_str() == kept.state)?;
            let view = AlarmView {
                state,
                first_out: kept.first_out,
                shelved_until_ms: kept.shelved_until_ms,
                shelvable_until_ms: kept.shelvable_until_ms,
                known: Devices::from_bits(kept.devices),
                on_ms: kept.on_ms,
                ack_ms: kept.ack_ms,
                clear_ms: kept.clear_ms,
                ..AlarmView::default()
            };
            Some((alarm, view))
        })
    }
}

fn file(state: &Path) -> PathBuf {
    state.join("alarms.json")
}

/// What was kept; nothing if there is no record, or none that can be read: then nothing counts as seen.
pub(super) fn load(state: &Path) -> Record {
    match read(state) {
        Ok(record) => record,
        Err(error) if error.kind() == ErrorKind::NotFound => Record::default(),
        Err(error) => {
            warn!(%error, file = %file(state).display(), "the record of alarms cannot be read; every alarm counts as not acknowledged");
            Record::default()
        }
    }
}

fn read(state: &Path) -> std::io::Result<Record> {
    let mut text = String::new();
    File::open(file(state))?.take(LONGEST).read_to_string(&mut text)?;
    let record: Record = serde_json::from_str(&text)?;
    if record.version == VERSION {
        Ok(record)
    } else {
        Err(std::io::Error::new(ErrorKind::InvalidData, format!("it is of version {}", record.version)))
    }
}

/// Keeps the record, on the disk when this returns.
///
/// # Errors
/// If it cannot be written.
pub(super) fn write(state: &Path, record: &Record) -> std::io::Result<()> {
    kept_file::replace(&file(state), &serde_json::to_vec(record)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use eisbach_control::{Conditions, Moment};
    use eisbach_protocol::units::Millis;
    use std::fs;

    const NOW: Moment = Moment { at: Millis::ZERO, wall_ms: 1_700_000_000_000 };

    fn book() -> AlarmBook {
        let mut conditions = Conditions::default();
        conditions.standing.raise_if(true, Alarm::PumpSilent);
        let mut book = AlarmBook::default();
        book.step(&conditions, NOW);
        book.acknowledge(Alarm::PumpSilent, NOW).unwrap();
        book.shelve(Alarm::MeterSilent, Millis::from_secs(600), NOW).unwrap();
        book
    }

    #[test]
    fn what_was_kept_is_found() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(load(state.path()), Record::default());
        let kept = Record::of(&book());
        write(state.path(), &kept).unwrap();
        let found = load(state.path());
        assert_eq!(found, kept);
        let views: Vec<_> = found.views().collect();
        assert_eq!(views.len(), 2, "nothing is kept of an alarm in its ordinary state");
        assert_eq!((views[0].0, views[0].1.state), (Alarm::PumpSilent, AlarmState::Acked));
        assert!(views[0].1.first_out);
        assert_eq!(views[1].1.shelved_until_ms, Some(NOW.wall_ms + 600_000));
        assert_eq!(views[1].1.shelvable_until_ms, Some(NOW.wall_ms + 8 * 3_600_000));
    }

    #[test]
    fn a_record_that_cannot_be_read_leaves_everything_unseen() {
        let state = tempfile::tempdir().unwrap();
        for rubbish in
            ["", "[]", "{\"version\":2,\"alarms\":[]}", "{\"version\":1,\"alarms\":[{\"name\":7}]}"]
        {
            fs::write(file(state.path()), rubbish).unwrap();
            assert_eq!(load(state.path()), Record::default(), "{rubbish:?}");
        }
        fs::write(file(state.path()), vec![b' '; 200_000]).unwrap();
        assert_eq!(load(state.path()), Record::default(), "too long");
    }

    #[test]
    fn an_alarm_of_another_version_is_passed_over() {
        let one = |name: &str, state: &str| {
            format!(
                "{{\"name\":\"{name}\",\"state\":\"{state}\",\"shelved_until_ms\":null,\"on_ms\":1,\"ack_ms\":null,\"clear_ms\":null}}"
            )
        };
        let alarms = [one("of_the_future", "acked"), one("leak", "boiling"), one("leak", "acked")].join(",");
        let record: Record =
            serde_json::from_str(&format!("{{\"version\":1,\"alarms\":[{alarms}]}}")).unwrap();
        assert_eq!(record.views().map(|(alarm, _)| alarm).collect::<Vec<_>>(), [Alarm::Leak]);
    }
}
