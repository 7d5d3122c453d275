"""One call of a campaign: its probe, then its parts, which share the time."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from sweetspot.campaign.cost import Asked
from sweetspot.campaign.design import design
from sweetspot.campaign.file import CampaignFile
from sweetspot.campaign.logbook import open_logbook
from sweetspot.campaign.probing import probe_board
from sweetspot.campaign.run import require_here, run_campaign
from sweetspot.campaign.shares import asked_by, part_shares_s, probe_share_s
from sweetspot.campaign.time_box import TimeBox, sigterm_interrupts
from sweetspot.config import Remeasure
from sweetspot.errors import EngineError, InputError, SweetspotError
from sweetspot.files import make_folder
from sweetspot.running import held

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
        InputError: a part cannot be planned, or is not that of its folder; or the folder
            cannot be written to, or another command works on it.
        EngineError: no part could be measured.
        KeyboardInterrupt: it was interrupted, by Ctrl-C or SIGTERM.
    """
    box = TimeBox(monotonic() + 60 * minutes, monotonic)
    parts = _Parts(file, folder)
    parts.require_here()
    make_folder(folder)
    with held(folder):
        spent_s: dict[str, float] = {}
        if probe_s := probe_share_s(file, minutes):
            with sigterm_interrupts():
                experiment = file.parts[parts.left[0]]
                spent_s = probe_board(experiment, folder / "probe", probe_s / 60)
        measured, is_first = 1, True
        while measured and (is_first or box.left_s >= LEAST_S):
            measured = 0
            again = remeasure if is_first else "nothing"
            names = parts.left
            for place, name in enumerate(names):
                if measured and box.left_s < LEAST_S:
                    log.info("no time is left for %s", ", ".join(names[place:]))
                    break
                asked = [parts.asked(each, again) for each in names[place:]]
                if not is_first and not asked[0]:
                    continue
                with parts.may_fail(name), watched(folder / name):
                    measured += run_campaign(
                        file.parts[name],
                        folder / name,
                        minutes=part_shares_s(asked, box.left_s)[0] / 60,
                        sensor=sensor,
                        remeasure=again,
                        before_s=spent_s,
                        hands_on=len(parts.left) > 1,
                        whole=folder,
                    )
            is_first = False
            if len(file.parts) == 1:
                break
    parts.require_some()


@dataclass(slots=True)
class _Parts:
    """The parts of a call, and why some are left out of it."""

    file: CampaignFile
    folder: Path
    failures: dict[str, SweetspotError] = field(default_factory=dict)

    @property
    def left(self) -> list[str]:
        """Those that are not left out."""
        return [name for name in self.file.parts if name not in self.failures]

    def asked(self, name: str, remeasure: Remeasure) -> list[Asked]:
        """Return how much time each model of a part can use."""
        return asked_by(self.file.parts[name], self.folder / name, remeasure)

    def require_here(self) -> None:
        """Look at every part before the first one takes any time.

        Raises:
            InputError: one cannot be planned, or is not that of its folder.
            EngineError, InputError: this node can measure none.
        """
        for name, experiment in self.file.parts.items():
            design(experiment)
            open_logbook(self.folder / name / "campaign.json", experiment)
        for name, experiment in self.file.parts.items():
            try:
                require_here(experiment)
            except (EngineError, InputError) as error:
                self.failures[name] = error
        self.require_some()  # where all fail, one line says why
        for name, failure in self.failures.items():
            _say_left_out(name, failure)

    @contextmanager
    def may_fail(self, name: str) -> Iterator[None]:
        """Leave a part out that fails, and say so; the only one fails with the command."""
        try:
            yield
        except (EngineError, InputError) as error:
            if len(self.file.parts) == 1:
                raise
            self.failures[name] = error
            _say_left_out(name, error)

    def require_some(self) -> None:
        """Raise why the first part failed, if all did."""
        if len(self.failures) == len(self.file.parts):
            raise next(iter(self.failures.values()))


def _say_left_out(name: str, why: SweetspotError) -> None:
    log.warning("%s is left out: %s", name, why)
