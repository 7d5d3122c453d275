"""How a campaign has its board probed: all steps, in windows as long as its time allows."""

from dataclasses import dataclass
from itertools import accumulate

from sweetspot.config import Experiment
from sweetspot.probe.run import START_S, Asked, beside_s
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
    room_s = 60 * minutes - START_S - sum(map(beside_s, steps()))
    return min(MOST_S, max(LEAST_S, room_s / len(steps())))


@dataclass(frozen=True, slots=True)
class ProbeOutlook:
    """How long a probe will take, in s, and of that in windows."""

    window_s: float
    took_s: float
    inside_s: float


def probe_outlook(minutes: float) -> ProbeOutlook:
    """Return what a probe of so many minutes will do with them."""
    each_s = window_s(minutes)
    ends_s = accumulate((each_s + beside_s(step) for step in steps()), initial=START_S)
    within = [end_s for end_s in ends_s if end_s <= 60 * minutes + 1e-9]
    done = max(0, len(within) - 1)
    return ProbeOutlook(each_s, within[-1] if done else 0.0, done * each_s)
