"""The meter for real boards: a thread that samples beside the run, and one that spools to disk."""

import logging
import math
import os
from collections import deque
from pathlib import Path
from threading import Event, Thread
from time import monotonic, thread_time, time
from typing import Protocol

import numpy as np

from sweetspot.errors import MeterError
from sweetspot.metering.host import Host
from sweetspot.metering.meter import Observe, Observer, Readings
from sweetspot.metering.nvml import What
from sweetspot.metering.processes import Watch
from sweetspot.metering.samples import CHANNELS, Look, Samples, power_w
from sweetspot.metering.trace import ALL_CHANNELS, PowerTrace, row

DEFAULT_INTERVAL_S = 0.1  # how often Hopper renews its instantaneous power, about
USAGE_S = 0.5  # how often nvmlDeviceGetPowerUsage is asked: as the paper sums it up
REST_S = 1.0  # how often all is read that neither energy nor gates need of each sample
PROCESSES_S = 1.0  # how often the board's processes are listed
JOIN_TIMEOUT_S = 10.0
SPOOL_FLUSH_S = 0.5
SPOOL_SYNC_S = 1.0  # a kill needs no more than the write; this is for a node that dies
SPOOL_TIMEOUT_S = 10.0

log = logging.getLogger(__name__)


class Metered(Protocol):
    """What a meter asks of a board, or of several as one (`boards`)."""

    @property
    def earlier_pids(self) -> frozenset[int]:
        """Processes that computed on it when it was opened."""

    def look(self, what: What = "all") -> Look:
        """Read what is asked for; raises MeterError."""

    def compute_pids(self) -> list[int]:
        """Return the processes on it."""

    def mig(self) -> bool | None:
        """Return whether it is partitioned; None where it cannot be."""

    def max_sm_mhz(self) -> float | None:
        """Return the highest SM clock."""

    def facts(self) -> dict[str, str]:
        """Return its UUID and name, and how it is set."""


class NvmlMeter:
    """A Meter on one board; can be started again after each stop.

    Times are on the monotonic clock, which other processes of the host share.

    Example:
        with leased_board() as board:
            meter = NvmlMeter(board)
            meter.start()
            ...
            readings = meter.stop()
    """

    def __init__(
        self,
        board: Metered,
        interval_s: float = DEFAULT_INTERVAL_S,
        host: Host | None = None,
        *,
        whole: bool = False,
    ) -> None:
        """Meter `board`, and the `host` that it is in, looking at them every `interval_s` s.

        Some readings are dear, and are made once or twice a second only, unless each look is to be
        `whole`.
        """
        if not interval_s > 0:
            raise ValueError(f"the sampling interval must be positive, not {interval_s} s")
        self._board = board
        self._host = host
        self._interval_s = interval_s
        self._whole = whole
        self._sampling: _Sampling | None = None

    def start(self, spool: Path | None = None, observe: Observe | None = None) -> None:
        """Take the first sample and go on in the background, for `spool` and an observer as well.

        Raises:
            MeterError: the board cannot be read, or the spool not be written.
        """
        if self._sampling is not None:
            raise RuntimeError("this meter is already running")
        observer = None
        if observe is not None:
            facts = self._board.facts()
            observer = observe(facts["gpu_uuid"], facts["gpu_name"])
        self._sampling = _Sampling(
            self._board, self._host, self._interval_s, spool, observer, whole=self._whole
        )

    def stop(self) -> Readings:
        """Take the last sample and return all.

        Raises:
            MeterError: power could not be read, or NVML does not answer.
        """
        if self._sampling is None:
            raise RuntimeError("this meter is not running")
        sampling, self._sampling = self._sampling, None
        sampling.end()
        samples = Samples.of(sampling.looks)
        found = samples.power()
        if found is None:
            failed = int(np.isnan(samples.power_instant_w).sum())
            if failed < samples.t_s.size:
                raise MeterError(
                    f"this GPU's power could not be read in {failed} of {samples.t_s.size} looks"
                )
            raise MeterError("this GPU reports no power (NVML: not supported)")
        _, power_w = found
        if not (power_w > 0).all():
            raise MeterError(
                "this GPU reports 0 W while it runs; its power sensor is broken or off"
            )
        return Readings(
            trace=PowerTrace(samples.t_s, power_w),
            counter_j=samples.complete("counter_j"),
            samples=samples,
            interval_s=self._interval_s,
            strangers=sampling.watch.strangers(),
            mig=self._board.mig(),
            max_sm_mhz=self._board.max_sm_mhz(),
            sampler_cpu_share=sampling.cpu_s / float(samples.t_s[-1] - samples.t_s[0]),
            host_scope=self._host.scope if self._host else "",
            host_remark=self._host.remark if self._host else "",
        )


