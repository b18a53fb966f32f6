//! Memory of the limits that we hold, written before they are touched, so that a crash never loses whose they are.
//!
//! ```text
//!   worker ── record(uuid, claim) ──► scribe thread ──► gpu-limits.json.new ─ fsync ─ rename ─ fsync folder
//!      ▲                                   │            (all that waits at once, in one write)
//!      └────────── durable, or too late ◄──┘
//! ```
//!
//! The file sits on a thread of its own because a disk can hang just as a driver can. A worker waits a bounded
//! time for it and then lowers its GPU all the same: an unrecorded cap costs performance after a crash, a cap not
//! written costs the GPU.
//!
//! Limits do not survive a reboot, but the reason for them may: what the journal says is asked for again by the next
//! process, after a crash and after a power cut alike, and given back when cooling is proven.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eisbach_protocol::gpu_link::MAX_GPUS;
use serde::{Deserialize, Serialize};

use super::driver::{ClockMhz, Milliwatts, Switch};
use crate::gpu::lock;

/// File in the state folder.
const FILE: &str = "gpu-limits.json";
/// Its form. Another number is unreadable to us.
const VERSION: u32 = 1;
/// Sixteen GPUs need less than 4 KiB; whatever is longer is not ours.
const LONGEST_BYTES: u64 = 64 * 1024;
/// How long a worker waits for its record. An fsync takes some 10 ms; the whole way from loss of flow to a
/// written cap has 1 s.
const PATIENCE: Duration = Duration::from_millis(300);

/// A limit this close to what was written is the driver's rounding, not somebody else's, mW.
pub(super) const ROUNDING: u32 = 1000;

/// What we hold on one GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    pub(super) power: Option<PowerClaim>,
    /// Our clock lock. What was locked before cannot be known: the driver has no getter.
    #[serde(rename = "clock_mhz")]
    pub(super) clock: Option<ClockMhz>,
    /// We turned the low-power profile on; it was off before.
    #[serde(default)]
    pub(super) low_power_profile: bool,
    /// We turned power smoothing on; it was off before.
    #[serde(default)]
    pub(super) smoothing: bool,
}

impl Claim {
    /// Whether we turned a switch on.
    pub(super) const fn has(&self, switch: Switch) -> bool {
        match switch {
            Switch::LowPowerProfile => self.low_power_profile,
            Switch::Smoothing => self.smoothing,
        }
    }

    /// Notes that we turned a switch on, or that we did not.
    pub(super) const fn set(&mut self, switch: Switch, ours: bool) {
        match switch {
            Switch::LowPowerProfile => self.low_power_profile = ours,
            Switch::Smoothing => self.smoothing = ours,
        }
    }
}

/// Our power cap on one GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PowerClaim {
    /// The limit somebody else requested, to which we return.
    #[serde(rename = "original_mw")]
    pub(super) original: Milliwatts,
    /// The limit we request.
    #[serde(rename = "cap_mw")]
    pub(super) cap: Milliwatts,
    /// The limit that stood while the cap was on its way: after a crash either may be found, and both are ours.
    #[serde(rename = "was_mw")]
    pub(super) was: Milliwatts,
}

impl PowerClaim {
    /// Whether a limit found on the device was put there by us.
    pub(super) fn covers(&self, requested: Milliwatts) -> bool {
        requested.0.abs_diff(self.cap.0) <= ROUNDING || requested == self.was
    }
}

/// Everything we hold on this node.
pub(super) type Claims = BTreeMap<String, Claim>;

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    gpus: Claims,
}

/// A journal file that could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum JournalError {
    #[error("cannot read the journal of GPU limits {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("the journal of GPU limits {path} is damaged: {source}")]
    Damaged { path: PathBuf, source: serde_json::Error },
    #[error("the journal of GPU limits {path} has version {found}, this program writes {VERSION}")]
    Version { path: PathBuf, found: u32 },
    #[error("cannot write the journal of GPU limits {path}, check space and rights: {source}")]
    Write { path: PathBuf, source: io::Error },
}

