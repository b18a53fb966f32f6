//! A simulated node for one test, in a process of its own.
//!
//! NVML is one per process and finds its state through the environment. So each test runs twice: the outer
//! run makes a state file and starts this test program again for that one test, with the environment set; the
//! inner run loads the library and checks.

use std::path::Path;
use std::process::Command;

use eisbach_nvml_sim::{BLOCK_FILE_ENV, GpuCell, GpuModel, STATE_ENV, SharedState, Telemetry, library_path};
use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper_sys::bindings::{nvmlDevice_t, nvmlReturn_t};

/// GPUs of the node.
pub(crate) const GPUS: u32 = 8;

/// Tells the inner run from the outer.
const INNER: &str = "EISBACH_NVML_TEST_INNER";

/// Runs `check`, a closure written in a test function, on a node of eight H200.
pub(crate) fn on_a_node<Check: FnOnce(&SharedState)>(check: Check) {
    on_a_node_of(GpuModel::H200, check);
}

/// Runs `check`, a closure written in a test function, on a node of eight GPUs of a model.
pub(crate) fn on_a_node_of<Check: FnOnce(&SharedState)>(model: GpuModel, check: Check) {
    if std::env::var_os(INNER).is_some() {
        let path = std::env::var_os(STATE_ENV).unwrap();
        check(&SharedState::open(Path::new(&path)).unwrap());
        return;
    }
    let test = test_around::<Check>();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nvml.state");
    SharedState::create(&path, &vec![model.spec(); GPUS as usize]).unwrap();
    let inner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INNER, "1")
        .env(STATE_ENV, &path)
        .env(BLOCK_FILE_ENV, folder.path().join("blocked"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&inner.stdout);
    assert!(inner.status.success(), "{said}\n{}", String::from_utf8_lossy(&inner.stderr));
    assert!(said.contains("1 passed"), "no test is called {test}");
}

/// The name, as the test runner knows it, of the function that a closure is written in.
fn test_around<Closure>() -> &'static str {
    let closure = std::any::type_name::<Closure>();
    let (_program, test) = closure.split_once("::").unwrap();
    test.strip_suffix("::{{closure}}").unwrap()
}

/// Loads the library and initialises it.
pub(crate) fn load() -> Result<Nvml, NvmlError> {
    Nvml::builder().lib_path(library_path().expect("cargo builds the library").as_os_str()).init()
}

/// Loads the library, which must work.
pub(crate) fn nvml() -> Nvml {
    load().unwrap()
}

/// The raw handle of a GPU.
pub(crate) fn handle(nvml: &Nvml, index: u32) -> nvmlDevice_t {
    // SAFETY: the handle is used only while `nvml` lives.
    unsafe { nvml.device_by_index(index).unwrap().handle() }
}

/// A raw call of an exported function that may be missing.
macro_rules! raw {
    ($nvml:expr, $name:ident($($argument:expr),*)) => {
        // SAFETY: arguments are live variables, or null where the test says so.
        unsafe { ($nvml.lib().$name.as_ref().unwrap())($($argument),*) }
    };
}
pub(crate) use raw;

/// Changes what the plant says of one GPU.
pub(crate) fn publish(gpu: &GpuCell, change: impl FnOnce(&mut Telemetry)) {
    let mut telemetry = gpu.telemetry();
    change(&mut telemetry);
    gpu.publish(&telemetry);
}

pub(crate) const SUCCESS: nvmlReturn_t = 0;
pub(crate) const INVALID_ARGUMENT: nvmlReturn_t = 2;
pub(crate) const NOT_SUPPORTED: nvmlReturn_t = 3;
