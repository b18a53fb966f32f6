//! Every reading that the agent takes, and a few that tell what may go wrong with it. A line a call.

use nvml_wrapper_sys::bindings as nvml;

use super::raw::{Handle, Told, text, version};
use super::report::Value;

/// One call with its argument.
pub(super) struct Getter {
    /// The driver's name.
    pub(super) name: &'static str,
    /// What it is asked for, where it can be asked for several things.
    pub(super) of: &'static str,
    /// Makes the call.
    pub(super) call: fn(&Handle) -> Told<Value>,
}

/// Core temperature, the new call.
pub(super) const TEMPERATURE_V: &str = "nvmlDeviceGetTemperatureV";
/// Core temperature, the old call.
pub(super) const TEMPERATURE: &str = "nvmlDeviceGetTemperature";
/// Distance to the slowdown.
pub(super) const MARGIN: &str = "nvmlDeviceGetMarginTemperature";
/// Power, a mean over a second on newer parts.
pub(super) const POWER: &str = "nvmlDeviceGetPowerUsage";
/// Energy since the driver was loaded.
pub(super) const ENERGY: &str = "nvmlDeviceGetTotalEnergyConsumption";

macro_rules! getters {
    ($($name:ident $($of:literal)? |$gpu:ident, $symbol:ident| $call:expr;)+) => {
        /// All of them.
        pub(super) const GETTERS: &[Getter] = &[$(Getter {
            name: stringify!($name),
            of: concat!($($of)?),
            call: |$gpu| {
                let $symbol = &$gpu.lib().$name;
                $call.map(Value::from)
            },
        }),+];
    };
}

