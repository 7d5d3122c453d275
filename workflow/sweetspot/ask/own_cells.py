"""Which of somebody's cells say anything of a deployment: measured, on its board, by its engine."""

import os
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from sweetspot.catalog import Gpu
from sweetspot.catalog import gpu as board_of
from sweetspot.cells.observations import Observations, read_observations
from sweetspot.errors import InputError
from sweetspot.simulator.deployment.deployment import Deployment
from sweetspot.words import counted

_UNCOMPILED = "-uncompiled"  # a setting of an engine, which its cells do not name


def cells_of(
    deployment: Deployment,
    source: str | os.PathLike[str] | pd.DataFrame,
    columns: Mapping[str, str] | None = None,
) -> Observations:
    """Read the cells that were measured on a deployment's board with its engine, of any model.

    Of cells that name no board or engine it is believed that they are of these. A board that the
    catalog lacks is another one, unless the deployment's is called so. How many cells were left
    out, and why, is in the notes.

    Args:
        deployment: whose board and engine.
        source: as of `read_observations`.
        columns: likewise.

    Raises:
        InputError: the cells cannot be read, or none is left.
    """
    board, engine = deployment.gpu, _engine(deployment.calibration.engine)
    asked: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
        ("simulated", "simulated", lambda simulated: not simulated),
        ("gpu", f"of another GPU than {board.id}", lambda name: _is(name, board)),
        ("engine", f"of another engine than {engine}", lambda name: _engine(name) in ("", engine)),
    )

    def only(cells: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
        cells, notes = cells[cells["status"] == "ok"], []
        for column, what, holds in asked:
            names = [each for each in cells[column].unique() if not holds(each)]
            others = cells[column].isin(names)
            if count := int(others.sum()):
                met = f" ({', '.join(names)})" if column != "simulated" else ""
                notes.append(f"left out: {counted(count, 'cell')}, {what}{met}")
            cells = cells[~others]
        if cells.empty:
            raise InputError(
                f"no measured cell is of {board.id} with {engine}: {'; '.join(notes)}; name cells"
                " of this board and engine, or ask about theirs"
            )
        return cells.assign(gpu=board.id, engine=engine), notes

    return read_observations(source, columns=columns, only=only)


def _is(name: str, board: Gpu) -> bool:
    if name in ("", board.id) or board.is_called(name):  # also one that only a file describes
        return True
    try:
        return board_of(name).id == board.id
    except InputError:
        return False


def _engine(name: str) -> str:
    return name.lower().removesuffix(_UNCOMPILED)
