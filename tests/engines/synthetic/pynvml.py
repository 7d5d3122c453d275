"""Synthetic NVML: one H100 that draws 300 W, while its energy counter runs at 280 W."""

import time

NVML_SUCCESS = 0
NVML_ERROR_INVALID_ARGUMENT = 2
NVML_ERROR_NOT_SUPPORTED = 3
NVML_ERROR_FUNCTION_NOT_FOUND = 13
NVML_FI_DEV_POWER_INSTANT = 186


class NVMLError(Exception):
    pass


class _Value:
    uiVal = 300_000  # noqa: N815


class _Field:
    nvmlReturn = NVML_SUCCESS  # noqa: N815
    value = _Value()


def nvmlInit():
    pass


def nvmlShutdown():
    pass


def nvmlDeviceGetHandleByIndex(index):
    return index


def nvmlDeviceGetName(handle):
    return "NVIDIA H100 80GB HBM3"


def nvmlDeviceGetUUID(handle):
    return "GPU-synthetic"


def nvmlSystemGetDriverVersion():
    return "0.synthetic"


def nvmlDeviceGetEnforcedPowerLimit(handle):
    return 700_000


def nvmlDeviceGetPowerUsage(handle):
    return 300_000


def nvmlDeviceGetFieldValues(handle, fields):
    return [_Field()]


def nvmlDeviceGetTotalEnergyConsumption(handle):
    return int(280_000 * time.monotonic())