class _Sampling:
    """One run of a meter. It shares nothing with the next one: its thread may outlive it.

    Attributes:
        looks: the samples so far.
        watch: the strangers so far.
        cpu_s: CPU time of its threads, known when it has ended.
    """

    def __init__(
        self,
        board: Metered,
        host: Host | None,
        interval_s: float,
        spool: Path | None,
        observer: Observer | None,
        *,
        whole: bool,
    ) -> None:
        self._board, self._host, self._interval_s = board, host, interval_s
        self.looks: list[Look] = []
        self.watch = Watch(board.earlier_pids)
        self.cpu_s = 0.0
        self._failure: Exception | None = None
        self._processes_due_s = -math.inf
        self._whole = whole
        self._due_s = {"all": -math.inf, "usage": -math.inf}
        self._stopping = Event()
        self._observers: list[Observer] = [observer] if observer else []
        self._spool = Spool(spool) if spool else None
        if self._spool:
            self._observers.append(self._spool)
        try:
            self._look()
        except BaseException:
            self._close()
            raise
        # a daemon: a driver that hangs must not keep the program from ending
        self._thread = Thread(target=self._run, name="power sampler", daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._stopping.set()
        self._thread.join(JOIN_TIMEOUT_S)
        try:
            if self._thread.is_alive():
                raise MeterError(
                    f"the power sampler hangs: no answer from NVML in {JOIN_TIMEOUT_S} s"
                )
            if self._failure is not None:
                raise MeterError(f"power sampling broke off: {self._failure}") from self._failure
            self._processes_due_s = self._due_s["all"] = -math.inf
            self._look()
        finally:
            self._close()

    def _run(self) -> None:
        first_s, tick = self.looks[0].t_s, 0
        try:
            while True:
                # a multiple of the interval; those that a slow look missed are skipped
                tick = max(tick + 1, math.ceil((monotonic() - first_s) / self._interval_s))
                due_s = first_s + tick * self._interval_s
                if self._stopping.wait(max(0.0, due_s - monotonic())):
                    return
                self._look()
        except Exception as error:  # a thread has no caller: end() raises it
            self._failure = error
        finally:
            self.cpu_s += thread_time()

    def _look(self) -> None:
        look = self._board.look(self._what())
        if self._host and self._host.scope:
            look = look.noted(host_counter_j=self._host.read_j())
        if not self.looks:
            look = look.noted(utc_s=time() - (monotonic() - look.t_s))
        self.looks.append(look)
        for observer in self._observers:
            observer.put(look)
        if look.t_s >= self._processes_due_s:
            self._processes_due_s = look.t_s + PROCESSES_S
            self.watch.see(self._board.compute_pids(), look.t_s)

    def _what(self) -> What:
        """Return what is to be read now, and note when it is due again."""
        if self._whole:
            return "all"
        now_s = monotonic() + self._interval_s / 2  # a look is early by no more than that
        if now_s >= self._due_s["all"]:
            self._due_s = {"all": _after(now_s, self._due_s["all"], REST_S)} | {
                "usage": _after(now_s, self._due_s["usage"], USAGE_S)
            }
            return "all"
        if now_s >= self._due_s["usage"]:
            self._due_s["usage"] = _after(now_s, self._due_s["usage"], USAGE_S)
            return "usage"
        return "power"

    def _close(self) -> None:
        for observer in self._observers:
            observer.close()
        if self._spool:
            self.cpu_s += self._spool.cpu_s


def _after(now_s: float, due_s: float, step_s: float) -> float:
    """Return when something is due next that was due at `due_s`, every `step_s`."""
    if math.isinf(due_s):
        return now_s + step_s
    return due_s + step_s * (1 + math.floor((now_s - due_s) / step_s))


class Spool:
    """A file that follows the samples, as CSV with the columns of the final trace.

    A thread of its own writes it: a disk that is busy must not hold up the sampler.
    """

    def __init__(self, path: Path) -> None:
        """Begin the file; an older one is overwritten.

        Raises:
            MeterError: it cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise MeterError(f"cannot spool samples to {path}: {error.strerror}") from error
        self._path = path
        self._waiting: deque[Look] = deque()
        self._closing = Event()
        self.cpu_s = 0.0
        self._thread = Thread(target=self._run, name="sample spool", daemon=True)
        self._thread.start()

    def put(self, look: Look) -> None:
        """Take a sample; it is on disk half a second later, if the disk is quick."""
        self._waiting.append(look)

    def close(self) -> None:
        """Write the rest and end, or give up after a while: the samples are in memory, too."""
        self._closing.set()
        self._thread.join(SPOOL_TIMEOUT_S)

    def _run(self) -> None:
        try:
            with self._file:
                self._file.write(f"{ALL_CHANNELS}\n".encode())
                synced_s = monotonic()
                while not self._closing.wait(SPOOL_FLUSH_S):
                    self._write()
                    if monotonic() - synced_s >= SPOOL_SYNC_S:
                        os.fsync(self._file.fileno())
                        synced_s = monotonic()
                self._write()
        except OSError as error:
            log.warning("samples are no longer spooled to %s: %s", self._path, error.strerror)
        finally:
            self.cpu_s = thread_time()

    def _write(self) -> None:
        looks = [self._waiting.popleft() for _ in range(len(self._waiting))]
        lines = [
            row((look.t_s, power_w(look), *(getattr(look, name) for name in CHANNELS[1:])))
            for look in looks
        ]
        self._file.write("".join(f"{line}\n" for line in lines).encode())
