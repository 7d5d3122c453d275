"""The page /metrics: the last reading of each board, and what a watcher counts."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import Literal

from sweetspot.telemetry.sample import COLUMNS, Sample, Source

FRESH_S = 15.0
"""A board that no meter has looked at for so long is no longer shown, as between two cells."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        channels: of a sample, the first that there is a reading of.
        factor: from the channel's unit to the metric's.
    """

    name: str
    kind: Literal["gauge", "counter"]
    help: str
    channels: tuple[str, ...] = ()
    factor: float = 1.0


METRICS = (
    Metric(
        "DCGM_FI_DEV_POWER_USAGE",
        "gauge",
        "Power draw (in W): a mean over 1 s where the board has one.",
        ("power_average_w", "power_usage_w", "power_w"),
    ),
    Metric(
        "DCGM_FI_DEV_POWER_USAGE_INSTANT",
        "gauge",
        "Instantaneous power draw (in W).",
        ("power_instant_w",),
    ),
    Metric(
        "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
        "counter",
        "The board's energy counter (in mJ).",
        ("counter_j",),
        1e3,
    ),
    Metric("DCGM_FI_DEV_SM_CLOCK", "gauge", "SM clock frequency (in MHz).", ("sm_mhz",)),
    Metric("DCGM_FI_DEV_MEM_CLOCK", "gauge", "Memory clock frequency (in MHz).", ("memory_mhz",)),
    Metric("DCGM_FI_DEV_GPU_TEMP", "gauge", "GPU temperature (in C).", ("temperature_c",)),
    Metric(
        "DCGM_FI_DEV_MEMORY_TEMP", "gauge", "Memory temperature (in C).", ("memory_temperature_c",)
    ),
    Metric("DCGM_FI_DEV_GPU_UTIL", "gauge", "GPU utilization (in %).", ("utilisation",), 100.0),
    Metric(
        "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS",
        "gauge",
        "Why clocks are not higher (bits).",
        ("event_reasons",),
    ),
    Metric("sweetspot_graphics_clock_mhz", "gauge", "Graphics clock (in MHz).", ("graphics_mhz",)),
    Metric(
        "sweetspot_power_violation_seconds_total",
        "counter",
        "Time in which the power limit held clocks down (in s).",
        ("power_violation_s",),
    ),
    Metric(
        "sweetspot_thermal_violation_seconds_total",
        "counter",
        "Time in which heat held clocks down (in s).",
        ("thermal_violation_s",),
    ),
    Metric(
        "sweetspot_host_energy_joules_total",
        "counter",
        "The node's own energy counters (in J).",
        ("host_counter_j",),
    ),
    Metric("sweetspot_samples_total", "counter", "Samples of the board so far."),
)
"""Of a board; with the names, the units and the labels of NVIDIA's DCGM exporter where it has
them."""


@dataclass(slots=True)
class _Board:
    """The last reading of each channel, how many samples there were, and when the last came."""

    values: dict[str, float] = field(default_factory=dict)
    samples: int = 0
    seen_s: float = 0.0


class Page:
    """What the page shows; threads may share it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lock = Lock()
        self._boards: dict[Source, _Board] = {}
        self._own: dict[Metric, float] = {}

    def see(self, source: Source, sample: Sample) -> None:
        """Take a sample: what it has no reading of keeps the last one."""
        readings = {
            name: value
            for name, value in zip(COLUMNS, sample.values, strict=True)
            if not math.isnan(value)
        }
        with self._lock:
            board = self._boards.setdefault(source, _Board())
            board.values |= readings
            board.samples += 1
            board.seen_s = monotonic()

    def say(self, values: Mapping[Metric, float]) -> None:
        """Take what a watcher counts itself."""
        with self._lock:
            self._own |= values

    def text(self) -> str:
        """Return the page in Prometheus' text format."""
        with self._lock:
            return "".join(self._lines())

    def _lines(self) -> Iterator[str]:
        now_s = monotonic()
        boards = {
            _labels(source): board
            for source, board in self._boards.items()
            if now_s - board.seen_s < FRESH_S
        }
        for metric in METRICS:
            shown = {labels: _of(board, metric) for labels, board in boards.items()}
            yield from _metric(metric, {at: value for at, value in shown.items() if value})
        for metric, value in self._own.items():
            yield from _metric(metric, {"": repr(float(value))})


def _of(board: _Board, metric: Metric) -> str | None:
    """Return a metric's value of a board; None where it has none."""
    if not metric.channels:
        return str(board.samples)
    for channel in metric.channels:
        if channel in board.values:
            return repr(board.values[channel] * metric.factor)
    return None


def _metric(metric: Metric, shown: Mapping[str, str | None]) -> Iterator[str]:
    if shown:
        yield f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.kind}\n"
        for labels, value in shown.items():
            yield f"{metric.name}{labels} {value}\n"


def _labels(source: Source) -> str:
    labels = {"UUID": source.gpu_uuid, "modelName": source.gpu_name, "Hostname": source.host}
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