/// The file.
#[derive(Debug)]
pub(super) struct Journal {
    folder: PathBuf,
}

impl Journal {
    /// In `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// What an earlier run left behind. A file that cannot be understood is set aside: whatever
    /// limits are found on the devices then count as somebody else's.
    pub(super) fn read(&self) -> Claims {
        self.load().unwrap_or_else(|error| {
            self.set_aside(&error);
            Claims::new()
        })
    }

    /// Writes everything, so that a crash at any moment leaves either the old file or the new one.
    fn store(&self, claims: &Claims) -> Result<(), JournalError> {
        let path = self.folder.join(FILE);
        self.replace(&path, claims).map_err(|source| JournalError::Write { path, source })
    }

    fn replace(&self, path: &Path, claims: &Claims) -> io::Result<()> {
        let document = Document { version: VERSION, gpus: claims.clone() };
        let fresh = path.with_extension("json.new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(serde_json::to_string_pretty(&document)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        File::open(&self.folder)?.sync_all()
    }

    fn load(&self) -> Result<Claims, JournalError> {
        let path = self.folder.join(FILE);
        let mut text = String::new();
        match File::open(&path).and_then(|file| file.take(LONGEST_BYTES).read_to_string(&mut text)) {
            Ok(_) => {}
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => return Ok(Claims::new()),
            Err(source) => return Err(JournalError::Read { path, source }),
        }
        let document: Document = match serde_json::from_str(&text) {
            Ok(document) => document,
            Err(source) => return Err(JournalError::Damaged { path, source }),
        };
        if document.version != VERSION {
            return Err(JournalError::Version { path, found: document.version });
        }
        Ok(document.gpus)
    }

    fn set_aside(&self, error: &JournalError) {
        let path = self.folder.join(FILE);
        let aside = path.with_extension("json.unreadable");
        let kept = fs::rename(&path, &aside).is_ok();
        tracing::warn!(%error, kept, aside = %aside.display(), "journal set aside: limits found now count as the originals");
    }
}

/// Everything we hold, and the way to the thread that makes it last.
#[derive(Clone, Debug)]
pub(super) struct Scribe {
    claims: Arc<Mutex<Claims>>,
    waiting: SyncSender<SyncSender<()>>,
}

/// The journal did not confirm a record in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotRecorded;

impl Scribe {
    /// Reads the journal and starts its thread, which ends with the last copy of the returned handle.
    pub(super) fn start(journal: Journal) -> io::Result<Self> {
        let claims = Arc::new(Mutex::new(journal.read()));
        // Each worker waits for one record, or has given up on it: so many more may queue at a hung disk.
        let (waiting, queue) = sync_channel(4 * MAX_GPUS);
        let all = Arc::clone(&claims);
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || keep_written(&journal, &all, &queue))?;
        Ok(Self { claims, waiting })
    }

    /// What we hold on a GPU.
    pub(super) fn claim(&self, uuid: &str) -> Claim {
        lock(&self.claims).get(uuid).copied().unwrap_or_default()
    }

    /// Records what we hold on a GPU and waits until it lasts, though never longer than `PATIENCE`.
    pub(super) fn record(&self, uuid: &str, claim: Claim) -> Result<(), NotRecorded> {
        if claim == Claim::default() {
            lock(&self.claims).remove(uuid);
        } else {
            lock(&self.claims).insert(uuid.to_owned(), claim);
        }
        let (durable, answer) = sync_channel(1);
        match self.waiting.try_send(durable) {
            Ok(()) => answer.recv_timeout(PATIENCE).map_err(|_| NotRecorded),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(NotRecorded),
        }
    }
}

