"""One call of a campaign, from the sensor to the small folder that it leaves."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING

from sweetspot.campaign.blocks import measure_blocks
from sweetspot.campaign.campaign import Campaign
from sweetspot.campaign.compact import write_compact
from sweetspot.campaign.design import design
from sweetspot.campaign.logbook import Call, open_logbook
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
    before_s: Mapping[str, float] = MappingProxyType({}),
    whole: Path | None = None,
) -> int:
    """Measure for `minutes` what is most informative of what `folder` lacks; return how many cells.

    However this ends, what was measured is durable, and `folder`/compact holds all of it. What the
    command did before, such as its probe, is in the call's account by `before_s`. `whole` is the
    folder of the campaign that this is a part of.

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
    call = Call(started_utc=_utc(), minutes=minutes + sum(before_s.values()) / 60)
    for what, seconds in before_s.items():
        call.spent(what, seconds)
    sensors = (whole or folder) if sensor else None
    _measure(campaign, box, call, sensors=sensors, remeasure=remeasure)
    if not any(campaign.seen(block) for block in campaign.blocks):
        raise EngineError(f"nothing could be measured: {call.ended}")
    return call.measured


def _measure(
    campaign: Campaign, box: TimeBox, call: Call, *, sensors: Path | None, remeasure: Remeasure
) -> None:
    """Measure until the time is over; `call`, in the logbook from the start, says how it ended.

    The sensor is looked at unless a campaign beside that of `sensors` has done so; None: it is not.
    """
    campaign.logbook.calls.append(call)
    campaign.save()
    progress = Progress()
    try:
        with sigterm_interrupts():
            if sensors and not (campaign.folder / "sensor.json").exists():
                begun_s = box.now()
                _look_at_sensor(campaign, sensors)
                call.spent("sensor", box.now() - begun_s)
            call.ended = measure_blocks(campaign, box, progress, remeasure)
    except OutOfTimeError:
        call.ended = f"a cell went on for {GRACE_S:g} s after the end of the time and was cut off"
    except KeyboardInterrupt:
        call.ended = "interrupted"
        raise
    except SweetspotError as error:
        call.ended = str(error)
        raise
    finally:
        if campaign.publisher:
            call.telemetry = list(map(str, campaign.publisher.close()))
        call.ended_utc, call.measured = _utc(), len(progress.tried)
        campaign.logbook.alive(box.left_s)
        campaign.save()
        compact = write_compact(campaign)
        log.info("%d cells measured: %s; all of them: %s", call.measured, call.ended, compact)


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
