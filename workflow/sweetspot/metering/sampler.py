"""The meter for real boards: a thread that samples beside the run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic

import numpy as np

from sweetspot.errors import MeterError
from sweetspot.metering.meter import Readings
from sweetspot.metering.nvml import Board
from sweetspot.metering.trace import FloatArray, PowerTrace

DEFAULT_INTERVAL_S = 0.1  # how often Hopper renews its instantaneous power, about
JOIN_TIMEOUT_S = 10.0
MIN_SAMPLES = 3
MIN_SHARE = 0.5  # of the samples that the interval asks for


@dataclass(frozen=True, slots=True)
class _Sample:
    """One look at the board; None for what it does not offer."""

    t_s: float
    instant_w: float | None
    usage_w: float | None
    counter_j: float | None


class NvmlMeter:
    """A Meter on one board; can be started again after each stop.

    Times are on the monotonic clock, which other processes of the host share.

    Example:
        with Board.open() as board:
            meter = NvmlMeter(board)
            meter.start()
            ...
            readings = meter.stop()
    """

    def __init__(self, board: Board, interval_s: float = DEFAULT_INTERVAL_S) -> None:
        """Meter `board`, looking at it every `interval_s` seconds."""
        if not interval_s > 0:
            raise ValueError(f"the sampling interval must be positive, not {interval_s} s")
        self._board = board
        self._interval_s = interval_s
        self._thread: Thread | None = None

    def start(self) -> None:
        """Take the first sample and go on in the background; raises MeterError."""
        if self._thread is not None:
            raise RuntimeError("this meter is already running")
        self._failure: Exception | None = None
        self._stopping = Event()
        self._samples = [self._look()]
        # a daemon: a driver that hangs must not keep the program from ending
        self._thread = Thread(target=self._run, name="power sampler", daemon=True)
        self._thread.start()

    def stop(self) -> Readings:
        """Take the last sample and return all; raises MeterError if any reading failed."""
        if self._thread is None:
            raise RuntimeError("this meter is not running")
        thread, self._thread = self._thread, None
        self._stopping.set()
        thread.join(JOIN_TIMEOUT_S)
        if thread.is_alive():
            raise MeterError(f"the power sampler hangs: no answer from NVML in {JOIN_TIMEOUT_S} s")
        if self._failure is not None:
            raise MeterError(f"power sampling broke off: {self._failure}") from self._failure
        self._samples.append(self._look())
        self._require_enough()
        return _readings(self._samples)

    def _run(self) -> None:
        first_s, tick = self._samples[0].t_s, 0
        try:
            while True:
                # a multiple of the interval; those that a slow look missed are skipped
                tick = max(tick + 1, math.ceil((monotonic() - first_s) / self._interval_s))
                due_s = first_s + tick * self._interval_s
                if self._stopping.wait(max(0.0, due_s - monotonic())):
                    return
                self._samples.append(self._look())
        except Exception as error:  # a thread has no caller: stop() raises it
            self._failure = error

    def _look(self) -> _Sample:
        before_s = monotonic()
        instant_w, usage_w = self._board.power_instant_w(), self._board.power_usage_w()
        counter_j = self._board.energy_j()
        after_s = monotonic()
        return _Sample(
            t_s=(before_s + after_s) / 2,
            instant_w=instant_w,
            usage_w=usage_w,
            counter_j=counter_j,
        )

    def _require_enough(self) -> None:
        span_s = self._samples[-1].t_s - self._samples[0].t_s
        needed = max(MIN_SAMPLES, MIN_SHARE * span_s / self._interval_s)
        if len(self._samples) < needed:
            raise MeterError(
                f"only {len(self._samples)} power samples in {span_s:.3f} s at an interval of"
                f" {self._interval_s} s, {needed:.0f} needed: the run is too short or the host"
                " too busy to be metered"
            )


def _readings(samples: Sequence[_Sample]) -> Readings:
    instant_w = _series([sample.instant_w for sample in samples])
    usage_w = _series([sample.usage_w for sample in samples])
    # Never one in part and the other in part: they mean different things.
    power_w = usage_w if instant_w is None else instant_w
    if power_w is None:
        raise MeterError("this GPU reports no power (NVML: not supported)")
    if not (power_w > 0).all():
        raise MeterError("this GPU reports 0 W while it runs; its power sensor is broken or off")
    counter_j = _series([sample.counter_j for sample in samples])
    if counter_j is not None and (np.diff(counter_j) < 0).any():
        raise MeterError("the GPU's energy counter went back; was its driver reloaded?")
    return Readings(
        trace=PowerTrace(np.array([sample.t_s for sample in samples]), power_w),
        counter_j=counter_j,
    )


def _series(values: Sequence[float | None]) -> FloatArray | None:
    """Return the values, or None where one is missing."""
    present = [value for value in values if value is not None]
    return np.array(present, dtype=np.float64) if len(present) == len(values) else None
