"""Calibrations: constants of a board, of an engine or of both, in files that say their evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from sweetspot.catalog.gpus import Gpu
from sweetspot.config import Traits
from sweetspot.errors import InputError, unknown_name
from sweetspot.reading import parse_json, read_json
from sweetspot.schema.keys import Range
from sweetspot.schema.mistakes import MistakesError, wrong
from sweetspot.schema.reading import converted
from sweetspot.simulator.constants.constants import (
    BOARD,
    ENGINE,
    REFERENCE_GPU,
    BoardConstants,
    Constants,
    EngineConstants,
    stated_apart,
    transfer,
)
from sweetspot.simulator.constants.intervals import (
    LEVELS,
    Class,
    Intervals,
    Level,
    shipped_intervals,
)
from sweetspot.simulator.constants.kernels import kernel_constants

SCHEMA = 2
PAPER_ENGINE = "tensorrt-llm"
Finite = Annotated[float, Range(ge=0, le=10_000)]
SHARES = tuple(name for name in BOARD if name.endswith("_share"))
# Engines that nobody measured so, each with one that was: all that differs is what is stated.
_LIKE = {"vllm": "vllm-uncompiled"}


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


@dataclass(frozen=True, kw_only=True)
class _Part:
    """What both parts hold."""

    constants: dict[str, Finite]

    def _require(self, names: tuple[str, ...]) -> None:
        if set(self.constants) != set(names):
            raise wrong(f"must hold exactly these constants: {', '.join(names)}")


@dataclass(frozen=True, kw_only=True)
class BoardPart(_Part):
    """What a file says of a board."""

    gpu: str

    def __post_init__(self) -> None:
        self._require(BOARD)

    def to_constants(self) -> BoardConstants:
        """Return the constants."""
        return BoardConstants(**self.constants)


@dataclass(frozen=True, kw_only=True)
class EnginePart(_Part):
    """What a file says of an engine."""

    name: str
    version: str = ""
    traits: Traits = field(default_factory=Traits)

    def __post_init__(self) -> None:
        self._require(ENGINE)

    def to_constants(self) -> EngineConstants:
        """Return the constants."""
        return EngineConstants(**self.constants)


@dataclass(frozen=True, kw_only=True)
class CalibrationFile:
    """A calibration as it lies on disk: of a board, of an engine, or of an engine on a board."""

    schema_version: Literal[2] = 2
    name: str
    level: Level
    seen: Annotated[list[str], "what the constants were fitted to"]
    seen_engine: Annotated[str, "what ran that"] = ""
    seen_gpu: Annotated[str, "and where"] = ""
    fitted: Annotated[list[str], "constants that were; the others are held"] = field(
        default_factory=list
    )
    errors_percent: Annotated[
        dict[str, Finite], "mean absolute errors on what it was fitted to"
    ] = field(default_factory=dict)
    held_out_errors_percent: Annotated[
        dict[str, Finite], "mean absolute errors on what was held out"
    ] = field(default_factory=dict)
    held_out_intervals: Annotated[
        Intervals | None,
        "how far what was held out is from what is simulated, for its GPU and engine",
    ] = None
    at_bound: Annotated[list[str], "constants that the fit pushed to a bound"] = field(
        default_factory=list
    )
    search: Annotated[Search | None, "how the fit ended"] = None
    starts: Annotated[Starts | None, "what other searches found beside it"] = None
    board: BoardPart | None = None
    engine: EnginePart | None = None

    def __post_init__(self) -> None:
        if self.board is None and self.engine is None:
            raise wrong("neither board nor engine is there")

    @classmethod
    def of(
        cls,
        constants: Constants,
        *,
        gpu: str,
        engine: str,
        version: str = "",
        traits: Traits | None = None,
        **stated: Any,
    ) -> Self:
        """Return the file of an engine on a board; constants are rounded to five digits."""
        rounded = {name: float(f"{constants.of(name):.5g}") for name in (*BOARD, *ENGINE)}
        return cls(
            seen_engine=engine,
            seen_gpu=gpu,
            board=BoardPart(gpu=gpu, constants={name: rounded[name] for name in BOARD}),
            engine=EnginePart(
                name=engine,
                version=version,
                traits=traits or Traits(),
                constants={name: rounded[name] for name in ENGINE},
            ),
            **stated,
        )

    def only(self, part: Literal["board", "engine"]) -> Self:
        """Return the file of one part alone."""
        names = BOARD if part == "board" else ENGINE
        other = "engine" if part == "board" else "board"
        owner = self.board.gpu if part == "board" and self.board else ""
        owner = self.engine.name if part == "engine" and self.engine else owner
        changed: dict[str, Any] = {
            other: None,
            "name": f"{owner}, {self.level}",
            "fitted": [name for name in self.fitted if name in names],
            "at_bound": [name for name in self.at_bound if name in names],
        }
        return replace(self, **changed)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Constants ready for one engine on one GPU; `name` and `level` stand in every row made so.

    `level` is that of the weaker of board and engine; `seen` says what either was fitted to:
    agreement with that is not evidence. `intervals` are those of answers for 16 bits on one GPU.
    """

    name: str
    engine: str
    level: Level
    seen: tuple[str, ...]
    constants: Constants
    intervals: Intervals
    engine_version: str = ""


