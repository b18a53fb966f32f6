//! Programs that are not ours. A test that needs one fails without it; it is never skipped.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use crate::process::Process;
use crate::simulator::Simulator;
use crate::wait::{until, until_some};

/// How long a foreign program may take to be up.
const UP: Duration = Duration::from_secs(30);

/// A command that runs `program`.
///
/// # Panics
/// If it is not installed.
fn tool(program: impl AsRef<Path>) -> Command {
    let program = program.as_ref();
    let there = if program.is_absolute() {
        program.exists()
    } else {
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .any(|folder| folder.join(program).exists())
    };
    assert!(there, "{} is not installed; run .ci/install", program.display());
    Command::new(program)
}

/// Two pseudo terminals, joined like the two ends of a serial cable.
#[derive(Debug)]
pub struct SerialCable {
    _socat: Process,
    ends: [PathBuf; 2],
}

impl SerialCable {
    /// Lays one; its ends are links in `folder`.
    pub fn lay(folder: &Path) -> Self {
        let ends = ["master", "slave"].map(|end| folder.join(end));
        let mut command = tool("socat");
        command.args(ends.each_ref().map(|end| format!("pty,raw,echo=0,link={}", end.display())));
        let socat = Process::start("socat", command, folder.join("socat.log"));
        until("both ends are there", UP, || ends.iter().all(|end| end.exists()), |there| *there);
        Self { _socat: socat, ends }
    }

    /// The end for the master and the one for the slaves.
    pub fn ends(&self) -> [&Path; 2] {
        self.ends.each_ref().map(PathBuf::as_path)
    }
}

/// A pump (unit 1) and a valve (unit 2) served by pymodbus.
#[derive(Debug)]
pub struct PlantRoom {
    process: Process,
    reached: String,
}

impl PlantRoom {
    /// Over Modbus TCP.
    pub fn on_tcp(folder: &Path) -> Self {
        Self::start(folder, &["tcp"])
    }

    /// Over Modbus RTU on a serial port.
    pub fn on_rtu(folder: &Path, port: &Path) -> Self {
        Self::start(folder, &["rtu", port.to_str().expect("a path in UTF-8")])
    }

    fn start(folder: &Path, words: &[&str]) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = tool(here.join(".venv/bin/python"));
        command.arg(here.join("foreign/plant_room.py")).args(words);
        let process = Process::start("pymodbus", command, folder.join("pymodbus.log"));
        let reached = until_some("pymodbus serves", UP, || {
            process.json_lines().first().and_then(|line| line["ready"].as_str().map(str::to_owned))
        });
        Self { process, reached }
    }

    /// `host:port` or serial port.
    pub fn reached(&self) -> &str {
        &self.reached
    }

    /// Everything written to a register so far, in order.
    pub fn written(&self, unit: u8, register: u16) -> Vec<u16> {
        let ours = |line: &Value| line["unit"] == unit && line["register"] == register;
        let lines = self.process.json_lines();
        let values = lines.iter().filter(|line| ours(line)).filter_map(|line| line["value"].as_u64());
        values.map(|value| u16::try_from(value).expect("a register holds 16 bits")).collect()
    }

    /// Every unit and register that was written to.
    pub fn touched(&self) -> BTreeSet<(u64, u64)> {
        let place = |line: &Value| line["unit"].as_u64().zip(line["register"].as_u64());
        self.process.json_lines().iter().filter_map(place).collect()
    }
}

