//! The budgets' file: what each register may have been written today, also by runs before this one.
//!
//! ```text
//!   purse ── wants ──► Ledger ── wake ──► task ── temporary file, sync, rename ──► writes.json
//!     ▲                   │ ▲                                    │
//!     └──── stored ───────┘ └──── worked, failed, or 0.5 s late ─┘
//! ```
//!
//! A purse looks and never waits. A disk that fails or hangs is said once, and writes are counted in memory until it
//! works: a worn register costs less than a loop that is not cooled. A file that cannot be understood counts every
//! register as half spent, which neither wears a register out nor leaves a pump without words.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::kept_file;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::budget::{Account, Allowance, Reserved, Today};

/// The file, in the state folder.
const FILE: &str = "writes.json";
/// Longest file that is read; a register takes about 80 bytes.
const LONGEST_FILE: u64 = 64 * 1024;
/// Most registers that are kept, those of the latest day first.
const MOST_REGISTERS: usize = 256;
/// A disk that takes longer is treated as broken.
const SAVE_LIMIT: Duration = Duration::from_millis(500);

/// A register: the device's name in the settings, and the address.
type Key = (String, u16);

/// The budgets of all registers of the agent.
#[derive(Clone, Debug)]
pub(super) struct Budgets {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    ledger: Mutex<Ledger>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Ledger {
    wanted: BTreeMap<Key, Reserved>,
    stored: BTreeMap<Key, Reserved>,
    /// Nothing is kept on a disk, or it hangs.
    in_memory: bool,
    /// The file could not be understood.
    half_spent: bool,
}

/// The budget of one register.
#[derive(Debug)]
pub(super) struct Purse {
    account: Account,
    key: Key,
    shared: Arc<Shared>,
}

impl Budgets {
    /// Reads `writes.json` in `state_dir` and starts the task that keeps it. It ends when `token` is cancelled.
    pub(super) fn start(tasks: &mut JoinSet<()>, state_dir: &Path, token: CancellationToken) -> Self {
        let path = state_dir.join(FILE);
        let shared = Arc::new(Shared { ledger: Mutex::new(Ledger::load(&path)), wake: Notify::new() });
        let keeper = Keeper { path, shared: Arc::clone(&shared), troubled: false };
        tasks.spawn(async move {
            token.run_until_cancelled(keeper.run()).await;
        });
        Self { shared }
    }

    /// Budgets that a restart refills.
    pub(super) fn in_memory() -> Self {
        let ledger = Mutex::new(Ledger { in_memory: true, ..Ledger::default() });
        Self { shared: Arc::new(Shared { ledger, wake: Notify::new() }) }
    }

    /// The purse for a register with this daily budget; without one its writes are only counted.
    pub(super) fn open(&self, device: &str, address: u16, budget: Option<u32>, today: Today) -> Purse {
        let key = (device.to_owned(), address);
        let left = {
            let mut ledger = self.shared.lock();
            match budget {
                Some(budget) if ledger.half_spent && !ledger.wanted.contains_key(&key) => {
                    let half = Reserved { day: today.day, writes: budget / 2 };
                    ledger.wanted.insert(key.clone(), half);
                    Some(half)
                }
                Some(_) | None => ledger.wanted.get(&key).copied(),
            }
        };
        self.shared.wake.notify_one();
        Purse { account: Account::open(budget, left, today), key, shared: Arc::clone(&self.shared) }
    }
}

impl Purse {
    /// Whether `writes` more may be made now. Asks the disk for the reservation that is missing.
    pub(super) fn judge(&mut self, today: Today, writes: u32, towards_cooling: bool) -> Allowance {
        let first = self.account.judge(today, writes, towards_cooling);
        self.reserve();
        match first {
            Allowance::Soon => self.account.judge(today, writes, towards_cooling),
            Allowance::Yes | Allowance::Spent => first,
        }
    }

    /// One write is being made.
    pub(super) fn spend(&mut self) {
        self.account.spend();
        self.reserve();
    }

    /// Writes of today.
    pub(super) const fn spent(&self) -> u32 {
        self.account.spent()
    }

