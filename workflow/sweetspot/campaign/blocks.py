"""Measuring inside a time box: the blocks in turn, each with its share of the time.

A block takes its stated cells first, then chooses its N, then fills its grid.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sweetspot.campaign.campaign import Campaign
from sweetspot.campaign.cost import largest_that_fits
from sweetspot.campaign.slot import Progress, Slot, open_slot
from sweetspot.campaign.time_box import TimeBox
from sweetspot.cells.cell import Cell
from sweetspot.config import Remeasure
from sweetspot.errors import EngineError, MeterError
from sweetspot.measure.measure import reusable_record
from sweetspot.plan.block import Block

log = logging.getLogger(__name__)


def measure_blocks(
    campaign: Campaign, box: TimeBox, progress: Progress, remeasure: Remeasure = "nothing"
) -> str:
    """Measure as many cells as fit into the box, and return why there are no more.

    The blocks come in their order, each with an equal share of the time that is left; what one
    does not need goes to the next. Cells that found no room in the share of their block come
    when all blocks had theirs. A block whose engine cannot be loaded is given up.

    Raises:
        OutOfTimeError: a cell went on for long after the end, and was cut off.
        InputError: a folder cannot be written to.
    """
    lost: dict[str, str] = {}
    last = None  # had all of the time that was left: only the others may find more of it
    while True:
        runs = [BlockRun(campaign, block, box, progress, remeasure) for block in campaign.blocks]
        waiting = [run for run in runs if run.block.id not in lost and run.missing()]
        turns = [run for run in waiting if run.block is not last]
        tried = len(progress.tried)
        for place, run in enumerate(turns):
            last = run.block
            try:
                run.fill(box.share(len(turns) - place))
            except (EngineError, MeterError) as error:
                lost[last.id] = f"{last.id} cannot be measured: {error}"
                log.warning("%s", lost[last.id])
        if len(progress.tried) == tried:
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
        """Return which cells are to be measured: stated ones, then the grid's.

        Before its N is chosen, it is the grid of the smallest.
        """
        return self._missing([*self._stated(), *self._grid()])

    def fill(self, share: TimeBox) -> None:
        """Measure stated cells, choose N if need be, measure the grid: what fits into `share`.

        Raises:
            EngineError, MeterError: the engine cannot be loaded, or fails whatever it is given.
            OutOfTimeError: a cell was cut off.
        """
        requests = self.campaign.logbook.requests
        with open_slot(self.campaign, self.block, share, self.box, self.progress) as slot:
            self._fill(slot, self._stated())
            if self.block.id not in requests:
                chosen = self._climb(slot)
                if chosen is None and self._missing(self._grid()[:1]):
                    return  # there was no time even for the centre
                if chosen is not None:
                    requests[self.block.id] = chosen
                    self.campaign.save()
                    log.info("%s: N = %d", self.block.id, chosen)
            self._fill(slot, self._grid())

    def _fill(self, slot: Slot, cells: Sequence[Cell]) -> None:
        while cell := slot.first_that_fits(self._missing(cells)):
            slot.measure(cell)
            self.progress.compact_now_and_then(self.campaign)

    def _stated(self) -> list[Cell]:
        return self.campaign.design.stated(self.block)

    def _grid(self) -> list[Cell]:
        """Return the grid at the N that was chosen, or else at the smallest."""
        design = self.campaign.design
        steps = design.ladder(self.block)
        chosen = self.campaign.logbook.requests.get(self.block.id)
        return design.grid(self.block, chosen or steps[0]) if steps else []

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
            return sum(slot.expected_s(self._missing(design.grid(self.block, n))).values())

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
            and reusable_record(campaign.records, self.block, cell, self.remeasure) is None
        ]
