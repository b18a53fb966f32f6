//! The course of the demo: set up, look after everything, clean up whatever happens, sum up.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::config::{GROUP, NODE, Places};
use super::face::Face;
use super::facility::{self, Host, HostSettings};
use super::keys::{Keys, Press};
use super::plain::Plain;
use super::service::{Change, Launch, Service};
use super::summary::{Counted, Summary};
use super::view::View;
use super::wire_faults::Spoilers;
use super::{DemoArguments, DemoError, EndSignals, agent, status};
use crate::clock::Clock;
use crate::devices::{DeviceKind, Models};
use crate::stage::{Stage, StageSettings};
use crate::world::{Event, Happened, Order, Outside, device_name};

/// How often the processes are looked after and the picture is drawn.
const TICK: Duration = Duration::from_millis(200);

/// Runs the demo to its end.
///
/// # Errors
/// If something cannot be started, or breaks on the way. Everything that was started has been stopped then.
pub async fn run(arguments: DemoArguments) -> Result<(), DemoError> {
    let mut signals = EndSignals::listen().map_err(DemoError::Signals)?;
    let mut story = Plain::new(io::stdout());
    let binary = agent::find(arguments.agent.as_deref(), |line| drop(story.say(line)))?;
    let folder = tempfile::Builder::new().prefix("eisbach-demo-").tempdir();
    let folder = folder.map_err(|source| DemoError::Write { path: std::env::temp_dir(), source })?;

    let (mut tasks, token) = (JoinSet::new(), CancellationToken::new());
    let outcome = async {
        let mut show = Show::open(&arguments, &binary, &folder, (&mut tasks, &token)).await?;
        let outcome = show.go_on(&mut signals).await;
        let summary = show.close().await;
        outcome.map(|()| summary)
    }
    .await;
    token.cancel();
    tasks.shutdown().await;
    hand_over(&outcome?, arguments.summary.as_deref())
}

/// The summary for people, and as a file.
fn hand_over(summary: &Summary, path: Option<&Path>) -> Result<(), DemoError> {
    write!(io::stdout(), "\n{summary}").map_err(DemoError::Face)?;
    let Some(path) = path else { return Ok(()) };
    let failed = |source| DemoError::Write { path: path.to_owned(), source };
    let json = serde_json::to_string_pretty(summary).map_err(|error| failed(error.into()))?;
    std::fs::write(path, json + "\n").map_err(failed)
}

/// Everything that is alive during the demo.
struct Show {
    stage: Stage,
    host: Host,
    gpu: Service,
    agent: Service,
    binary: PathBuf,
    places: Places,
    spoilers: Spoilers,
    face: Face,
    keys: Keys,
    clock: Clock,
    seed: u64,
    ends_ms: Option<u64>,
    notices_shown: usize,
}

impl Show {
    async fn open(
        arguments: &DemoArguments,
        binary: &Path,
        folder: &TempDir,
        (tasks, token): (&mut JoinSet<()>, &CancellationToken),
    ) -> Result<Self, DemoError> {
        let clock = Clock::start();
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| DemoError::Write { path, source }
        };
        let places = Places::inside(folder.path()).map_err(failed(folder.path()))?;
        let settings = StageSettings {
            folder: folder.path().to_owned(),
            seed: arguments.seed,
            workload: arguments.workload,
            gpu_model: arguments.gpu_model,
            gpus: arguments.gpus,
            script: arguments.script.clone(),
            with_broker: arguments.broker.is_none(),
            models: Models::default(),
            as_shipped: false,
        };
        let stage = Stage::set(settings, tasks, token, clock).await?;
        let (broker_host, broker_port) = match (&arguments.broker, &stage.broker) {
            (Some(given), _) => given.clone(),
            (None, Some((address, _))) => (address.ip().to_string(), address.port()),
            (None, None) => return Err(DemoError::WorldStopped),
        };
        let broker = format!("mqtt://{broker_host}:{broker_port}");
        let spoilers = Spoilers::open(&arguments.wire_faults, &stage.devices, tasks, token)?;
        let devices = (&stage.devices, &spoilers);
        let node = (stage.nvml.gpus().len(), stage.nvml_library.as_path(), stage.full_speed);
        let config = places.config(node, devices, &broker)?;
        std::fs::write(&places.config, config).map_err(failed(&places.config))?;
        let settings =
            HostSettings { host: broker_host, port: broker_port, group: GROUP.into(), node: NODE.into() };
        let nvml = std::sync::Arc::clone(&stage.nvml);
        let host = facility::spawn(tasks, &settings, nvml, token.clone()).map_err(DemoError::Topic)?;