def load_calibration(gpu: Gpu, path: Path | None = None, engine: str | None = None) -> Calibration:
    """Return the constants of an engine on a GPU: those of the user's file, then those that ship.

    A file may hold a board, an engine or both; what it does not hold comes with the package. A GPU
    without a file has the constants of the reference GPU, scaled by data sheet.

    Args:
        gpu: the board.
        path: a user's file; None for none.
        engine: its name; None for the file's, or the paper's.

    Raises:
        InputError: there is no such engine, or the file cannot be read, is not a calibration, is
            for another GPU or engine, or holds constants that no board has.
    """
    own = None if path is None else _parse(read_json(path, "calibration"), str(path))
    if own is not None and own.board is not None and own.board.gpu != gpu.id:
        raise InputError(
            f"{path} is a calibration for {own.board.gpu}, not for {gpu.id};"
            f" set gpu: {own.board.gpu} or choose another calibration"
        )
    if own is not None and own.engine is not None and engine not in (None, own.engine.name):
        raise InputError(
            f"{path} is a calibration for {own.engine.name}, not for {engine};"
            f" leave the engine out or choose another calibration"
        )
    of_board = own if own is not None and own.board is not None else _shipped_board(gpu)
    if own is not None and own.engine is not None:
        of_engine = own
    else:
        of_engine = shipped_engine(PAPER_ENGINE if engine is None else engine)
    assert of_board.board is not None  # noqa: S101 - as chosen
    assert of_engine.engine is not None  # noqa: S101
    constants = Constants(
        board=of_board.board.to_constants(),
        engine=of_engine.engine.to_constants(),
        kernels=kernel_constants(gpu, of_engine.engine.name),
    )
    if path is not None:
        _require_possible(constants, gpu, str(path))
    parts = (of_board,) if of_board is of_engine else (of_board, of_engine)
    kernels = [f"kernels of {constants.kernels.measured_on}"] if gpu.kernels_of else []
    return Calibration(
        name=" + ".join([*(part.name for part in parts), *kernels]),
        engine=of_engine.engine.name,
        level=min((part.level for part in parts), key=LEVELS.index),
        seen=tuple(dict.fromkeys(name for part in parts for name in part.seen)),
        constants=constants,
        intervals=_intervals(parts, gpu.id, of_engine.engine.name),
        engine_version=of_engine.engine.version,
    )


def _intervals(parts: Sequence[CalibrationFile], gpu: str, engine: str) -> Intervals:
    """Return the intervals of an engine on a GPU: those of one fit to both, or their class's."""
    same_engine = all(part.seen_engine == engine for part in parts)
    same_gpu = all(part.seen_gpu == gpu for part in parts)
    own = parts[0].held_out_intervals
    of_one_fit = own is not None and all(part.held_out_intervals == own for part in parts)
    if own is not None and of_one_fit and same_engine and same_gpu:
        return own
    level = min((part.level for part in parts), key=LEVELS.index)
    return shipped_intervals().of(Class(level, same_engine, same_gpu))


