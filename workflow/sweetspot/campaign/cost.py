"""How long cells will take, from the simulator and from how long others took."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from sweetspot.cells.cell import Cell
from sweetspot.config import Metering
from sweetspot.plan.block import Block
from sweetspot.plan.busy import run_s

WARM_UP_TOKENS = 16  # as in engines/workers/
OVERHEAD_S = 0.5  # beside window, idle times and warm-up, before any cell was timed
LOAD_S = 60.0  # of an engine, before one was loaded
PLAIN_LOAD_S = 30.0  # of one that compiles nothing; vLLM on an H200: 27 to 32
ASK_S = 2.0  # of a server that runs: what it is is asked
LOAD_MARGIN = 1.5  # by how much one model's load may take longer than another's
NEAR = 0.1  # squared octaves; how much nearer than one beside it the very same cell counts
GRID_MARGIN = 1.1  # by how much a whole grid may take longer than expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A cell that ran: one pass of it took `duration_s`, what is beside its window `extra_s`.

    `extra_s` is None where it was not timed.
    """

    cell: Cell
    duration_s: float
    extra_s: float | None


@dataclass(frozen=True, slots=True)
class Costs:
    """How long the cells of a block take, engine load and idle times aside.

    The simulator knows how the time of a run depends on the cell, of TensorRT-LLM as its
    constants describe it; another engine takes another multiple of it, which itself changes over
    the grid. So each cell's time is scaled as those of the cells seen next to it ask for.

    Attributes:
        metering: how windows are filled.
        duration_s: of one run, simulated.
        extra_s: warm-up and the rest beside window and idle times, simulated.
    """

    metering: Metering
    duration_s: Mapping[Cell, float]
    extra_s: Mapping[Cell, float]

    def expected_s(self, cells: Iterable[Cell], seen: Sequence[Seen]) -> dict[Cell, float]:
        """Return how long cells will take, given how long others took."""
        expected_s = self.expecting(seen)
        return {cell: expected_s(cell) for cell in cells}

    def expecting(self, seen: Sequence[Seen]) -> Callable[[Cell], float]:
        """Return what says how long a cell will take, given how long others took."""
        slower = _scale([(e.cell, e.duration_s, self.duration_s[e.cell]) for e in seen])
        timed = [(e.cell, e.extra_s, self.extra_s[e.cell]) for e in seen if e.extra_s is not None]
        longer = _scale(timed)

        def expected_s(cell: Cell) -> float:
            run_s = self.duration_s[cell] * slower(cell)
            window_s = _window_s(run_s, self.metering.min_window_s)
            return window_s + self.extra_s[cell] * longer(cell)

        return expected_s


def costs(block: Block, metering: Metering) -> Costs:
    """Return what the simulator says of a block's cells."""
    warmup = block.settings.options.get("warmup")
    first = {cell: replace(cell, repeat=0) for cell in block.cells}
    extra_s = dict.fromkeys(first, OVERHEAD_S)
    if isinstance(warmup, int) and warmup > 0:
        # trtllm-bench warms up with whole requests; workers stop them early
        whole = block.settings.options.get("mode") == "bench"
        warm = {
            cell: replace(
                cell,
                requests=warmup,
                output_tokens=cell.output_tokens
                if whole
                else min(cell.output_tokens, WARM_UP_TOKENS),
            )
            for cell in first.values()
        }
        warm_s = run_s(block, set(warm.values()))
        extra_s = {cell: OVERHEAD_S + warm_s[warm[once]] for cell, once in first.items()}
    once_s = run_s(block, set(first.values()))
    return Costs(metering, {cell: once_s[once] for cell, once in first.items()}, extra_s)


def load_s(block: Block, known_s: Mapping[str, float]) -> float:
    """Return how long a block's engine takes to load, as far as other loads tell.

    Args:
        block: whose engine.
        known_s: by block, how long theirs took.
    """
    if block.id in known_s:
        return known_s[block.id]
    if known_s:
        return LOAD_MARGIN * max(known_s.values())
    if block.settings.engine == "endpoint":
        return ASK_S
    options = block.settings.options
    compiles = options.get("compilation", "none") != "none" or options.get("cache") == "static"
    return LOAD_S if compiles or block.settings.engine == "tensorrt-llm" else PLAIN_LOAD_S


class Asked(NamedTuple):
    """What a block can use of the time, in s: with its grid at the smallest N, and the largest.

    `filled_s` is that with all that fills the time.
    """

    least_s: float
    most_s: float
    filled_s: float


def shares_s(asked: Sequence[Asked], left_s: float) -> list[float]:
    """Return the time that each block gets: first what all need, of the rest equal parts.

    What no grid can use goes to those that have something to fill it with.
    """
    shares, had = [0.0] * len(asked), [0.0] * len(asked)
    for wanted in zip(*asked, strict=True):
        more_s = [each - before for each, before in zip(wanted, had, strict=True)]
        found = _filled(more_s, left_s - sum(shares))
        shares = [share + each for share, each in zip(shares, found, strict=True)]
        had = list(wanted)
    return shares


def _filled(wanted_s: Sequence[float], left_s: float) -> list[float]:
    """Return what each gets: what it wants, or else an equal part of what is left."""
    shares = [0.0] * len(wanted_s)
    for waiting, place in enumerate(sorted(range(len(wanted_s)), key=wanted_s.__getitem__)):
        shares[place] = min(wanted_s[place], left_s / (len(wanted_s) - waiting))
        left_s -= shares[place]
    return shares


def largest_that_fits(ladder: Iterable[int], grid_s: Callable[[int], float], left_s: float) -> int:
    """Return the largest N whose whole grid is expected to fit into the time; else the smallest."""
    ladder = sorted(ladder, reverse=True)
    return next((n for n in ladder if grid_s(n) * GRID_MARGIN <= left_s), ladder[-1])


def _window_s(duration_s: float, min_window_s: float) -> float:
    """Return the window of a run that is repeated until it is long enough."""
    return duration_s * max(1, math.ceil(min_window_s / duration_s)) if duration_s else 0.0


def _scale(times_s: Sequence[tuple[Cell, float, float]]) -> Callable[[Cell], float]:
    """Return by what to multiply the simulator's time of a cell, from (cell, took, simulated).

    It is the geometric mean of what is known, near cells weighing most; 1 if nothing is.
    """
    known = [
        (c, math.log(took / simulated)) for c, took, simulated in times_s if took and simulated
    ]
    if not known:
        return lambda _: 1.0

    def scale(cell: Cell) -> float:
        weights = [1 / (NEAR + _squared_octaves(cell, other)) for other, _ in known]
        logs = (w * log for w, (_, log) in zip(weights, known, strict=True))
        return math.exp(sum(logs) / sum(weights))

    return scale


def _squared_octaves(a: Cell, b: Cell) -> float:
    """Return how far two cells are apart in lengths and requests."""
    return sum(
        math.log2(x / y) ** 2
        for x, y in (
            (a.input_tokens, b.input_tokens),
            (a.output_tokens, b.output_tokens),
            (a.requests, b.requests),
        )
    )