        tell(&stage, &broker, binary, &places).map_err(DemoError::Face)?;
        let launches = launches(&stage, binary, &places, folder.path())?;
        let [gpu, agent] = launches;
        let (gpu, agent) = (Service::start(gpu, clock.now())?, Service::start(agent, clock.now())?);
        let face = Face::open(arguments.wants_dashboard()).map_err(DemoError::Face)?;
        Ok(Self {
            stage,
            host,
            gpu,
            agent,
            binary: binary.to_owned(),
            places,
            spoilers,
            face,
            keys: Keys::default(),
            clock,
            seed: arguments.seed,
            ends_ms: arguments.duration,
            notices_shown: 0,
        })
    }

    /// Until the time is over, somebody quits, or something breaks.
    async fn go_on(&mut self, signals: &mut EndSignals) -> Result<(), DemoError> {
        let mut ticker = tokio::time::interval(TICK);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = signals.next() => return Ok(()),
                key = self.face.key() => match self.keys.press(key) {
                    Some(Press::Quit) => return Ok(()),
                    Some(Press::Do(event)) => self.order(event)?,
                    None => {}
                },
                happened = self.stage.happened.recv() => match happened {
                    Some(happened) => self.react(&happened)?,
                    None => return Err(DemoError::WorldStopped),
                },
                _deadline = ticker.tick() => {
                    self.tend()?;
                    self.show()?;
                    let now_ms = self.stage.world.truth().time_ms;
                    for line in self.spoilers.play(now_ms) {
                        self.face.say(&line).map_err(DemoError::Face)?;
                    }
                    if self.ends_ms.is_some_and(|ends| now_ms >= ends) {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn order(&self, event: Event) -> Result<(), DemoError> {
        // The dashboard shows what happened; there is nobody to tell the answer to.
        let (answer, _nobody) = tokio::sync::oneshot::channel();
        self.stage.world.send(Order { event, answer }).map_err(|_stopped| DemoError::WorldStopped)
    }

    /// What happens outside the plant.
    fn react(&mut self, happened: &Happened) -> Result<(), DemoError> {
        self.keys.happened(happened.event);
        self.face.happened(happened).map_err(DemoError::Face)?;
        let Event::Outside(outside) = happened.event else { return Ok(()) };
        match (outside, &self.stage.broker) {
            (Outside::BrokerCut, Some((_, broker))) => broker.cut(),
            (Outside::BrokerOk, Some((_, broker))) => broker.restore(),
            (Outside::BrokerCut | Outside::BrokerOk, None) => {
                self.face
                    .say("           the broker is not ours and is left alone")
                    .map_err(DemoError::Face)?;
            }
            (Outside::KillAgent, _) => self.agent.kill(),
            (Outside::KillGpu, _) => self.gpu.kill(),
        }
        Ok(())
    }

    fn tend(&mut self) -> Result<(), DemoError> {
        let now = self.clock.now();
        for service in [&mut self.gpu, &mut self.agent] {
            if let Some(change) = service.tend(now)? {
                let name = service.name();
                let line = match change {
                    Change::Ended(status) => {
                        format!("           {name} ended ({status}); it is started again")
                    }
                    Change::Restarted => format!("           {name} was started again"),
                };
                self.face.say(&line).map_err(DemoError::Face)?;
            }
        }
        Ok(())
    }

    fn show(&mut self) -> Result<(), DemoError> {
        let truth = self.stage.world.truth();
        let board = self.host.board();
        for notice in board.notices().iter().skip(self.notices_shown) {
            self.face.noticed(notice).map_err(DemoError::Face)?;
        }
        self.notices_shown = board.notices().len();
        let view = View { truth: &truth, board: &board, keys: &self.keys, ends_ms: self.ends_ms };
        self.face.show(&view).map_err(DemoError::Face)
    }

    /// Stops the processes in their order and sums up.
    async fn close(self) -> Summary {
        let Self { stage, host, mut gpu, mut agent, binary, places, face, seed, .. } = self;
        drop(face);
        let cycles = status::cycles(&binary, &places.status_socket).await;
        let truth = stage.world.truth();
        let summary = {
            let board = host.board();
            let restarts = agent.restarts() + gpu.restarts();
            let counted = Counted { seed, mqtt_published: board.published(), cycles, restarts };
            Summary::of(&truth, board.notices(), board.state(), counted)
        };
        agent.stop().await;
        gpu.stop().await;
        summary
    }
}

/// How the two processes of the agent are started.
fn launches(stage: &Stage, binary: &Path, places: &Places, folder: &Path) -> Result<[Launch; 2], DemoError> {
    let leash = std::env::current_exe().map_err(super::AgentError::OwnPlace)?;
    let (variable, state) = stage.nvml_variable();
    let launch = |name, verb: &str, environment| Launch {
        name,
        leash: leash.clone(),
        program: binary.to_owned(),
        arguments: vec![verb.into(), "--config".into(), places.config.clone().into()],
        environment,
        log: folder.join(format!("{verb}.log")),
    };
    let nvml: Vec<(OsString, OsString)> = vec![(variable.into(), state.into())];
    Ok([launch("eisbach-agent gpu", "gpu", nvml), launch("eisbach-agent run", "run", Vec::new())])
}

/// What was started where.
fn tell(stage: &Stage, broker: &str, binary: &Path, places: &Places) -> io::Result<()> {
    let mut story = Plain::new(io::stdout());
    let devices = DeviceKind::ALL.map(|kind| format!("{} {}", device_name(kind), stage.address(kind)));
    story.say(&format!(
        "plant    {} GPUs, workload {}",
        stage.nvml.gpus().len(),
        stage.world.truth().workload
    ))?;
    story.say(&format!("modbus   {}", devices.join(", ")))?;
    story.say(&format!("broker   {broker}, topics spBv1.0/{GROUP}/+/{NODE}/#"))?;
    story.say(&format!("nvml     {} on {}", stage.nvml_library.display(), stage.nvml_state.display()))?;
    story.say(&format!("agent    {}, configuration {}", binary.display(), places.config.display()))
}
