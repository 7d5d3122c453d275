"""NVIDIA boards through NVML, in SI units.

Everything here is read without privileges, and nothing is ever set.

Source: NVML API reference (power in mW, energy in mJ since the driver was loaded, violation times
in ns; which boards answer what with which mean: nvmlDeviceGetPowerUsage).
"""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any, Literal, Self

import pynvml

from sweetspot.errors import MeterError
from sweetspot.metering.samples import Look
from sweetspot.metering.visible import allowed

_FIELDS = {
    pynvml.NVML_FI_DEV_POWER_INSTANT: "power_instant_w",
    pynvml.NVML_FI_DEV_POWER_AVERAGE: "power_average_w",
    pynvml.NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION: "counter_j",
    pynvml.NVML_FI_DEV_PERF_POLICY_POWER: "power_violation_s",
    pynvml.NVML_FI_DEV_PERF_POLICY_THERMAL: "thermal_violation_s",
    pynvml.NVML_FI_DEV_MEMORY_TEMP: "memory_temperature_c",
}
_NEEDED = tuple(_FIELDS)[:3]
_EVERY_LOOK = (pynvml.NVML_FI_DEV_POWER_INSTANT, pynvml.NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION)

What = Literal["power", "usage", "all"]

# nvmlDeviceGetPowerUsage is instantaneous up to GA100, and a mean over 1 s on all later boards.
_GA100 = (8, 0)  # compute capability

# The board lacks the value, its driver is older than the question, it is not for everybody, or what
# stands between us and the driver (a sandbox) does not pass it on.
_ABSENT = (
    pynvml.NVML_ERROR_NOT_SUPPORTED,
    pynvml.NVML_ERROR_FUNCTION_NOT_FOUND,
    pynvml.NVML_ERROR_NO_PERMISSION,
    pynvml.NVML_ERROR_NO_DATA,
    pynvml.NVML_ERROR_UNKNOWN,
)
_ABSENT_FIELD = (*_ABSENT, pynvml.NVML_ERROR_INVALID_ARGUMENT)  # a field id the driver doesn't know

_MEMBERS = {
    pynvml.NVML_VALUE_TYPE_DOUBLE: "dVal",
    pynvml.NVML_VALUE_TYPE_UNSIGNED_INT: "uiVal",
    pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG: "ulVal",
    pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG: "ullVal",
    pynvml.NVML_VALUE_TYPE_SIGNED_LONG_LONG: "sllVal",
    pynvml.NVML_VALUE_TYPE_SIGNED_INT: "siVal",
    pynvml.NVML_VALUE_TYPE_UNSIGNED_SHORT: "usVal",
}


