//! `eisbach-sim serve`: plant, devices and NVML alone, for tests and for anyone's own agent.
//!
//! ```text
//!   stdout   what to connect to: one line of JSON, or lines for people
//!   control  Unix socket, a line each way:
//!              pump-trip        ──►  ok
//!              pump-trap        ──►  error: "pump-trap" is no event; known are …
//!              truth            ──►  {"time_ms":12340,"gpus":[…],…}
//! ```
//!
//! An event has happened when its `ok` is there. With `--proxy` the socket takes faults of the wires too:
//! `fault pump late-reply 700`.

mod control;
mod doors;
mod lines;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use eisbach_nvml_sim::GpuModel;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::broker::BrokerControl;
use crate::clock::Clock;
use crate::control as socket;
use crate::control::ControlError;
use crate::demo::EndSignals;
use crate::devices::{Choice, ModelError, Models};
use crate::stage::{Stage, StageError, StageSettings};
use crate::workload::Workload;
use crate::world::{Event, Outside, Script, plant_time};
use control::Control;
use lines::Lines;

use doors::GpuDoors;

pub use doors::Doors;
pub use lines::{LineArguments, LineError};

/// How often the end is looked for.
const TICK: Duration = Duration::from_millis(20);

/// `eisbach-sim serve`.
#[derive(Clone, Debug, clap::Args)]
pub struct ServeArguments {
    /// Prints what to connect to as one line of JSON.
    #[arg(long)]
    json: bool,
    /// Runs an MQTT broker too.
    #[arg(long)]
    with_broker: bool,
    /// Folder for its files, instead of a temporary one.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// What happens when, on the plant's clock: "20s pump-trip, 50s pump-ok".
    #[arg(long, default_value = "", hide_default_value = true)]
    script: Script,
    /// Ends after this plant time: 60s, 5m. Without it, with SIGTERM or Ctrl-C.
    #[arg(long, value_parser = plant_time)]
    duration: Option<u64>,
    /// Decides everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What the GPUs are asked to do: training, inference, idle, full, step, constant:LEVEL.
    #[arg(long, default_value = "training")]
    workload: Workload,
    /// What the GPUs are: a100, h100, h200, b200, gb200.
    #[arg(long, value_name = "MODEL", default_value_t = GpuModel::H200)]
    gpu_model: GpuModel,
    /// GPUs of the node, 8 at most [default: 8, gb200: 4].
    #[arg(long)]
    gpus: Option<usize>,
    /// What stands in the plant room instead of the usual, again and again: pump=abb-acx580. A rack CDU
    /// (pump=orv3-rpu) is meter and leak detector too.
    #[arg(long = "model", value_name = "PLACE=MODEL")]
    models: Vec<Choice>,
    /// Leaves the valve's bus watchdog as its vendor ships it: off.
    #[arg(long)]
    as_shipped: bool,
    #[command(flatten)]
    lines: LineArguments,
}

/// Why it failed.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// No stage.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// What was to stand in the plant room.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Its folder.
    #[error("cannot use the folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The control socket.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Another way to the devices.
    #[error(transparent)]
    Line(#[from] LineError),
    /// Output.
    #[error("cannot print: {0}")]
    Print(io::Error),
    /// Signals.
    #[error("signals cannot be received: {0}")]
    Signals(io::Error),
    /// The plant's thread ended.
    #[error("the simulated world stopped by itself; this is a bug of eisbach-sim")]
    WorldStopped,
}

/// Runs until a signal comes or the time is over.
///
/// # Errors
/// If something cannot be started.
pub async fn run(arguments: ServeArguments) -> Result<(), ServeError> {
    let mut signals = EndSignals::listen().map_err(ServeError::Signals)?;
    let (folder, _removed_at_the_end) = folder(arguments.dir.as_deref())?;
    let (mut tasks, token) = (JoinSet::new(), CancellationToken::new());
    let outcome = serve(&arguments, &folder, (&mut tasks, &token), &mut signals).await;
    token.cancel();
    tasks.shutdown().await;
    outcome
}

fn folder(given: Option<&Path>) -> Result<(PathBuf, Option<TempDir>), ServeError> {
    if let Some(path) = given {
        std::fs::create_dir_all(path)
            .map_err(|source| ServeError::Folder { path: path.to_owned(), source })?;
        return Ok((path.to_owned(), None));
    }
    let temporary = tempfile::Builder::new().prefix("eisbach-serve-").tempdir();
    let temporary = temporary.map_err(|source| ServeError::Folder { path: std::env::temp_dir(), source })?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}

async fn serve(
    arguments: &ServeArguments,
    folder: &Path,
    (tasks, token): (&mut JoinSet<()>, &CancellationToken),
    signals: &mut EndSignals,
) -> Result<(), ServeError> {
    let settings = StageSettings {
        folder: folder.to_owned(),
        seed: arguments.seed,
        workload: arguments.workload,
        gpu_model: arguments.gpu_model,
        gpus: arguments.gpus,
        script: arguments.script.clone(),
        with_broker: arguments.with_broker,
        models: Models::of(arguments.models.iter().copied())?,
        as_shipped: arguments.as_shipped,
    };
    let Stage { world, mut happened, nvml, nvml_state, nvml_library, devices, full_speed, broker, .. } =
        Stage::set(settings, tasks, token, Clock::start()).await?;
    let control = folder.join("control.sock");
    let listener = socket::listen(&control)?;
    let lines = Lines::open(&arguments.lines, folder, &devices, tasks, token)?;
    let doors = Doors::new(
        &devices,
        &lines,
        GpuDoors::new((arguments.gpu_model, nvml.gpus().len()), (nvml_library, nvml_state), full_speed),
        broker.as_ref().map(|(address, _)| *address),
        control.clone(),
    );
    doors.print(arguments.json).map_err(ServeError::Print)?;

    let world = Arc::new(world);
    let broker = broker.map(|(_, control)| control);
    let answers = Control { world: Arc::clone(&world), broker: broker.clone(), proxies: lines.proxies };
    tasks.spawn(socket::serve(listener, answers, token.clone()));
    let mut ticker = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            () = signals.next() => break,
            happened = happened.recv() => match happened {
                Some(happened) => react(happened.event, broker.as_ref()),
                None => return Err(ServeError::WorldStopped),
            },
            _deadline = ticker.tick() => {
                if arguments.duration.is_some_and(|ends_ms| world.truth().time_ms >= ends_ms) {
                    break;
                }
            }
        }
    }
    let _already_gone = std::fs::remove_file(&control);
    Ok(())
}

/// What happens outside the plant. There is no agent here, so nothing of it is killed.
fn react(event: Event, broker: Option<&BrokerControl>) {
    let (Event::Outside(outside), Some(broker)) = (event, broker) else { return };
    match outside {
        Outside::BrokerCut => broker.cut(),
        Outside::BrokerOk => broker.restore(),
        Outside::KillAgent | Outside::KillGpu => {}
    }
}
