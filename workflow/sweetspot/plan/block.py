"""A block: the cells that one job measures, what decides their values, and their records' keys."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sweetspot.catalog import Architecture, Gpu
from sweetspot.cells.cell import Cell
from sweetspot.config import Adaptive, Dataset, Endpoint, Limits, Metering, Noise, Precision, Traits
from sweetspot.errors import InputError
from sweetspot.reading import parse_as
from sweetspot.schema.writing import json_text, plain
from sweetspot.simulator.constants.calibration_file import (
    Calibration,
    engine_traits,
    load_calibration,
)
from sweetspot.simulator.deployment.deployment import Deployment

# Raised whenever the code changes what a cell's numbers are or mean; every cell is then redone.
PROTOCOL = 3

# The same for cells of models that several GPUs share; others keep their keys.
SHARED_PROTOCOL = 1

MODEL_PRECISION = Precision()
"""Weights and KV cache in the checkpoint's 16 bits."""

PAPER_TRAITS = Traits()
"""What a TensorRT engine does, as `trtllm-bench` runs it."""

_CELL = re.compile(r"n([1-9]\d*)/i([1-9]\d*)_o([1-9]\d*)/r(\d+)", re.ASCII)


# Engines that are not simulated, and whose habits theirs are nearest to.
_NEAREST = {"deepspeed": "transformers", "endpoint": "vllm"}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all cells of a block have in common and what decides their values with them.

    `limits` are those of this block: its max_batch_size is that of its cells. `calibration` holds
    the simulator's constants; None for engines that measure. Theirs alone are `engine_version`,
    `options` (the rest of their section of the experiment) and `metering`; `precision` other than
    the model's, `traits` other than the paper's, and `noise` are the simulator's.
    """

    engine: str
    model: Architecture
    gpu: Gpu
    limits: Limits
    dataset: Dataset
    calibration: Calibration | None
    engine_version: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    metering: Metering | None = None
    precision: Precision = MODEL_PRECISION
    traits: Traits = PAPER_TRAITS
    noise: Noise | None = None
    protocol: int = PROTOCOL
    shared_protocol: int = SHARED_PROTOCOL

    @property
    def max_batch_size(self) -> int:
        """The engine's limit of requests in flight."""
        return self.limits.max_batch_size

    @cached_property
    def deployment(self) -> Deployment:
        """What is deployed, as the simulator sees it.

        Of an engine that measures it has the traits and constants of that engine, or of the one
        nearest to it: they say how long a measurement will take.

        Raises:
            InputError: it cannot be.
        """
        nearest = _NEAREST.get(self.engine, self.engine)
        return Deployment(
            model=self.model,
            gpu=self.gpu,
            calibration=self.calibration or load_calibration(self.gpu, engine=nearest),
            limits=self.limits,
            precision=self.precision,
            traits=self.traits if self.calibration else engine_traits(nearest),
        )

    @cached_property
    def json(self) -> str:
        """The settings as one line, for a job; what tells it nothing is left out.

        That is where a GPU's numbers were read, its links, and what several cost, where it runs
        alone, its highest clock where it is not simulated, whose kernels it has where it is of the
        catalog, settings where there are none, in what a model is as any dense one in 16 bits,
        the version of the engine whose constants were taken, precision and traits where they are
        the model's and the paper's, and noise where there is none: records from before these could
        be chosen keep their keys.
        """
        return self._json({"engine_version"}, job=True)

    @cached_property
    def identity(self) -> str:
        """The same without what decides no key: how sure a calibration is, where a server is.

        A board's highest clock is another name for what a simulated run says of its own.
        """
        places = Endpoint.PLACES if self.engine == "endpoint" else frozenset[str]()
        return self._json({"engine_version", "intervals"}, places)

    def _json(
        self,
        of_calibration: set[str],
        of_options: frozenset[str] = frozenset(),
        *,
        job: bool = False,
    ) -> str:
        alone = self.limits.tensor_parallel == 1
        links = {"nvlink_bytes_per_s", "pcie_bytes_per_s"} if alone else set()
        unset = set() if self.gpu.settings else {"full_power_limit_w", "clock_share"}
        # A key rests on the kernels themselves, which its calibration holds.
        kernels = set() if self.gpu.kernels_of and job else {"kernels_of"}
        clock = job and self.engine == "simulator"
        left_out = {
            "shared_protocol": alone,
            "precision": self.precision == MODEL_PRECISION,
            "traits": self.traits == PAPER_TRAITS,
            "noise": self.noise is None,
        }
        left_out_of = {
            "gpu": {"source"} | links | unset | kernels | (set() if clock else {"max_clock_mhz"}),
            "model": self.model.plain_parts,
            "calibration": of_calibration,
            "options": of_options,
        }
        return json_text(
            {
                name: {k: v for k, v in part.items() if k not in left_out_of[name]}
                if name in left_out_of and part is not None
                else part
                for name, part in plain(self).items()
                if not left_out.get(name)
            }
        )


@dataclass(frozen=True, kw_only=True)
class Block:
    """The cells that one job measures with one engine load; `id` is readable and path-safe.

    Attributes:
        cells: those that are measured in any case.
        model_reference: the model as the experiment names it: where its checkpoint lies decides
            no value.
        candidates: of an adaptive design, cells that are measured until `adaptive` is met.
        adaptive: what is enough; None where nothing is to be decided.
    """

    id: str
    settings: Settings
    cells: tuple[Cell, ...]
    model_reference: str = ""
    candidates: tuple[Cell, ...] = ()
    adaptive: Adaptive | None = None

    def key(self, cell: Cell) -> str:
        """Return the key of a cell's record: a hash of everything that decides its value."""
        return hashlib.sha256(f"{self.settings.identity}\n{cell.id}".encode()).hexdigest()[:16]

    @property
    def cell_names(self) -> str:
        """The cells as a job's command line names them."""
        return _names(self.cells)

    @property
    def candidate_names(self) -> str:
        """The candidates likewise."""
        return _names(self.candidates)


def _names(cells: Iterable[Cell]) -> str:
    return " ".join(
        f"n{c.requests}/i{c.input_tokens}_o{c.output_tokens}/r{c.repeat}" for c in cells
    )


def parse_block(
    block_id: str,
    settings_json: str,
    cell_names: str,
    candidate_names: str = "",
    adaptive_json: str | None = None,
) -> Block:
    """Return the block that a job's command line names.

    Raises:
        InputError: if a cell's name, the settings or what is enough cannot be read.
    """
    settings = parse_as(Settings, settings_json, f"--settings of block {block_id}")
    return Block(
        id=block_id,
        settings=settings,
        cells=_named(cell_names, settings),
        candidates=_named(candidate_names, settings),
        adaptive=parse_as(Adaptive, adaptive_json, "--adaptive") if adaptive_json else None,
    )


def _named(cell_names: str, settings: Settings) -> tuple[Cell, ...]:
    cells = []
    for name in cell_names.split():
        match = _CELL.fullmatch(name)
        if not match:
            raise InputError(f"{name!r} is not a cell; cells look like n1000/i64_o256/r0")
        requests, input_tokens, output_tokens, repeat = map(int, match.groups())
        cells.append(
            Cell(
                model=settings.model.id,
                engine=settings.engine,
                max_batch_size=settings.max_batch_size,
                requests=requests,
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                repeat=repeat,
            )
        )
    return tuple(cells)
