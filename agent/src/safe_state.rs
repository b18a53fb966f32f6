//! The safe state: what the devices are driven to when nobody controls them.
//!
//! ```text
//!   no leak            pump to full flow and on, all heat to the river
//!   leak latched       pump off, all heat to the river
//!   leak not visible   pump left as it is
//! ```
//!
//! Who drives it: the agent when it stops, `failsafe` behind a service that failed, `release` the other way round.

use std::path::Path;
use std::process::ExitCode;

use eisbach_protocol::registers::Control;
use tracing::{error, info};

use crate::config::salvage::Actuator;
use crate::config::{Config, DeviceRole, FailsafeConfig};
use crate::forgive;
use crate::latch;
use crate::links;
use crate::modbus;
use crate::modbus::device::DeviceSettings;
use crate::modbus::failsafe::{Outcome, SafeWrite, drive_safe};
use crate::run::runtime;
use crate::start_config::{self, Keep, Start};

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

/// Devices and what is safe for them.
pub(crate) type SafeState = (Vec<DeviceSettings>, Vec<SafeWrite>);

/// Drives the safe state once; whether every device has it.
pub(crate) async fn drive((devices, writes): &SafeState, reason: &str) -> bool {
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
pub(crate) enum Leak {
    /// There is none that anybody knows of.
    None,
    /// The loop must stand still.
    Latched,
    /// It cannot be seen; the pump is left as it is.
    Unknown,
}

pub(crate) fn leak(state: &Path) -> Leak {
    match latch::is_latched(state) {
        Ok(false) => Leak::None,
        Ok(true) => Leak::Latched,
        Err(error) => {
            error!(%error, state = %state.display(), "FAILSAFE: whether there is a leak cannot be seen, the pump is left alone; run this as the agent's user");
            Leak::Unknown
        }
    }
}

pub(crate) fn safe_state(config: &Config, leak: Leak) -> SafeState {
    let devices: Vec<_> = config.devices.iter().map(links::settings).collect();
    let writes =
        config.devices.iter().flat_map(|device| safe_writes(device.role, config.failsafe, leak)).collect();
    (devices, writes)
}

pub(crate) fn salvaged(actuators: &[Actuator], leak: Leak) -> SafeState {
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