/// What NVIDIA's own Python bindings read of every GPU.
///
/// # Panics
/// If they read nothing.
pub fn nvml_reader(simulator: &Simulator) -> Vec<Value> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = tool(here.join(".venv/bin/python"));
    command.arg(here.join("foreign/nvml_reader.py")).arg(simulator.at("nvml_library"));
    let output = command.env("EISBACH_NVML_STATE", simulator.at("nvml_state")).output().expect("python runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// What mbpoll polls.
#[derive(Clone, Copy, Debug)]
pub enum Poll<'a> {
    /// `host:port`.
    Tcp(&'a str),
    /// A serial port. A pseudo terminal knows no parity.
    Rtu(&'a str),
}

/// One request by mbpoll, as on the wire: registers counted from 0, high word first. `words` are the rest of its
/// options; its last are the values to write, if any.
pub fn mbpoll(poll: Poll<'_>, unit: u8, words: &[&str], values: &[&str]) -> Output {
    let mut command = tool("mbpoll");
    command.args(["-q", "-1", "-0", "-B", "-a", &unit.to_string()]).args(words);
    match poll {
        Poll::Tcp(address) => {
            let (host, port) = address.rsplit_once(':').expect("host:port");
            command.args(["-p", port, host]);
        }
        Poll::Rtu(port) => {
            command.args(["-m", "rtu", "-b", "19200", "-P", "none", port]);
        }
    }
    command.args(values).output().expect("mbpoll can be started")
}

/// What mbpoll read, or what it complained of.
///
/// # Errors
/// Its complaint.
pub fn mbpoll_read(poll: Poll<'_>, unit: u8, kind: &str, register: u16) -> Result<f64, String> {
    let output = mbpoll(poll, unit, &["-t", kind, "-r", &register.to_string(), "-c", "1"], &[]);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let value = out.lines().find_map(|line| {
        let (_, value) = line.strip_prefix(&format!("[{register}]:"))?.split_once('\t')?;
        value.split_whitespace().next()?.parse().ok()
    });
    value.filter(|_| output.status.success()).ok_or_else(|| format!("{}{}", err.trim(), out.trim()))
}

/// A running collectd with its modbus plugin, which writes what it reads to CSV files.
#[derive(Debug)]
pub struct Collectd {
    _process: Process,
    values: PathBuf,
}

/// One value that collectd collects.
#[derive(Clone, Copy, Debug)]
pub struct Collected {
    /// collectd's type, for example `power`.
    pub kind: &'static str,
    /// Its instance.
    pub name: &'static str,
    /// Register, counted from 0.
    pub register: u16,
    /// `Uint16`, `Uint32` and so on.
    pub encoding: &'static str,
    /// Factor.
    pub scale: f64,
    /// Added after that.
    pub shift: f64,
}

impl Collectd {
    /// Starts one that reads `wanted` from `unit` at `address` every second.
    pub fn start(folder: &Path, address: &str, unit: u8, wanted: &[Collected]) -> Self {
        let (host, port) = address.rsplit_once(':').expect("host:port");
        // collectd works in its base folder, and makes no file below one whose name begins with a dot.
        let (values, config) = (folder.join("csv"), folder.join("collectd.conf"));
        let mut text = format!(
            "Hostname \"peer\"\nFQDNLookup false\nBaseDir \"{folder}\"\nPIDFile \"{folder}/collectd.pid\"\nInterval 1\n\
             LoadPlugin csv\n<Plugin csv>\nDataDir \"csv\"\nStoreRates false\n</Plugin>\n\
             LoadPlugin modbus\n<Plugin modbus>\n",
            folder = folder.display(),
        );
        for Collected { kind, name, register, encoding, scale, shift } in wanted {
            text.push_str(&format!(
                "<Data \"{name}\">\nRegisterCmd ReadHolding\nRegisterBase {register}\nRegisterType {encoding}\n\
                 Type {kind}\nInstance \"{name}\"\nScale {scale}\nShift {shift}\n</Data>\n"
            ));
        }
        let collects: String = wanted.iter().map(|wanted| format!("Collect \"{}\"\n", wanted.name)).collect();
        text.push_str(&format!(
            "<Host \"room\">\nAddress \"{host}\"\nPort \"{port}\"\nInterval 1\n<Slave {unit}>\nInstance \"device\"\n{collects}\
             </Slave>\n</Host>\n</Plugin>\n"
        ));
        std::fs::write(&config, text).expect("a configuration file");
        let mut command = tool("/usr/sbin/collectd");
        command.arg("-f").arg("-C").arg(config);
        Self { _process: Process::start("collectd", command, folder.join("collectd.log")), values }
    }

    /// The newest value of `wanted`, once there is one.
    pub fn newest(&self, wanted: &Collected) -> Option<f64> {
        let folder = self.values.join("room/modbus-device");
        let prefix = format!("{}-{}-2", wanted.kind, wanted.name);
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
            .ok()?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| {
                path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(&prefix))
            })
            .collect();
        files.sort();
        let text = std::fs::read_to_string(files.last()?).ok()?;
        text.lines().skip(1).last()?.split(',').nth(1)?.parse().ok()
    }
}
