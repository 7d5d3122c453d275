"""Measuring inside a time box: the blocks in turn, each with its share of the time.

A block takes its stated cells first, as far as they leave its grid the time that it needs, then
chooses its N, then fills its grid.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from sweetspot.campaign.campaign import Campaign
from sweetspot.campaign.cost import GRID_MARGIN, Asked, costs, largest_that_fits, load_s, shares_s
from sweetspot.campaign.slot import CELL_MARGIN, CLOSING_S, Progress, Slot, open_slot
from sweetspot.campaign.time_box import TimeBox
from sweetspot.cells.cell import Cell
from sweetspot.config import Remeasure
from sweetspot.errors import EngineError, MeterError
from sweetspot.measure.work import MOST
from sweetspot.plan.block import Block

log = logging.getLogger(__name__)


def measure_blocks(
    campaign: Campaign, box: TimeBox, progress: Progress, remeasure: Remeasure = "nothing"
) -> str:
    """Measure as many cells as fit into the box, and return why there are no more.

    The blocks come in their order, each with the time that it can use or else an equal share of
    what is left. The last one with a grid, whose engine is there, goes on with what fills the time,
    and so do those after it. Cells that found no room in the share of their block, and what fills
    it, come when all blocks had theirs.
    A block whose engine cannot be loaded is given up.

    Raises:
        OutOfTimeError: a cell went on for long after the end, and was cut off.
        InputError: a folder cannot be written to.
    """
    lost: dict[str, str] = {}
    last = None  # had all of the time that was left: only the others may find more of it
    rounds = 0
    while True:
        runs = [BlockRun(campaign, block, box, progress, remeasure) for block in campaign.blocks]
        waiting = [run for run in runs if run.block.id not in lost and run.missing()]
        turns = [run for run in waiting if run.block is not last]
        tried = len(progress.tried)
        for place, run in enumerate(turns):
            last = run.block
            fills = rounds > 0 or not any(map(_has_grid, turns[place + 1 :]))
            share_s = shares_s([each.asked() for each in turns[place:]], box.left_s)[0]
            share = box if run is turns[-1] else TimeBox(box.now() + share_s, box.now)
            try:
                run.fill(share, fills=fills)
            except (EngineError, MeterError) as error:
                lost[last.id] = f"{last.id} cannot be measured: {error}"
                log.warning("%s", lost[last.id])
        rounds += 1
        if len(progress.tried) == tried and rounds > 1:  # the first may not have filled
            full = ["no other cell fits into the time that is left"] if waiting else []
            return "; ".join([*lost.values(), *full]) or "all cells are measured"


@dataclass(frozen=True, slots=True)
class BlockRun:
    """A block in a call that has until the end of `box`."""

    campaign: Campaign
    block: Block
    box: TimeBox
    progress: Progress
    remeasure: Remeasure

    def missing(self) -> list[Cell]:
        """Return which cells are to be measured: stated ones, the grid's, what fills the time.

        Before its N is chosen, it is the grid of the smallest.
        """
        return self._missing([*self._stated(), *self._grid(), *self._more()])

    def asked(self) -> Asked:
        """Return how much time it can use: load, stated cells, the grid, what fills the rest."""
        campaign, design = self.campaign, self.campaign.design
        metering, logbook = campaign.metering, campaign.logbook
        expected_s = costs(self.block, metering).expecting(campaign.seen(self.block))
        load_close_s = load_s(self.block, logbook.load_s) + CLOSING_S + 2 * metering.idle_s
        steps = design.ladder(self.block)
        if chosen := logbook.requests.get(self.block.id):
            steps = [chosen]

        def grid_s(requests: int) -> float:
            stated_s = list(map(expected_s, self._missing(self._stated())))
            grid = self._missing(campaign.grid(self.block, requests, times=MOST))
            grid_s = list(map(expected_s, grid))
            longest_s = max([*stated_s, *grid_s], default=0.0)
            return sum(stated_s) + GRID_MARGIN * sum(grid_s) + (CELL_MARGIN - 1) * longest_s

        if len(steps) > 1:  # which N fits shows the centre at the smallest
            centre = self._missing(design.grid(self.block, steps[0])[:1])
            load_close_s += sum(map(expected_s, centre))
        smallest, largest = (steps[0], steps[-1]) if steps else (0, 0)
        most_s = load_close_s + grid_s(largest)
        of_grid = set(campaign.grid(self.block, largest, times=MOST) if steps else ())
        more = [c for c in self._missing(campaign.more(self.block, largest)) if c not in of_grid]
        return Asked(load_close_s + grid_s(smallest), most_s, most_s + sum(map(expected_s, more)))

    def fill(self, share: TimeBox, *, fills: bool) -> None:
        """Measure stated cells, choose N if need be, measure the grid: what fits into `share`.

        The grid, without which there is no sweet spot, comes first where there is no time for both.
        Where it `fills`, it goes on with the rest of the lengths, and with all of them again.

        Raises:
            EngineError, MeterError: the engine cannot be loaded, or fails whatever it is given.
            OutOfTimeError: a cell was cut off.
        """
        requests = self.campaign.logbook.requests
        ahead = self._missing([*self._stated(), *self._likely_grid(share)])
        with open_slot(self.campaign, self.block, share, self.box, self.progress, ahead) as slot:
            self._fill(slot, self._stated, keep_s=partial(self._grid_s, slot))
            if self.block.id not in requests:
                chosen = self._climb(slot)
                if chosen is None and self._missing(self._grid()[:1]):
                    self._fill(slot, self._stated)  # there was no time even for the centre
                    return
                if chosen is not None:
                    requests[self.block.id] = chosen
                    self.campaign.save()
                    self.campaign.say(f"{self.block.id}: N = {chosen}")
            self._fill_grid(slot)
            self._fill(slot, self._stated)
            if fills:
                self._fill(slot, self._more)

    def _fill(
        self,
        slot: Slot,
        cells: Callable[[], Sequence[Cell]],
        then: Callable[[], None] | None = None,
        keep_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Measure what fits of cells, which may hang on those before; `then` comes after each.

        So much of the slot as `keep_s` says is kept for others.
        """
        while cell := slot.first_that_fits(self._missing(cells()), keep_s()):
            slot.measure(cell)
            if then:
                then()
            self.progress.compact_now_and_then(self.campaign)

    def _fill_grid(self, slot: Slot) -> None:
        """Measure the grid, and say why an adaptive design stopped, before anything fills the time.

        It is noted after each of its cells, as nobody knows which one is the last of a call.
        """
        campaign, name = self.campaign, self.block.id
        requests = campaign.logbook.requests.get(name)
        if requests is None or campaign.experiment.measure.design != "adaptive":
            self._fill(slot, self._grid)
            return
        notes, before = campaign.logbook.adaptive, campaign.logbook.adaptive.get(name)

        def note() -> None:
            notes[name] = campaign.decision(self.block, requests).in_words

        self._fill(slot, self._grid, note)
        if before is None:  # none of its cells was missing, or fits
            note()
        if notes[name] != before:
            campaign.save()
            campaign.say(notes[name])

    def _grid_s(self, slot: Slot) -> float:
        """Return how long the grid that is missing will take, at the smallest N before a choice."""
        return GRID_MARGIN * sum(slot.expected_s(self._missing(self._grid())).values())

    def _stated(self) -> list[Cell]:
        return self.campaign.design.stated(self.block)

    def _grid(self) -> list[Cell]:
        """Return the grid at the N that was chosen, or else at the smallest."""
        design = self.campaign.design
        steps = design.ladder(self.block)
        chosen = self.campaign.logbook.requests.get(self.block.id)
        return self.campaign.grid(self.block, chosen or steps[0]) if steps else []

    def _likely_grid(self, share: TimeBox) -> list[Cell]:
        """Return the grid at the N that will be chosen if all takes as long as simulated."""
        steps = self.campaign.design.ladder(self.block)
        if not steps or self.block.id in self.campaign.logbook.requests:
            return self._grid()
        known = costs(self.block, self.campaign.metering)
        expected_s = known.expecting(self.campaign.seen(self.block))
        stated_s = sum(map(expected_s, self._missing(self._stated())))
        room_s = share.left_s - load_s(self.block, self.campaign.logbook.load_s) - stated_s

        def grid_s(n: int) -> float:
            return sum(map(expected_s, self.campaign.grid(self.block, n)))

        return self.campaign.grid(self.block, largest_that_fits(steps, grid_s, room_s))

    def _more(self) -> list[Cell]:
        """Return what fills the time when all else is done."""
        requests = self.campaign.logbook.requests.get(self.block.id)
        return self.campaign.more(self.block, requests)

    def _climb(self, slot: Slot) -> int | None:
        """Return the largest N whose grid fits; None if there is no time to find out, or no way.

        The centre of the grid shows it, at the smallest N first. How much slower than simulated an
        engine is depends on N, too: so the centre is measured again at the N that then seems to
        fit, until that is one whose centre was.
        """
        design = self.campaign.design
        steps = design.ladder(self.block)
        requests = steps[0] if steps else 0
        tested: list[int] = []

        def grid_s(n: int) -> float:
            return sum(slot.expected_s(self._missing(self.campaign.grid(self.block, n))).values())

        while steps and requests not in tested:
            centre = design.grid(self.block, requests)[0]
            if self._missing([centre]):
                if slot.first_that_fits([centre]) is None:
                    break
                slot.measure(centre)
            if centre in {seen.cell for seen in self.campaign.seen(self.block)}:
                tested.append(requests)
            else:  # it failed, and more requests would hardly do better
                steps = [n for n in steps if n < requests]
            if steps:
                requests = largest_that_fits(steps, grid_s, slot.left_s)
        return requests if requests in tested else max(tested, default=None)

    def _missing(self, cells: Iterable[Cell]) -> list[Cell]:
        campaign = self.campaign
        return [
            cell
            for cell in cells
            if cell not in self.progress.tried
            and campaign.record(self.block, cell, self.remeasure) is None
        ]


def _has_grid(run: BlockRun) -> bool:
    return bool(run.campaign.design.ladder(run.block))
