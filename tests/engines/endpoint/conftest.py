"""An endpoint on boards of the fake driver."""

import math
import os
import time
from ctypes import c_double

import pynvml
import pytest
from openai_server import serving

from sweetspot.engines.endpoint import doubts
from sweetspot.engines.endpoint.engine import endpoint_engine
from sweetspot.metering import validity

LOST_FROM_S = 1e6


@pytest.fixture
def lose_boards():
    """Return a function that has all boards lost from now on."""
    return lambda: pynvml.nvmlLib.fake_nvml_set_time(c_double(time.monotonic() + 2 * LOST_FROM_S))


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture
def untimed(monkeypatch):
    """No cell is invalid, nor remarked, for a machine that stalled: tests/metering has those gates.

    The server shares this process, so that its work looks like the client's, too.
    """
    for name, value in {"MIN_SAMPLES": 0, "MIN_SHARE": 0.0, "MAX_GAP_S": math.inf}.items():
        monkeypatch.setattr(validity, name, value)
    monkeypatch.setattr(doubts, "BUSY_CLIENT", math.inf)


@pytest.fixture
def measure_endpoint(measure_with, fake_nvml, untimed):
    """Return a function that measures cells at any URL, whose server is on the fake boards.

    `pid` is a process of that server; the test's own where it runs in a thread here. `boards` is
    how many H100 there are, or what each has that they have not.
    """

    def measure(url, *, pid=None, boards=1, cells=None, tensor_parallel=1, whole=None, **endpoint):
        absent = "83,nvmlDeviceGetTotalEnergyConsumption"  # windows are too short for a counter
        board = {"absent": absent, "pids": pid or os.getpid(), "lost_from": LOST_FROM_S}
        fake_nvml(*[board] * boards if isinstance(boards, int) else [board | b for b in boards])
        experiment = {
            "engine": "endpoint",
            "models": ["llama-3.2-1b"],
            "endpoint": {"url": url, **endpoint},
            "sweeps": {
                "s": {"input_tokens": [16], "output_tokens": [8], "requests": [4]} | (cells or {})
            },
            "limits": {"max_batch_size": 4, "tensor_parallel": tensor_parallel},
            "measure": {"idle_s": 0, "min_window_s": 0.1, "interval_s": 0.02},
        }
        if whole:
            experiment = whole | {"measure": whole["measure"] | experiment["measure"]}
        return measure_with(endpoint_engine, experiment)

    return measure