def _shipped_board(gpu: Gpu) -> CalibrationFile:
    """Return the file of a board, or one made of its data sheet."""
    boards = shipped_boards()
    if gpu.id in boards:
        return boards[gpu.id]
    reference = boards[REFERENCE_GPU]
    assert reference.board is not None  # noqa: S101 - a board's file
    moved = transfer(reference.board.to_constants(), gpu)
    return replace(
        reference,
        name=f"{gpu.id}, by data sheet from {REFERENCE_GPU}",
        level="data sheet",
        board=BoardPart(gpu=gpu.id, constants={name: getattr(moved, name) for name in BOARD}),
    )


def shipped_engine(name: str) -> CalibrationFile:
    """Return the file of an engine.

    Raises:
        InputError: there is none of this name.
    """
    engines = shipped_engines()
    if name not in engines:
        raise unknown_name("engine", name, engines)
    return engines[name]


def engine_traits(name: str) -> Traits:
    """Return what an engine does, as its file says; of one without a file, what the paper's does.

    Engines that are measured only need no file.
    """
    found = shipped_engines().get(name)
    return Traits() if found is None or found.engine is None else found.engine.traits


def _require_possible(constants: Constants, gpu: Gpu, name: str) -> None:
    """Refuse constants that no board has; a fit's bounds are narrower."""
    board, engine = constants.board, constants.engine
    # an exponent of ratios, which beyond 1 are no longer finite
    for constant in (*SHARES, "kv_energy_sharing"):
        if (share := getattr(board, constant)) > 1:
            raise InputError(f"{name}: {constant} must be at most 1, not {share:g}")
    if engine.host_ahead not in (0, 1):
        raise InputError(f"{name}: host_ahead must be 0 or 1, not {engine.host_ahead:g}")
    if board.idle_power_w > board.active_power_w:
        raise InputError(
            f"{name}: idle_power_w must be at most active_power_w ({board.active_power_w:g}),"
            f" not {board.idle_power_w:g}"
        )
    if board.active_power_w >= gpu.power_limit_w:
        raise InputError(
            f"{name}: active_power_w must be below the {gpu.power_limit_w:g} W power limit of"
            f" {gpu.id}, not {board.active_power_w:g}"
        )
    if engine.run_overhead_w > gpu.power_limit_w:
        raise InputError(
            f"{name}: run_overhead_w must be at most the {gpu.power_limit_w:g} W power limit of"
            f" {gpu.id}, not {engine.run_overhead_w:g}"
        )


@lru_cache(maxsize=1)
def shipped_boards() -> dict[str, CalibrationFile]:
    """Return the boards' files that ship with the package, by GPU."""
    return {found.board.gpu: found for found in _shipped("boards") if found.board is not None}


@lru_cache(maxsize=1)
def shipped_engines() -> dict[str, CalibrationFile]:
    """Return the engines' files that ship with the package, by name; the paper's is the first."""
    found = {file.engine.name: file for file in _shipped("engines") if file.engine is not None}
    found |= {name: _like(found[other], name) for name, other in _LIKE.items()}
    return {name: found[name] for name in sorted(found, key=lambda n: (n != PAPER_ENGINE, n))}


def _like(measured: CalibrationFile, name: str) -> CalibrationFile:
    """Return the file of an engine that is as another but for what is stated of it.

    How far the other's held-out cells were off is not this one's evidence.
    """
    of = measured.engine
    assert of is not None  # noqa: S101 - an engine's file
    constants = of.constants | stated_apart(name, of.name)
    engine = replace(of, name=name, constants=constants)
    return replace(measured, held_out_intervals=None, engine=engine).only("engine")


def _shipped(folder: str) -> list[CalibrationFile]:
    place = Path(__file__).with_name(folder)
    return [
        _parse(parse_json(entry.read_bytes(), entry.name), entry.name)
        for entry in sorted(place.glob("*.json"))
    ]


def _parse(data: Any, name: str) -> CalibrationFile:
    if isinstance(data, Mapping) and data.get("schema_version") not in (None, SCHEMA):
        raise InputError(
            f"{name} has schema_version {data['schema_version']!r}; this version reads {SCHEMA}:"
            " fit it again with `sweetspot calibrate`"
        )
    try:
        return converted(CalibrationFile, data)
    except MistakesError as e:
        raise InputError(f"{name} is not a calibration: {e}") from e