getters! {
    // Who it is
    nvmlDeviceGetUUID |gpu, call| gpu.text(call);
    nvmlDeviceGetName |gpu, call| gpu.text(call);
    nvmlDeviceGetSerial |gpu, call| gpu.text(call);
    nvmlDeviceGetVbiosVersion |gpu, call| gpu.text(call);
    nvmlDeviceGetIndex |gpu, call| gpu.get(call, 0);
    nvmlDeviceGetMinorNumber |gpu, call| gpu.get(call, 0);
    nvmlDeviceGetModuleId |gpu, call| gpu.get(call, 0);
    nvmlDeviceGetArchitecture |gpu, call| gpu.get(call, 0);
    nvmlDeviceGetBrand |gpu, call| gpu.get(call, 0);
    nvmlDeviceGetPciInfo_v3 |gpu, call| gpu.get(call, NO_ADDRESS).map(|pci| text(&pci.busId));
    // Temperatures
    nvmlDeviceGetTemperature "core" |gpu, call| gpu.get_of(call, nvml::nvmlTemperatureSensors_enum_NVML_TEMPERATURE_GPU, 0);
    nvmlDeviceGetTemperatureV "core" |gpu, call| gpu.get(call, core_sensor()).map(|told| told.temperature);
    nvmlDeviceGetMarginTemperature |gpu, call| gpu.get(call, no_margin()).map(|told| told.marginTemperature);
    nvmlDeviceGetTemperatureThreshold "shutdown" |gpu, call| gpu.get_of(call, nvml::nvmlTemperatureThresholds_enum_NVML_TEMPERATURE_THRESHOLD_SHUTDOWN, 0);
    nvmlDeviceGetTemperatureThreshold "slowdown" |gpu, call| gpu.get_of(call, nvml::nvmlTemperatureThresholds_enum_NVML_TEMPERATURE_THRESHOLD_SLOWDOWN, 0);
    nvmlDeviceGetTemperatureThreshold "memory max" |gpu, call| gpu.get_of(call, nvml::nvmlTemperatureThresholds_enum_NVML_TEMPERATURE_THRESHOLD_MEM_MAX, 0);
    nvmlDeviceGetTemperatureThreshold "core max" |gpu, call| gpu.get_of(call, nvml::nvmlTemperatureThresholds_enum_NVML_TEMPERATURE_THRESHOLD_GPU_MAX, 0);
    // Power and energy, mW and mJ
    nvmlDeviceGetPowerUsage |gpu, call| gpu.get(call, 0);
    nvmlDeviceGetTotalEnergyConsumption |gpu, call| gpu.get(call, 0);
    nvmlDeviceGetPowerManagementLimit |gpu, call| gpu.get(call, 0);
    nvmlDeviceGetPowerManagementDefaultLimit |gpu, call| gpu.get(call, 0);
    nvmlDeviceGetPowerManagementLimitConstraints |gpu, call| gpu.pair(call);
    nvmlDeviceGetEnforcedPowerLimit |gpu, call| gpu.get(call, 0);
    // Clocks, MHz
    nvmlDeviceGetClockInfo "SM" |gpu, call| gpu.get_of(call, nvml::nvmlClockType_enum_NVML_CLOCK_SM, 0);
    nvmlDeviceGetClockInfo "memory" |gpu, call| gpu.get_of(call, nvml::nvmlClockType_enum_NVML_CLOCK_MEM, 0);
    nvmlDeviceGetMaxClockInfo "SM" |gpu, call| gpu.get_of(call, nvml::nvmlClockType_enum_NVML_CLOCK_SM, 0);
    nvmlDeviceGetSupportedMemoryClocks |gpu, _call| gpu.memory_clocks();
    nvmlDeviceGetSupportedGraphicsClocks "lowest, highest" |gpu, _call| graphics_clocks(gpu);
    // What it does and why
    nvmlDeviceGetUtilizationRates "core, memory" |gpu, call| gpu.get(call, nvml::nvmlUtilization_t { gpu: 0, memory: 0 }).map(|rates| [rates.gpu, rates.memory]);
    nvmlDeviceGetPerformanceState |gpu, call| gpu.get(call, 0);
    nvmlDeviceGetCurrentClocksEventReasons |gpu, call| gpu.get(call, 0);
    nvmlDeviceGetCurrentClocksThrottleReasons |gpu, call| gpu.get(call, 0);
    nvmlDeviceGetSupportedClocksEventReasons |gpu, call| gpu.get(call, 0);
    nvmlDeviceGetSupportedClocksThrottleReasons |gpu, call| gpu.get(call, 0);
    nvmlDeviceGetSupportedEventTypes |gpu, call| gpu.get(call, 0);
    // Modes and health
    nvmlDeviceGetPersistenceMode |gpu, call| gpu.get(call, 0);
    nvmlDeviceGetMigMode "now, pending" |gpu, call| gpu.pair(call);
    nvmlDeviceGetEccMode "now, pending" |gpu, call| gpu.pair(call);
    nvmlDeviceGetTotalEccErrors "uncorrected since boot" |gpu, call| gpu.get_of2(call, (nvml::nvmlMemoryErrorType_enum_NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml::nvmlEccCounterType_enum_NVML_VOLATILE_ECC), 0);
    nvmlDeviceGetTotalEccErrors "uncorrected ever" |gpu, call| gpu.get_of2(call, (nvml::nvmlMemoryErrorType_enum_NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml::nvmlEccCounterType_enum_NVML_AGGREGATE_ECC), 0);
    nvmlDeviceGetRemappedRows "corrected, uncorrected, pending, failed" |gpu, _call| gpu.remapped_rows();
    nvmlDeviceGetRetiredPagesPendingStatus |gpu, call| gpu.get(call, 0);
    nvmlDeviceGetRepairStatus "channel, TPC pending" |gpu, call| gpu.get(call, no_repair()).map(|told| [told.bChannelRepairPending, told.bTpcRepairPending]);
    nvmlDeviceGetGpuFabricInfoV "state, status, health" |gpu, call| gpu.get(call, no_fabric()).map(|told| [told.state.into(), told.status, told.healthMask]);
    nvmlDeviceGetMemoryInfo_v2 "total, used" |gpu, call| gpu.get(call, no_memory()).map(|told| [told.total, told.used]);
}

