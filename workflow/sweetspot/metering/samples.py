"""What a meter saw at each look at its board, channel by channel."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Generic, Literal, Self, TypeVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

Value = TypeVar("Value")

Power = Literal["power_instant_w", "power_average_w"]

MOST_APART_S: dict[Power, float] = {"power_instant_w": 1.0, "power_average_w": 1.5}
"""How far two readings of power may be apart; the mean is read once a second, more or less."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Channels(Generic[Value]):
    """All that is read of a board; NaN where it has no such reading, or was not asked for it.

    A meter asks for usage twice a second, for the average, graphics and memory clock, memory's
    temperature, utilisation and violations once, for all else at each look.

    Attributes:
        t_s: time of the look at power on the monotonic clock, in s: its middle.
        look_s: how long that look took; somewhere in this time the readings were made.
        power_instant_w: instantaneous board power.
        power_average_w: board power, a mean over the second before.
        power_usage_w: answer of nvmlDeviceGetPowerUsage: one of the two above, by architecture.
        counter_j: the board's energy counter, from an origin of its own.
        graphics_mhz, sm_mhz, memory_mhz: clocks.
        temperature_c, memory_temperature_c: temperatures of the GPU and of its memory.
        utilisation: share of time, 0 to 1, in which a kernel ran, over the board's own period.
        event_reasons: why clocks are not higher; NVML's bits (nvmlClocksEventReason...).
        power_violation_s, thermal_violation_s: time in which power or heat held the clocks down,
            counted from an origin of its own.
        utc_s: of the first look, when `t_s` was, in s since 1970; NaN of the others: a clock that
            is set in between must not tear the samples apart.
        host_counter_j: what the node's own energy counters have counted (`host`).
    """

    t_s: Value
    look_s: Value
    power_instant_w: Value
    power_average_w: Value
    power_usage_w: Value
    counter_j: Value
    graphics_mhz: Value
    sm_mhz: Value
    memory_mhz: Value
    temperature_c: Value
    memory_temperature_c: Value
    utilisation: Value
    event_reasons: Value
    power_violation_s: Value
    thermal_violation_s: Value
    utc_s: Value
    host_counter_j: Value


CHANNELS = tuple(field.name for field in fields(Channels))


class Look(Channels[float]):
    """One look."""

    __slots__ = ()

    def noted(self, **channels: float) -> Self:
        """Return it with what is known of that moment beside the board."""
        changed: dict[str, Any] = dict(channels)
        return replace(self, **changed)


def power_w(look: Look) -> float:
    """Return the best power of a look: the instantaneous, else the mean; NaN if there is none."""
    return look.power_average_w if math.isnan(look.power_instant_w) else look.power_instant_w


class Samples(Channels[FloatArray]):
    """All looks of a run; every channel is an (n,) array, n >= 2, times do not decrease."""

    __slots__ = ()

    @classmethod
    def of(cls, looks: Sequence[Look]) -> Self:
        """Return looks as columns."""
        return cls(
            **{
                name: np.array([getattr(look, name) for look in looks], dtype=np.float64)
                for name in CHANNELS
            }
        )

    def complete(self, channel: str) -> FloatArray | None:
        """Return a channel that every look has; None where one lacks it."""
        values: FloatArray = getattr(self, channel)
        return values if np.isfinite(values).all() else None

    def read(self, channel: str) -> tuple[FloatArray, FloatArray]:
        """Return the times of the looks that have a channel, and what it says there."""
        values: FloatArray = getattr(self, channel)
        has = np.isfinite(values)
        return self.t_s[has], values[has]

    def power(self) -> tuple[Power, FloatArray] | None:
        """Return the channel that is power over time, and what it says at all looks.

        Never one in part and the other in part, as they mean different things: the instantaneous
        power or else the mean, whichever every look has; or else whichever is only now and then
        missing, taken as straight in between. None where neither is.
        """
        for channel in MOST_APART_S:
            if (values := self.complete(channel)) is not None:
                return channel, values
        for channel, most_s in MOST_APART_S.items():
            values = getattr(self, channel)
            known = np.isfinite(values)
            t_s = self.t_s[known]
            if known[0] and known[-1] and float(np.diff(t_s).max()) <= most_s:
                return channel, np.interp(self.t_s, t_s, values[known])
        return None

    def with_power(self) -> BoolArray:
        """Return (n,): whether power was read at a look, and not taken as straight over it."""
        found = self.power()
        if found is None:
            return np.ones(self.t_s.size, dtype=np.bool_)
        values: FloatArray = getattr(self, found[0])
        return np.isfinite(values)

    def inside(self, channel: str, start_s: float, end_s: float) -> FloatArray:
        """Return what a channel has of the looks in [start_s, end_s]."""
        t_s, values = self.read(channel)
        return values[(t_s >= start_s) & (t_s <= end_s)]
