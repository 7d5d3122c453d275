"""The explorer of a question: models on boards over lengths, loads, batch limits, precisions."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from sweetspot.catalog import Architecture, Gpu, load_model
from sweetspot.catalog import gpu as catalog_gpu
from sweetspot.cells.observations import read_observations
from sweetspot.config import Precision, parse_section
from sweetspot.errors import InputError
from sweetspot.explorer.data import cell_rows, name_of, page_data
from sweetspot.explorer.grid import Axes, at_a_rate, at_once
from sweetspot.explorer.page import write_page
from sweetspot.simulator.deployment.deployment import Deployment, asked_limits, deploy

INPUTS = (16, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
OUTPUTS = tuple(round(16 * 2 ** (third / 3)) for third in range(28))
AXES = Axes(INPUTS, OUTPUTS)
"""Lengths of requests that come at once: up to 8192 output tokens, three in each doubling."""
SEARCHED = INPUTS[1:8]
"""Those whose sweet spots are looked for, which takes longer than the grid."""
REQUESTS = (100, 1000)
BATCH_LIMITS = (32, 256, 1024)

RATES_PER_S = (1, 4, 16)
RATE_AXES = Axes((64, 256, 1024, 4096), (64, 128, 256, 512, 1024))
RATE_BATCH_LIMIT = 256

BOARDS = (1, 2, 4, 8)
"""How many may share a model."""
MOST_PAIRS = 10
"""Models times boards of a page; more would make it larger than it may be."""

_NOTES = (
    "Grids are simulated: no GPU ran.",
    "Requests at a rate are one draw of a Poisson process, 300 of them or more, simulated event by"
    " event at fewer lengths.",
)

Progress = Callable[[float], None]


def explore(
    models: Sequence[str | os.PathLike[str] | Mapping[str, Any]],
    gpus: Sequence[str],
    out: str | os.PathLike[str],
    *,
    engine: str | None = None,
    cells: str | os.PathLike[str] | None = None,
    columns: Mapping[str, str] | None = None,
    progress: Progress = lambda share: None,
) -> Path:
    """Simulate models on boards over lengths and loads, and write a page to look around in.

    Each model is served by as few boards of a kind as hold it, 8 at most, and in FP8, too, where
    the board has it. It takes some fifteen seconds for each model on each board.

    Args:
        models: catalog ids, paths of Hugging Face `config.json` files or their folders, or what
            these hold.
        gpus: catalog ids, or paths of GPU files.
        out: the page, one HTML file.
        engine: whose habits and overheads, such as `vllm`; None for the paper's `tensorrt-llm`.
        cells: measurements that are shown beside, as `read_observations` takes them.
        columns: of these, where their names do not say it.
        progress: called now and then with the share of the work that is done.

    Returns:
        The path of the page.

    Raises:
        InputError: an unknown model, GPU or engine, a model that does not fit, too many of them, or
            cells that cannot be read.
    """
    data = explored(models, gpus, engine=engine, cells=cells, columns=columns, progress=progress)
    write_page(data, Path(out))
    return Path(out)


def explored(
    models: Sequence[str | os.PathLike[str] | Mapping[str, Any]],
    gpus: Sequence[str],
    *,
    engine: str | None = None,
    cells: str | os.PathLike[str] | None = None,
    columns: Mapping[str, str] | None = None,
    progress: Progress = lambda share: None,
) -> dict[str, Any]:
    """Return what `explore` writes; arguments and errors are its."""
    architectures = _by_id(map(load_model, models))
    boards = {board.id: board for board in map(catalog_gpu, gpus)}
    pairs = len(architectures) * len(boards)
    if not 1 <= pairs <= MOST_PAIRS:
        raise InputError(
            f"{len(architectures)} models on {len(boards)} GPUs are {pairs} pairs, and a page holds"
            f" 1 to {MOST_PAIRS}; name {'fewer' if pairs else 'a model and a GPU'}"
        )
    beside, of_cells = _beside(cells, columns, list(boards))
    served = [
        _deployments(architecture, board, engine)
        for architecture in architectures.values()
        for board in boards.values()
    ]
    tasks = [task for each in served for task in _tasks(each)]
    grids = []
    for done, task in enumerate(tasks):
        progress(done / len(tasks))
        grids.append(task())
    where = _listed(each.name for each in boards.values())
    return page_data(
        f"{_listed(map(name_of, architectures))} on {where}",
        [each[0] for each in served],
        AXES,
        grids,
        beside,
        [*_NOTES, *_shared(served), *of_cells],
    )


def _by_id(models: Iterable[Architecture]) -> dict[str, Architecture]:
    """Return models by what they are called.

    Raises:
        InputError: two that are not the same have one name.
    """
    found: dict[str, Architecture] = {}
    for model in models:
        if found.setdefault(model.id, model) != model:
            raise InputError(
                f"two models are called {model.id}; rename the folder of one, as a page tells them"
                " apart by their names"
            )
    return found


def _deployments(model: Architecture, board: Gpu, engine: str | None) -> list[Deployment]:
    """Return how a model is served on boards of a kind: each precision with each batch limit.

    Raises:
        InputError: the model cannot be served there.
    """
    gpus = _fewest(model, board, engine)
    found = []
    for weights in ("model", "fp8"):
        for limit in BATCH_LIMITS:
            # a board may have no FP8, a checkpoint be stored otherwise, and states of so many
            # requests may not fit
            with suppress(InputError):
                found.append(_deploy(model, board, engine, gpus, limit, weights))
    return found


def _deploy(
    model: Architecture, board: Gpu, engine: str | None, gpus: int, limit: int, weights: str
) -> Deployment:
    return deploy(
        model,
        board,
        engine=engine,
        limits=asked_limits(model, max_batch_size=limit, tensor_parallel=gpus),
        precision=parse_section(Precision, {"weights": weights}),
    )


def _fewest(model: Architecture, board: Gpu, engine: str | None) -> int:
    """Return on how few boards the model can be served.

    Raises:
        InputError: why one alone cannot serve it, if not even eight can.
    """
    why = None
    for gpus in BOARDS:
        try:
            _deploy(model, board, engine, gpus, BATCH_LIMITS[0], "model")
        except InputError as error:
            why = why or error
        else:
            return gpus
    assert why is not None  # noqa: S101 - there are some numbers of boards
    raise why


def _tasks(served: Iterable[Deployment]) -> Iterator[Callable[[], dict[str, Any]]]:
    """Yield what makes each grid of a model on a board."""
    for each in served:
        for requests in REQUESTS:
            yield partial(at_once, each, requests, AXES, searched=SEARCHED)
        if each.limits.max_batch_size == RATE_BATCH_LIMIT:
            for rate_per_s in RATES_PER_S:
                yield partial(at_a_rate, each, rate_per_s, RATE_AXES)


def _shared(served: Iterable[Sequence[Deployment]]) -> Iterator[str]:
    """Yield which models are shared among boards, in sentences."""
    for first, *_ in served:
        if (gpus := first.limits.tensor_parallel) > 1:
            yield (
                f"{first.model.id} is shared by {gpus} x {first.gpu.id}, the fewest that hold it;"
                " energy and power are those of all of them."
            )


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _beside(
    cells: str | os.PathLike[str] | None, columns: Mapping[str, str] | None, boards: Sequence[str]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return measurements, and how they were understood; where no GPU is named, it is the one."""
    if cells is None:
        return [], []
    found = read_observations(cells, columns=columns)
    rows, notes = found.cells, list(found.notes)
    unnamed = rows["gpu"] == ""
    if unnamed.any() and len(boards) == 1:
        rows = rows.assign(gpu=rows["gpu"].mask(unnamed, boards[0]))
        notes.append(f"cells that name no GPU are taken for ones of {boards[0]}")
    return cell_rows(rows, Path(cells).name), notes
