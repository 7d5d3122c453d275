"""One call of a campaign, from the sensor to the small folder that it leaves."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from sweetspot.campaign.blocks import measure_blocks
from sweetspot.campaign.campaign import Campaign
from sweetspot.campaign.compact import write_compact
from sweetspot.campaign.design import design
from sweetspot.campaign.logbook import Call, open_logbook
from sweetspot.campaign.node import engines_here, require_node
from sweetspot.campaign.probing import asked_of
from sweetspot.campaign.sensor.kept import take_up_sensor
from sweetspot.campaign.sensor.square_wave import look_at_sensor
from sweetspot.campaign.slot import GRACE_S, Progress
from sweetspot.campaign.time_box import OutOfTimeError, TimeBox, sigterm_interrupts
from sweetspot.catalog import gpu
from sweetspot.config import Experiment, Remeasure
from sweetspot.errors import EngineError, InputError, MeterError, SweetspotError
from sweetspot.files import make_folder
from sweetspot.plan.dataset import dataset_writer
from sweetspot.probe.probed import read_probed
from sweetspot.probe.run import run_probe
from sweetspot.running import held

log = logging.getLogger(__name__)


def run_campaign(
    experiment: Experiment,
    folder: Path,
    *,
    minutes: float,
    sensor: bool = True,
    remeasure: Remeasure = "nothing",
    probe: tuple[Path, float] | None = None,
) -> int:
    """Measure for `minutes` what is most informative of what `folder` lacks; return how many cells.

    However this ends, what was measured is durable, and `folder`/compact holds all of it. The board
    is probed first into the folder of `probe`, for so many of the minutes at most.

    Raises:
        InputError: the experiment simulates, is not the one of the folder, or the folder cannot be
            written to, or another call works on it.
        EngineError: this node cannot measure it, or none of its cells ever ran to its end.
        KeyboardInterrupt: it was interrupted, by Ctrl-C or SIGTERM.
    """
    box = TimeBox(monotonic() + 60 * minutes, monotonic)
    if experiment.engine == "simulator":
        raise InputError(
            "a campaign measures; set `engine` to one that does (tensorrt-llm, vllm, transformers,"
            " deepspeed)"
        )
    blocks = design(experiment).blocks
    require_node(experiment, blocks)
    make_folder(folder)
    with held(folder):
        campaign = Campaign(
            folder=folder,
            experiment=experiment,
            logbook=open_logbook(folder / "campaign.json", experiment),
            engine_of=engines_here(experiment, folder),
            prepare=dataset_writer(folder / "datasets", experiment.dataset),
        )
        call = Call(started_utc=_utc(), minutes=minutes)
        _measure(campaign, box, call, sensor=sensor, remeasure=remeasure, probe=probe)
        if not any(campaign.seen(block) for block in blocks):
            raise EngineError(f"nothing could be measured: {call.ended}")
        return call.measured


def _measure(
    campaign: Campaign,
    box: TimeBox,
    call: Call,
    *,
    sensor: bool,
    remeasure: Remeasure,
    probe: tuple[Path, float] | None,
) -> None:
    """Measure until the time is over; `call`, in the logbook from the start, says how it ended."""
    campaign.logbook.calls.append(call)
    campaign.save()
    progress = Progress()
    try:
        with sigterm_interrupts():
            if probe is not None:
                _probe(campaign.experiment, *probe, call)
            if sensor and not (campaign.folder / "sensor.json").exists():
                begun_s = box.now()
                _look_at_sensor(campaign)
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
        call.ended_utc, call.measured = _utc(), len(progress.tried)
        campaign.logbook.alive(box.left_s)
        campaign.save()
        compact = write_compact(campaign)
        log.info("%d cells measured: %s; all of them: %s", call.measured, call.ended, compact)


def _look_at_sensor(campaign: Campaign) -> None:
    """Look at the sensor; cells are worth measuring without it."""
    wanted = gpu(campaign.experiment.gpu)
    if other := take_up_sensor(campaign.folder, wanted):
        log.info("this board's power sensor was looked at before: %s", other)
        return
    log.info("looking at the power sensor under a square wave of load")
    try:
        look_at_sensor(campaign.folder, wanted, campaign.experiment.node)
    except (EngineError, MeterError) as error:
        log.warning("the power sensor was not looked at: %s", error)


def _probe(experiment: Experiment, folder: Path, minutes: float, call: Call) -> None:
    """Probe the board; cells are worth measuring without it."""
    begun_s = monotonic()
    windows_s = 0.0
    try:
        before = {step.id for step in known.steps} if (known := read_probed(folder)) else set()
        found = run_probe(folder, asked_of(experiment, minutes))
        new = [step for step in found.steps if step.id not in before]
        windows_s = sum(step.duration_s or 0.0 for step in new)
    except (EngineError, MeterError, InputError) as error:
        log.warning("the board was not probed: %s", error)
    call.spent("probe_windows", windows_s)
    call.spent("probe", monotonic() - begun_s - windows_s)


def _utc() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
