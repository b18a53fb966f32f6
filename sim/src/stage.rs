//! Everything that the agent meets, set up in one place for `demo` and `serve`.
//!
//! ```text
//!   Stage ─┬─ NVML state file ◄──┐
//!          ├─ five Modbus devices ◄── world thread (plant) ◄── script, orders
//!          └─ broker (if wanted)
//! ```

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eisbach_nvml_sim::{GpuModel, GpuSpec, SharedState, ShmError};
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::broker::{self, Broker, BrokerControl};
use crate::clock::Clock;
use crate::devices::{self, DeviceHub, DeviceKind, DeviceOptions, Models};
use crate::plant::{FullSpeed, GPUS};
use crate::workload::Workload;
use crate::world::{self, Commissioned, Happened, Script, World, WorldSettings, WorldThread};

/// What the stage is set for.
#[derive(Clone, Debug)]
pub struct StageSettings {
    /// Folder for its files.
    pub folder: PathBuf,
    /// Decides everything that is random.
    pub seed: u64,
    /// What the GPUs are asked to do.
    pub workload: Workload,
    /// What the GPUs are.
    pub gpu_model: GpuModel,
    /// GPUs of the node, 8 at most; the model's usual number where none is given.
    pub gpus: Option<usize>,
    /// What happens when.
    pub script: Script,
    /// Whether to run a broker.
    pub with_broker: bool,
    /// What stands in the plant room.
    pub models: Models,
    /// The valve's bus watchdog is as its vendor ships it: off.
    pub as_shipped: bool,
}

/// The world with its doors open.
#[derive(Debug)]
pub struct Stage {
    /// The plant, running.
    pub world: WorldThread,
    /// What happens in it.
    pub happened: Receiver<Happened>,
    /// The state that NVML callers share with the plant.
    pub nvml: Arc<SharedState>,
    /// Its file.
    pub nvml_state: PathBuf,
    /// The stand-in library that reads it.
    pub nvml_library: PathBuf,
    /// The Modbus devices.
    pub devices: DeviceHub,
    /// Flow and head of the pump at full speed.
    pub full_speed: FullSpeed,
    /// The broker, if there is one of our own.
    pub broker: Option<(SocketAddr, BrokerControl)>,
}

/// Why the stage cannot be set.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// More GPUs than the plant has.
    #[error("{gpus} GPUs do not fit: the simulated node has 1 to {GPUS}")]
    Gpus {
        /// GPUs asked for.
        gpus: usize,
    },
    /// The stand-in library was not built.
    #[error(
        "the stand-in NVML library is not beside this program; build it: cargo build -p eisbach-nvml-sim"
    )]
    NoLibrary,
    /// The state file.
    #[error(transparent)]
    State(#[from] ShmError),
    /// The devices.
    #[error(transparent)]
    Devices(#[from] devices::StartError),
    /// The broker.
    #[error(transparent)]
    Broker(#[from] broker::BindError),
    /// The world.
    #[error(transparent)]
    World(#[from] world::StartError),
}

impl Stage {
    /// Sets the stage and starts the world. All of it ends with `token`, but for the world, which ends with the stage.
    ///
    /// # Errors
    /// If something cannot be started. What was started before ends with `tasks`.
    pub async fn set(
        settings: StageSettings,
        tasks: &mut JoinSet<()>,
        token: &CancellationToken,
        clock: Clock,
    ) -> Result<Self, StageError> {
        let StageSettings { folder, seed, workload, gpu_model: model, script, with_broker, models, .. } =
            settings;
        let gpus = settings.gpus.unwrap_or_else(|| model.gpus_per_node());
        if !(1..=GPUS).contains(&gpus) {
            return Err(StageError::Gpus { gpus });
        }
        let nvml_library = eisbach_nvml_sim::library_path().ok_or(StageError::NoLibrary)?;
        let nvml_state = folder.join("nvml.state");
        let specs = vec![GpuSpec { seed, ..model.spec() }; gpus];
        let nvml = Arc::new(SharedState::create(&nvml_state, &specs)?);
        let broker = if with_broker { Some(start_broker(tasks, token).await?) } else { None };
        let node = Commissioned::new(WorldSettings { seed, workload, model, gpus });
        let mut options = DeviceOptions { models, ..node.devices() };
        if settings.as_shipped {
            options.valve_watchdog_s = 0;
        }
        let full_speed = node.full_speed();
        let devices = DeviceHub::start(tasks, token, &options)?;
        let world = World::new(node, devices.clone(), Arc::clone(&nvml));
        let (world, happened) = WorldThread::start(world, script, clock)?;
        Ok(Self { world, happened, nvml, nvml_state, nvml_library, devices, full_speed, broker })
    }

    /// Where a device is reached.
    #[must_use]
    pub fn address(&self, kind: DeviceKind) -> SocketAddr {
        self.devices.endpoint(kind).address
    }

    /// The file that NVML callers must be pointed to, as an environment variable.
    #[must_use]
    pub fn nvml_variable(&self) -> (&'static str, &Path) {
        (eisbach_nvml_sim::STATE_ENV, &self.nvml_state)
    }
}

async fn start_broker(
    tasks: &mut JoinSet<()>,
    token: &CancellationToken,
) -> Result<(SocketAddr, BrokerControl), broker::BindError> {
    let broker = Broker::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let opened = (broker.local_addr(), broker.control());
    tasks.spawn(broker.run(token.clone()));
    Ok(opened)
}
