"""Samples every GPU with NVIDIA's own Python bindings, as often as it is told: a peer to measure against.

    nvml_sampler.py LIBRARY PERIOD_MS BATCHES

Reads what `eisbach-agent gpu` reads in a batch, each reading with a call of its own, and one seldom reading in turn.
One line of JSON at the end, in microseconds: the median time of one GPU's readings and of all GPUs', and the processor
time of everything together.
"""

import ctypes
import json
import statistics
import sys
import time

import pynvml as nvml


def field(gpu, number):
    return nvml.nvmlDeviceGetFieldValues(gpu, [number])


OFTEN = [
    lambda gpu: field(gpu, nvml.NVML_FI_DEV_MEMORY_TEMP),
    nvml.nvmlDeviceGetTotalEnergyConsumption,
    lambda gpu: field(gpu, nvml.NVML_FI_DEV_POWER_AVERAGE),
    lambda gpu: field(gpu, nvml.NVML_FI_DEV_POWER_INSTANT),
    nvml.nvmlDeviceGetEnforcedPowerLimit,
    nvml.nvmlDeviceGetPowerManagementLimit,
    lambda gpu: nvml.nvmlDeviceGetTemperatureV(gpu, nvml.NVML_TEMPERATURE_GPU),
    nvml.nvmlDeviceGetMarginTemperature,
    lambda gpu: nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_SM),
    nvml.nvmlDeviceGetUtilizationRates,
    nvml.nvmlDeviceGetCurrentClocksEventReasons,
]
SELDOM = [
    nvml.nvmlDeviceGetPersistenceMode,
    lambda gpu: nvml.nvmlDeviceGetTotalEccErrors(gpu, nvml.NVML_MEMORY_ERROR_TYPE_CORRECTED, nvml.NVML_VOLATILE_ECC),
    lambda gpu: nvml.nvmlDeviceGetTotalEccErrors(gpu, nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC),
    nvml.nvmlDeviceGetRemappedRows,
    lambda gpu: field(gpu, nvml.NVML_FI_DEV_GET_GPU_RECOVERY_ACTION),
    nvml.nvmlDeviceGetMigMode,
    nvml.nvmlDeviceGetComputeRunningProcesses,
    nvml.nvmlDeviceGetPerformanceState,
]


def read(call, gpu):
    """What a GPU does not have, it says so; the call is made all the same."""
    try:
        call(gpu)
    except nvml.NVMLError as error:
        if error.value != nvml.NVML_ERROR_NOT_SUPPORTED:
            raise


def main(library, period_ms, batches):
    nvml.nvmlLib = ctypes.CDLL(library)
    nvml.nvmlInit()
    gpus = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    one, all_of_them = [], []
    used, due = time.process_time_ns(), time.monotonic()
    for batch in range(batches):
        began = time.perf_counter_ns()
        for gpu in gpus:
            before = time.perf_counter_ns()
            for call in OFTEN:
                read(call, gpu)
            read(SELDOM[batch % len(SELDOM)], gpu)
            one.append(time.perf_counter_ns() - before)
        all_of_them.append(time.perf_counter_ns() - began)
        due += period_ms / 1000
        time.sleep(max(0, due - time.monotonic()))
    print(
        json.dumps(
            {
                "one_us": statistics.median(one) / 1000,
                "all_us": statistics.median(all_of_them) / 1000,
                "cpu_us": (time.process_time_ns() - used) / 1000,
                "calls": len(OFTEN) + 1,
            }
        )
    )


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
