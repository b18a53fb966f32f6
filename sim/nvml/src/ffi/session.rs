//! The library's only state: is NVML initialised, and which file does it speak for.
//!
//! ```text
//!              nvmlInit maps the file             nvmlInit maps it again
//!                  ────────────►                   ────────────►
//!   not initialised            initialised once                 initialised n times
//!                  ◄────────────                   ◄────────────
//!              nvmlShutdown unmaps it             nvmlShutdown
//! ```
//!
//! While it is initialised it holds the file open, as the real library holds its device files: who wants to
//! unload the driver sees it in `/proc/PID/fd`.
//!
//! The lock is held only to look things up, never while a call is slow or hangs.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use nvml_wrapper_sys::bindings::nvmlDevice_st;

use super::device_file::{DeviceFile, write_to_the_blocked_disk};
use super::edge::Ptr;
use super::events::EventSets;
use super::refusal::Refusal;
use crate::STATE_ENV;
use crate::shm::{Condition, Driver, Features, GpuCell, SharedState};

/// How often a hung call looks whether it has been released.
const HANG_POLL: Duration = Duration::from_millis(2);

static SESSION: Mutex<Option<Session>> = Mutex::new(None);

/// The driver that this library belongs to. Unloading the library forgets it, shutting down does not.
static LOADED_RELEASE: OnceLock<u32> = OnceLock::new();

struct Session {
    inits: u32,
    state: Arc<SharedState>,
    event_sets: EventSets,
    device_file: DeviceFile,
}

/// Initialises NVML, as often as it is called.
pub(super) fn initialise() -> Result<(), Refusal> {
    let path = std::env::var_os(STATE_ENV).ok_or(Refusal::DriverNotLoaded)?;
    let state = SharedState::open(Path::new(&path)).map_err(|_| Refusal::DriverNotLoaded)?;
    wait_while(|| state.init_hangs());
    LOADED_RELEASE.get_or_init(|| state.driver_release());
    driver_works(&state)?;
    let state = Arc::new(state);
    let mut session = lock();
    *session = Some(match session.take() {
        None => {
            let device_file = DeviceFile::open(Path::new(&path), &state)?;
            Session { inits: 1, state, event_sets: EventSets::default(), device_file }
        }
        Some(earlier) => Session { inits: earlier.inits.saturating_add(1), state, ..earlier },
    });
    Ok(())
}

/// Takes back one initialisation; the last one lets go of the file.
pub(super) fn shut_down() -> Result<(), Refusal> {
    let mut session = lock();
    let now = session.as_mut().ok_or(Refusal::Uninitialized)?;
    now.inits -= 1;
    if now.inits == 0
        && let Some(over) = session.take()
    {
        over.device_file.close(&over.state);
    }
    Ok(())
}

/// The shared state, if NVML is initialised and the driver is there.
pub(super) fn state() -> Result<Arc<SharedState>, Refusal> {
    let state = lock().as_ref().map(|session| Arc::clone(&session.state)).ok_or(Refusal::Uninitialized)?;
    driver_works(&state)?;
    Ok(state)
}

/// Works on the event sets, with the shared state at hand.
pub(super) fn with_event_sets<T>(
    work: impl FnOnce(&mut EventSets, &SharedState) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let mut session = lock();
    let session = session.as_mut().ok_or(Refusal::Uninitialized)?;
    driver_works(&session.state)?;
    work(&mut session.event_sets, &session.state)
}

/// A call on one GPU. Its faults come first: the call hangs, is slow, or finds the GPU gone.
pub(super) fn on_gpu<T>(
    device: &Ptr<nvmlDevice_st>,
    work: impl FnOnce(&GpuCell) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    on_gpu_of_node(device, |gpu, _| work(gpu))
}

/// A call that changes something on one GPU, with the plant time of the change.
pub(super) fn set_on_gpu(
    device: &Ptr<nvmlDevice_st>,
    work: impl FnOnce(&GpuCell, u64) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    on_gpu_of_node(device, |gpu, state| {
        gpu.count_setter_call();
        if state.privileged() { work(gpu, state.plant_time_ms()) } else { Err(Refusal::NoPermission) }
    })
}

/// A call on one GPU that needs to know something of the node too.
pub(super) fn on_gpu_of_node<T>(
    device: &Ptr<nvmlDevice_st>,
    work: impl FnOnce(&GpuCell, &SharedState) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let state = state()?;
    let gpu = super::handles::index_of(device)
        .and_then(|index| state.gpu(index))
        .ok_or(Refusal::InvalidArgument)?;
    wait_while(|| gpu.faults().hangs);
    if gpu.faults().blocks {
        write_to_the_blocked_disk();
    }
    thread::sleep(Duration::from_millis(gpu.faults().slow_ms.into()));
    match gpu.faults().condition {
        Condition::Present => work(gpu, &state),
        Condition::ResetRequired => Err(Refusal::ResetRequired),
        Condition::Lost => Err(Refusal::GpuIsLost),
    }
}

/// Refuses what this GPU lacks, as its model does or as it has been made to.
pub(super) fn supports(gpu: &GpuCell, feature: Features) -> Result<(), Refusal> {
    let lacks = gpu.rating().lacks | gpu.faults().unsupported;
    if lacks.contains(feature) { Err(Refusal::NotSupported) } else { Ok(()) }
}

/// Refuses a call that the library has been made to lack. That is found before anything can hang.
pub(super) fn offers(call: Features) -> Result<(), Refusal> {
    let missing = lock().as_ref().is_some_and(|session| session.state.missing_calls().contains(call));
    if missing { Err(Refusal::FunctionNotFound) } else { Ok(()) }
}

/// Refuses a call that CUDA 13 deprecates, once the driver has been made to lack those.
pub(super) fn still_offered(state: &SharedState) -> Result<(), Refusal> {
    if state.deprecated_calls_removed() { Err(Refusal::Deprecated) } else { Ok(()) }
}

fn driver_works(state: &SharedState) -> Result<(), Refusal> {
    match state.driver() {
        Driver::Loaded if LOADED_RELEASE.get().is_some_and(|mine| *mine < state.driver_release()) => {
            Err(Refusal::LibRmVersionMismatch)
        }
        Driver::Loaded => Ok(()),
        Driver::NotLoaded => Err(Refusal::DriverNotLoaded),
        Driver::VersionMismatch => Err(Refusal::LibRmVersionMismatch),
    }
}

fn wait_while(held: impl Fn() -> bool) {
    while held() {
        thread::sleep(HANG_POLL);
    }
}

fn lock() -> MutexGuard<'static, Option<Session>> {
    SESSION.lock().unwrap_or_else(PoisonError::into_inner)
}
