//! The long-running commands: what starts in which order, and how each ends.
//!
//! ```text
//!   agent:  configuration ─► links ─► status ─► cycle … SIGTERM ─► cycle ends ─► links end ─► safe state ─► exit
//!                                                 ▲ SIGHUP: check the file, then new numbers or an alarm
//! ```

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use eisbach_control::Moment;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::alarms::{AlarmDesk, Alarms};
use crate::clock::Clock;
use crate::config::salvage::Actuator;
use crate::config::{self, Config, last_good};
use crate::cycle::{self, Orders};
use crate::desk::{Desk, DeskSettings, IssuerKeys};
use crate::episodes::Teller;
use crate::gpu::server::{self, ServerSettings, StopFlag};
use crate::hooks::{HookSettings, Hooks};
use crate::latch::{self, Latch};
use crate::links::Links;
use crate::recorder::Recorder;
use crate::report::Report;
use crate::safe_state::{Leak, drive, leak, safe_state, salvaged};
use crate::service::Manager;
use crate::start_config::{self, Keep, Start};
use crate::status;
use crate::verbs::{self, Ears};

/// Threads besides the one that runs the cycle.
const WORKERS: usize = 2;
/// Longest time for the links to end by themselves.
const LINKS_END: Duration = Duration::from_secs(3);
/// Without a configuration the safe state is driven again after this.
const SAFE_AGAIN: Duration = Duration::from_secs(10);

/// `eisbach-agent run`.
#[must_use]
pub fn agent(path: &Path) -> ExitCode {
    let clock = Clock::start();
    let Some(runtime) = runtime() else { return ExitCode::FAILURE };
    runtime.block_on(async {
        loop {
            match start_config::choose(path, Keep::Agent) {
                Start::Use { config, refused } => {
                    return Box::pin(controlled(path, *config, refused, clock)).await;
                }
                Start::Salvage { actuators, state } => {
                    if wait_for_mend(&actuators, &state).await {
                        return ExitCode::SUCCESS;
                    }
                }
            }
        }
    })
}

/// The runtime of every command that waits for something.
pub(crate) fn runtime() -> Option<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .inspect_err(|error| error!(%error, "the runtime cannot be started; check the limit on tasks"))
        .ok()
}

/// Controls until SIGTERM or SIGINT.
async fn controlled(path: &Path, config: Config, refused: bool, clock: Clock) -> ExitCode {
    let (mut tasks, links_token, cycle_token) =
        (JoinSet::new(), CancellationToken::new(), CancellationToken::new());
    let (orders, received) = watch::channel(Orders { tuning: config.tuning, config_refused: refused });
    let now = Moment { at: clock.now(), wall_ms: Clock::wall_ms() };
    let (mut alarms, alarm_desk) = Alarms::start(&mut tasks, config.state.clone(), now, links_token.clone());
    let settings = desk_settings(&config, alarm_desk.clone());
    let (desk, mut tray) = Desk::start(&mut tasks, settings, received.clone(), clock, links_token.clone());
    let links = Links::start(&config, &desk, &mut tasks, clock, &links_token);
    let (latest, newest) = watch::channel(Arc::new(Report::default()));
    tasks.spawn(status::serve(
        config.status_socket.clone(),
        newest.clone(),
        links.gpu.clone(),
        links_token.clone(),
    ));
    let ears = Ears { latest: newest, gpu: links.gpu.clone(), alarms: alarm_desk.at_the_node(), desk };
    tasks.spawn(verbs::serve(config.control_socket.clone(), ears, links_token.clone()));
    info!(node = config.node, gpus = config.gpus, devices = config.devices.len(), "agent started");

    let mut manager = Manager::default();
    let mut latch = Latch::start(&mut tasks, config.state.clone(), links_token.clone());
    let signals = tasks.spawn(obey_signals(path.to_owned(), config.clone(), orders, cycle_token.clone()));
    let teller = Teller::start(&mut tasks);
    let hooks = Hooks::start(&mut tasks, hook_settings(&config), clock, links_token.clone());
    let mut recorder = Recorder::start(&config.recorder);
    let outside = (&mut latch, &mut alarms, &mut tray, &mut manager, &teller, &hooks, &mut recorder);
    let leaking = cycle::run(&links, config.gpus, received, &latest, outside, clock, &cycle_token).await;
    manager.stopping();
    drop(teller);
    if leaking && let Err(error) = latch::set(&config.state) {
        error!(%error, "the leak latch cannot be written; do not start the service before the leak is mended");
    }
    recorder.end().await;
    info!("stopping: links end, then the devices go to their safe state");
    signals.abort();
    links_token.cancel();
    if tokio::time::timeout(LINKS_END, async { while tasks.join_next().await.is_some() {} }).await.is_err() {
        warn!("some links did not end in time");
        tasks.shutdown().await;
    }
    let leak = if leaking { Leak::Latched } else { leak(&config.state) };
    drive(&safe_state(&config, leak), "clean stop").await;
    info!("stopped");
    ExitCode::SUCCESS
}

