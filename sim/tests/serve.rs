//! `eisbach-sim serve` from outside: what it prints, what its control socket answers, how it ends.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is test code; clippy knows only #[test] functions"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

const SIM: &str = env!("CARGO_BIN_EXE_eisbach-sim");

struct Serve {
    process: Child,
    doors: Value,
    _folder: tempfile::TempDir,
}

impl Serve {
    fn start(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(SIM);
        command
            .args(["serve", "--json", "--workload", "constant:0.5", "--dir"])
            .arg(folder.path())
            .args(more);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, doors: serde_json::from_str(&line).unwrap(), _folder: folder }
    }

    fn control(&self) -> Control {
        let stream = UnixStream::connect(self.doors["control"].as_str().unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Control { write: stream.try_clone().unwrap(), read: BufReader::new(stream) }
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _over_already = self.process.kill();
        let _buried = self.process.wait();
    }
}

struct Control {
    read: BufReader<UnixStream>,
    write: UnixStream,
}

impl Control {
    fn ask(&mut self, line: &str) -> String {
        writeln!(self.write, "{line}").unwrap();
        let mut answer = String::new();
        self.read.read_line(&mut answer).unwrap();
        answer.trim().to_owned()
    }

    fn truth(&mut self) -> Value {
        serde_json::from_str(&self.ask("truth")).unwrap()
    }
}

#[test]
fn everything_that_is_printed_can_be_connected_to() {
    let serve = Serve::start(&["--with-broker"]);
    for door in ["pump", "valve", "meter", "room", "leak", "broker"] {
        TcpStream::connect(serve.doors[door].as_str().unwrap()).unwrap();
    }
    for file in ["nvml_library", "nvml_state", "control"] {
        assert!(Path::new(serve.doors[file].as_str().unwrap()).exists(), "{file}");
    }
}

#[test]
fn the_control_socket_steers_the_world_and_tells_the_truth() {
    let serve = Serve::start(&[]);
    let mut control = serve.control();
    assert_eq!(control.ask("flow-loss"), "ok");
    // The answer means "taken"; it happens with the world's next step.
    let truth = (0..1000)
        .map(|_| {
            std::thread::sleep(Duration::from_millis(10));
            control.truth()
        })
        .find(|truth| truth["faults"][0]["name"] == "flow-loss")
        .expect("the fault happens");
    assert!(truth["gpus"][7]["core_celsius"].as_f64().unwrap() > 20.0);
    assert!((truth["requests"][0]["limit_watts"].as_f64().unwrap() - 700.0).abs() < 1e-9);
    assert_eq!(truth["requests"][0]["limit_written_ms"], Value::Null);
    assert_eq!(truth["devices"]["pump"]["writes"], 0);

    let before = truth["node_loop"]["flow_lpm"].as_f64().unwrap();
    let fallen = (0..1000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        control.truth()["node_loop"]["flow_lpm"].as_f64().unwrap() < before / 2.0
    });
    assert!(fallen, "without a coupling the flow is gone soon");
}

#[test]
fn what_cannot_happen_is_answered_with_an_error_line() {
    let serve = Serve::start(&[]);
    let mut control = serve.control();
    assert!(control.ask("pump-trap").starts_with("error: \"pump-trap\" is no event"));
    assert!(control.ask("gpu-lost-8").contains("no GPU 8"));
    assert!(control.ask("broker-cut").contains("--with-broker"));
    assert!(control.ask("kill-agent").contains("no agent"));
    assert_eq!(control.ask("pump-trip"), "ok", "and it goes on");
}

#[test]
fn a_duration_ends_it_and_a_script_runs_before() {
    let mut serve = Serve::start(&["--duration", "1s", "--script", "200ms gpu-lost-2"]);
    let mut control = serve.control();
    let mut lost = false;
    while !lost && serve.process.try_wait().unwrap().is_none() {
        lost = control.truth()["gpus"][2]["present"] == false;
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(lost, "GPU 2 was lost before the end");
    assert!(serve.process.wait().unwrap().success());
    assert!(!Path::new(serve.doors["control"].as_str().unwrap()).exists(), "it cleaned up");
}

#[test]
fn a_wrong_script_is_refused_before_anything_starts() {
    let output = Command::new(SIM).args(["serve", "--script", "5s pump-trap"]).output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("pump-trip"));
}

