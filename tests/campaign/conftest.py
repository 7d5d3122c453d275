"""An engine on a clock of its own: seconds pass when it loads, warms up or runs, and only then."""

from types import SimpleNamespace

import numpy as np
import pytest

from sweetspot.campaign.campaign import Campaign
from sweetspot.campaign.logbook import open_logbook
from sweetspot.campaign.time_box import TimeBox
from sweetspot.config import parse_experiment
from sweetspot.engines.base import Run
from sweetspot.metering.meter import Readings
from sweetspot.metering.samples import CHANNELS, Samples
from sweetspot.metering.trace import PowerTrace
from sweetspot.plan.busy import run_s

LENGTHS = [64, 256, 512, 1024, 4096]

WATTS = 300.0

KNOWN = {}


def run_s_once(block, cells):
    """Return what `run_s` does; the simulator is asked once for all tests."""
    known = KNOWN.setdefault(block.settings.json, {})
    known |= run_s(block, [cell for cell in cells if cell not in known])
    return {cell: known[cell] for cell in cells}


class Clock:
    """A clock that stands still until somebody spends time."""

    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s

    def spend(self, seconds):
        self.now_s += seconds


class SteadyMeter:
    """Reads a constant power every second of the clock, from start to stop."""

    def __init__(self, clock):
        self.clock = clock

    def start(self, spool=None, observe=None):
        self.start_s = self.clock()

    def stop(self):
        span_s = self.clock() - self.start_s
        t_s = self.start_s + np.linspace(0, span_s, max(3, round(span_s) + 1))
        power_w = np.full(t_s.size, WATTS)
        channels = dict.fromkeys(CHANNELS, np.full(t_s.size, np.nan))
        seen = {"t_s": t_s, "power_instant_w": power_w}
        return Readings(
            trace=PowerTrace(t_s, power_w), samples=Samples(**(channels | seen)), interval_s=1.0
        )


class ClockedEngine:
    """An engine and its session: takes `slower` times as long as the simulator says.

    `faults` maps cells (N, I, O) to what is raised in place of their run.
    """

    name = "vllm"
    version = "0.24.0"
    simulated = False

    def __init__(self, block, clock, slower, faults, load_s):
        self.block, self.clock, self.meter = block, clock, SteadyMeter(clock)
        self.slower, self.faults, self.load_s = slower, faults, load_s
        self.loads = self.closed = 0
        self.ran = []

    def load(self, settings):
        self.clock.spend(self.load_s)
        if isinstance(self.faults, BaseException):
            raise self.faults
        self.loads += 1
        return self

    def run(self, cell):
        lengths = (cell.requests, cell.input_tokens, cell.output_tokens)
        self.ran.append(lengths)
        self.clock.spend(2.0)  # warm-up
        if lengths in self.faults:
            raise self.faults[lengths]
        duration_s = run_s_once(self.block, [cell])[cell] * self.slower(cell)
        passes = max(1, int(np.ceil(self.block.settings.metering.min_window_s / duration_s)))
        start_s = self.clock()
        self.clock.spend(duration_s * passes)
        end_s = self.clock()
        self.clock.spend(0.5)
        return Run(
            start_s=start_s,
            end_s=end_s,
            requests=cell.requests * passes,
            input_tokens=cell.requests * cell.input_tokens * passes,
            output_tokens=cell.total_output_tokens * passes,
            passes=passes,
            facts={"gpu_name": "NVIDIA H200", "gpu_uuid": "GPU-0", "driver": "1.0"},
        )

    def close(self):
        self.closed += 1


def config(**changes):
    """Return a campaign file's content: one model unless changed."""
    base = {
        "run": "c",
        "engine": "vllm",
        "gpu": "h200-sxm",
        "models": ["llama-3.2-1b"],
        "sweeps": {
            "grid": {
                "input_tokens": LENGTHS,
                "output_tokens": LENGTHS,
                "requests": [1000, 500, 200, 100, 50],
            }
        },
        "measure": {"idle_s": 0},
    }
    return base | changes


def open_case(folder, *, slower=lambda _: 3.0, faults=None, load_s=30.0, **changes):
    """Open the campaign in a folder, with engines on a clock."""
    clock, engines = Clock(), []

    def engine_of(block, timeout_s):
        of_block = {} if faults is None else faults
        if callable(of_block):
            of_block = of_block(block)
        engines.append(ClockedEngine(block, clock, slower, of_block, load_s))
        engines[-1].timeout_s = timeout_s
        return engines[-1]

    experiment = parse_experiment(config(**changes))
    campaign = Campaign(
        folder=folder,
        experiment=experiment,
        logbook=open_logbook(folder / "campaign.json", experiment),
        engine_of=engine_of,
        prepare=lambda _: None,
    )
    return SimpleNamespace(
        campaign=campaign,
        clock=clock,
        engines=engines,
        box=lambda minutes: TimeBox(clock() + 60 * minutes, clock),
    )


@pytest.fixture(scope="module")
def set_up_in():
    """Return a function that opens the campaign in a folder, with engines on a clock."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("os.fsync", lambda _: None)  # nobody pulls the plug, and it takes its time
        patched.setattr("sweetspot.campaign.cost.run_s", run_s_once)
        yield open_case


@pytest.fixture
def set_up(set_up_in, tmp_path):
    """Return a function that opens the campaign in the test's folder unless told another."""
    return lambda *, folder=tmp_path, **changes: set_up_in(folder, **changes)
