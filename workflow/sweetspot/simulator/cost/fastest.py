"""A board below its data sheet's power limit: with the highest clock at which it is fastest.

What `cost` does with arrays, one segment at a time.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import inf

from sweetspot.simulator.cost.clocks import FASTER, ceilings
from sweetspot.simulator.cost.step_costs import StepCosts
from sweetspot.simulator.deployment.deployment import Deployment
from sweetspot.simulator.schedule.segments import Clock, Ran, Segment


def clock_of(deployment: Deployment) -> Clock:
    """Return what iterations of a deployment take."""
    gpu = deployment.gpu
    found = [
        StepCosts(
            deployment.part,
            replace(gpu, clock_share=share),
            deployment.constants,
            deployment.bounds,
        )
        for share in ceilings(gpu)
    ]
    return Fastest(found, gpu.clock_share) if len(found) > 1 else found[0]


class Fastest:
    """A `Clock` that runs each segment as the fastest of others does, the first if none is."""

    def __init__(self, clocks: Sequence[StepCosts], share: float) -> None:
        """Begin with these; the first runs at `share` of the highest clock where it can."""
        self._clocks = clocks
        self._share = share

    def run(self, segment: Segment, now_s: float) -> Ran:
        """Return what the segment takes if it begins at `now_s`."""
        first, *others = self._clocks
        found = first.run(segment, now_s)
        if found.full_clock_s >= FASTER * self._share * found.duration_s:
            return found  # nothing holds the clock down
        whole = segment._replace(wake_s=inf)
        best, least_s = first, first.run(whole, now_s).duration_s
        for other in others:
            duration_s = other.run(whole, now_s).duration_s
            if duration_s < FASTER * least_s:
                best, least_s = other, duration_s
        return found if best is first else best.run(segment, now_s)
