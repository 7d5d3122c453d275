"""What a campaign would measure in its time, said beforehand, by the simulator alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sweetspot.campaign.cost import GRID_MARGIN, costs, largest_that_fits
from sweetspot.campaign.design import Design, design
from sweetspot.campaign.sensor.square_wave import SENSOR_S
from sweetspot.campaign.slot import CLOSING_S, LOAD_S
from sweetspot.cells.cell import Cell
from sweetspot.config import Experiment, Metering
from sweetspot.plan.block import Block

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Part:
    """Cells that a call would measure one after the other.

    Attributes:
        what: which, in words.
        cells: how many, of so many that are asked for.
        took_s: all of their time.
        inside_s: of that in measured windows.
    """

    what: str
    cells: int
    of: int
    took_s: float
    inside_s: float


def outlook(experiment: Experiment, *, minutes: float, sensor: bool = True) -> Iterator[str]:
    """Yield a line for each step of a first call, with what it takes.

    Times are the simulator's; a real call scales them by what its first cells took.

    Raises:
        InputError: the experiment cannot be planned.
    """
    planned = design(experiment)
    left_s = MINUTE_S * minutes
    inside_s = 0.0
    yield f"{experiment.engine} on {experiment.gpu}, {minutes:g} minutes; times are simulated"
    if sensor:
        left_s -= SENSOR_S
        yield _line("power sensor", SENSOR_S)
    for place, block in enumerate(planned.blocks):
        share_s = left_s / (len(planned.blocks) - place)
        yield _line(f"{block.id}: load, close", LOAD_S + CLOSING_S)
        left_s -= LOAD_S + CLOSING_S
        for part in _parts(planned, block, experiment.measure.metering, share_s):
            yield _line(f"{block.id}: {part.what}", part.took_s, f"{part.cells} of {part.of} cells")
            left_s -= part.took_s
            inside_s += part.inside_s
    yield _line("left over", left_s)
    yield f"{100 * inside_s / (MINUTE_S * minutes):.0f} % of the time inside measured windows"


def _parts(planned: Design, block: Block, metering: Metering, share_s: float) -> Iterator[Part]:
    """Yield what a block measures in its share: its stated cells, then its grid."""
    known = costs(block, metering)
    expected_s = known.expected_s(block.cells, [])
    room_s = share_s - LOAD_S - CLOSING_S

    def part(what: str, cells: Sequence[Cell]) -> Part:
        chosen = _that_fit(cells, expected_s, room_s)
        took_s = sum(expected_s[cell] for cell in chosen)
        beside_s = sum(known.extra_s[cell] + 2 * metering.idle_s for cell in chosen)
        return Part(what, len(chosen), len(cells), took_s, took_s - beside_s)

    if stated := planned.stated(block):
        found = part("stated", stated)
        room_s -= found.took_s
        yield found
    if ladder := planned.ladder(block):
        grids = {requests: planned.grid(block, requests) for requests in ladder}
        whole_s = {n: sum(expected_s[cell] for cell in grid) for n, grid in grids.items()}
        requests = largest_that_fits(ladder, whole_s.__getitem__, room_s / GRID_MARGIN)
        yield part(f"grid, N = {requests}", grids[requests])


def _that_fit(cells: Sequence[Cell], expected_s: Mapping[Cell, float], room_s: float) -> list[Cell]:
    """Return the cells that a call takes: always the next that fits into what is left."""
    found = []
    for cell in cells:
        if expected_s[cell] <= room_s:
            found.append(cell)
            room_s -= expected_s[cell]
    return found


def _line(what: str, seconds: float, which: str = "") -> str:
    return f"  {what:<36}{seconds / MINUTE_S:>6.1f} min  {which}".rstrip()