    /// Takes note of what is on the disk, and says what should be.
    fn reserve(&mut self) {
        let mut ledger = self.shared.lock();
        if let Some(&stored) = ledger.stored.get(&self.key) {
            self.account.stored(stored);
        }
        let Some(wanted) = self.account.wanted() else {
            return;
        };
        if ledger.in_memory {
            self.account.stored(wanted);
        }
        if ledger.wanted.insert(self.key.clone(), wanted) != Some(wanted) {
            self.shared.wake.notify_one();
        }
    }
}

impl Shared {
    /// The ledger is whole at every moment, whatever happened to a thread that held it.
    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    fn load(path: &Path) -> Self {
        match read(path) {
            Ok(entries) => Self { wanted: entries.clone(), stored: entries, ..Self::default() },
            Err(error) if error.kind() == ErrorKind::NotFound => Self::default(),
            Err(error) => {
                warn!(path = %path.display(), %error, "the day's writes are unreadable; every budget counts as half spent");
                Self { half_spent: true, ..Self::default() }
            }
        }
    }
}

/// Keeps the file.
struct Keeper {
    path: PathBuf,
    shared: Arc<Shared>,
    troubled: bool,
}

impl Keeper {
    async fn run(mut self) {
        loop {
            self.shared.wake.notified().await;
            let wanted = self.shared.lock().wanted.clone();
            if wanted != self.shared.lock().stored {
                self.save(wanted).await;
            }
        }
    }

    /// Whatever comes of it, the writes may be made after at most [`SAVE_LIMIT`].
    async fn save(&mut self, wanted: BTreeMap<Key, Reserved>) {
        let (path, entries) = (self.path.clone(), wanted.clone());
        let mut saving = spawn_blocking(move || write(&path, &entries));
        let outcome = match timeout(SAVE_LIMIT, &mut saving).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => {
                self.say(Some(&"the disk does not answer"));
                self.hangs(true);
                let outcome = saving.await;
                self.hangs(false);
                outcome
            }
        };
        match outcome {
            Ok(Ok(())) => self.say(None),
            Ok(Err(error)) => self.say(Some(&error)),
            Err(error) => self.say(Some(&error)),
        }
        self.shared.lock().stored.extend(wanted);
    }

    fn hangs(&self, in_memory: bool) {
        let mut ledger = self.shared.lock();
        ledger.in_memory = in_memory;
        if in_memory {
            ledger.stored = ledger.wanted.clone();
        }
    }

    fn say(&mut self, trouble: Option<&dyn std::fmt::Display>) {
        let path = self.path.display();
        match (trouble, std::mem::replace(&mut self.troubled, trouble.is_some())) {
            (Some(error), false) => {
                warn!(%path, %error, "the day's writes cannot be kept; they are counted in memory");
            }
            (None, true) => info!(%path, "the day's writes are kept again"),
            (Some(_), true) | (None, false) => {}
        }
    }
}

/// The file as it is written.
#[derive(Serialize, Deserialize)]
struct Page {
    registers: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    device: String,
    address: u16,
    /// Days since 1970 in UTC.
    day: u64,
    /// Writes of that day, made or reserved.
    writes: u32,
}

fn read(path: &Path) -> io::Result<BTreeMap<Key, Reserved>> {
    let mut text = String::new();
    File::open(path)?.take(LONGEST_FILE).read_to_string(&mut text)?;
    let page: Page = serde_json::from_str(&text)?;
    let entry = |line: Line| ((line.device, line.address), Reserved { day: line.day, writes: line.writes });
    Ok(page.registers.into_iter().map(entry).collect())
}

fn write(path: &Path, entries: &BTreeMap<Key, Reserved>) -> io::Result<()> {
    let line = |(key, reserved): (&Key, &Reserved)| Line {
        device: key.0.clone(),
        address: key.1,
        day: reserved.day,
        writes: reserved.writes,
    };
    let mut registers: Vec<_> = entries.iter().map(line).collect();
    registers.sort_by_key(|line| std::cmp::Reverse(line.day));
    registers.truncate(MOST_REGISTERS);
    kept_file::replace(path, &serde_json::to_vec(&Page { registers })?)
}

#[cfg(test)]
mod tests;
