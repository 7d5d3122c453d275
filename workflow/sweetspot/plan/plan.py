"""From an experiment to blocks of cells: what each job measures."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import product
from typing import Any

from sweetspot.catalog import Architecture, load_model
from sweetspot.catalog import gpu as catalog_gpu
from sweetspot.cells.cell import Cell
from sweetspot.config import DesignName, Endpoint, Experiment, Sweep
from sweetspot.config.sections import Section
from sweetspot.errors import InputError
from sweetspot.plan.block import PAPER_TRAITS, Block, Settings
from sweetspot.plan.split import block_id
from sweetspot.reading import size_and_sha256
from sweetspot.schema.writing import plain
from sweetspot.simulator.constants.calibration_file import engine_traits, load_calibration
from sweetspot.simulator.deployment.deployment import honoured


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All blocks of an experiment, and which sweeps each cell and candidate belongs to."""

    blocks: tuple[Block, ...]
    sweeps: dict[str, tuple[str, ...]]

    @property
    def cells(self) -> Iterator[Cell]:
        """All cells that are measured in any case, in the experiment's order."""
        return (cell for block in self.blocks for cell in block.cells)


def plan(experiment: Experiment) -> Plan:
    """Return what an experiment measures.

    Raises:
        InputError: unknown model, GPU or simulated engine, two models of one name, one model twice
            in a sweep, a model that does not fit or that so many GPUs cannot share, FP8 on a GPU
            without it, or settings that the GPU cannot have.
    """
    gpu = catalog_gpu(experiment.gpu)
    section = experiment.engine_section
    calibration, traits = None, PAPER_TRAITS
    if not section:
        asked = experiment.simulator
        calibration = load_calibration(gpu, asked.calibration, asked.engine)
        traits = engine_traits(calibration.engine).but(asked)
    architectures: dict[str, Architecture] = {}
    references: dict[str, str] = {}
    members: dict[Cell, list[str]] = {}
    certain: set[Cell] = set()
    for sweep_name, sweep in experiment.sweeps.items():
        names: dict[str, str] = {}
        for reference in sweep.models or experiment.models:
            architecture = load_model(reference)
            quantization = architecture.quantization
            if quantization and getattr(section, "weights", None) == "random":
                raise InputError(
                    f"{reference} is quantized, {quantization.words}, and random weights are of 16"
                    " bits: set weights to checkpoint, or take the 16-bit model"
                )
            known = architectures.setdefault(architecture.id, architecture)
            references.setdefault(architecture.id, reference)
            if known != architecture:
                raise InputError(
                    f"two different models are called {architecture.id!r},"
                    f" {references[architecture.id]} and {reference}; rename the folder of one"
                )
            if architecture.id in names:
                raise InputError(
                    f"duplicate cell: sweeps.{sweep_name} has the model {architecture.id!r} twice,"
                    f" as {names[architecture.id]!r} and {reference!r}; keep it once"
                )
            names[architecture.id] = reference
            for cell, is_certain in _cells(experiment, sweep, architecture.id):
                members.setdefault(cell, []).append(sweep_name)
                if is_certain:
                    certain.add(cell)
    groups: dict[str, list[Cell]] = {}
    place = {model: number for number, model in enumerate(architectures)}
    for cell in sorted(members, key=lambda c: (place[c.model], c)):
        groups.setdefault(block_id(cell, experiment.measure.block), []).append(cell)

    options = _options(section)

    @cache
    def settings_of(model: str, max_batch_size: int) -> Settings:
        """Return what blocks share: there may be thousands, and they plan and hash with it."""
        architecture = architectures[model]
        settings = Settings(
            engine=experiment.engine,
            model=architecture,
            gpu=gpu.set_to(**asdict(experiment.gpu_settings)),
            limits=replace(experiment.limits, max_batch_size=max_batch_size),
            dataset=experiment.dataset,
            calibration=calibration,
            engine_version=section.version if section else "",
            options=options,
            metering=experiment.measure.metering if section else None,
            precision=experiment.precision,
            traits=honoured(traits, architecture),
            noise=None if section else experiment.simulator.drawn,
        )
        _ = settings.deployment  # what cannot be served is refused before any job
        return settings

    def block_of(name: str, cells: list[Cell]) -> Block:
        candidates = tuple(cell for cell in cells if cell not in certain)
        return Block(
            id=name,
            settings=settings_of(cells[0].model, cells[0].max_batch_size),
            cells=tuple(cell for cell in cells if cell in certain),
            model_reference=references[cells[0].model],
            candidates=candidates,
            adaptive=experiment.adaptive if candidates else None,
        )

    return Plan(
        blocks=tuple(block_of(name, cells) for name, cells in groups.items()),
        sweeps={cell.id: tuple(names) for cell, names in members.items()},
    )


def _cells(experiment: Experiment, sweep: Sweep, model_id: str) -> Iterator[tuple[Cell, bool]]:
    """Yield a sweep's cells, each with whether it is measured in any case."""
    batches = sweep.max_batch_size or [experiment.limits.max_batch_size]
    for batch, requests in product(batches, sweep.requests):
        for (lengths, is_certain), repeat in product(
            _lengths(experiment.measure.design, sweep, requests).items(),
            range(experiment.measure.repeats),
        ):
            input_tokens, output_tokens = lengths
            cell = Cell(
                model=model_id,
                engine=experiment.engine,
                max_batch_size=batch,
                requests=requests,
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                repeat=repeat,
            )
            yield cell, is_certain


def _lengths(design: DesignName, sweep: Sweep, requests: int) -> dict[tuple[int, int], bool]:
    """Return the lengths of a sweep that may be measured, and whether they are in any case."""
    if design == "grid":
        return dict.fromkeys(product(sweep.input_tokens, sweep.output_tokens), True)
    # loads numpy, which planning does without
    from sweetspot.plan.lengths import few, in_any_case

    if design == "few":
        return dict.fromkeys(few(sweep.input_tokens, sweep.output_tokens, requests), True)
    return in_any_case(sweep.input_tokens, sweep.output_tokens, requests)


def _options(section: Section | None) -> dict[str, Any]:
    """Return what of an engine's section decides a cell's value, beside the version.

    Keys that came later are left out where they are as all was before, so that cells that were
    measured then are still found. Of a log it is what is in it.

    Raises:
        InputError: a log cannot be read.
    """
    later = getattr(section, "LATER", {})
    options = {
        name: value
        for name, value in (plain(section) if section else {}).items()
        if name != "version" and not (name in later and later[name] == value)
    }
    if isinstance(section, Endpoint) and section.arrivals_log:
        options[Endpoint.LOG_DIGEST] = size_and_sha256(section.arrivals_log)[1]
    return options