/// Functions that the agent uses or could use, besides those above: newer variants of the same.
pub(super) const MORE_SYMBOLS: &[&str] = &[
    "nvmlInit_v2",
    "nvmlInitWithFlags",
    "nvmlShutdown",
    "nvmlErrorString",
    "nvmlSystemGetDriverVersion",
    "nvmlSystemGetNVMLVersion",
    "nvmlSystemGetCudaDriverVersion_v2",
    "nvmlSystemGetDriverBranch",
    "nvmlDeviceGetCount_v2",
    "nvmlDeviceGetHandleByIndex_v2",
    "nvmlDeviceGetHandleByUUID",
    "nvmlDeviceGetHandleByUUIDV",
    "nvmlDeviceGetFieldValues",
    "nvmlDeviceGetThermalSettings",
    "nvmlDeviceGetViolationStatus",
    "nvmlDeviceGetSramEccErrorStatus",
    "nvmlDeviceGetRowRemapperHistogram",
    "nvmlDeviceGetPlatformInfo",
    "nvmlDeviceGetAddressingMode",
    "nvmlDeviceGetC2cModeInfoV",
    "nvmlDeviceGetGpuFabricInfo",
    "nvmlDeviceGetGpuInstanceProfileInfoV",
    "nvmlDeviceGetGspFirmwareMode",
    "nvmlDeviceGetCurrentClockFreqs",
    "nvmlDeviceGetPerformanceModes",
    "nvmlDeviceGetPowerMizerMode_v1",
    "nvmlDeviceGetComputeRunningProcesses_v3",
    "nvmlDeviceWorkloadPowerProfileGetProfilesInfo",
    "nvmlDeviceWorkloadPowerProfileGetCurrentProfiles",
    "nvmlDeviceRegisterEvents",
    "nvmlEventSetCreate",
    "nvmlEventSetWait_v2",
    "nvmlEventSetFree",
    "nvmlGpmQueryDeviceSupport",
    "nvmlGpmMetricsGet",
];

/// Lowest and highest graphics clock at the fastest memory clock.
fn graphics_clocks(gpu: &Handle) -> Told<Vec<u32>> {
    let fastest = gpu.memory_clocks()?.into_iter().max().unwrap_or(0);
    let clocks = gpu.graphics_clocks(fastest)?;
    Ok(clocks.iter().min().into_iter().chain(clocks.iter().max()).copied().collect())
}

const NO_ADDRESS: nvml::nvmlPciInfo_t = nvml::nvmlPciInfo_t {
    busIdLegacy: [0; 16],
    domain: 0,
    bus: 0,
    device: 0,
    pciDeviceId: 0,
    pciSubSystemId: 0,
    busId: [0; 32],
};

fn core_sensor() -> nvml::nvmlTemperature_v1_t {
    nvml::nvmlTemperature_v1_t {
        version: version::<nvml::nvmlTemperature_v1_t>(1),
        sensorType: nvml::nvmlTemperatureSensors_enum_NVML_TEMPERATURE_GPU,
        temperature: 0,
    }
}

fn no_margin() -> nvml::nvmlMarginTemperature_v1_t {
    nvml::nvmlMarginTemperature_v1_t {
        version: version::<nvml::nvmlMarginTemperature_v1_t>(1),
        marginTemperature: 0,
    }
}

fn no_repair() -> nvml::nvmlRepairStatus_v1_t {
    nvml::nvmlRepairStatus_v1_t {
        version: version::<nvml::nvmlRepairStatus_v1_t>(1),
        bChannelRepairPending: 0,
        bTpcRepairPending: 0,
    }
}

fn no_fabric() -> nvml::nvmlGpuFabricInfo_v3_t {
    nvml::nvmlGpuFabricInfo_v3_t {
        version: version::<nvml::nvmlGpuFabricInfo_v3_t>(3),
        clusterUuid: [0; 16],
        status: 0,
        cliqueId: 0,
        state: 0,
        healthMask: 0,
        healthSummary: 0,
    }
}

fn no_memory() -> nvml::nvmlMemory_v2_t {
    nvml::nvmlMemory_v2_t {
        version: version::<nvml::nvmlMemory_v2_t>(2),
        total: 0,
        reserved: 0,
        free: 0,
        used: 0,
    }
}
