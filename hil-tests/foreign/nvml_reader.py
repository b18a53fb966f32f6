"""Reads every GPU with NVIDIA's own Python bindings, which know nothing of the simulator.

    nvml_reader.py [LIBRARY]     LIBRARY instead of the system's libnvidia-ml.so.1

One line of JSON a GPU on standard output. A reading that the GPU does not have is null; one that fails is
{"error": NVML's number}. Where NVML itself fails, one line {"error": NVML's number, "words": its words}, and
the exit code is 1.
"""

import ctypes
import json
import math
import sys

import pynvml
from pynvml import NVML_TEMPERATURE_GPU, NVMLError


def read(getter, *arguments):
    """What NVML says, null for what there is not."""
    try:
        return getter(*arguments)
    except NVMLError as error:
        missing = (pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
        return None if error.value in missing else {"error": error.value}


def part(answer, name):
    """A member of a structure, or what came instead of one."""
    return getattr(answer, name, answer)


def field(gpu, number):
    """A field value in the type that NVML names; the T.Limit fields are signed."""
    answer = read(pynvml.nvmlDeviceGetFieldValues, gpu, [number])
    if not isinstance(answer, ctypes.Array):
        return answer
    [sample] = answer
    if sample.nvmlReturn == pynvml.NVML_ERROR_NOT_SUPPORTED:
        return None
    if sample.nvmlReturn != pynvml.NVML_SUCCESS:
        return {"error": sample.nvmlReturn}
    match sample.valueType:
        case pynvml.NVML_VALUE_TYPE_DOUBLE:
            # JSON has no NaN.
            return sample.value.dVal if math.isfinite(sample.value.dVal) else str(sample.value.dVal)
        case pynvml.NVML_VALUE_TYPE_SIGNED_INT:
            return sample.value.siVal
        case pynvml.NVML_VALUE_TYPE_UNSIGNED_INT:
            return sample.value.uiVal
        case _:
            return sample.value.ullVal


def look(gpu):
    limits = read(pynvml.nvmlDeviceGetPowerManagementLimitConstraints, gpu)
    utilisation = read(pynvml.nvmlDeviceGetUtilizationRates, gpu)
    memory = read(pynvml.nvmlDeviceGetMemoryInfo, gpu)
    processes = read(pynvml.nvmlDeviceGetComputeRunningProcesses, gpu)
    if isinstance(processes, list):
        processes = [process.pid for process in processes]

    def threshold(kind):
        return read(pynvml.nvmlDeviceGetTemperatureThreshold, gpu, kind)

    def errors(kind):
        return read(pynvml.nvmlDeviceGetTotalEccErrors, gpu, kind, pynvml.NVML_VOLATILE_ECC)

    return {
        "name": read(pynvml.nvmlDeviceGetName, gpu),
        "uuid": read(pynvml.nvmlDeviceGetUUID, gpu),
        "serial": read(pynvml.nvmlDeviceGetSerial, gpu),
        "pci": part(read(pynvml.nvmlDeviceGetPciInfo, gpu), "busId"),
        "compute_capability": read(pynvml.nvmlDeviceGetCudaComputeCapability, gpu),
        "temperature_celsius": read(pynvml.nvmlDeviceGetTemperatureV, gpu, NVML_TEMPERATURE_GPU),
        "margin_kelvin": read(pynvml.nvmlDeviceGetMarginTemperature, gpu),
        "memory_celsius": field(gpu, pynvml.NVML_FI_DEV_MEMORY_TEMP),
        "slowdown_celsius": threshold(pynvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN),
        "slowdown_tlimit": field(gpu, pynvml.NVML_FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT),
        "power_milliwatts": read(pynvml.nvmlDeviceGetPowerUsage, gpu),
        "power_instant_milliwatts": field(gpu, pynvml.NVML_FI_DEV_POWER_INSTANT),
        "energy_millijoules": read(pynvml.nvmlDeviceGetTotalEnergyConsumption, gpu),
        "limit_milliwatts": read(pynvml.nvmlDeviceGetPowerManagementLimit, gpu),
        "enforced_limit_milliwatts": read(pynvml.nvmlDeviceGetEnforcedPowerLimit, gpu),
        "limits_milliwatts": limits,
        "sm_clock_mhz": read(pynvml.nvmlDeviceGetClockInfo, gpu, pynvml.NVML_CLOCK_SM),
        "event_reasons": read(pynvml.nvmlDeviceGetCurrentClocksEventReasons, gpu),
        "utilisation_percent": part(utilisation, "gpu"),
        "memory_used_bytes": part(memory, "used"),
        "persistence": read(pynvml.nvmlDeviceGetPersistenceMode, gpu),
        "ecc_corrected": errors(pynvml.NVML_MEMORY_ERROR_TYPE_CORRECTED),
        "ecc_uncorrected": errors(pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED),
        "remapped_rows": read(pynvml.nvmlDeviceGetRemappedRows, gpu),
        "recovery_action": field(gpu, pynvml.NVML_FI_DEV_GET_GPU_RECOVERY_ACTION),
        "mig": read(pynvml.nvmlDeviceGetMigMode, gpu),
        "processes": processes,
    }


def main(words):
    if words:
        # The bindings take the library by its name only, unless they have one already.
        pynvml.nvmlLib = ctypes.CDLL(words[0])
    try:
        pynvml.nvmlInit()
        for index in range(pynvml.nvmlDeviceGetCount()):
            gpu = read(pynvml.nvmlDeviceGetHandleByIndex, index)
            found = gpu if isinstance(gpu, dict) else look(gpu)
            print(json.dumps({"index": index, **found}), flush=True)
        pynvml.nvmlShutdown()
    except NVMLError as error:
        print(json.dumps({"error": error.value, "words": str(error)}), flush=True)
        sys.exit(1)


main(sys.argv[1:])