fn keep_written(journal: &Journal, claims: &Mutex<Claims>, queue: &Receiver<SyncSender<()>>) {
    let mut failing = false;
    while let Ok(first) = queue.recv() {
        let waiting: Vec<_> = std::iter::once(first).chain(queue.try_iter().take(4 * MAX_GPUS)).collect();
        let snapshot = lock(claims).clone();
        match journal.store(&snapshot) {
            Ok(()) => {
                if failing {
                    tracing::info!("journal of GPU limits can be written again");
                }
                failing = false;
                for answer in waiting {
                    // A worker that no longer waits has dropped its end.
                    let _late = answer.try_send(());
                }
            }
            Err(error) => {
                if !failing {
                    tracing::error!(%error, "GPU limits are not recorded: after a crash they would not be restored");
                }
                failing = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIM: Claim = Claim {
        power: Some(PowerClaim {
            original: Milliwatts(700_000),
            cap: Milliwatts(300_000),
            was: Milliwatts(700_000),
        }),
        clock: Some(ClockMhz(345)),
        low_power_profile: true,
        smoothing: false,
    };

    #[test]
    fn i08_a_record_lasts_before_record_returns() {
        let folder = tempfile::tempdir().unwrap();
        let journal = || Journal::new(folder.path());
        let scribe = Scribe::start(journal()).unwrap();
        scribe.record("GPU-a", CLAIM).unwrap();
        assert_eq!(journal().read().get("GPU-a"), Some(&CLAIM));
        scribe.record("GPU-a", Claim::default()).unwrap();
        assert_eq!(journal().read().get("GPU-a"), None);
    }

    #[test]
    fn a_journal_of_an_older_version_of_this_program_is_understood() {
        let folder = tempfile::tempdir().unwrap();
        let older = r#"{"version": 1, "boot": "any", "gpus": {"GPU-a": {"power": null, "clock_mhz": 900}}}"#;
        fs::write(folder.path().join(FILE), older).unwrap();
        let claim = Claim { clock: Some(ClockMhz(900)), ..Claim::default() };
        assert_eq!(Journal::new(folder.path()).read().get("GPU-a"), Some(&claim));
    }

    #[test]
    fn a_damaged_journal_is_set_aside_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        for damaged in ["{", "{\"version\": 9, \"gpus\": {}}", "\u{0}"] {
            fs::write(folder.path().join(FILE), damaged).unwrap();
            assert!(Journal::new(folder.path()).read().is_empty());
            assert_eq!(
                fs::read_to_string(folder.path().join("gpu-limits.json.unreadable")).unwrap(),
                damaged
            );
            assert!(!folder.path().join(FILE).exists());
        }
    }

    #[test]
    fn a_half_written_journal_never_replaces_the_last_one() {
        let folder = tempfile::tempdir().unwrap();
        Scribe::start(Journal::new(folder.path())).unwrap().record("GPU-a", CLAIM).unwrap();
        fs::write(folder.path().join("gpu-limits.json.new"), "{ \"vers").unwrap();
        assert_eq!(Journal::new(folder.path()).read().get("GPU-a"), Some(&CLAIM));
    }

    #[test]
    fn i12_a_journal_that_cannot_be_written_holds_nobody_up_for_long() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        let scribe = Scribe::start(Journal::new(&gone)).unwrap();
        assert_eq!(scribe.record("GPU-a", CLAIM), Err(NotRecorded));
        fs::create_dir(&gone).unwrap();
        assert_eq!(scribe.record("GPU-b", CLAIM), Ok(()));
        assert_eq!(Journal::new(&gone).read().len(), 2, "what failed before is made good");
    }

    #[test]
    fn two_found_limits_are_ours_after_a_crash_between_record_and_write() {
        let watts = |watts: u32| Milliwatts(1000 * watts);
        let claim = PowerClaim { original: watts(700), cap: watts(300), was: watts(400) };
        assert!(claim.covers(watts(300)) && claim.covers(watts(400)));
        assert!(claim.covers(Milliwatts(299_600)), "rounded by the driver before the crash");
        assert!(!claim.covers(watts(700)) && !claim.covers(watts(350)));
    }
}
