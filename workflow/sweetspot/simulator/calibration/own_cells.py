"""A user's cells, of a run or of a campaign, as a fit of constants takes them."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from sweetspot.catalog import Gpu, gpu, load_model, located
from sweetspot.cells.observations import read_observations
from sweetspot.cells.read import COUNTS, LacksColumnsError, positive, read_cells
from sweetspot.config import Experiment, parse_experiment
from sweetspot.errors import InputError
from sweetspot.reading import as_mapping, parse_json, read_bytes_if_there
from sweetspot.simulator.calibration.layout import deployments_of
from sweetspot.simulator.constants.calibration_file import PAPER_ENGINE, engine_traits
from sweetspot.simulator.deployment.deployment import Deployment

log = logging.getLogger(__name__)

MIN_CELLS = 10
ENGINES = ("tensorrt-llm", "vllm", "transformers", "simulator")
_MEASURES = ("energy_j", "duration_s")


@dataclass(frozen=True, eq=False, slots=True)
class OwnCells:
    """The cells of one run on one GPU with one engine.

    Attributes:
        board: the GPU; of simulated cells as it was set.
        cells: rows that a fit can take; models are what `load_model` takes.
        engine: what ran them.
        version: of the engine, if the cells name one.
        simulated: whether a simulator gave the numbers.
        deployments: what served each, within the limits of the manifest beside the file, or the
            paper's. What the engine does is known of one that measures; of simulated cells the
            manifest says it, and their precision.
        holdout: models, as `cells` names them, that no fit may see.
    """

    board: Gpu
    cells: pd.DataFrame
    engine: str
    version: str
    simulated: bool
    deployments: list[Deployment]
    holdout: tuple[str, ...] = ()

    @property
    def unseen(self) -> npt.NDArray[np.bool_]:
        """(n,) which cells are of models that no fit may see."""
        return self.cells["model"].astype(str).isin(self.holdout).to_numpy(dtype=bool)


def read_own_cells(
    path: Path,
    board: Gpu | None = None,
    *,
    engine: str | None = None,
    columns: Mapping[str, str] | None = None,
    allow_simulated: bool = False,
) -> OwnCells:
    """Return the measured cells of a run on a GPU, or with leave also simulated ones.

    Measured and simulated cells are never taken together. Without `board` the GPU is the one that
    all cells are of. A table that is none of a run is read as `sweetspot.read_observations` does;
    of its cells that name no GPU or engine it is believed that they are of `board` and `engine`.

    Raises:
        InputError: the file cannot be read, lacks a column or a number, has too few measured
            cells on this GPU, cells of several GPUs where none is named, or several engines'.
    """
    cells = _read(path, board, engine, columns)
    board = _only_board(cells, path) if board is None else board
    simulated = cells["simulated"]
    only_simulated = bool(len(cells) and simulated.all())
    if only_simulated and not allow_simulated:
        raise InputError(
            f"{path} holds simulated cells only; constants are fitted to measured ones"
            " (--allow-simulated to try it all the same)"
        )
    kind = "simulated" if only_simulated else "measured"
    kept = (simulated == only_simulated) & (cells["status"] == "ok") & (cells["gpu"] == board.id)
    engines = sorted(cells.loc[kept, "engine"].astype(str).unique())
    if len(engines) > 1 or not set(engines) <= set(ENGINES):
        raise InputError(
            f"{path} has cells of {', '.join(engines)}; constants go with one engine:"
            f" {' or '.join(ENGINES)}"
        )
    if int(kept.sum()) < MIN_CELLS:
        others = sorted({str(name) for name in cells["gpu"].dropna()} - {board.id})
        met = f" (other cells: {', '.join(others)})" if others else ""
        raise InputError(
            f"{path} has {int(kept.sum())} {kind} cells on {board.id}{met}; a fit needs"
            f" {MIN_CELLS} or more, of several lengths and batch sizes"
        )
    cells = cells[kept].copy()
    for name in (*COUNTS, *_MEASURES):
        cells[name] = positive(cells, name, str(path))
    experiment = _experiment(path)
    board = board.set_to(**asdict(experiment.gpu_settings))  # only simulated cells have some
    known = {load_model(model).id: model for model in experiment.models}
    cells["model"] = [known.get(str(model), str(model)) for model in cells["model"]]
    ran = _engine(engines[0], experiment)
    traits = engine_traits(ran).but(experiment.simulator if only_simulated else None)
    limits = experiment.limits
    if traits.static_batching and not only_simulated:  # an engine that cuts no batch by its tokens
        prompts = cells[["requests", "max_batch_size"]].min(axis=1) * cells["input_tokens"]
        tokens = max(limits.max_num_tokens, int(prompts.max()))
        limits = replace(limits, max_num_tokens=tokens)
    return OwnCells(
        board=board,
        cells=cells.reset_index(drop=True),
        engine=ran,
        version=_only_version(cells),
        simulated=only_simulated,
        deployments=deployments_of(
            cells,
            board,
            limits,
            experiment.precision,
            traits,
        ),
        holdout=tuple(experiment.holdout),
    )


def _read(
    path: Path, board: Gpu | None, engine: str | None, columns: Mapping[str, str] | None
) -> pd.DataFrame:
    """Return the table of a run, or anybody's as far as it says what a fit of constants takes."""
    try:
        if columns or engine:
            raise LacksColumnsError("that of somebody who says what is missing")
        cells = read_cells(path)
    except LacksColumnsError:
        observed = read_observations(path, columns=columns)
        cells = observed.cells.drop(columns="energy_source")
        for note in observed.notes:
            log.info("%s: %s", path, note)
        if not cells["load_is_given"].all():
            raise InputError(
                f"{path} does not say how many requests its cells are of; add a column requests, or"
                f" --columns requests=1 where each row is of one"
            ) from None
    for name, default, option in (
        ("gpu", board.id if board else "", "--gpu"),
        ("engine", engine or "", f"--engine {'|'.join(ENGINES[:-1])}"),
    ):
        cells[name] = cells[name].replace("", default)
        if (cells[name] == "").any():
            raise InputError(f"{path} names no {name}; add a column {name}, or {option}")
    missing = [name for name in _MEASURES if name not in cells]
    if missing:
        raise InputError(
            f"{path} lacks {' and '.join(missing)} of its runs: energy alone cannot tell a slow"
            " board at low power from a fast one at its limit; add a column duration_s, or"
            " throughput_tokens_per_s"
        )
    names = {name: _id_of(name) for name in cells["gpu"].unique()}
    return cells.assign(gpu=cells["gpu"].map(names))


