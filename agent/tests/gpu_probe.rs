//! The probe of GPUs is read-only by what its source can name.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may be blunt")]

use std::path::Path;

/// Parts of the names of NVML calls that change something, and of the wrapper's own.
const CHANGES: [&str; 12] = [
    "nvmlDeviceSet",
    "nvmlDeviceReset",
    "nvmlDeviceClear",
    "nvmlDeviceModify",
    "nvmlDeviceRemove",
    "nvmlDeviceCreate",
    "nvmlDeviceFreeze",
    "ActivatePreset",
    "UpdateProfile",
    "nvmlSystemSet",
    ".set_",
    ".reset_",
];

#[test]
fn the_probe_of_gpus_names_no_call_that_changes_anything() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gpu/probe");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 8, "{files:?}");
    for file in files {
        let source = std::fs::read_to_string(&file).unwrap();
        for change in CHANGES {
            assert!(!source.contains(change), "{} names {change}", file.display());
        }
        let edge = file.ends_with("raw.rs");
        assert_eq!(source.contains("unsafe {"), edge, "{}", file.display());
    }
}
