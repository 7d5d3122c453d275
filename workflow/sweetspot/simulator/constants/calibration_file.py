"""Calibrations: the simulator's constants in a file that says what they were fitted to."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sweetspot.catalog import gpu as catalog_gpu
from sweetspot.catalog.gpus import Gpu
from sweetspot.errors import InputError
from sweetspot.reading import first_error, parse_json, read_json
from sweetspot.simulator.constants.constants import REFERENCE_GPU, Constants, transfer

SCHEMA = 1
Level = Literal["data sheet", "published numbers", "own measurements"]
Finite = Annotated[float, Field(allow_inf_nan=False, ge=0, le=10_000)]
EFFICIENCIES = tuple(f.name for f in fields(Constants) if f.name.endswith("_efficiency"))


@dataclass(frozen=True, slots=True)
class Search:
    """How the search for the constants ended.

    Attributes:
        converged: whether no step made the cost smaller any more.
        ended: in words; where it did not converge, the optimiser's.
        evaluations: of all cells' costs and their derivatives.
    """

    converged: bool
    ended: str
    evaluations: int


@dataclass(frozen=True, slots=True)
class Starts:
    """What searches from several starts found: one optimum, or many.

    Attributes:
        count: how many, each drawn within the bounds but the first.
        converged: how many of them did.
        cost_percent: by how much the highest cost that one ended at is above the lowest.
        prediction_percent: how far two of them are apart, at most, in what they give for a run.
    """

    count: int
    converged: int
    cost_percent: float
    prediction_percent: float


class CalibrationFile(BaseModel):
    """A calibration as it lies on disk."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    name: str
    gpu: str
    engine: str
    level: Level
    seen: list[str] = Field(description="what the constants were fitted to")
    errors_percent: dict[str, Finite] = Field(
        description="mean absolute errors on what it was fitted to"
    )
    held_out_errors_percent: dict[str, Finite] = Field(
        default_factory=dict, description="mean absolute errors on what was held out"
    )
    at_bound: list[str] = Field(description="constants that the fit pushed to a bound")
    search: Search | None = Field(default=None, description="how the fit ended")
    starts: Starts | None = Field(default=None, description="what other searches found beside it")
    constants: dict[str, Finite]

    @classmethod
    def of(cls, constants: Constants, engine: str = "tensorrt-llm", **stated: Any) -> Self:
        """Return the file of fitted constants, which are rounded to five digits."""
        values = {f.name: float(f"{getattr(constants, f.name):.5g}") for f in fields(Constants)}
        return cls(engine=engine, constants=values, **stated)

    def to_constants(self) -> Constants:
        """Return the constants.

        Raises:
            TypeError: if a constant is missing or unknown.
        """
        return Constants(**self.constants)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A calibration ready for one GPU; `name` and `level` stand in every row made with it.

    `seen` says what the constants were fitted to: agreement with that is not evidence.
    """

    name: str
    level: Level
    seen: tuple[str, ...]
    constants: Constants


def load_calibration(gpu: Gpu, path: Path | None = None) -> Calibration:
    """Return the calibration for a GPU: the user's file, the one that ships, or a transfer of it.

    Raises:
        InputError: if the file cannot be read, is not a calibration, is for another GPU, or holds
            constants that no board has.
    """
    if path is not None:
        found = _parse(read_json(path, "calibration"), str(path))
        if found.gpu != gpu.id:
            raise InputError(
                f"{path} is a calibration for {found.gpu}, not for {gpu.id};"
                f" set gpu: {found.gpu} or choose another calibration"
            )
        _require_possible(found.to_constants(), gpu, str(path))
        return _ready(found)
    shipped = shipped_calibrations()
    if gpu.id in shipped:
        return _ready(shipped[gpu.id])
    base = shipped[REFERENCE_GPU]
    return Calibration(
        name=f"data sheet of {gpu.id}, efficiencies of {base.name}",
        level="data sheet",
        seen=tuple(base.seen),
        constants=transfer(base.to_constants(), catalog_gpu(base.gpu), gpu),
    )


def _ready(found: CalibrationFile) -> Calibration:
    return Calibration(
        name=found.name,
        level=found.level,
        seen=tuple(found.seen),
        constants=found.to_constants(),
    )


def _require_possible(constants: Constants, gpu: Gpu, name: str) -> None:
    """Refuse constants that no board has; a fit's bounds are narrower."""
    for field in EFFICIENCIES:
        if not 0 < (share := getattr(constants, field)) <= 1:
            raise InputError(f"{name}: {field} must be above 0 and at most 1, not {share:g}")
    if constants.active_power_w >= gpu.power_limit_w:
        raise InputError(
            f"{name}: active_power_w must be below the {gpu.power_limit_w:g} W power limit of"
            f" {gpu.id}, not {constants.active_power_w:g}"
        )
    if constants.run_overhead_w > gpu.power_limit_w:
        raise InputError(
            f"{name}: run_overhead_w must be at most the {gpu.power_limit_w:g} W power limit of"
            f" {gpu.id}, not {constants.run_overhead_w:g}"
        )


@lru_cache(maxsize=1)
def shipped_calibrations() -> dict[str, CalibrationFile]:
    """Return the calibrations that ship with the package, by GPU."""
    folder = resources.files("sweetspot.simulator.constants") / "calibrations"
    files = [
        _parse(parse_json(entry.read_bytes(), entry.name), entry.name)
        for entry in folder.iterdir()
        if entry.name.endswith(".json")
    ]
    return {found.gpu: found for found in files}


def _parse(data: Any, name: str) -> CalibrationFile:
    if isinstance(data, Mapping) and data.get("schema_version") not in (None, SCHEMA):
        raise InputError(
            f"{name} has schema_version {data['schema_version']!r}; this version reads {SCHEMA}"
        )
    try:
        found = CalibrationFile.model_validate(data)
    except ValidationError as e:
        raise InputError(f"{name} is not a calibration: {first_error(e)}") from e
    try:
        found.to_constants()
    except TypeError as e:
        known = ", ".join(Constants.__dataclass_fields__)
        raise InputError(f"{name} must hold exactly these constants: {known}") from e
    return found
