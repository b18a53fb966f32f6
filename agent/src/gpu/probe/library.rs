//! The library: loaded on a thread of its own, since that may hang too, and asked who it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use nvml_wrapper::FieldIdScheme;
use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;

use super::desk::INIT_DEADLINE;
use super::getters::{GETTERS, MORE_SYMBOLS};
use super::raw;
use super::report::{Library, SymbolFound, User};
use crate::clock::Clock;

/// What the driver calls its library.
const USUAL: &str = "libnvidia-ml.so.1";
/// Capability that the driver demands for setting limits, as a bit of `/proc/self/status`.
const CAP_SYS_ADMIN: u32 = 21;

/// Why there is nothing to look at.
#[derive(Debug, thiserror::Error)]
pub(super) enum LibraryError {
    #[error("{}: cannot be used ({source}); load the NVIDIA driver, or name its library with --library", library.display())]
    Unusable { library: PathBuf, source: NvmlError },
    #[error("{}: nvmlInit_v2 does not come back; the driver hangs, see the kernel's log", library.display())]
    Hangs { library: PathBuf },
    #[error("no thread can be started ({0}); check the limit on tasks")]
    NoThread(std::io::Error),
}

/// A library that answers, never to be unloaded: a thread may be inside it for ever.
pub(super) struct Loaded {
    pub(super) nvml: &'static Nvml,
    pub(super) gpus: u32,
    pub(super) library: Library,
}

/// Loads it, within its deadline.
pub(super) fn load(given: Option<PathBuf>, clock: Clock) -> Result<Loaded, LibraryError> {
    let library = given.unwrap_or_else(|| USUAL.into());
    let (tell, told) = mpsc::sync_channel(1);
    let path = library.clone();
    let load = move || {
        // Nobody listens any more if it took too long.
        let _too_late = tell.send(introduce(&path, clock));
    };
    thread::Builder::new().name("library".into()).spawn(load).map_err(LibraryError::NoThread)?;
    match told.recv_timeout(INIT_DEADLINE) {
        Ok(Ok(loaded)) => Ok(loaded),
        Ok(Err(source)) => Err(LibraryError::Unusable { library, source }),
        Err(_) => Err(LibraryError::Hangs { library }),
    }
}

fn introduce(path: &Path, clock: Clock) -> Result<Loaded, NvmlError> {
    let began = clock.elapsed();
    let nvml: &'static Nvml = Box::leak(Box::new(Nvml::builder().lib_path(path.as_os_str()).init()?));
    let took = clock.elapsed().saturating_sub(began);
    let library = Library {
        path: mapped(path).unwrap_or_else(|| path.display().to_string()),
        nvml_version: nvml.sys_nvml_version().ok(),
        driver_version: nvml.sys_driver_version().ok(),
        cuda_version: nvml.sys_cuda_driver_version().ok().map(cuda),
        fields_renumbered: nvml.field_id_scheme() == FieldIdScheme::V13Update1,
        init_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
    };
    Ok(Loaded { nvml, gpus: nvml.device_count()?, library })
}

fn cuda(version: i32) -> String {
    format!("{}.{}", version / 1000, version % 1000 / 10)
}

/// Where the library really lies, as the kernel has mapped it.
fn mapped(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    // A link's target has a longer name: libnvidia-ml.so.1, libnvidia-ml.so.580.95.05.
    let stem = name.split_once(".so").map_or(name, |(stem, _)| stem);
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let files = maps.lines().filter_map(|line| line.find('/').and_then(|start| line.get(start..)));
    let mut named = files.filter(|file| {
        Path::new(file).file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(stem))
    });
    named.next().map(str::to_owned)
}

/// Every function of the tables, and whether the library has it.
pub(super) fn symbols(nvml: &Nvml) -> Vec<SymbolFound> {
    let mut names: Vec<_> =
        GETTERS.iter().map(|getter| getter.name).chain(MORE_SYMBOLS.iter().copied()).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| SymbolFound { name, present: raw::has_symbol(nvml, name) }).collect()
}

/// Who asks, and whether he could set limits.
pub(super) fn user() -> User {
    let status = fs::read_to_string("/proc/self/status").ok();
    let effective =
        status.as_deref().and_then(|text| text.lines().find_map(|line| line.strip_prefix("CapEff:")));
    let bits = effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    User {
        uid: nix::unistd::Uid::effective().as_raw(),
        cap_sys_admin: bits.map(|bits| bits >> CAP_SYS_ADMIN & 1 == 1),
    }
}
