"""From an experiment to blocks of cells: what each job measures and what decides its values."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import product
from typing import Any

from pydantic import JsonValue, TypeAdapter, ValidationError

from sweetspot.catalog import Architecture, Gpu, load_model
from sweetspot.catalog import gpu as catalog_gpu
from sweetspot.config import Dataset, Experiment, Limits, Metering, Precision, Sweep, Traits
from sweetspot.config_errors import first_error
from sweetspot.errors import InputError
from sweetspot.simulator.calibration import Calibration, load_calibration
from sweetspot.simulator.deployment import honoured, in_words
from sweetspot.simulator.memory import require_fit
from sweetspot.simulator.shard import shard
from sweetspot.workload import Cell

# Raised whenever the code changes what a cell's numbers are or mean; every cell is then redone.
PROTOCOL = 2

MODEL_PRECISION = Precision()
"""Weights and KV cache in the checkpoint's 16 bits."""

PAPER_TRAITS = Traits()
"""What a TensorRT engine does, as `trtllm-bench` runs it."""

_CELL = re.compile(r"n([1-9]\d*)/i([1-9]\d*)_o([1-9]\d*)/r(\d+)", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all cells of a block have in common and what decides their values with them.

    `limits` are those of this block: its max_batch_size is that of its cells. `calibration` holds
    the simulator's constants; None for engines that measure. Theirs alone are `engine_version`,
    `options` (the rest of their section of the experiment) and `metering`; `precision` other than
    the model's, and `traits` other than the paper's, are the simulator's.
    """

    engine: str
    model: Architecture
    gpu: Gpu
    limits: Limits
    dataset: Dataset
    calibration: Calibration | None
    engine_version: str = ""
    options: Mapping[str, JsonValue] = field(default_factory=dict)
    metering: Metering | None = None
    precision: Precision = MODEL_PRECISION
    traits: Traits = PAPER_TRAITS
    protocol: int = PROTOCOL

    @property
    def max_batch_size(self) -> int:
        """The engine's limit of requests in flight."""
        return self.limits.max_batch_size

    @property
    def deployment(self) -> str:
        """What is other than one GPU, 16 bits and a TensorRT engine; empty if nothing is."""
        return in_words(self.limits.tensor_parallel, self.precision, self.traits)

    @cached_property
    def json(self) -> str:
        """The settings as one line; what decides nothing is left out.

        That is where a GPU's numbers were read, its links where it runs alone, and precision and
        traits where they are the model's and the paper's: records from before these could be chosen
        keep their keys.
        """
        alone = self.limits.tensor_parallel == 1
        links = {"nvlink_bytes_per_s", "pcie_bytes_per_s"} if alone else set()
        left_out: dict[str, Any] = {"gpu": {"source"} | links}
        if self.precision == MODEL_PRECISION:
            left_out["precision"] = True
        if self.traits == PAPER_TRAITS:
            left_out["traits"] = True
        return _adapter().dump_json(self, exclude=left_out).decode()


@dataclass(frozen=True, kw_only=True)
class Block:
    """The cells that one job measures with one engine load; `id` is readable and path-safe.

    `model_reference` is the model as the experiment names it: where its checkpoint lies decides
    no value.
    """

    id: str
    settings: Settings
    cells: tuple[Cell, ...]
    model_reference: str = ""

    def key(self, cell: Cell) -> str:
        """Return the key of a cell's record: a hash of everything that decides its value."""
        return hashlib.sha256(f"{self.settings.json}\n{cell.id}".encode()).hexdigest()[:16]

    @property
    def cell_names(self) -> str:
        """The cells as a job's command line names them."""
        return " ".join(
            f"n{c.requests}/i{c.input_tokens}_o{c.output_tokens}/r{c.repeat}" for c in self.cells
        )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All blocks of an experiment, and which sweeps each cell belongs to."""

    blocks: tuple[Block, ...]
    sweeps: dict[str, tuple[str, ...]]

    @property
    def cells(self) -> Iterator[Cell]:
        """All cells, in the experiment's order."""
        return (cell for block in self.blocks for cell in block.cells)


def parse_block(block_id: str, settings_json: str, cell_names: str) -> Block:
    """Return the block that a job's command line names.

    Raises:
        InputError: if a cell's name or the settings cannot be read.
    """
    try:
        settings = _adapter().validate_json(settings_json)
    except ValidationError as e:
        raise InputError(
            f"the settings of block {block_id} cannot be read: {first_error(e)}"
        ) from e
    cells = []
    for name in cell_names.split():
        match = _CELL.fullmatch(name)
        if not match:
            raise InputError(f"{name!r} is no cell; cells look like n1000/i64_o256/r0")
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
    return Block(id=block_id, settings=settings, cells=tuple(cells))


def plan(experiment: Experiment) -> Plan:
    """Return what an experiment measures.

    Raises:
        InputError: unknown model or GPU, two models of one name, one model twice in a
            sweep, a model that does not fit or that so many GPUs cannot share, or FP8 on a GPU
            without it.
    """
    gpu = catalog_gpu(experiment.gpu)
    section = experiment.engine_section
    calibration = None if section else load_calibration(gpu, experiment.simulator.calibration)
    architectures: dict[str, Architecture] = {}
    references: dict[str, str] = {}
    members: dict[Cell, list[str]] = {}
    for sweep_name, sweep in experiment.sweeps.items():
        names: dict[str, str] = {}
        for reference in sweep.models or experiment.models:
            architecture = load_model(reference)
            known = architectures.setdefault(architecture.id, architecture)
            references.setdefault(architecture.id, reference)
            if known != architecture:
                raise InputError(
                    f"two different models are called {architecture.id!r}; rename one's folder"
                )
            if architecture.id in names:
                raise InputError(
                    f"duplicate cell: sweeps.{sweep_name} has the model {architecture.id!r} twice,"
                    f" as {names[architecture.id]!r} and {reference!r}; keep it once"
                )
            names[architecture.id] = reference
            for cell in _cells(experiment, sweep, architecture.id):
                members.setdefault(cell, []).append(sweep_name)
    groups: dict[tuple[str, ...], list[Cell]] = {}
    for cell in sorted(members, key=lambda c: (list(architectures).index(c.model), c)):
        groups.setdefault(_block_parts(cell, experiment.measure.block), []).append(cell)
    blocks = []
    for parts, cells in groups.items():
        architecture, batch = architectures[cells[0].model], cells[0].max_batch_size
        part = shard(architecture, experiment.limits.tensor_parallel, experiment.precision)
        require_fit(part, gpu, experiment.limits.max_num_tokens, batch)
        settings = Settings(
            engine=experiment.engine,
            model=architecture,
            gpu=gpu,
            limits=experiment.limits.model_copy(update={"max_batch_size": batch}),
            dataset=experiment.dataset,
            calibration=calibration,
            engine_version=section.version if section else "",
            options=section.model_dump(mode="json", exclude={"version"}) if section else {},
            metering=experiment.measure.metering if section else None,
            precision=experiment.precision,
            traits=PAPER_TRAITS if section else honoured(experiment.simulator.traits, architecture),
        )
        blocks.append(
            Block(
                id="/".join(parts),
                settings=settings,
                cells=tuple(cells),
                model_reference=references[architecture.id],
            )
        )
    return Plan(
        blocks=tuple(blocks), sweeps={cell.id: tuple(names) for cell, names in members.items()}
    )


def _cells(experiment: Experiment, sweep: Sweep, model_id: str) -> Iterator[Cell]:
    batches = sweep.max_batch_size or [experiment.limits.max_batch_size]
    for batch, requests, input_tokens, output_tokens, repeat in product(
        batches,
        sweep.requests,
        sweep.input_tokens,
        sweep.output_tokens,
        range(experiment.measure.repeats),
    ):
        yield Cell(
            model=model_id,
            engine=experiment.engine,
            max_batch_size=batch,
            requests=requests,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            repeat=repeat,
        )


def _block_parts(cell: Cell, size: str) -> tuple[str, ...]:
    parts = [cell.model, f"b{cell.max_batch_size}"]
    if size == "input":
        parts.append(f"n{cell.requests}_i{cell.input_tokens}")
    if size == "cell":
        parts.append(f"n{cell.requests}_i{cell.input_tokens}_o{cell.output_tokens}_r{cell.repeat}")
    return tuple(parts)


@cache
def _adapter() -> TypeAdapter[Settings]:
    return TypeAdapter(Settings)
