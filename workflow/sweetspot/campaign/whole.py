"""One call of a campaign: its probe, then its parts, which share the time."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from time import monotonic

from sweetspot.campaign.file import CampaignFile
from sweetspot.campaign.run import run_campaign
from sweetspot.campaign.shares import asked_by, part_shares_s, probe_share_s
from sweetspot.campaign.time_box import TimeBox
from sweetspot.config import Remeasure
from sweetspot.errors import EngineError

LEAST_S = 60.0  # of a part: an engine has to be loaded

log = logging.getLogger(__name__)


def run_file(
    file: CampaignFile,
    folder: Path,
    *,
    minutes: float,
    sensor: bool = True,
    remeasure: Remeasure = "nothing",
    watched: Callable[[Path], AbstractContextManager[object]] = nullcontext,
) -> None:
    """Measure for `minutes` what is most informative of what `folder` lacks.

    A part that this node cannot measure is left out, and said to be.

    Args:
        file: what is measured.
        folder: of the campaign; each part has one in it.
        minutes: to be done in.
        sensor: whether the power sensor is looked at.
        remeasure: which cells that have a record are measured again.
        watched: around each part, by its folder.

    Raises:
        InputError: as of `run_campaign`.
        EngineError: no part could be measured.
        KeyboardInterrupt: it was interrupted.
    """
    box = TimeBox(monotonic() + 60 * minutes, monotonic)
    probe_s = probe_share_s(file, minutes)
    failures: dict[str, EngineError] = {}

    def measure(name: str, share_s: float) -> int:
        try:
            with watched(folder / name):
                return run_campaign(
                    file.parts[name],
                    folder / name,
                    minutes=share_s / 60,
                    sensor=sensor,
                    remeasure=remeasure,
                    probe=(folder / "probe", probe_s / 60) if probe_s else None,
                )
        except EngineError as error:
            if len(file.parts) == 1:
                raise
            failures[name] = error
            log.warning("%s is left out: %s", name, error)
            return 0

    measured, is_first = 1, True
    while measured and (is_first or box.left_s >= LEAST_S):
        measured = 0
        names = [name for name in file.parts if name not in failures]
        for place, name in enumerate(names):
            if measured and box.left_s < LEAST_S:
                log.info("no time is left for %s", ", ".join(names[place:]))
                break
            asked = [asked_by(file.parts[each], folder / each) for each in names[place:]]
            if not is_first and not asked[0]:
                continue
            share_s = part_shares_s(asked, box.left_s - probe_s)[0] + probe_s
            measured += measure(name, share_s)
            probe_s = 0.0
        is_first = False
        if len(file.parts) == 1:
            break
    if len(failures) == len(file.parts):
        raise next(iter(failures.values()))
