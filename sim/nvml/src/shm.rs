//! The state that plant and library share: one file, mapped by every process that takes part.
//!
//! ```text
//!   ┌ header ─────────────────────────────┬ GPU 0 ─────────────────────────────────────┬ … ┬ GPU 15 ┐
//!   │ magic, version, GPU count           │ identity, rating       written once        │   │        │
//!   │ plant time                          │ telemetry, faults      plant   -> library  │   │        │
//!   │ driver, privilege, missing calls    │ request                library -> plant    │   │        │
//!   └─────────────────────────────────────┴────────────────────────────────────────────┴───┴────────┘
//! ```
//!
//! Everything in it is atomic and nothing is locked: a process that dies or hangs never stops another.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};

use crate::spec::GpuSpec;

mod atoms;
mod cell;
mod faults;
mod happenings;
mod node;
mod values;

use atoms::AtomicFlag;
pub use cell::GpuCell;
pub use faults::{Condition, Faults, Features, Frozen, Recovery, RemappedRows};
pub use happenings::GpuEvent;
pub use values::{ClockRange, Driver, Request, Telemetry, throttle};

/// GPUs that fit in the file.
pub const MAX_GPUS: usize = 16;

const MAGIC: u64 = u64::from_be_bytes(*b"EISBNVML");
/// Goes up with every change of [`Layout`].
const LAYOUT_VERSION: u32 = 2;

/// What is in the file.
#[derive(Debug)]
#[repr(C)]
struct Layout {
    header: Header,
    gpus: [GpuCell; MAX_GPUS],
}

#[derive(Debug)]
#[repr(C)]
struct Header {
    magic: AtomicU64,
    plant_time_ms: AtomicU64,
    version: AtomicU32,
    gpu_count: AtomicU32,
    driver: AtomicU32,
    driver_release: AtomicU32,
    missing_calls: AtomicU32,
    privileged: AtomicFlag,
    init_hangs: AtomicFlag,
    deprecated_calls_removed: AtomicFlag,
}

/// Why a state file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ShmError {
    /// More GPUs than the file has room for.
    #[error("{count} GPUs do not fit in a state file, which holds {MAX_GPUS}; simulate fewer per node")]
    TooManyGpus {
        /// GPUs asked for.
        count: usize,
    },
    /// A product name longer than the file has room for.
    #[error("the name of GPU {index}, {name:?}, is longer than 63 bytes; shorten it")]
    NameTooLong {
        /// Index of the GPU.
        index: usize,
        /// Its name.
        name: String,
    },
    /// The file could not be written.
    #[error(
        "cannot create the state file {}: {source}; check that its folder exists and is writable",
        path.display()
    )]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file could not be opened for reading and writing, or not be mapped.
    #[error(
        "cannot open the state file {}: {source}; is the simulator running, and may this user write it?",
        path.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is something else.
    #[error("{} is not an NVML state file; let the simulator create it", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by another version of this crate.
    #[error(
        "the state file {} has layout {found}, this program knows {LAYOUT_VERSION}; build both from one source",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its layout version.
        found: u32,
    },
}

/// The mapped state file.
#[derive(Debug)]
pub struct SharedState {
    map: MmapRaw,
}

/// From and to a file.
impl SharedState {
    /// Writes a state file for these GPUs, all at rest and in order, and maps it.
    ///
    /// The file appears whole under its name. A file of that name is replaced, not overwritten: processes
    /// that have mapped the old one keep it until they initialise NVML again.
    ///
    /// # Errors
    /// [`ShmError::TooManyGpus`], [`ShmError::NameTooLong`], [`ShmError::Create`].
    pub fn create(path: &Path, gpus: &[GpuSpec]) -> Result<Self, ShmError> {
        let unfinished = path.with_extension(format!("{}.new", std::process::id()));
        let failed = |source| ShmError::Create { path: path.to_owned(), source };
        Self::furnish(&unfinished, gpus, failed)
            .and_then(|state| fs::rename(&unfinished, path).map_err(failed).map(|()| state))
            .inspect_err(|_| drop(fs::remove_file(&unfinished)))
    }

    fn furnish(
        path: &Path,
        gpus: &[GpuSpec],
        failed: impl FnOnce(io::Error) -> ShmError,
    ) -> Result<Self, ShmError> {
        let gpu_count = u32::try_from(gpus.len())
            .ok()
            .filter(|_| gpus.len() <= MAX_GPUS)
            .ok_or(ShmError::TooManyGpus { count: gpus.len() })?;
        let state = Self { map: map_new(path).map_err(failed)? };
        for (index, (cell, spec)) in state.layout().gpus.iter().zip(gpus).enumerate() {
            cell.furnish(spec, index)?;
        }
        let header = &state.layout().header;
        header.version.store(LAYOUT_VERSION, Ordering::Release);
        header.gpu_count.store(gpu_count, Ordering::Release);
        header.privileged.store(true);
        header.magic.store(MAGIC, Ordering::Release);
        Ok(state)
    }

    /// Maps the state file that a simulator has created.
    ///
    /// # Errors
    /// [`ShmError::Open`], [`ShmError::Foreign`], [`ShmError::Version`].
    pub fn open(path: &Path) -> Result<Self, ShmError> {
        let failed = |source| ShmError::Open { path: path.to_owned(), source };
        let foreign = || ShmError::Foreign { path: path.to_owned() };
        let file = File::options().read(true).write(true).open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() != size_of::<Layout>() as u64 {
            return Err(foreign());
        }
        let state = Self { map: map(&file).map_err(failed)? };
        let header = &state.layout().header;
        if header.magic.load(Ordering::Acquire) != MAGIC {
            return Err(foreign());
        }
        match header.version.load(Ordering::Acquire) {
            LAYOUT_VERSION => Ok(state),
            found => Err(ShmError::Version { path: path.to_owned(), found }),
        }
    }

    #[expect(unsafe_code, reason = "a mapped file is memory that only the mapping knows")]
    fn layout(&self) -> &Layout {
        // SAFETY: `map` gave us `size_of::<Layout>()` bytes, page aligned, for as long as `self` lives.
        // `Layout` is made of atomics only, for which any bytes are valid, and all who map the file use it
        // through them.
        unsafe { &*self.map.as_ptr().cast::<Layout>() }
    }
}

fn map_new(path: &Path) -> io::Result<MmapRaw> {
    let file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
    file.set_len(size_of::<Layout>() as u64)?;
    map(&file)
}

fn map(file: &File) -> io::Result<MmapRaw> {
    MmapOptions::new().len(size_of::<Layout>()).map_raw(file)
}

/// The GPUs.
impl SharedState {
    /// The GPU at `index`, if there is one.
    #[must_use]
    pub fn gpu(&self, index: usize) -> Option<&GpuCell> {
        self.gpus().get(index)
    }

    /// All GPUs in NVML's order.
    #[must_use]
    pub fn gpus(&self) -> &[GpuCell] {
        let count = self.layout().header.gpu_count.load(Ordering::Acquire);
        let count = usize::try_from(count).unwrap_or(MAX_GPUS).min(MAX_GPUS);
        self.layout().gpus.split_at_checked(count).map_or(&[], |(present, _)| present)
    }
}

#[cfg(test)]
mod tests;
