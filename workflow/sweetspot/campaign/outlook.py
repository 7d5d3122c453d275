"""What a campaign would measure in its time: played beforehand on a clock that nobody waits for.

All that chooses is the campaign's own; only loads, cells and the clock are played, each taking as
long as the simulator says.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from sweetspot.campaign.blocks import measure_blocks
from sweetspot.campaign.campaign import Campaign
from sweetspot.campaign.cost import Costs, costs, load_s
from sweetspot.campaign.file import CampaignFile
from sweetspot.campaign.logbook import Call, Logbook
from sweetspot.campaign.probing import probe_outlook
from sweetspot.campaign.sensor.square_wave import SENSOR_S
from sweetspot.campaign.shares import asked_by, part_shares_s, probe_share_s
from sweetspot.campaign.slot import Progress
from sweetspot.campaign.time_box import TimeBox
from sweetspot.cells.cell import Cell
from sweetspot.config import Experiment, Metering, Remeasure
from sweetspot.engines.base import Engine, Session
from sweetspot.measure.adaptive import Decision, decision
from sweetspot.measure.measure import MeasureCell, described
from sweetspot.measure.record import CellRecord
from sweetspot.outputs import can_fit_all
from sweetspot.plan.block import Block, Settings
from sweetspot.probe.steps import steps
from sweetspot.schema.reading import converted
from sweetspot.schema.writing import plain

MINUTE_S = 60.0
CLOSE_S = 5.0  # of an engine, about
BESIDE = {"loads": "loads", "beside": "warm-ups", "closing": "closing", "idle": "idle"}


@dataclass(slots=True)
class Clock:
    """A clock that stands still until somebody spends time."""

    now_s: float = 0.0

    def __call__(self) -> float:
        """Return the time, in s."""
        return self.now_s


@dataclass(frozen=True, slots=True)
class Part:
    """Cells that a call would measure one after the other, or what is between them.

    Attributes:
        what: which, in words.
        took_s: all of their time.
        cells: how many.
        of: of how many that are asked for; 0 where none is.
    """

    what: str
    took_s: float
    cells: int = 0
    of: int = 0


@dataclass(frozen=True, slots=True)
class Outlook:
    """A first call as it would go.

    Attributes:
        parts: in their order.
        left_s: what would be left of the time.
        time_s: what the rest would go on, as `Call` has it.
    """

    parts: tuple[Part, ...]
    left_s: float
    time_s: Mapping[str, float]


@dataclass(slots=True)
class _Played:
    """An engine whose loads take their time, and nothing else."""

    block: Block
    clock: Clock
    simulated: bool = True

    @property
    def name(self) -> str:
        return self.block.settings.engine

    @property
    def version(self) -> str:
        return self.block.settings.engine_version

    def load(self, _: Settings) -> Session:
        self.clock.now_s += load_s(self.block, {})
        return cast("Session", None)  # which nobody runs


@dataclass(frozen=True)
class PlayedCampaign(Campaign):
    """A campaign whose cells take their time on a clock, and leave nothing on disk.

    Attributes:
        took: what was measured, in order: block, cell, and how long all of it took, in s.
    """

    clock: Clock = field(default_factory=Clock)
    took: list[tuple[Block, Cell | None, float]] = field(default_factory=list)

    def record(
        self, block: Block, cell: Cell, remeasure: Remeasure = "nothing"
    ) -> CellRecord | None:
        """Return what was played of a cell."""
        return self.known.get(cell)

    def decision(self, block: Block, requests: int) -> Decision:
        """Return what is left of what is expected beforehand: played cells have no energies."""
        found = self.beforehand(block, requests)
        left = tuple(cell for cell in found.cells if cell not in self.known)
        needed = max(0, found.needed - (len(found.cells) - len(left)))
        return replace(found, cells=left, needed=needed)

    def beforehand(self, block: Block, requests: int) -> Decision:
        """Return what an adaptive design is expected to ask for in all."""
        cells = self.design.grid(block, requests)
        return decision(block.id, cells, {}, self.experiment.adaptive)

    @contextmanager
    def measuring(self, block: Block, engine: Engine) -> Iterator[MeasureCell]:
        """Yield a function that lets the time of a cell pass."""
        known, metering = costs(block, self.metering), self.metering
        is_loaded = False

        def measure(cell: Cell, *, idle: bool = True) -> CellRecord:
            nonlocal is_loaded
            if not is_loaded:
                begun_s = self.clock()
                engine.load(block.settings)
                self.took.append((block, None, self.clock() - begun_s))
                is_loaded = True
            begun_s = self.clock()
            record = self._played(block, engine, cell, known, metering, idle=idle)
            self.took.append((block, cell, self.clock() - begun_s))
            return record

        yield measure
        if is_loaded:
            self.clock.now_s += CLOSE_S
            self.took.append((block, None, CLOSE_S))

    def say(self, what: str) -> None:
        """Say nothing: the outlook itself is what there is to say."""

    def save(self) -> None:
        """Write nothing."""

    def _played(
        self,
        block: Block,
        engine: Engine,
        cell: Cell,
        known: Costs,
        metering: Metering,
        *,
        idle: bool,
    ) -> CellRecord:
        extra_s, duration_s = known.extra_s[cell], known.duration_s[cell]
        window_s = known.expected_s([cell], [])[cell] - extra_s
        self.clock.now_s += window_s + extra_s + 2 * metering.idle_s * idle
        known_values = described(block, engine, cell)
        seen = {"status": "ok", "window_s": window_s, "duration_s": duration_s}
        if idle:
            seen["idle_before_w"] = 0.0
        self.known[cell] = record = converted(CellRecord, known_values | seen)
        return record


def play(experiment: Experiment, *, minutes: float) -> Outlook:
    """Return how a first call would go, times being the simulator's.

    Args:
        experiment: what is measured.
        minutes: the time that it has.

    Raises:
        InputError: the experiment cannot be planned.
    """
    clock = Clock()
    call = Call(started_utc="", minutes=minutes)
    campaign = PlayedCampaign(
        folder=Path("nowhere"),
        experiment=experiment,
        logbook=Logbook(experiment=plain(experiment), calls=[call]),
        engine_of=lambda block, _: _Played(block, clock),
        prepare=lambda _: None,
        clock=clock,
    )
    box = TimeBox(MINUTE_S * minutes, clock)
    measure_blocks(campaign, box, Progress())
    return Outlook(tuple(_parts(campaign)), box.left_s, call.time_s)


def outlook(file: CampaignFile, *, minutes: float, sensor: bool = True) -> Iterator[str]:
    """Yield a line for each step of a first call, with what it takes.

    Times are the simulator's; a real call scales them by what its first cells took.

    Raises:
        InputError: an experiment cannot be planned.
    """
    engines = " and ".join(dict.fromkeys(each.engine for each in file.parts.values()))
    yield f"{engines} on {file.gpu}, {minutes:g} minute{'s' * (minutes != 1)}; times are simulated"
    left_s = MINUTE_S * minutes
    inside_s, beside_s = 0.0, defaultdict[str, float](float)
    if probe_s := probe_share_s(file, minutes):
        probe = probe_outlook(probe_s / MINUTE_S)
        what = f"probe, windows of {probe.window_s:.3g} s"
        line = _line(Part(what, probe.took_s))
        yield f"{line}  {probe.steps} of {len(steps())} steps"
        left_s -= probe.took_s
        inside_s += probe.inside_s
        beside_s["the probe beside its windows"] += probe.took_s - probe.inside_s
    if sensor:
        yield _line(Part("power sensor", SENSOR_S))
        left_s -= SENSOR_S
        beside_s["the power sensor"] += SENSOR_S
    asked = [asked_by(each, Path("nowhere")) for each in file.parts.values()]
    for place, (name, experiment) in enumerate(file.parts.items()):
        share_s = part_shares_s(asked[place:], left_s)[0]
        found = play(experiment, minutes=share_s / MINUTE_S)
        if name:
            yield f"{name}:"
        yield from map(_line, found.parts)
        left_s -= share_s - found.left_s
        inside_s += found.time_s.get("windows", 0.0)
        for on, words in BESIDE.items():
            beside_s[words] += found.time_s.get(on, 0.0)
    yield _line(Part("left over", left_s))
    share = inside_s / (MINUTE_S * minutes)
    most_first = sorted(beside_s.items(), key=lambda each: -each[1])
    rest = ", ".join(f"{words} {s / MINUTE_S:.1f} min" for words, s in most_first if s)
    yield f"{100 * share:.0f} % of the time inside measured windows; the rest: {rest}"


def _parts(campaign: PlayedCampaign) -> Iterator[Part]:
    """Yield what was measured of each block, then what found no time."""
    design, requests = campaign.design, campaign.logbook.requests
    is_adaptive = campaign.experiment.measure.design == "adaptive"
    for block in campaign.blocks:
        chosen = requests.get(block.id)
        stated = design.stated(block)
        grid = design.grid(block, chosen) if chosen else []
        more = design.more(block, chosen)
        if chosen and is_adaptive:
            expected = campaign.beforehand(block, chosen)
            grid = list(expected.cells[: expected.needed])
            more = [*expected.cells[expected.needed :], *more]
        of_grid = f"{'adaptive' if is_adaptive else 'grid'}, N = {chosen}"
        groups = {"stated": stated, of_grid: grid, "more": more}
        groups = {what: cells for what, cells in groups.items() if cells}
        if len(groups) > 1 and stated:  # a cell of both is measured as the one that comes first
            groups = {
                what: cells if cells is stated else [c for c in cells if c not in stated]
                for what, cells in groups.items()
            }
        of_cells = {cell: what for what, cells in reversed(groups.items()) for cell in cells}
        parts = {"load, close": [0.0, 0], **{what: [0.0, 0] for what in groups}}
        for each, cell, took_s in campaign.took:
            if each is block:
                what = "load, close" if cell is None else of_cells.get(cell, "which N fits")
                part = parts.setdefault(what, [0.0, 0])
                part[0] += took_s
                part[1] += cell is not None
        for what, (took_s, cells) in parts.items():
            of = len(groups.get(what, ()))
            if cells or what != "more":
                yield Part(f"{block.id}: {what}", took_s, int(cells), of)
        if not chosen and design.ladder(block):
            yield Part(f"{block.id}: its grid does not fit", 0.0)
        elif can_fit_all(grid) and not can_fit_all(c for _, c, _ in campaign.took if c in grid):
            yield Part(f"{block.id}: too few for a sweet spot", 0.0)


def _line(part: Part) -> str:
    which = f"{part.cells} of {part.of} cells" if part.of else ""
    return f"  {part.what:<40}{part.took_s / MINUTE_S:>6.1f} min  {which}".rstrip()