def allowed_boards(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the GPUs that a job with this environment may use: name by UUID, preferred first.

    Raises:
        MeterError: there is no NVML, no driver or no such GPU, or only a slice of one.
    """
    _start()
    try:
        with _translated("list the GPUs"):
            names = _names()
    finally:
        _shut_down()
    return {uuid: names[uuid] for uuid in allowed(environment, list(names))}


def visible_gpus(environment: Mapping[str, str] = os.environ) -> int:
    """Return how many GPUs a job with this environment may use; 0 where none can be found.

    It is profiles/gpu-node that asks.
    """
    try:
        return len(allowed_boards(environment))
    except MeterError:
        return 0


def _names() -> dict[str, str]:
    """Return the names of all boards by UUID, in NVML's order."""
    names = {}
    for index in range(pynvml.nvmlDeviceGetCount()):
        try:
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        except pynvml.NVMLError as error:
            if error.value != pynvml.NVML_ERROR_NO_PERMISSION:  # another job's, hidden from us
                raise
        else:
            uuid = str(pynvml.nvmlDeviceGetUUID(handle))
            names[uuid] = str(pynvml.nvmlDeviceGetName(handle))
    return names


class Board:
    """One GPU. What a board does not offer is None or NaN.

    Attributes:
        earlier_pids: processes that computed on it when it was opened.
        field_reads: by field id, how often it was read.
    """

    def __init__(self, uuid: str) -> None:
        """Open the board with this UUID.

        Raises:
            MeterError: there is no NVML, no driver or no such GPU.
        """
        _start()
        try:
            with _translated(f"find GPU {uuid}"):
                self._handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
            self._uuid = uuid
            capability = self._optional(pynvml.nvmlDeviceGetCudaComputeCapability)
            self._usage_is_instant = capability is not None and capability <= _GA100
            self._mean_only = False  # until the first look shows it
            self._latency_us = dict.fromkeys(_FIELDS, 0.0)
            self.field_reads = dict.fromkeys(_FIELDS, 0)
            self.earlier_pids = frozenset(self.compute_pids())
        except BaseException:
            _shut_down()
            raise

    def close(self) -> None:
        """Let go of NVML."""
        _shut_down()

    def __enter__(self) -> Self:
        """Return the board itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the board."""
        self.close()

    def name(self) -> str:
        """Return the product name, e.g. "NVIDIA H100 80GB HBM3"."""
        with _translated("read the GPU's name"):
            return str(pynvml.nvmlDeviceGetName(self._handle))

    def uuid(self) -> str:
        """Return the id that no other board has."""
        return self._uuid

    def facts(self) -> dict[str, str]:
        """Return what a record says of its board and of how it is set; "" where it is unknown."""
        with _translated("read the driver's version"):
            driver = str(pynvml.nvmlSystemGetDriverVersion())
        ecc = self._optional(pynvml.nvmlDeviceGetEccMode)
        limit_mw = self._optional(pynvml.nvmlDeviceGetEnforcedPowerLimit)
        default_mw = self._optional(pynvml.nvmlDeviceGetPowerManagementDefaultLimit)
        application_mhz = pynvml.nvmlDeviceGetApplicationsClock
        numbers = {
            "power_limit_w": _scaled(limit_mw, 1e-3),
            "power_limit_default_w": _scaled(default_mw, 1e-3),
            "max_sm_mhz": self.max_sm_mhz(),
            "application_graphics_mhz": self._optional(application_mhz, pynvml.NVML_CLOCK_GRAPHICS),
            "application_memory_mhz": self._optional(application_mhz, pynvml.NVML_CLOCK_MEM),
            "persistence_mode": self._optional(pynvml.nvmlDeviceGetPersistenceMode),
            "ecc_mode": None if ecc is None else ecc[0],
            "mig_mode": self.mig(),
        }
        return {
            "gpu_name": self.name(),
            "gpu_uuid": self._uuid,
            "driver": driver,
            "vbios": str(self._optional(pynvml.nvmlDeviceGetVbiosVersion) or ""),
        } | {name: _text(value) for name, value in numbers.items()}

    def max_sm_mhz(self) -> float | None:
        """Return the highest clock of the streaming multiprocessors."""
        mhz = self._optional(pynvml.nvmlDeviceGetMaxClockInfo, pynvml.NVML_CLOCK_SM)
        return float(mhz) if mhz else None

    def mig(self) -> bool | None:
        """Return whether the board is partitioned now; None where it cannot be."""
        modes = self._optional(pynvml.nvmlDeviceGetMigMode)
        return None if modes is None else modes[0] == pynvml.NVML_DEVICE_MIG_ENABLE

    def compute_pids(self) -> list[int]:
        """Return the processes that hold memory of the board, as far as we may know them.

        One with none computes nothing: in a container its number may be another's by chance. One
        whose memory the driver does not say counts.
        """
        processes = self._optional(pynvml.nvmlDeviceGetComputeRunningProcesses)
        return [each.pid for each in processes or () if each.usedGpuMemory != 0]

    def look(self, what: What = "all") -> Look:
        """Read the board: power and energy first and close together, as their time is noted.

        Some readings cost a millisecond, so not all are of each look; what was not read is NaN.

        Args:
            what: `power`: instantaneous power and counter, and what gates ask of every sample:
                temperature, event reasons, SM clock; `usage`: nvmlDeviceGetPowerUsage, too; `all`.
                A board without instantaneous power is always asked for its mean.

        Raises:
            MeterError: power or the energy counter failed. What else fails is NaN.
        """
        mean_only = self._mean_only
        before_s = monotonic()
        asked = tuple(_FIELDS) if what == "all" else _NEEDED if mean_only else _EVERY_LOOK
        found = dict.fromkeys(_FIELDS, math.nan) | self._read_fields(asked)
        instant_mw, average_mw, counter_mj, power_ns, thermal_ns, memory_c = found.values()
        usage_mw = math.nan
        if what != "power" or mean_only or self._usage_is_instant:
            usage_mw = self._energetic("power", pynvml.nvmlDeviceGetPowerUsage)
        if math.isnan(counter_mj):
            counter_mj = self._energetic(
                "the energy counter", pynvml.nvmlDeviceGetTotalEnergyConsumption
            )
        after_s = monotonic()
        if self._usage_is_instant:
            instant_mw = usage_mw if math.isnan(instant_mw) else instant_mw
        else:
            average_mw = usage_mw if math.isnan(average_mw) else average_mw
        if what == "all":
            self._mean_only = math.isnan(instant_mw)
        utilisation = graphics_mhz = memory_mhz = None
        if what == "all":
            utilisation = self._optional(pynvml.nvmlDeviceGetUtilizationRates)
            graphics_mhz = self._clock_mhz(pynvml.NVML_CLOCK_GRAPHICS)
            memory_mhz = self._clock_mhz(pynvml.NVML_CLOCK_MEM)
        temperature_c = self._optional(pynvml.nvmlDeviceGetTemperature, pynvml.NVML_TEMPERATURE_GPU)
        return Look(
            t_s=(before_s + after_s) / 2,
            look_s=after_s - before_s,
            power_instant_w=instant_mw * 1e-3,
            power_average_w=average_mw * 1e-3,
            power_usage_w=usage_mw * 1e-3,
            counter_j=counter_mj * 1e-3,
            graphics_mhz=_scaled(graphics_mhz),
            sm_mhz=self._clock_mhz(pynvml.NVML_CLOCK_SM),
            memory_mhz=_scaled(memory_mhz),
            temperature_c=_scaled(temperature_c),
            memory_temperature_c=memory_c,
            utilisation=_scaled(utilisation and utilisation.gpu, 1e-2),
            event_reasons=_scaled(self._event_reasons()),
            power_violation_s=power_ns * 1e-9,
            thermal_violation_s=thermal_ns * 1e-9,
            utc_s=math.nan,
            host_counter_j=math.nan,
        )

    def latencies_us(self) -> dict[str, float]:
        """Return how long the driver took for each field, on average so far, in microseconds.

        Only of those for which it says so.
        """
        return {
            _FIELDS[field]: total / self.field_reads[field]
            for field, total in self._latency_us.items()
            if total > 0
        }

    def _read_fields(self, ids: Sequence[int]) -> dict[int, float]:
        """Return several field values by one call; NaN for those that the board lacks.

        Raises:
            MeterError: one that is needed failed in any other way.
        """
        answers = _read("field values", pynvml.nvmlDeviceGetFieldValues, self._handle, list(ids))
        if answers is None:
            return {}
        values = {}
        for each, answer in zip(ids, answers, strict=True):
            self._latency_us[each] += answer.latencyUsec
            self.field_reads[each] += 1
            values[each] = _value(each, answer)
        return values

    def _energetic(self, what: str, call: Any) -> float:
        return _scaled(_read(what, call, self._handle))

    def _optional(self, call: Any, *arguments: int) -> Any:
        return _optional(call, self._handle, *arguments)

    def _clock_mhz(self, clock: int) -> float:
        # a clock of 0 is one that NVML does not know
        return _scaled(self._optional(pynvml.nvmlDeviceGetClockInfo, clock) or None)

    def _event_reasons(self) -> Any:
        reasons = self._optional(pynvml.nvmlDeviceGetCurrentClocksEventReasons)
        if reasons is None:  # the name that drivers before 535 know
            reasons = self._optional(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons)
        return reasons


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Turn NVML's errors into ours."""
    try:
        yield
    except pynvml.NVMLError as error:
        raise MeterError(f"NVML cannot {what}: {error}") from error


def _start() -> None:
    """Open NVML, which counts how often; raises MeterError without a library or a driver."""
    with _translated("start"):
        pynvml.nvmlInit()


def _shut_down() -> None:
    """Let go of NVML; a lost driver at this point costs nothing."""
    try:
        pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return


def _read(what: str, call: Callable[..., Any], *arguments: Any) -> Any:
    """Return an answer, None where the board has none.

    Raises:
        MeterError: it failed in any other way.
    """
    with _translated(f"read {what}"):
        try:
            return call(*arguments)
        except pynvml.NVMLError as error:
            if error.value in _ABSENT:
                return None
            raise


def _optional(call: Callable[..., Any], *arguments: Any) -> Any:
    """Return an answer that no energy depends on, None where it fails in whatever way."""
    try:
        return call(*arguments)
    except pynvml.NVMLError:
        return None


def _value(field: int, answer: Any) -> float:
    """Return the value of a field; NaN where the board lacks it.

    Raises:
        MeterError: it is needed, and failed in any other way.
    """
    if answer.nvmlReturn == pynvml.NVML_SUCCESS:
        return float(getattr(answer.value, _MEMBERS[answer.valueType]))
    if field in _NEEDED and answer.nvmlReturn not in _ABSENT_FIELD:
        raise MeterError(f"NVML cannot read field {field}: {pynvml.NVMLError(answer.nvmlReturn)}")
    return math.nan


def _scaled(value: float | None, factor: float = 1.0) -> float:
    return math.nan if value is None else value * factor


def _text(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:g}"
