"""Board power over time, and the energy of a window of it."""

import gzip
import math
import zlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Protocol

import numpy as np

from sweetspot.errors import InputError
from sweetspot.files import write_bytes_atomic
from sweetspot.metering.samples import CHANNELS, FloatArray, Samples

POWER_ONLY = "t_s,power_w"
ALL_CHANNELS = ",".join((POWER_ONLY, *CHANNELS[1:]))
EARLIER = tuple(ALL_CHANNELS.partition(newer)[0] for newer in (",utc_s", ",host_counter_j"))
"""As earlier versions wrote it."""

MAX_SAMPLES = 2**21
"""Eleven hours of one every 20 ms; a few MB of a .gz could hold samples that fill the memory."""

MAX_LINE_BYTES = 4096


@dataclass(frozen=True, eq=False, slots=True)
class PowerTrace:
    """Power of one board, linear between samples; two samples at one time are a step.

    Attributes:
        t_s: (n,) time of each sample in s, non-decreasing, n >= 2; the origin is the meter's.
        power_w: (n,) board power in W, not negative.

    Raises:
        ValueError: the arrays do not fit that description.
    """

    t_s: FloatArray
    power_w: FloatArray

    def __post_init__(self) -> None:
        """Take read-only copies and check them, as nothing downstream checks again."""
        for name in ("t_s", "power_w"):
            values = np.array(getattr(self, name), dtype=np.float64)
            values.setflags(write=False)
            object.__setattr__(self, name, values)
        if self.t_s.ndim != 1 or self.t_s.shape != self.power_w.shape or self.t_s.size < 2:
            raise ValueError(
                "a power trace needs two or more samples, each a time and a power; got"
                f" {self.t_s.shape} times and {self.power_w.shape} powers"
            )
        if not (np.isfinite(self.t_s).all() and np.isfinite(self.power_w).all()):
            raise ValueError("a power trace must be finite")
        if (np.diff(self.t_s) < 0).any():
            raise ValueError("the times of a power trace must not decrease")
        if (self.power_w < 0).any():
            raise ValueError("the power of a power trace must not be negative")


def require_span(trace: PowerTrace, start_s: float, end_s: float) -> None:
    """Raise ValueError unless [start_s, end_s] is a window, longer than 0, inside the trace."""
    first_s, last_s = trace.t_s[0], trace.t_s[-1]
    if not first_s <= start_s < end_s <= last_s:
        raise ValueError(
            f"window [{start_s}, {end_s}] s is not inside the trace, [{first_s}, {last_s}] s"
        )


def window_energy_j(trace: PowerTrace, start_s: float, end_s: float) -> float:
    """Return the energy drawn in [start_s, end_s], in J: the exact integral of the trace.

    A step at an edge of the window counts with the side that lies inside.

    Raises:
        ValueError: the trace does not span the window; nothing is extrapolated.
    """
    t_s, power_w = trace.t_s, trace.power_w
    require_span(trace, start_s, end_s)
    # Samples strictly inside; searching from these sides leaves a step at an edge with its inner
    # value next to the window, and the segments that hold the edges are never of zero length.
    first = int(np.searchsorted(t_s, start_s, side="right"))
    last = int(np.searchsorted(t_s, end_s, side="left"))
    start_w, end_w = _interpolated(trace, first, start_s), _interpolated(trace, last, end_s)
    times = np.concatenate(([start_s], t_s[first:last], [end_s]))
    powers = np.concatenate(([start_w], power_w[first:last], [end_w]))
    return float(np.trapezoid(powers, times))


def cumulative_energy_j(t_s: FloatArray, power_w: FloatArray) -> FloatArray:
    """Return (n,): the energy from the first of n samples to each, in J.

    Args:
        t_s: (n,) times in s, non-decreasing.
        power_w: (n,) power in W, linear between samples.
    """
    between_j = np.diff(t_s) * (power_w[1:] + power_w[:-1]) / 2
    return np.concatenate(([0.0], np.cumsum(between_j)))


class _Metered(Protocol):
    """Readings of a meter, as far as they go into a file."""

    @property
    def trace(self) -> PowerTrace: ...

    @property
    def samples(self) -> Samples | None: ...


def write_trace(path: Path, readings: _Metered) -> None:
    """Write a trace's file.

    Raises:
        InputError: the file cannot be written.
    """
    write_bytes_atomic(path, trace_bytes(readings))


def trace_bytes(readings: _Metered) -> bytes:
    """Return a trace as gzip CSV, every number to its last bit; equal traces give equal files.

    The columns are `t_s,power_w` and, of a meter that has them, all other channels; a value that
    the board does not offer is empty.
    """
    trace, samples = readings.trace, readings.samples
    columns = [trace.t_s.tolist(), trace.power_w.tolist()]
    if samples is None:  # all are finite
        header, rows = POWER_ONLY, [f"{t!r},{w!r}" for t, w in zip(*columns, strict=True)]
    else:
        columns += [getattr(samples, name).tolist() for name in CHANNELS[1:]]
        header, rows = ALL_CHANNELS, [row(values) for values in zip(*columns, strict=True)]
    text = "\n".join((header, *rows, ""))
    # level 1: five times as fast as the default and hardly larger, as digits are mostly noise
    return gzip.compress(text.encode(), compresslevel=1, mtime=0)


def row(values: Iterable[float]) -> str:
    """Return a line of a trace's file, without its end."""
    return ",".join("" if math.isnan(value) else repr(value) for value in values)


def read_trace(path: Path) -> tuple[PowerTrace, Samples | None]:
    """Return what `write_trace` wrote, or what is whole in the spool of a meter that was killed.

    Raises:
        InputError: the file cannot be read, or is not a trace of two samples or more.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            header, table = _table(file)
        t_s, power_w, *others = table.T
        trace = PowerTrace(t_s, power_w)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(f"{path} is not a power trace: {error}") from error
    if header == POWER_ONLY:
        return trace, None
    lacking = len(CHANNELS) - 1 - len(others)
    others += [np.full(t_s.size, np.nan)] * lacking
    return trace, Samples(**dict(zip(CHANNELS, (t_s, *others), strict=True)))


def _table(file: BufferedIOBase) -> tuple[str, FloatArray]:
    """Return the header and the (n, columns) numbers of a trace; a kill may tear the last line.

    Raises:
        ValueError: it is none, or longer than any is.
    """
    header = file.readline(MAX_LINE_BYTES).decode().rstrip("\r\n")
    if header not in (POWER_ONLY, *EARLIER, ALL_CHANNELS):
        raise ValueError(f"its first line is not {POWER_ONLY!r}, with or without more channels")
    columns = header.count(",") + 1
    values = array("d")
    while (line := file.readline(MAX_LINE_BYTES)).endswith(b"\n"):
        fields = line.decode().rstrip("\r\n").split(",")
        if len(fields) != columns:
            raise ValueError(f"a line has {len(fields)} values, not {columns}")
        if len(values) >= MAX_SAMPLES * columns:
            raise ValueError(f"it has more than {MAX_SAMPLES} samples")
        values.extend(float(value or "nan") for value in fields)
    if file.read(1):
        raise ValueError(f"a line has more than {MAX_LINE_BYTES} bytes")
    return header, np.array(values).reshape(-1, columns)


def _interpolated(trace: PowerTrace, right: int, at_s: float) -> float:
    """Return the power at `at_s`, which lies in the segment that ends at sample `right`."""
    t0, t1 = trace.t_s[right - 1], trace.t_s[right]
    p0, p1 = trace.power_w[right - 1], trace.power_w[right]
    return float(p0 + (p1 - p0) * ((at_s - t0) / (t1 - t0)))
