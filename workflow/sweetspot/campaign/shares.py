"""How the time of one call is shared: by its probe, and by the models of its parts."""

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from sweetspot.campaign.blocks import BlockRun
from sweetspot.campaign.campaign import Campaign
from sweetspot.campaign.cost import Asked, shares_s
from sweetspot.campaign.file import CampaignFile
from sweetspot.campaign.logbook import open_logbook
from sweetspot.campaign.slot import Progress
from sweetspot.campaign.time_box import TimeBox
from sweetspot.config import Experiment, Remeasure

MOST_PROBE_SHARE = 1 / 3  # of a call: cells have to find some time, too


def probe_share_s(file: CampaignFile, minutes: float) -> float:
    """Return how long a call of so many minutes may probe, in s."""
    return 60 * min(file.probe_minutes, MOST_PROBE_SHARE * minutes)


def part_shares_s(asked: Sequence[Sequence[Asked]], left_s: float) -> list[float]:
    """Return the time of each part: that of its models, each of which counts alike.

    The last one has what is left.
    """
    shares = iter(shares_s([each for part in asked for each in part], left_s))
    found = [sum(next(shares) for _ in part) for part in asked]
    return [*found[:-1], left_s - sum(found[:-1])]


def asked_by(experiment: Experiment, folder: Path, remeasure: Remeasure = "nothing") -> list[Asked]:
    """Return how much time each model of a part can use."""
    campaign = Campaign(
        folder=folder,
        experiment=experiment,
        logbook=open_logbook(folder / "campaign.json", experiment),
        engine_of=_no_engine,
        prepare=lambda _: None,
    )
    box = TimeBox(0.0, lambda: 0.0)
    runs = [BlockRun(campaign, block, box, Progress(), remeasure) for block in campaign.blocks]
    return [run.asked() for run in runs if run.missing()]


def _no_engine(*_: object) -> NoReturn:
    raise RuntimeError("nothing is measured here")