#[test]
fn another_model_can_stand_in_the_plant_room() {
    let serve = Serve::start(&["--model", "pump=orv3-rpu", "--model", "valve=generic-valve"]);
    let doors = &serve.doors;
    assert_eq!((&doors["meter"], &doors["leak"]), (&doors["pump"], &doors["pump"]));
    assert_eq!(doors["units"], serde_json::json!([12, 2, 12, 4, 12]));
    TcpStream::connect(doors["pump"].as_str().unwrap()).unwrap();
}

#[test]
fn a_model_that_does_not_fit_is_refused_with_one_clear_line() {
    let refused = Command::new(SIM).args(["serve", "--model", "meter=abb-acx580"]).output().unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("abb-acx580 cannot be the meter; it can be: pump"), "{said}");
}

#[test]
fn lines_and_tls_are_opened_beside_the_ports() {
    let serve = Serve::start(&["--rtu", "pump,valve", "--rtu-tcp", "meter", "--tls", "pump"]);
    assert_eq!(serve.doors["serial"]["units"], serde_json::json!({ "pump": 1, "valve": 2 }));
    assert!(Path::new(serve.doors["serial"]["path"].as_str().unwrap()).exists());
    for address in [&serve.doors["rtu_tcp"]["address"], &serve.doors["tls"]["pump"]] {
        TcpStream::connect(address.as_str().unwrap()).unwrap();
    }
    let certificates = Path::new(serve.doors["certificates"].as_str().unwrap());
    for file in ["ca.pem", "server.pem", "operator.key", "observer.pem", "roleless.key"] {
        assert!(certificates.join(file).exists(), "{file}");
    }
    assert!(serve.control().ask("fault pump reset").contains("--proxy"));
}

#[test]
fn behind_proxies_a_fault_is_one_line() {
    let serve = Serve::start(&["--proxy", "--rtu", "pump"]);
    let proxies = ["leak", "meter", "pump", "room", "serial", "valve"];
    assert_eq!(serve.doors["proxies"], serde_json::json!(proxies));
    let mut control = serve.control();
    assert_eq!(control.ask("fault pump exception 6"), "ok");
    assert_eq!(control.ask("fault pump"), "exception 6");
    assert_eq!(control.ask("fault valve"), "none");
    let mut pump = TcpStream::connect(serve.doors["pump"].as_str().unwrap()).unwrap();
    pump.write_all(&[0, 1, 0, 0, 0, 6, 1, 3, 0, 29, 0, 1]).unwrap();
    let mut answer = [0; 9];
    pump.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [0, 1, 0, 0, 0, 3, 1, 0x83, 6]);
    assert!(control.ask("fault pump counts").contains("\"exception\":{\"seen\":1,\"changed\":1}"));
    assert!(control.ask("fault serial wrong-transaction").starts_with("error: wrong-transaction cannot"));
    assert!(control.ask("fault pmup clear").contains("known are leak, meter, pump"));
    assert_eq!(control.ask("fault pump clear"), "ok");
}

#[test]
fn a_node_of_another_gpu_model_says_what_its_agent_must_know() {
    let serve = Serve::start(&["--gpu-model", "gb200"]);
    assert_eq!(serve.doors["gpu_model"], "gb200");
    assert_eq!(serve.doors["gpus"], 4);
    let flow = serve.doors["full_speed_flow_lpm"].as_f64().unwrap();
    let head = serve.doors["full_speed_head_kpa"].as_f64().unwrap();
    assert!((9.0..12.0).contains(&flow) && (100.0..125.0).contains(&head), "{flow} L/min, {head} kPa");
    let mut control = serve.control();
    let requests = control.truth()["requests"].clone();
    assert_eq!(requests.as_array().unwrap().len(), 4);
    assert!((requests[3]["limit_watts"].as_f64().unwrap() - 1200.0).abs() < 1e-9);
    assert_eq!((&requests[0]["persistence"], &requests[0]["power_profiles"]), (&true.into(), &0.into()));
    assert_eq!(control.ask("driver-replaced"), "ok");
    assert!(control.ask("gpu-ecc-4").contains("no GPU 4"));

    let refused = Command::new(SIM).args(["serve", "--gpu-model", "h300"]).output().unwrap();
    assert!(String::from_utf8(refused.stderr).unwrap().contains("known are a100, h100, h200, b200, gb200"));
}
