"""The folder that a fit of one's own leaves: fits, tables, figures, a page of it all."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from sweetspot.analysis.batch_files import write_batch_tables
from sweetspot.analysis.fit import Fit
from sweetspot.analysis.fit_files import write_fits
from sweetspot.cells.cell import Cell
from sweetspot.cells.cleaning import POINT
from sweetspot.cells.columns import recognise
from sweetspot.cells.observations import COLUMNS, OF_RUNS
from sweetspot.config import FigureStyle
from sweetspot.errors import InputError
from sweetspot.figures.by_name import BATCH_FIGURES, FIGURES, FIT_FIGURES, SHOW_BATCH
from sweetspot.figures.canvas import Drawing, save
from sweetspot.figures.labels import catalog_labels
from sweetspot.files import write_text_atomic
from sweetspot.outputs import TABLES_OF_BATCH, TABLES_OF_OWN_FITS, figures_of
from sweetspot.report.exhibits import Picture
from sweetspot.report.fit_page import fit_html
from sweetspot.tables import write_table
from sweetspot.tables.own_table import own_table, with_reading

_SHOWN = 20  # columns
_ORIGIN = ("simulated", "gpu", "engine")


def write_fit(found: Fit, out: Path, title: str) -> list[str]:
    """Write cells.csv, fits/, tables/, figures/ and report.html, which has a title, into a folder.

    Returns:
        What the cells cannot give, one sentence each.

    Raises:
        InputError: the folder cannot be written.
    """
    _remove_earlier(out)
    cells = found.observations.cells
    kept, others = kept_cells(cells)
    write_text_atomic(out / "cells.csv", kept.to_csv(index=False))
    write_fits(cells, found.fits, out / "fits")
    if found.batch.fits:
        write_batch_tables(found.batch, out / "fits")
    missing, tables = _left_out(others), []
    for name in (*TABLES_OF_OWN_FITS, *(TABLES_OF_BATCH if found.batch.fits else ())):
        try:
            table = own_table(name, found)
        except InputError as error:
            missing.append(f"no {name}: {error}")
        else:
            write_table(with_reading(table, found), out / "tables" / name)
            tables.append((name, table))
    pictures, not_drawn = _draw(found, out)
    page = fit_html(
        title, notes=found.notes, groups=found.groups(), tables=tables, pictures=pictures
    )
    write_text_atomic(out / "report.html", page)
    return [*missing, *not_drawn]


def kept_cells(cells: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return observations as a fit's folder has them, and which of their columns it has not.

    Among these are none that a column was made of, such as one of Wh.
    """
    kept = [*COLUMNS, *(name for name in OF_RUNS if name in cells)]
    made_of = {
        name: match.quantity for name in map(str, cells) if (match := recognise(name)) is not None
    }
    others = [str(name) for name in cells if name not in kept]
    return cells[kept], [name for name in others if made_of.get(name) not in kept]


def _left_out(names: Sequence[str]) -> list[str]:
    """Say which of the file's columns cells.csv does not have."""
    more = f" and {len(names) - _SHOWN} more" * (len(names) > _SHOWN)
    return [f"not in cells.csv: {', '.join(names[:_SHOWN])}{more}"] if names else []


def _remove_earlier(out: Path) -> None:
    """Remove what an earlier fit left and this one may not make: it would be taken for this one's.

    Raises:
        InputError: a file cannot be removed.
    """
    made = {
        "fits": ("batch_*",),
        "tables": (*TABLES_OF_OWN_FITS, *TABLES_OF_BATCH),
        "figures": (*FIGURES, *FIT_FIGURES, *BATCH_FIGURES),
    }
    for folder, names in made.items():
        for name in names:
            for path in (out / folder).rglob(f"{name}.*"):
                try:
                    path.unlink()
                except OSError as error:
                    raise InputError(f"cannot remove {path}: {error.strerror}") from error


def _draw(found: Fit, out: Path) -> tuple[list[Picture], list[str]]:
    """Draw what the cells of each origin carry; return it, and what they do not, and why."""
    pictures, missing = [], []
    style = FigureStyle()
    for folder, part in _by_origin(found.observations.cells):
        labels = catalog_labels(part["model"].unique())
        groups = [group for group in found.groups() if group.model in set(part["model"])]
        varied = [group for group in groups if group.best is not None and not group.is_constant]
        drawings: dict[str, Callable[[], Drawing]] = {}
        if varied:
            for name, draw in FIT_FIGURES.items():
                drawings[name] = partial(draw, varied, style, labels)
        for name in figures_of(_points(part)):
            if name in FIGURES:
                drawings[name] = partial(FIGURES[name], part, style, labels)
            if name in SHOW_BATCH:
                energies = found.batch.energies
                drawings[name] = partial(SHOW_BATCH[name], part, style, labels, energies)
        across = found.batch.across
        across = across[across["model"].isin(part["model"])]
        for name, draw_across in BATCH_FIGURES.items() if len(across) else ():
            drawings[name] = partial(draw_across, across, part, style, labels)
        for name, draw_it in drawings.items():
            try:
                figure = draw_it()
            except InputError as error:
                missing.append(f"no {folder}/{name}: {error}")
            else:
                png, *_ = save(figure, out / folder / name, style.dpi)
                pictures.append(Picture(name, figure.alt_text, png.read_bytes()))
    return pictures, missing


def _by_origin(cells: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Return the cells of each origin and a folder for its figures: no figure mixes them."""
    parts = list(cells.groupby(list(_ORIGIN), sort=False))
    for origin, part in parts:
        yield ("figures" if len(parts) == 1 else f"figures/{_name(origin)}"), part


def _name(origin: Sequence[object]) -> str:
    simulated, gpu, engine = origin
    words = ["simulated" if simulated else "measured", gpu, engine]
    return re.sub(r"[^\w.-]+", "-", " ".join(str(word) for word in words if word))


def _points(cells: pd.DataFrame) -> list[Cell]:
    ok = cells[cells["status"] == "ok"].drop_duplicates(POINT)
    rows = zip(*(ok[name].tolist() for name in POINT), strict=True)
    return [Cell(engine="", **dict(zip(POINT, row, strict=True))) for row in rows]
