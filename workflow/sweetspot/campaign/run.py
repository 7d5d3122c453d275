"""Measuring inside a time box: the blocks in turn, each with its share of the time."""

import logging

from sweetspot.campaign.block_run import BlockRun
from sweetspot.campaign.box import Box
from sweetspot.campaign.campaign import Campaign
from sweetspot.campaign.turn import Progress
from sweetspot.errors import EngineError, MeterError
from sweetspot.measure.measure import Remeasure

log = logging.getLogger(__name__)


def measure_in(
    campaign: Campaign, box: Box, progress: Progress, remeasure: Remeasure = "nothing"
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
