"""The power sensors of this node's GPU, looked at while a square wave of load runs."""

import json
import os
import shlex
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweetspot import engines
from sweetspot.campaign.sensor.facts import Cycle, sensor_facts
from sweetspot.catalog import Gpu
from sweetspot.config import NodeSettings
from sweetspot.engines.process.container import in_container
from sweetspot.engines.process.run import run_stamped
from sweetspot.errors import EngineError, InputError, MeterError
from sweetspot.files import write_text_atomic
from sweetspot.metering.lease import leased_board
from sweetspot.metering.sampler import NvmlMeter
from sweetspot.metering.trace import write_trace
from sweetspot.reading import parse_json

PROGRAM = Path(engines.__file__).parent / "workers" / "square_wave.py"
FACTS, SAMPLES = "sensor.json", "sensor.csv.gz"
WAVES = ((3.0, 3.0, 3), (0.5, 0.5, 8))  # s of load, s of pause, cycles
INTERVAL_S = 0.02
IDLE_S = 3.0  # before the program starts
SETTLE_S = 2.0  # after it ended
TIMEOUT_S = 180.0
SENSOR_S = 42.0  # all of it, with the start of torch; 40 on an H200


def look_at_sensor(folder: Path, wanted: Gpu, node: NodeSettings) -> None:
    """Write sensor.json, what was found, and sensor.csv.gz, the samples that it was found in.

    The sensor is that of a board that is `wanted`, as the campaign's cells are measured on one.

    Raises:
        EngineError: the program fails.
        MeterError: the GPU cannot be metered.
        InputError: the folder cannot be written to.
    """
    log_path = folder / "engine" / "square_wave.log"
    with leased_board(wanted) as board:
        meter = NvmlMeter(board, INTERVAL_S, whole=True)
        meter.start()
        try:
            time.sleep(IDLE_S)
            idle_end_s = time.monotonic()
            _make_waves(node, board.uuid(), log_path)
            time.sleep(SETTLE_S)
        finally:
            readings = meter.stop()
        facts, latencies_us = board.facts(), board.latencies_us()
    device, cycles = _reported(log_path)
    if readings.samples is None or not cycles:
        raise MeterError(f"the square wave reported nothing; its log: {log_path}")
    found = {
        "schema_version": 1,
        "measured_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "gpu": facts,
        "program": device,
        "facts": asdict(sensor_facts(readings.samples, cycles, idle_end_s)),
        "sampler_cpu_share": readings.sampler_cpu_share,
        "field_latencies_us": latencies_us,
        "idle_end_s": idle_end_s,
        "cycles": [asdict(cycle) for cycle in cycles],
    }
    write_trace(folder / SAMPLES, readings)
    write_text_atomic(folder / FACTS, json.dumps(found, indent=1) + "\n")


def wave_command(node: NodeSettings) -> list[str]:
    """Return the command line of the program that makes the waves."""
    waves = [word for wave in WAVES for word in ("--wave", *map(str, wave))]
    return [*shlex.split(node.python), str(PROGRAM), *waves]


def _make_waves(node: NodeSettings, gpu_uuid: str, log_path: Path) -> None:
    environment = {"CUDA_VISIBLE_DEVICES": gpu_uuid}
    command = in_container(
        node.container,
        wave_command(node),
        folders=[PROGRAM.parent],
        gpu_uuid=gpu_uuid,
        environment=environment,
    )
    run_stamped(
        command,
        name=PROGRAM.name,
        log_path=log_path,
        timeout_s=TIMEOUT_S,
        env=os.environ | environment,
    )


def _reported(log_path: Path) -> tuple[dict[str, Any], list[Cycle]]:
    """Return what the program said of its device, and its edges.

    Raises:
        EngineError: a line of JSON is not one of its own.
    """
    device: dict[str, Any] = {}
    cycles = []
    for line in _json_lines(log_path):
        try:
            if "wave" in line:
                cycles.append(Cycle(wave=line["wave"], on_s=line["on"], off_s=line["off"]))
            elif "device" in line:
                device = line
        except KeyError as e:
            raise EngineError(f"{log_path}: a line lacks {e}") from e
    return device, cycles


def _json_lines(log_path: Path) -> Iterator[dict[str, Any]]:
    """Return the lines that are JSON objects; libraries may have printed others."""
    for line in log_path.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("{"):
            try:
                yield parse_json(line, str(log_path))
            except InputError:
                continue
