"""How a campaign has its board probed: all steps, in windows as long as its time allows."""

from dataclasses import dataclass

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
