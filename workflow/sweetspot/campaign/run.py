"""One call of a campaign, from the sensor to the small folder that it leaves."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from sweetspot.campaign.blocks import measure_blocks
from sweetspot.campaign.campaign import Campaign
from sweetspot.campaign.compact import write_compact
from sweetspot.campaign.design import design
from sweetspot.campaign.logbook import BROKE_OFF, Call, open_logbook
from sweetspot.campaign.node import engines_here, require_node
from sweetspot.campaign.sensor.kept import take_up_sensor
from sweetspot.campaign.sensor.square_wave import look_at_sensor
from sweetspot.campaign.slot import GRACE_S, Progress
from sweetspot.campaign.time_box import OutOfTimeError, TimeBox, sigterm_interrupts
from sweetspot.catalog import gpu
from sweetspot.config import Experiment, Remeasure
from sweetspot.errors import EngineError, MeterError, SweetspotError
from sweetspot.files import make_folder
from sweetspot.plan.dataset import dataset_writer

if TYPE_CHECKING:
    from sweetspot.telemetry.publisher import Publisher

log = logging.getLogger(__name__)


def require_here(experiment: Experiment) -> None:
    """Check that this node can measure an experiment.

    Raises:
        EngineError: something is missing; the message names it.
        InputError: the engine does not have a model, the experiment cannot be planned, or samples
            not be sent where it says.
    """
    if experiment.node.telemetry.sinks:
        from sweetspot.telemetry.connect import require_sinks

        require_sinks(experiment.node.telemetry)
    require_node(experiment, design(experiment).blocks)


def run_campaign(
    experiment: Experiment,
    folder: Path,
    *,
    minutes: float,
    sensor: bool = True,
    remeasure: Remeasure = "nothing",
    before_s: dict[str, float] | None = None,
    hands_on: bool = False,
    whole: Path | None = None,
) -> int:
    """Measure for `minutes` what is most informative of what `folder` lacks; return how many cells.

    However this ends, what was measured is durable, and `folder`/compact holds all of it.

    Args:
        experiment: what is measured.
        folder: of the campaign, or of this part of it.
        minutes: to be done in.
        sensor: whether the power sensor is looked at.
        remeasure: which cells that have a record are measured again.
        before_s: what the command did before, such as its probe. The call whose account has it
            empties it, so that no other one has it, too.
        hands_on: whether another part follows. A part that fails without any record has no report:
            it leaves that to the next one's account then.
        whole: folder of the campaign that this is a part of.

    Raises:
        InputError: the experiment is not the one of the folder, or that cannot be written to.
        EngineError: none of its cells ever ran to its end.
        KeyboardInterrupt: it was interrupted, by Ctrl-C or SIGTERM.
    """
    box = TimeBox(monotonic() + 60 * minutes, monotonic)
    make_folder(folder)
    campaign = Campaign(
        folder=folder,
        experiment=experiment,
        logbook=open_logbook(folder / "campaign.json", experiment),
        engine_of=engines_here(experiment, folder),
        prepare=dataset_writer(folder / "datasets", experiment.dataset),
        publisher=_publisher(experiment),
    )
    before_s = {} if before_s is None else before_s
    call = Call(started_utc=_utc(), minutes=minutes)
    call.take_over(before_s)
    sensors = (whole or folder) if sensor else None
    campaign.logbook.calls.append(call)
    campaign.logbook.alive(box.left_s)  # a kill before the first cell leaves what is known so far
    campaign.save()
    progress, is_handed_on = Progress(), False
    try:
        call.ended = _measure(campaign, box, progress, sensors, remeasure)
        if not any(campaign.seen(block) for block in campaign.blocks):
            raise EngineError(f"nothing could be measured: {call.ended}")
    except KeyboardInterrupt:
        call.ended = "interrupted"
        raise
    except SweetspotError as error:
        call.ended = call.ended if call.ended != BROKE_OFF else str(error)
        is_handed_on = hands_on and not any(map(any, map(campaign.measured, campaign.blocks)))
        raise
    finally:
        if is_handed_on:
            call.hand_on(before_s)
        else:
            before_s.clear()
        if campaign.publisher:
            call.telemetry = list(map(str, campaign.publisher.close()))
        call.ended_utc, call.measured = _utc(), len(progress.tried)
        campaign.logbook.alive(box.left_s)
        campaign.save()
        compact = write_compact(campaign)
        log.info("%d cells measured: %s; all of them: %s", call.measured, call.ended, compact)
    return call.measured


def _measure(
    campaign: Campaign,
    box: TimeBox,
    progress: Progress,
    sensors: Path | None,
    remeasure: Remeasure,
) -> str:
    """Measure until the time is over, and return how that ended.

    The sensor is looked at unless a campaign beside that of `sensors` has done so; None: it is not.
    """
    try:
        with sigterm_interrupts():
            if sensors and not (campaign.folder / "sensor.json").exists():
                begun_s = box.now()
                _look_at_sensor(campaign, sensors)
                campaign.logbook.spent("sensor", box.now() - begun_s)
            return measure_blocks(campaign, box, progress, remeasure)
    except OutOfTimeError:
        return f"a cell went on for {GRACE_S:g} s after the end of the time and was cut off"


def _publisher(experiment: Experiment) -> "Publisher | None":
    """Return what sends samples while they are taken; nothing of it is loaded unless asked for."""
    if not experiment.node.telemetry.sinks:
        return None
    from sweetspot.telemetry.connect import open_publisher

    return open_publisher(experiment.node.telemetry)


def _look_at_sensor(campaign: Campaign, whole: Path) -> None:
    """Look at the sensor; cells are worth measuring without it."""
    wanted = gpu(campaign.experiment.gpu)
    if other := take_up_sensor(campaign.folder, wanted, whole):
        log.info("this board's power sensor was looked at before: %s", other)
        return
    log.info("looking at the power sensor under a square wave of load")
    try:
        look_at_sensor(campaign.folder, wanted, campaign.experiment.node)
    except (EngineError, MeterError) as error:
        log.warning("the power sensor was not looked at: %s", error)


def _utc() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
