//! The agent's configuration for a rig.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::simulator::{DEVICES, Simulator};

/// An `agent.toml` in the making.
#[derive(Clone, Debug)]
pub struct Configuration {
    path: PathBuf,
    sections: Table,
}

impl Configuration {
    /// A node whose files are in `folder` and whose devices are all the simulator's, each on its own TCP port.
    pub fn of(folder: &Path, simulator: &Simulator) -> Self {
        let mut configuration = Self::gpu_section(folder, simulator.at("nvml_library").as_ref())
            .set("node", "gpus", simulator.gpus())
            .set("control", "full_speed_flow", simulator.number("full_speed_flow_lpm"))
            .set("control", "full_speed_head", simulator.number("full_speed_head_kpa"));
        for (unit, device) in (1..).zip(DEVICES) {
            configuration =
                configuration.set(device, "address", simulator.at(device)).set(device, "unit", unit);
        }
        configuration
    }

    /// A node of GPUs alone, for the GPU process: its devices are nowhere.
    pub fn of_gpus(folder: &Path, library: &Path) -> Self {
        let nowhere = "127.0.0.1:1";
        Self::gpu_section(folder, library)
            .set("pump", "address", nowhere)
            .set("meter", "address", nowhere)
            .set("meter", "unit", 2)
    }

    fn gpu_section(folder: &Path, library: &Path) -> Self {
        let within = |name: &str| folder.join(name).display().to_string();
        Self { path: folder.join("agent.toml"), sections: Table::new() }
            .set("node", "name", "node-0001")
            .set("gpu", "socket", within("gpu.sock"))
            .set("gpu", "state", within("gpu-state"))
            .set("gpu", "library", library.display().to_string())
            .set("paths", "state", within("agent-state"))
            .set("paths", "status_socket", within("status.sock"))
            // The simulator has its own control socket in this folder.
            .set("paths", "control_socket", within("agent-control.sock"))
    }

    /// Sets a key of a section, or of one within a section: `facility.sparkplug`.
    #[must_use]
    pub fn set(mut self, section: &str, key: &str, value: impl Into<Value>) -> Self {
        let mut table = &mut self.sections;
        for name in section.split('.') {
            let inner = table.entry(name).or_insert_with(|| Table::new().into());
            table = inner.as_table_mut().expect("every section is a table");
        }
        table.insert(key.into(), value.into());
        self
    }

    /// Names the program of a hook.
    #[must_use]
    pub fn hook(self, name: &str, program: &Path, min_interval_ms: u32) -> Self {
        let mut hook = Table::new();
        hook.insert("command".into(), vec![program.display().to_string()].into());
        hook.insert("min_interval_ms".into(), min_interval_ms.into());
        self.set("hooks", name, hook)
    }

    /// Leaves a section out.
    #[must_use]
    pub fn without(mut self, section: &str) -> Self {
        self.sections.remove(section);
        self
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the file and makes the folders that it names.
    pub fn write(&self) {
        for section in ["gpu", "paths"] {
            let folder = self.sections[section]["state"].as_str().expect("a state folder is a path");
            std::fs::create_dir_all(folder).expect("a state folder");
        }
        std::fs::write(&self.path, self.sections.to_string()).expect("a configuration file");
    }
}
