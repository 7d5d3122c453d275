"""How long the GPU will be busy with cells that are still to be measured, by the simulator."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Self

from sweetspot.cells.cell import Cell
from sweetspot.plan.block import Block


class Estimate(NamedTuple):
    """A simulated number, and between which two the measured one is expected."""

    expected: float = 0.0
    low: float = 0.0
    high: float = 0.0

    def plus(self, other: Self) -> "Estimate":
        """Return the sum, were both wrong to the same side."""
        return Estimate(*(a + b for a, b in zip(self, other, strict=True)))

    def over(self, unit: float) -> "Estimate":
        """Return it in another unit."""
        return Estimate(*(each / unit for each in self))

    @property
    def in_words(self) -> str:
        """The number, then its interval."""
        shown = f"{self.expected:.2f}" if self.expected >= 0.1 else f"{self.expected:.2g}"
        return f"{shown} ({self.low:.3g} to {self.high:.3g})"


@dataclass(frozen=True, slots=True)
class Busy:
    """How long a GPU, or all that share a model, is busy, and what their boards draw meanwhile.

    Attributes:
        duration_s: windows with their repeated passes, and the idle time around them, in s.
        energy_j: of the same, in J.
    """

    duration_s: Estimate = Estimate()  # noqa: RUF009  a tuple, which nothing can change
    energy_j: Estimate = Estimate()  # noqa: RUF009

    def plus(self, other: Self) -> "Busy":
        """Return what both take together."""
        return Busy(self.duration_s.plus(other.duration_s), self.energy_j.plus(other.energy_j))


def run_s(block: Block, cells: Iterable[Cell]) -> dict[Cell, float]:
    """Return how long one run of each cell takes, in s.

    An engine that measures is simulated with its habits and overheads. A cell whose request does
    not fit in the KV cache takes 0 s: it fails.
    """
    return {cell: duration_s for cell, duration_s, _ in _runs(block, cells)}


def busy(block: Block, cells: Iterable[Cell]) -> Busy:
    """Return how long the GPU is busy with a block's cells, and its energy; nothing if simulated.

    Not in it: building and loading engines, warm-up requests. The intervals are those of the
    simulator's throughput and energy, as if all cells were wrong to the same side.
    """
    metering = block.settings.metering
    if metering is None:
        return Busy()
    run_time_s = run_energy_j = idle_s = 0.0
    for _, duration_s, energy_j in _runs(block, cells):
        passes = max(1, math.ceil(metering.min_window_s / duration_s)) if duration_s else 0
        run_time_s += passes * duration_s
        run_energy_j += passes * energy_j
        idle_s += 2 * metering.idle_s
    deployment = block.settings.deployment
    known, waiting_w = deployment.intervals, deployment.constants.board.active_power_w
    idle_j = idle_s * deployment.part.gpus * waiting_w
    return Busy(
        Estimate(*(idle_s + s for s in (run_time_s, *known.throughput.around(run_time_s)))),
        Estimate(*(idle_j + j for j in (run_energy_j, *known.energy.around(run_energy_j)))),
    )


def busy_s(block: Block, cells: Iterable[Cell]) -> float:
    """Return how long the GPU is expected to be busy with a block's cells, in s."""
    return busy(block, cells).duration_s.expected


# Split into jobs, time of these, total: each asks for every cell.
_known: dict[tuple[str, Cell], tuple[float, float]] = {}


def _runs(block: Block, cells: Iterable[Cell]) -> Iterator[tuple[Cell, float, float]]:
    """Yield each cell with the duration of one run in s, and its energy in J; 0 if it fails."""
    cells, model = list(cells), block.settings.identity
    new = [cell for cell in cells if (model, cell) not in _known]
    for cell, found in zip(new, _simulated(block, new), strict=True):
        _known[model, cell] = found
    for cell in cells:
        yield cell, *_known[model, cell]


def _simulated(block: Block, cells: Iterable[Cell]) -> Iterator[tuple[float, float]]:
    # Late, as it takes numpy, which planning what is simulated does not need.
    from sweetspot.simulator.run import Sent, in_benchmark, simulate_each

    deployment = block.settings.deployment
    sent = (Sent(cell.requests, cell.input_tokens, cell.output_tokens) for cell in cells)
    for run in simulate_each(deployment, sent):
        if run is None:
            yield 0.0, 0.0
        else:
            whole = in_benchmark(deployment, run)
            yield whole.duration_s, whole.energy_j
