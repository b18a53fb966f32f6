//! What changes seldom: one such call in each batch, in turn, so that no batch gets long.
//!
//! ```text
//!   batch 1: performance state · batch 2: memory errors · batch 3: … · and round again
//! ```

use eisbach_protocol::gpu_link::{GpuSample, RecoveryAction, RemappedRows};
use eisbach_protocol::units::Millis;
use nvml_wrapper::Device;
use nvml_wrapper::enum_wrappers::device::{EccCounter, MemoryError};
use nvml_wrapper::sys_exports::field_id::NVML_FI_DEV_GET_GPU_RECOVERY_ACTION;
use nvml_wrapper_sys::bindings::{
    NVML_DEVICE_MIG_ENABLE, nvmlDeviceGpuRecoveryAction_s_NVML_GPU_RECOVERY_ACTION_DRAIN_AND_RESET,
    nvmlDeviceGpuRecoveryAction_s_NVML_GPU_RECOVERY_ACTION_DRAIN_P2P,
    nvmlDeviceGpuRecoveryAction_s_NVML_GPU_RECOVERY_ACTION_GPU_RESET,
    nvmlDeviceGpuRecoveryAction_s_NVML_GPU_RECOVERY_ACTION_NODE_REBOOT,
    nvmlDeviceGpuRecoveryAction_s_NVML_GPU_RECOVERY_ACTION_NONE,
};

use super::asked::Asked;
use super::raw::{self, FieldOf};
use crate::gpu::server::driver::DriverError;
use crate::gpu::server::watch::CallWatch;

/// The readings that change seldom.
#[derive(Debug, Default)]
pub(super) struct Slow {
    turn: Turn,
    performance_state: Asked<u32>,
    ecc_corrected: Asked<u64>,
    ecc_uncorrected: Asked<u64>,
    remapped_rows: Asked<RemappedRows>,
    recovery_action: Asked<RecoveryAction>,
    persistence: Asked<bool>,
    mig: Asked<bool>,
    processes: Asked<u32>,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, Default)]
enum Turn {
    #[default]
    Persistence,
    Corrected,
    Uncorrected,
    Rows,
    Recovery,
    Mig,
    Processes,
    PerformanceState,
}

impl Slow {
    /// Makes the one call whose turn it is.
    pub(super) fn read(
        &mut self,
        device: &Device<'_>,
        watch: &CallWatch,
        now: Millis,
    ) -> Result<(), DriverError> {
        const ECC: &str = "nvmlDeviceGetTotalEccErrors";
        let errors = |kind| Ok(Some(device.total_ecc_errors(kind, EccCounter::Volatile)?));
        match self.turn {
            Turn::Persistence => {
                self.turn = Turn::Corrected;
                self.persistence.ask(now, watch, "nvmlDeviceGetPersistenceMode", || {
                    Ok(Some(device.is_in_persistent_mode()?))
                })
            }
            Turn::Corrected => {
                self.turn = Turn::Uncorrected;
                self.ecc_corrected.ask(now, watch, ECC, || errors(MemoryError::Corrected))
            }
            Turn::Uncorrected => {
                self.turn = Turn::Rows;
                self.ecc_uncorrected.ask(now, watch, ECC, || errors(MemoryError::Uncorrected))
            }
            Turn::Rows => {
                self.turn = Turn::Recovery;
                self.remapped_rows
                    .ask(now, watch, "nvmlDeviceGetRemappedRows", || Ok(Some(raw::remapped_rows(device)?)))
            }
            Turn::Recovery => {
                self.turn = Turn::Mig;
                self.recovery_action.ask(now, watch, "nvmlDeviceGetFieldValues (recovery)", || {
                    let asked = FieldOf { id: NVML_FI_DEV_GET_GPU_RECOVERY_ACTION, scope: 0 };
                    let [answer] = raw::fields(device, [asked])?;
                    Ok(Some(action(answer?)))
                })
            }
            Turn::Mig => {
                self.turn = Turn::Processes;
                self.mig.ask(now, watch, "nvmlDeviceGetMigMode", || {
                    Ok(Some(device.mig_mode()?.current == NVML_DEVICE_MIG_ENABLE))
                })
            }
            Turn::Processes => {
                self.turn = Turn::PerformanceState;
                self.processes.ask(now, watch, "nvmlDeviceGetComputeRunningProcesses", || {
                    Ok(Some(device.running_compute_processes_count()?))
                })
            }
            Turn::PerformanceState => {
                self.turn = Turn::Persistence;
                self.performance_state.ask(now, watch, "nvmlDeviceGetPerformanceState", || {
                    Ok(Some(device.performance_state()?.as_c()))
                })
            }
        }
    }

    /// Fills in what is known.
    pub(super) fn show(&self, sample: &mut GpuSample, now: Millis) {
        sample.performance_state = self.performance_state.field(now);
        sample.ecc_corrected = self.ecc_corrected.field(now);
        sample.ecc_uncorrected = self.ecc_uncorrected.field(now);
        sample.remapped_rows = self.remapped_rows.field(now);
        sample.recovery_action = self.recovery_action.field(now);
        sample.persistence = self.persistence.field(now);
        sample.mig = self.mig.field(now);
        sample.processes = self.processes.field(now);
    }
}

#[expect(non_upper_case_globals, reason = "names of the C header")]
fn action(raw: i64) -> RecoveryAction {
    let Ok(raw) = u32::try_from(raw) else { return RecoveryAction::Other };
    match raw {
        nvmlDeviceGpuRecoveryAction_s_NVML_GPU_RECOVERY_ACTION_NONE => RecoveryAction::None,
        nvmlDeviceGpuRecoveryAction_s_NVML_GPU_RECOVERY_ACTION_GPU_RESET => RecoveryAction::Reset,
        nvmlDeviceGpuRecoveryAction_s_NVML_GPU_RECOVERY_ACTION_NODE_REBOOT => RecoveryAction::Reboot,
        nvmlDeviceGpuRecoveryAction_s_NVML_GPU_RECOVERY_ACTION_DRAIN_P2P => RecoveryAction::DrainPeers,
        nvmlDeviceGpuRecoveryAction_s_NVML_GPU_RECOVERY_ACTION_DRAIN_AND_RESET => {
            RecoveryAction::DrainAndReset
        }
        _ => RecoveryAction::Other,
    }
}
