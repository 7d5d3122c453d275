"""What the explorer's page holds beside grids: models, boards, cells, the paper's surfaces."""

from collections.abc import Container, Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

import pandas as pd

from sweetspot import __version__
from sweetspot.analysis.cells import GROUP
from sweetspot.catalog import catalog_entry, catalog_id, gpu, model_ids
from sweetspot.energy_models import form
from sweetspot.errors import InputError
from sweetspot.explorer.grid import Axes, rounded
from sweetspot.figures.labels import engine_name
from sweetspot.palettes import family_colours, family_of
from sweetspot.published import GRID, MAX_BATCH_SIZE, REQUESTS, table5
from sweetspot.simulator.deployment.deployment import Deployment

FORMAT = 1
"""Of the data in a page; raised when a page of an earlier version could not show it."""

PALETTE = "colorblind"
PAPER_GPU = "h100-sxm"
CELL = ("model", "engine", "gpu", "simulated", *GROUP[1:], "input_tokens", "output_tokens")
"""What rows of a table have in common that are repeats of one cell."""

MOST_CELLS = 2500
"""Of a page; more would make it larger than 6 MB."""

_UNKNOWN_BOARD = {"active_power_w": None, "power_limit_w": None}
_MEANS = ("energy_per_token_j", "mean_power_w", "throughput_tokens_per_s")


def page_data(
    title: str,
    deployments: Iterable[Deployment],
    axes: Axes,
    grids: Sequence[Mapping[str, Any]],
    cells: Sequence[Mapping[str, Any]] = (),
    notes: Iterable[str] = (),
) -> dict[str, Any]:
    """Return all that a page shows.

    Args:
        title: of the page.
        deployments: that the grids are of, whose models and boards are described.
        axes: lengths of all grids that have none of their own.
        grids: of `grid.py`.
        cells: of `cell_rows`.
        notes: what to know of all of it, a sentence each.
    """
    said = list(notes)
    if len(cells) > MOST_CELLS:
        said.append(f"Of {len(cells)} cells the first {MOST_CELLS} are here.")
        cells = cells[:MOST_CELLS]
    served = list(deployments)
    models = {each.model.id: each.model for each in served}
    boards = {each.gpu.id: each for each in served}
    names = [*models, *(each["model"] for each in cells if each["model"] not in models)]
    names = list(dict.fromkeys(names))
    others = dict.fromkeys(each["gpu"] for each in cells if each["gpu"] not in boards)
    engines = dict.fromkeys(filter(None, (each.get("engine") for each in (*grids, *cells))))
    colours = family_colours(PALETTE, map(family_of, names))
    return {
        "format": FORMAT,
        "made_by": f"sweetspot {__version__}",
        "title": title,
        "notes": said,
        "models": [
            {
                "id": name,
                "name": name_of(name),
                "colour": colours[family_of(name)],
                "context": models[name].max_positions if name in models else None,
            }
            for name in names
        ],
        "gpus": [
            *(_board(each) for each in boards.values()),
            *({"id": name, "name": name, **_UNKNOWN_BOARD} for name in others),
        ],
        "engines": {each: engine_name(each) for each in engines},
        **axes._asdict(),
        "grids": list(grids),
        "cells": list(cells),
        "surfaces": _surfaces(names, boards),
    }


def cell_rows(cells: pd.DataFrame, source: str = "") -> list[dict[str, Any]]:
    """Return cells as the page takes them, the mean of repeats; only those that are ok.

    Models and boards of the catalog have its ids, whatever name the table has for them.

    Args:
        cells: of `read_cells` or `read_observations`.
        source: where they come from; else the constants of simulated cells, and of measured ones
            what their energy was read from.
    """
    ok = cells[cells["status"] == "ok"]
    ok = ok.assign(model=ok["model"].map(_model_id), gpu=ok["gpu"].map(_gpu_id))
    named = [name for name in _MEANS if name in ok]
    of_cell = ok.groupby(list(CELL), sort=False, dropna=False)
    each_of = zip(
        ok.drop_duplicates(list(CELL)).to_dict("records"),  # in the order of the groups
        of_cell[named].mean().to_dict("records"),
        of_cell["energy_per_token_j"].std(),
        of_cell.size(),
        strict=True,
    )
    return [
        {
            **{name: _plain(cell[name]) for name in CELL},
            "simulated": bool(cell["simulated"]),
            **{name: _number(means.get(name)) for name in _MEANS},
            "source": source or cell["calibration" if cell["simulated"] else "energy_source"],
            "repeats": int(repeats),
            **({"spread": rounded(deviation / means["energy_per_token_j"])} if repeats > 1 else {}),
        }
        for cell, means, deviation, repeats in each_of
    ]


def name_of(model: str) -> str:
    """Return what a model is called, as people write it; one that is not known, by its id."""
    return catalog_entry(model).name if model in model_ids() else model


def _model_id(name: str) -> str:
    return catalog_id(name) or name


def _gpu_id(name: str) -> str:
    try:
        return gpu(name).id
    except InputError:
        return name


def _board(deployment: Deployment) -> dict[str, Any]:
    """Return what is said of a board; it is idle with its clocks up, as a waiting engine has it."""
    return {
        "id": deployment.gpu.id,
        "name": deployment.gpu.name,
        "active_power_w": rounded(deployment.constants.board.active_power_w),
        "power_limit_w": deployment.gpu.power_limit_w,
    }


def _surfaces(models: Iterable[str], gpus: Container[str]) -> list[dict[str, Any]]:
    """Return the paper's surfaces of those models that it has, where its board is among these."""
    if PAPER_GPU not in gpus:
        return []
    published, eq5 = table5().set_index("model"), form("memory_flops")
    names = [term.name for term in eq5.terms]
    return [
        {
            "model": model,
            "gpu": PAPER_GPU,
            "source": "paper, Table 5",
            "form": "Eq. 5",
            "formula": eq5.formula,
            "coefficients": published.loc[model, names].to_numpy(float).tolist(),
            "requests": REQUESTS,
            "max_batch_size": MAX_BATCH_SIZE,
            "input_tokens": [GRID[0], GRID[-1]],
            "output_tokens": [GRID[0], GRID[-1]],
        }
        for model in models
        if model in published.index
    ]


def _number(value: float | None) -> float | None:
    return None if value is None or not isfinite(value) else rounded(value)


def _plain(value: Any) -> Any:
    """Return a value of pandas as one of Python."""
    return value.item() if hasattr(value, "item") else value
