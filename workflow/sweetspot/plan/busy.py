"""How long the GPU will be busy with cells that are still to be measured, by the simulator."""

import math
from collections.abc import Iterable

from sweetspot.cells.cell import Cell
from sweetspot.errors import EngineError
from sweetspot.plan.block import Block
from sweetspot.simulator.run import simulate


def run_s(block: Block, cells: Iterable[Cell]) -> dict[Cell, float]:
    """Return how long one run of each cell takes, in s.

    An engine that measures is simulated with its habits and overheads. A cell whose request does
    not fit in the KV cache takes 0 s: it fails.
    """
    durations_s = {}
    for cell in cells:
        try:
            simulation = simulate(
                block.settings.deployment,
                requests=cell.requests,
                input_tokens=cell.input_tokens,
                output_tokens=cell.output_tokens,
            )
        except EngineError:
            durations_s[cell] = 0.0
        else:
            durations_s[cell] = simulation.duration_s
    return durations_s


def busy_s(block: Block, cells: Iterable[Cell]) -> float:
    """Return how long the GPU is busy with a block's cells, in s.

    Windows with their repeated passes and the idle time around them; not in it: building and
    loading engines, warm-up requests.
    """
    metering = block.settings.metering
    if metering is None:
        return 0.0
    total_s = 0.0
    for duration_s in run_s(block, cells).values():
        passes = math.ceil(metering.min_window_s / duration_s) if duration_s else 0
        total_s += duration_s * max(1, passes) + 2 * metering.idle_s
    return total_s
