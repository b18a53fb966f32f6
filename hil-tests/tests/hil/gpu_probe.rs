//! What is found out about GPUs and their driver before a node is trusted with them, and that nothing is changed by it.

use std::process::Command;
use std::time::Duration;

use eisbach_hil_tests::{Binary, Process, Simulator, binary};
use serde_json::Value;
use tempfile::TempDir;

/// Far beyond what the probe takes by itself, however busy the machine is.
const MINUTE: Duration = Duration::from_secs(60);

/// It replaces rows where older GPUs retire pages (NVIDIA, "GPU Memory Error Management").
const NOT_OF_AN_H200: &str = "nvmlDeviceGetRetiredPagesPendingStatus";

/// A simulated node that nobody controls.
struct Node {
    simulator: Simulator,
    folder: TempDir,
}

impl Node {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let simulator = Simulator::start(folder.path(), &["--workload", "idle"]);
        Self { simulator, folder }
    }

    /// Probes with these further words. Whether all was well, and what was said.
    fn probe(&self, words: &[&str]) -> (bool, String) {
        let mut command = Command::new(binary(Binary::Agent));
        command.args(["probe", "--gpus", "--library", self.simulator.at("nvml_library")]).args(words);
        command.env("EISBACH_NVML_STATE", self.simulator.at("nvml_state"));
        let log = self.folder.path().join(format!("probe{}.log", words.concat()));
        let mut probe = Process::start("eisbach-agent probe --gpus", command, log);
        let well = probe.ended(MINUTE).success();
        (well, probe.log())
    }

    fn report(&self, words: &[&str]) -> (bool, Value) {
        let (well, said) = self.probe(&[&["--json"], words].concat());
        (well, serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}")))
    }

    /// Calls so far that would change something, refused ones too.
    fn setter_calls(&self) -> f64 {
        let truth = self.simulator.truth();
        (0..8).map(|gpu| truth.number(&format!("/requests/{gpu}/setter_calls"))).sum()
    }
}

fn list<'a>(found: &'a Value, name: &str) -> &'a Vec<Value> {
    found[name].as_array().unwrap_or_else(|| panic!("no {name} in {found:#}"))
}

#[test]
fn a_probe_of_gpus_asks_everything_and_changes_nothing() {
    let node = Node::start();
    let (well, report) = node.report(&["--rounds", "50", "--seconds", "1"]);
    assert!(well);
    assert_eq!(report["library"]["path"], node.simulator.at("nvml_library"));
    assert!(report["library"]["driver_version"].is_string() && report["user"]["cap_sys_admin"].is_boolean());
    let missing: Vec<&Value> = list(&report, "symbols")
        .iter()
        .filter(|symbol| symbol["present"] == false)
        .map(|symbol| &symbol["name"])
        .collect();
    assert_eq!(list(&report, "gpus").len(), 8);
    for gpu in list(&report, "gpus") {
        assert_eq!(
            (&gpu["answered"], &gpu["complete"], &gpu["hangs_in"]),
            (&true.into(), &true.into(), &Value::Null)
        );
        let getters = list(gpu, "getters");
        assert!(getters.len() >= 40, "{getters:#?}");
        for getter in getters {
            if missing.contains(&&getter["name"]) {
                assert_eq!(getter["rc"], 13, "{getter:#}");
            } else if getter["name"] == NOT_OF_AN_H200 {
                assert_eq!(getter["rc"], 3, "{getter:#}");
            } else {
                assert_eq!(getter["rc"], 0, "{getter:#}");
                assert!(!getter["value"].is_null(), "{getter:#}");
            }
            assert_eq!(getter["latency"]["rounds"], 50, "{getter:#}");
        }
        let field = |id: u64, scope: u64| {
            let found = list(gpu, "fields").iter().find(|field| field["id"] == id && field["scope"] == scope);
            found.unwrap_or_else(|| panic!("no field {id} in {gpu:#}"))
        };
        assert_eq!(
            (&field(194, 0)["value"], &field(194, 0)["value_type"]),
            (&(-2).into(), &5.into()),
            "signed"
        );
        assert_eq!((&field(186, 0)["rc"], &field(186, 1)["rc"]), (&0.into(), &3.into()));
        let margin = &gpu["margin"];
        assert_eq!(
            (&margin["sum_min_celsius"], &margin["sum_max_celsius"]),
            (&87.into(), &87.into()),
            "{margin:#}"
        );
        assert_eq!(margin["slowdown_celsius"], margin["slowdown_by_margin_celsius"], "{margin:#}");
        assert_eq!(gpu["batch"]["one_by_one"]["rounds"], 50);
        let energy = list(gpu, "freshness").iter().find(|seen| seen["what"] == "energy").unwrap();
        assert!(energy["changes"].as_u64().is_some_and(|changes| changes > 0), "{energy:#}");
    }
    assert_eq!(node.setter_calls(), 0.0);
}

#[test]
fn a_gpu_that_hangs_is_named_the_others_are_told_and_the_probe_ends() {
    let node = Node::start();
    node.simulator.event("nvml-hang-3");
    let (well, report) = node.report(&[]);
    assert!(!well);
    for gpu in list(&report, "gpus") {
        let hangs = gpu["index"] == 3;
        assert_eq!(gpu["answered"], !hangs, "{gpu:#}");
        assert_eq!(gpu["hangs_in"].is_string(), hangs, "{gpu:#}");
    }
    let (_, table) = node.probe(&[]);
    assert!(table.contains("HANGS in nvmlDeviceGetUUID") && table.contains("7 of 8 GPUs"), "{table}");
    assert_eq!(node.setter_calls(), 0.0);
}

#[test]
fn a_lost_gpu_is_told_with_the_drivers_code() {
    let node = Node::start();
    node.simulator.event("gpu-lost-5");
    let (well, report) = node.report(&["--rounds", "1"]);
    assert!(!well);
    let lost = &list(&report, "gpus")[5];
    let codes: Vec<_> = list(lost, "getters").iter().map(|getter| &getter["rc"]).collect();
    assert!(codes.contains(&&15.into()) && !codes.contains(&&0.into()), "{codes:?}");
    assert_eq!((&lost["answered"], &list(&report, "gpus")[4]["answered"]), (&false.into(), &true.into()));
}

#[test]
fn without_a_driver_there_is_one_clear_line() {
    for library in ["/nonexistent/libnvidia-ml.so.1", "/dev/null"] {
        let words = ["probe", "--gpus", "--library", library];
        let output = Command::new(binary(Binary::Agent)).args(words).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty());
        assert!(message.starts_with(library) && message.contains("load the NVIDIA driver"), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}