def _id_of(name: str) -> str:
    """Return the catalog's id of a board that the driver's name or another means."""
    try:
        return gpu(name).id
    except InputError:
        return name


def _only_version(cells: pd.DataFrame) -> str:
    """Return the engine's version where all cells have the same."""
    versions = cells.get("engine_version", pd.Series(dtype=str)).dropna().astype(str).unique()
    return str(versions[0]) if len(versions) == 1 else ""


def _engine(measured: str, experiment: Experiment) -> str:
    """Return the engine, as the simulator knows it, that cells of an experiment ran with."""
    if measured == "simulator":
        return experiment.simulator.engine or PAPER_ENGINE
    if measured == "vllm" and experiment.vllm.compilation == "none":
        return "vllm-uncompiled"
    return measured


def _only_board(cells: pd.DataFrame, path: Path) -> Gpu:
    """Return the GPU of all cells."""
    names = sorted(cells["gpu"].astype(str).unique())
    if len(names) != 1:
        raise InputError(f"{path} has cells of {' and '.join(names) or 'no GPU'}, not of one GPU")
    own = gpu(_experiment(path).gpu)  # which the catalog may lack
    return own if own.id == names[0] else gpu(names[0])


def _experiment(path: Path) -> Experiment:
    """Return the experiment of the manifest beside the cells; without one, the paper's."""
    manifest = path.with_name("manifest.json")
    content = read_bytes_if_there(manifest, "manifest")
    if content is None:
        return Experiment()
    what = f"manifest {manifest}"
    said = as_mapping(parse_json(content, what), what)
    stated = said.get("experiment")
    if stated is None:
        raise InputError(f"{what} names no experiment, so it is not that of a run; move it away")
    own = as_mapping(said.get("own", {}), what)
    return parse_experiment(located(as_mapping(stated, what), own, path.parent), str(manifest))
