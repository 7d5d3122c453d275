"""Readings made of curves, without a board or a clock, and a meter on a clock of the test."""

import threading
from ctypes import c_double
from threading import Event

import numpy as np
import pynvml
import pytest

from sweetspot.metering import nvml, sampler
from sweetspot.metering.meter import Readings
from sweetspot.metering.samples import CHANNELS, Samples
from sweetspot.metering.trace import PowerTrace


@pytest.fixture(scope="session")
def readings_of():
    """Return a function that makes readings from channels, each a number, an array or a function.

    What is not named is what a board lacks.
    """

    def build(power_w, *, t_s=None, interval_s=0.1, duration_s=20.0, meter=None, **channels):
        """`power_w` is the instantaneous power; None on a board with `power_average_w` only."""
        times = np.arange(0, duration_s + 1e-9, interval_s) if t_s is None else np.array(t_s, float)
        if power_w is not None:
            channels["power_instant_w"] = power_w
        columns = {
            name: np.zeros_like(times) + (value(times) if callable(value) else value)
            for name, value in (dict.fromkeys(CHANNELS, np.nan) | channels).items()
        } | {"t_s": times}
        samples = Samples(**columns)
        found = samples.power()
        trace_w = found[1] if found else columns["power_instant_w"]
        return Readings(
            trace=PowerTrace(times, trace_w),
            counter_j=samples.complete("counter_j"),
            samples=samples,
            interval_s=interval_s,
            **(meter or {}),
        )

    return build


class Clock:
    """The time of the fake boards, kept by the test."""

    def __init__(self, origin_s):
        pynvml.nvmlLib.fake_nvml_time.restype = c_double
        self.now_s = origin_s

    @property
    def now_s(self):
        return pynvml.nvmlLib.fake_nvml_time()

    @now_s.setter
    def now_s(self, now_s):
        pynvml.nvmlLib.fake_nvml_set_time(c_double(now_s))


@pytest.fixture
def fake_clock():
    """Return a function that stops the time of the fake boards, for the test to move it."""
    return Clock


@pytest.fixture
def metered(monkeypatch, wait_until):
    """Return a function that meters a board until a time on a clock that only waiting moves.

    Whatever else the machine does, samples come when they are due. `clock` has `now_s`.
    """

    def is_sampler(thread):
        return thread.name == "power sampler"

    def run(board, clock, end_s, interval_s=0.1, spool=None, host=None):
        is_over = Event()

        class ClockEvent:
            """An Event whose waits move the clock on, and which rests at the end of the run.

            The sampler's waits only: the spool's, of another thread, would move it at any time.
            """

            def __init__(self):
                self.event = Event()

            def wait(self, timeout):
                if not is_sampler(threading.current_thread()):
                    return self.event.wait(timeout)
                if clock.now_s + timeout >= end_s:
                    is_over.set()
                    return self.event.wait(60)
                clock.now_s += timeout
                return False

            def set(self):
                self.event.set()

        monkeypatch.setattr(sampler, "Event", ClockEvent)
        for module in (sampler, nvml):
            monkeypatch.setattr(module, "monotonic", lambda: clock.now_s)
        meter = sampler.NvmlMeter(board, interval_s, host)
        meter.start(spool)
        wait_until(lambda: is_over.is_set() or not any(map(is_sampler, threading.enumerate())))
        clock.now_s = max(clock.now_s, end_s)
        return meter.stop()

    return run
