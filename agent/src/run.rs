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
use eisbach_protocol::registers::Control;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::alarms::{AlarmDesk, Alarms};
use crate::clock::Clock;
use crate::config::salvage::Actuator;
use crate::config::{self, Config, DeviceRole, FailsafeConfig, last_good};
use crate::cycle::{self, Orders};
use crate::desk::{Desk, DeskSettings, IssuerKeys};
use crate::episodes::Teller;
use crate::forgive;
use crate::gpu::server::{self, ServerSettings, StopFlag};
use crate::hooks::{HookSettings, Hooks};
use crate::latch::{self, Latch};
use crate::links::{self, Links};
use crate::modbus;
use crate::modbus::device::DeviceSettings;
use crate::modbus::failsafe::{Outcome, SafeWrite, drive_safe};
use crate::recorder::Recorder;
use crate::report::Report;
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

fn runtime() -> Option<Runtime> {
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

/// `eisbach-agent failsafe`.
#[must_use]
pub fn failsafe(path: &Path, reason: &str, forgive_one: bool) -> ExitCode {
    let Some(runtime) = runtime() else { return ExitCode::FAILURE };
    if forgive_one && forgive::is_first_failure(reason) {
        info!(reason, "FAILSAFE: first failure within a minute, the devices are left to the restart");
        return ExitCode::SUCCESS;
    }
    let state = match start_config::choose(path, Keep::Nothing) {
        Start::Use { config, .. } => safe_state(&config, leak(&config.state)),
        Start::Salvage { actuators, state } => salvaged(&actuators, leak(&state)),
    };
    if state.1.is_empty() {
        error!(reason, "FAILSAFE: no actuator is known; the devices' own bus-fail action is all there is");
        return ExitCode::FAILURE;
    }
    if runtime.block_on(drive(&state, reason)) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `eisbach-agent failsafe --release`.
#[must_use]
pub fn release(path: &Path) -> ExitCode {
    let Some(runtime) = runtime() else { return ExitCode::FAILURE };
    let ((mut devices, _safe), leak) = match start_config::choose(path, Keep::Nothing) {
        Start::Use { config, .. } => (safe_state(&config, Leak::None), leak(&config.state)),
        Start::Salvage { actuators, state } => (salvaged(&actuators, Leak::None), leak(&state)),
    };
    // A pump on its own would pump into the leak.
    let held = leak != Leak::None;
    if held {
        devices.retain(|device| device.name != DeviceRole::Pump.as_str());
        error!(
            "RELEASE: a leak is latched or cannot be ruled out, the pump is not given back; see `eisbach-agent reset`"
        );
    }
    let outcomes = runtime.block_on(modbus::failsafe::release_devices(&devices, modbus::failsafe::DEADLINE));
    if outcomes.is_empty() {
        info!("RELEASE: no device knows a regulation of its own; nothing written");
    }
    if told("RELEASE", "by hand", &outcomes) && !held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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

/// Devices and what is safe for them.
type SafeState = (Vec<DeviceSettings>, Vec<SafeWrite>);

/// Drives the safe state once; whether every device has it.
async fn drive((devices, writes): &SafeState, reason: &str) -> bool {
    told("FAILSAFE", reason, &drive_safe(devices, writes, modbus::failsafe::DEADLINE).await)
}

/// Says what became of each device; whether all went well.
fn told(what: &str, reason: &str, outcomes: &[Outcome]) -> bool {
    for outcome in outcomes {
        match &outcome.result {
            Ok(()) => info!(reason, "{what}: {outcome}"),
            Err(_) => error!(reason, "{what}: {outcome}"),
        }
    }
    outcomes.iter().all(|outcome| outcome.result.is_ok())
}

/// What is known about water when the safe state is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leak {
    /// There is none that anybody knows of.
    None,
    /// The loop must stand still.
    Latched,
    /// It cannot be seen; the pump is left as it is.
    Unknown,
}

fn leak(state: &Path) -> Leak {
    match latch::is_latched(state) {
        Ok(false) => Leak::None,
        Ok(true) => Leak::Latched,
        Err(error) => {
            error!(%error, state = %state.display(), "FAILSAFE: whether there is a leak cannot be seen, the pump is left alone; run this as the agent's user");
            Leak::Unknown
        }
    }
}

fn safe_state(config: &Config, leak: Leak) -> SafeState {
    let devices: Vec<_> = config.devices.iter().map(links::settings).collect();
    let writes =
        config.devices.iter().flat_map(|device| safe_writes(device.role, config.failsafe, leak)).collect();
    (devices, writes)
}

fn salvaged(actuators: &[Actuator], leak: Leak) -> SafeState {
    let devices = actuators
        .iter()
        .map(|actuator| DeviceSettings {
            name: actuator.role.as_str().to_owned(),
            wire: actuator.wire.clone(),
            unit: actuator.unit,
            profile: actuator.profile.clone(),
            poll_ms: 100,
            stale_ms: 2000,
        })
        .collect();
    let safe = FailsafeConfig::default();
    (devices, actuators.iter().flat_map(|actuator| safe_writes(actuator.role, safe, leak)).collect())
}

/// What is safe for a device of this role, by its profile unless the configuration says otherwise: more flow, all heat
/// to the river; with a leak, no flow at all.
fn safe_writes(role: DeviceRole, safe: FailsafeConfig, leak: Leak) -> Vec<SafeWrite> {
    let write = |control, value| SafeWrite { device: role.as_str().to_owned(), control, value };
    match (role, leak) {
        (DeviceRole::Pump, Leak::None) => {
            vec![write(Control::PumpSpeed, safe.pump_percent), write(Control::PumpRun, None)]
        }
        (DeviceRole::Pump, Leak::Latched) => vec![write(Control::PumpRun, Some(0.0))],
        (DeviceRole::Valve, _) => vec![write(Control::ValvePosition, safe.valve_percent)],
        (DeviceRole::Pump, Leak::Unknown) | (DeviceRole::Meter | DeviceRole::Room | DeviceRole::Leak, _) => {
            Vec::new()
        }
    }
}
