"""NVIDIA boards through NVML, in SI units and with its errors translated.

Source: NVML API reference (power in mW, energy in mJ since the driver was loaded).
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import pynvml

from sweetspot.errors import MeterError

# The board lacks the value, or its driver is older than the question.
_ABSENT = (pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
_ABSENT_FIELD = (*_ABSENT, pynvml.NVML_ERROR_INVALID_ARGUMENT)  # a field id the driver doesn't know


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Turn NVML's errors into ours, in this one place."""
    try:
        yield
    except pynvml.NVMLError as error:
        raise MeterError(f"NVML cannot {what}: {error}") from error


class Board:
    """One GPU; values that a board does not offer are None, any other failure is a MeterError."""

    def __init__(self, handle: Any) -> None:
        """Wrap a handle; Board.open finds the right one."""
        self._handle = handle

    @classmethod
    def open(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Open the GPU that a CUDA program in `environment` takes first.

        NVML itself ignores CUDA_VISIBLE_DEVICES. Its indexes are in PCI order, which is CUDA's
        order too wherever the node's GPUs are alike or CUDA_DEVICE_ORDER=PCI_BUS_ID is set.

        Raises:
            MeterError: there is no NVML, no driver or no such GPU, or only a slice of one (MIG),
                whose power no board reports.
        """
        visible = environment.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
        with _translated("start"):
            pynvml.nvmlInit()
        try:
            if visible.startswith("MIG-"):
                raise MeterError(
                    f"CUDA_VISIBLE_DEVICES names a MIG slice ({visible}); power is known only for"
                    " whole GPUs: ask for one"
                )
            with _translated(f"find GPU {visible!r} (from CUDA_VISIBLE_DEVICES, else 0)"):
                if visible.isdecimal():
                    return cls(pynvml.nvmlDeviceGetHandleByIndex(int(visible)))
                return cls(pynvml.nvmlDeviceGetHandleByUUID(visible))
        except BaseException:
            pynvml.nvmlShutdown()
            raise

    def close(self) -> None:
        """Let go of NVML; a lost driver at this point costs nothing."""
        try:
            pynvml.nvmlShutdown()
        except pynvml.NVMLError:
            return

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
        """Return what tells this board from all others."""
        with _translated("read the GPU's UUID"):
            return str(pynvml.nvmlDeviceGetUUID(self._handle))

    def facts(self) -> dict[str, str]:
        """Return what a record says of its board: name, UUID, driver and power limit."""
        with _translated("read the driver's version"):
            driver = str(pynvml.nvmlSystemGetDriverVersion())
        milliwatts = self._read("the power limit", pynvml.nvmlDeviceGetEnforcedPowerLimit)
        limit = "" if milliwatts is None else f"{milliwatts / 1e3:g}"
        return {
            "gpu_name": self.name(),
            "gpu_uuid": self.uuid(),
            "driver": driver,
            "power_limit_w": limit,
        }

    def power_usage_w(self) -> float | None:
        """Return "power usage": a mean over 1 s on Hopper and most others, instantaneous on A100.

        Source: NVML API reference, nvmlDeviceGetPowerUsage.
        """
        milliwatts = self._read("power", pynvml.nvmlDeviceGetPowerUsage)
        return None if milliwatts is None else milliwatts / 1e3

    def power_instant_w(self) -> float | None:
        """Return the instantaneous power; None on boards or drivers that have only the mean.

        Raises:
            MeterError: the reading failed.

        Source: NVML API reference, NVML_FI_DEV_POWER_INSTANT.
        """
        fields = [pynvml.NVML_FI_DEV_POWER_INSTANT]
        values = self._read(
            "instantaneous power", lambda gpu: pynvml.nvmlDeviceGetFieldValues(gpu, fields)
        )
        if values is None or values[0].nvmlReturn in _ABSENT_FIELD:
            return None
        if values[0].nvmlReturn != pynvml.NVML_SUCCESS:
            reason = pynvml.NVMLError(values[0].nvmlReturn)
            raise MeterError(f"NVML cannot read instantaneous power: {reason}")
        return float(values[0].value.uiVal) / 1e3

    def energy_j(self) -> float | None:
        """Return the energy counter, in J since the driver was loaded; None before Volta."""
        millijoules = self._read("the energy counter", pynvml.nvmlDeviceGetTotalEnergyConsumption)
        return None if millijoules is None else millijoules / 1e3

    def _read(self, what: str, read: Callable[[Any], Any]) -> Any:
        with _translated(f"read {what}"):
            try:
                return read(self._handle)
            except pynvml.NVMLError as error:
                if error.value in _ABSENT:
                    return None
                raise
