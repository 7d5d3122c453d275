"""How a campaign has its board probed: all steps, in windows as long as its time allows."""

from dataclasses import dataclass

from sweetspot.config import Experiment
from sweetspot.probe.run import BESIDE_S, START_S, Asked
from sweetspot.probe.steps import steps

LEAST_S, MOST_S = 5.0, 15.0  # of a window: what sensors need, and what tells hardly more


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
    room_s = (60 * minutes - START_S) / len(steps()) - BESIDE_S
    return min(MOST_S, max(LEAST_S, room_s))


@dataclass(frozen=True, slots=True)
class ProbeOutlook:
    """How long a probe will take, in s, and of that in windows."""

    window_s: float
    took_s: float
    inside_s: float


def probe_outlook(minutes: float) -> ProbeOutlook:
    """Return what a probe of so many minutes will do with them."""
    each_s = window_s(minutes)
    room_s = 60 * minutes - START_S
    done = max(0, min(len(steps()), int(room_s / (each_s + BESIDE_S) + 1e-9)))
    return ProbeOutlook(each_s, START_S * (done > 0) + done * (each_s + BESIDE_S), done * each_s)
