"""How a campaign has its board probed: all steps, in windows as long as its time allows."""

import logging
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from sweetspot.config import Experiment
from sweetspot.errors import EngineError, InputError, MeterError
from sweetspot.probe.probed import read_probed
from sweetspot.probe.run import START_S, Asked, beside_s, run_probe
from sweetspot.probe.steps import steps

LEAST_S, MOST_S = 5.0, 15.0  # of a window: what sensors need, and what tells hardly more

log = logging.getLogger(__name__)


def probe_board(experiment: Experiment, folder: Path, minutes: float) -> dict[str, float]:
    """Probe the board into a folder, and return what the time went on, in s.

    Cells are worth measuring without it: that it failed is a warning.
    """
    begun_s, before_s = monotonic(), _windows_s(folder)
    try:
        run_probe(folder, asked_of(experiment, minutes))
    except (EngineError, MeterError, InputError) as error:
        log.warning("the probe broke off: %s", error)
    took_s = monotonic() - begun_s
    new = _windows_s(folder).items() - before_s.items()
    inside_s = min(sum(seconds for _, seconds in new), took_s)
    return {"probe_windows": inside_s, "probe": took_s - inside_s}


def _windows_s(folder: Path) -> dict[str, float]:
    """Return how long the window of each step was that a folder has."""
    try:
        known = read_probed(folder)
    except InputError:  # as the probe says
        return {}
    return {step.id: step.duration_s or 0.0 for step in known.steps} if known else {}


def asked_of(experiment: Experiment, minutes: float) -> Asked:
    """Return how the board is to be probed in so many minutes."""
    return Asked(
        minutes=minutes,
        gpu=experiment.gpu,
        seconds=window_s(minutes),
        node=experiment.node,
    )


def window_s(minutes: float) -> float:
    """Return how long the windows are, in s."""
    room_s = 60 * minutes - START_S - sum(map(beside_s, steps()))
    return min(MOST_S, max(LEAST_S, room_s / len(steps())))


@dataclass(frozen=True, slots=True)
class ProbeOutlook:
    """How many of its steps a probe will do in its time, and how long that takes, in s."""

    steps: int
    window_s: float
    took_s: float

    @property
    def inside_s(self) -> float:
        """Of that in windows."""
        return self.steps * self.window_s


def probe_outlook(minutes: float) -> ProbeOutlook:
    """Return what a probe of so many minutes will do with them."""
    each_s, took_s, done = window_s(minutes), START_S, 0
    for step in steps():
        if took_s + each_s + beside_s(step) > 60 * minutes:
            break
        took_s += each_s + beside_s(step)
        done += 1
    return ProbeOutlook(done, each_s, took_s if done else 0.0)