fn desk_settings(config: &Config, alarms: AlarmDesk) -> DeskSettings {
    DeskSettings {
        node: config.node.clone(),
        state: config.state.clone(),
        commands: config.commands.clone(),
        seals: Box::new(IssuerKeys::load(&config.commands)),
        alarms,
    }
}

fn hook_settings(config: &Config) -> HookSettings {
    HookSettings { hooks: config.hooks.clone(), node: config.node.clone(), state: config.state.clone() }
}

/// Ends the cycle on SIGTERM or SIGINT; reads the configuration again on SIGHUP.
async fn obey_signals(
    path: std::path::PathBuf,
    config: Config,
    orders: watch::Sender<Orders>,
    cycle_token: CancellationToken,
) {
    let (Some(mut terminate), Some(mut interrupt), Some(mut hangup)) =
        (listen(SignalKind::terminate()), listen(SignalKind::interrupt()), listen(SignalKind::hangup()))
    else {
        return;
    };
    let mut manager = Manager::default();
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => {
                manager.reloading();
                reload(&path, &config, &orders);
                manager.reloaded();
            }
        }
    }
    cycle_token.cancel();
}

/// A bad file changes nothing but an alarm; a good one brings new numbers.
fn reload(path: &Path, running: &Config, orders: &watch::Sender<Orders>) {
    match config::load(path) {
        Ok(fresh) => {
            if let Err(error) = last_good::keep(path, &fresh.state) {
                warn!(%error, "no copy of the good configuration could be kept");
            }
            orders.send_replace(Orders { tuning: fresh.tuning, config_refused: false });
            let same = Config { tuning: running.tuning, ..fresh } == *running;
            if same {
                info!("configuration reloaded");
            } else {
                warn!("configuration reloaded: [control] is in force, all other changes wait for a restart");
            }
        }
        Err(error) => {
            error!("{error}");
            orders.send_modify(|orders| orders.config_refused = true);
        }
    }
}

/// Without any configuration: drives what can be driven, until the file is mended (SIGHUP, or after a while) or
/// the service stops. Whether it shall stop.
async fn wait_for_mend(actuators: &[Actuator], state: &Path) -> bool {
    // Before anything that takes time: a signal that nobody listens to would end the process.
    let (Some(mut terminate), Some(mut interrupt), Some(mut hangup)) =
        (listen(SignalKind::terminate()), listen(SignalKind::interrupt()), listen(SignalKind::hangup()))
    else {
        return true;
    };
    drive(&salvaged(actuators, leak(state)), "no configuration").await;
    // The service is doing all it can: it is ready, and alive.
    let mut manager = Manager::default();
    manager.ready();
    // As often as a cycle would: the manager is told of every tenth.
    let mut beat = tokio::time::interval(cycle::PERIOD);
    let again = tokio::time::sleep(SAFE_AGAIN);
    tokio::pin!(again);
    loop {
        tokio::select! {
            _ = terminate.recv() => return true,
            _ = interrupt.recv() => return true,
            _ = hangup.recv() => return false,
            () = &mut again => return false,
            _ = beat.tick() => manager.alive(),
        }
    }
}

fn listen(kind: SignalKind) -> Option<Signal> {
    signal(kind).inspect_err(|error| error!(%error, "signals cannot be received")).ok()
}

/// `eisbach-agent gpu`.
#[must_use]
pub fn gpu_process(path: &Path) -> ExitCode {
    let clock = Clock::start();
    // Its own copy, in its own state directory: the agent's is closed to it.
    let config = match start_config::choose(path, Keep::Gpu) {
        Start::Use { config, .. } => config.gpu,
        // The places and periods of this process have defaults that work.
        Start::Salvage { .. } => config::GpuConfig::default(),
    };
    let settings = ServerSettings {
        library: config.library,
        sample_period_ms: config.sample_ms,
        call_deadline_ms: config.call_deadline_ms,
        allowed_uid: config.client_uid,
        ..ServerSettings::new(config.socket, config.state)
    };
    let stop = StopFlag::default();
    let Some(runtime) = runtime() else { return ExitCode::FAILURE };
    let raise = stop.clone();
    let _signals = runtime.spawn(async move {
        if let (Some(mut terminate), Some(mut interrupt)) =
            (listen(SignalKind::terminate()), listen(SignalKind::interrupt()))
        {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        raise.raise();
    });
    let mut manager = Manager::default();
    let code = match server::run(settings, clock, &stop, || Manager::default().ready(), || manager.alive()) {
        Ok(()) => 0,
        Err(error) => {
            error!("{error}");
            1
        }
    };
    info!(code, "GPU process ends");
    // Threads that hang in the driver are not waited for.
    std::process::exit(code)
}

/// `eisbach-agent reset`: confirms that a leak is mended.
#[must_use]
pub fn reset(path: &Path) -> ExitCode {
    let state = match start_config::choose(path, Keep::Nothing) {
        Start::Use { config, .. } => config.state,
        Start::Salvage { state, .. } => state,
    };
    match latch::reset(&state) {
        Ok(true) => info!("the leak latch is gone; the agent starts the loop again"),
        Ok(false) => info!("there was no leak latch"),
        Err(error) => {
            error!(%error, state = %state.display(), "the leak latch cannot be removed; run this as the agent's user");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
