"""What every inference engine offers, real or simulated."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sweetspot.cells.cell import Cell
from sweetspot.config import Container, Telemetry
from sweetspot.metering.meter import Meter
from sweetspot.plan.block import Settings
from sweetspot.reading import parse_as


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """The part of a run in which a server was as busy as it got.

    Attributes:
        start_s, end_s: on the clock of the session's meter.
        output_tokens: those that came in it.
    """

    start_s: float
    end_s: float
    output_tokens: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a cell's requests, as the engine reports it.

    A run that is too short to be metered is repeated back to back; counts are those of all passes.

    Attributes:
        start_s, end_s: the measured window on the clock of the session's meter: first request
            sent, last response received (or where the engine's protocol ends the window).
        requests: requests that were answered.
        input_tokens, output_tokens: tokens of all requests together.
        passes: how often the cell's requests ran in the window.
        max_concurrency: most requests that can be in flight; None where the engine does not say.
        untrusted: why the numbers cannot be trusted although the run went well; "" if they can.
        reported_energy_j: what the engine's own report says of one pass; None where it says
            nothing. It stands beside what was metered, and counts for nothing.
        remarks: what a reader of the numbers should know, a line each.
        facts: what stands in the record's provenance of this run's hardware and software.
        latencies: percentiles of what users wait for, in s, by the record's names.
        mean_sm_mhz: clock of a run that is simulated; None of others, whose boards are read.
        steady: where it was steady; None of an engine, or a run, that does not say.
    """

    start_s: float
    end_s: float
    requests: int
    input_tokens: int
    output_tokens: int
    passes: int = 1
    max_concurrency: int | None = None
    untrusted: str = ""
    reported_energy_j: float | None = None
    remarks: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    latencies: Mapping[str, float] = field(default_factory=dict)
    mean_sm_mhz: float | None = None
    steady: Steady | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What a measuring engine knows of the node that it runs on; none of it decides a value.

    Attributes:
        checkpoint: folder of the model's weights; None where they are drawn at random.
        model_reference: the model as the experiment names it.
        workspace: folder that keeps built engines.
        datasets: folder of the cells' data sets, which are there when a cell runs.
        reports: folder for the engine's own logs and reports.
        timeout_s: longest that one build, load or run may take.
        python: command of the Python that has the engine.
        container: what the engine is run in.
        opt_examples: folder of TensorRT-LLM's conversion script for OPT.
        telemetry: where samples are sent while they are taken.
    """

    checkpoint: Path | None
    model_reference: str
    workspace: Path
    datasets: Path
    reports: Path
    timeout_s: float
    python: str
    container: Container
    opt_examples: Path
    telemetry: Telemetry = field(default_factory=Telemetry)


def parse_node(node_json: str) -> Node:
    """Return the node that a job's command line describes.

    Raises:
        InputError: it cannot be read.
    """
    return parse_as(Node, node_json, "--node")


class Session(Protocol):
    """An engine with its model loaded; cells run one after the other."""

    @property
    def meter(self) -> Meter:
        """Watches the board that this session runs on, on the same clock as its runs."""

    def run(self, cell: Cell) -> Run:
        """Run a cell's requests and return when it began and ended.

        Raises:
            EngineError: the engine failed on this cell; the next one may still work.
        """

    def close(self) -> None:
        """Free the GPU."""


class Engine(Protocol):
    """An inference engine."""

    @property
    def name(self) -> str:
        """Engine id, as in cells."""

    @property
    def version(self) -> str:
        """Version of the engine's software."""

    @property
    def simulated(self) -> bool:
        """Whether its numbers come from a simulator."""

    def load(self, settings: Settings) -> Session:
        """Build what has to be built and load the model.

        Raises:
            EngineError: the engine is not there, or does not take this model.
        """
