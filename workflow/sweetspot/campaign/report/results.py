"""All that the cells of one N can give: fits, comparison, tables and figures."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from sweetspot.analysis.comparison import compare, seen_by
from sweetspot.analysis.fit import fit
from sweetspot.analysis.fit_files import fit_file, read_fits
from sweetspot.catalog import load_model
from sweetspot.cells.cell import Cell
from sweetspot.cells.read import read_cells
from sweetspot.config import FigureStyle
from sweetspot.errors import InputError
from sweetspot.figures.by_name import FIGURES, FIT_FIGURES
from sweetspot.figures.canvas import Drawing, save
from sweetspot.figures.labels import catalog_labels
from sweetspot.files import write_text_atomic
from sweetspot.measure.cells_table import write_table
from sweetspot.measure.record import CellRecord
from sweetspot.outputs import figures_of, tables_of
from sweetspot.report.exhibits import Picture
from sweetspot.report.write import read_spots
from sweetspot.tables import Table, make_tables
from sweetspot.tables import write_table as write_paper_table

SURFACE = "figure3_surface"

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Load:
    """What the cells of one N gave.

    Attributes:
        requests: N.
        fits: folder of the fits.
        missing: what could not be made, and why; "" where all was.
        tables: by the names of their files.
        pictures: all figures.
        spots: the sweet spots; None without fits.
    """

    requests: int
    fits: Path
    missing: str = ""
    tables: dict[str, Table] = field(default_factory=dict)
    pictures: list[Picture] = field(default_factory=list)
    spots: pd.DataFrame | None = None


def write_load(
    records: Sequence[CellRecord], sweep: str, models: Sequence[str], style: FigureStyle, out: Path
) -> Load:
    """Write everything into `out` that is made from cells.csv, and return it.

    Raises:
        InputError: the cells are of no use to any table or figure, or a model is not known.
    """
    cells_csv, fits, comparison = out / "cells.csv", out / "fits", out / "comparison.csv"
    write_table(((record, [sweep]) for record in records), cells_csv)
    ok = [_cell(record) for record in records if record.status == "ok"]
    load = Load(requests=records[0].requests, fits=fits)
    tables = tables_of([])
    try:
        fit_file(cells_csv, fits)
    except InputError as error:
        load.missing = f"no fits: {error}"
        log.warning("%s", load.missing)
    else:
        tables = tables_of(ok)
        cells = read_cells(cells_csv)
        rows = compare(cells, read_fits(fits), seen=seen_by(cells))
        write_text_atomic(comparison, rows.to_csv(index=False))
        load.spots = read_spots(fits)
    present = {record.model for record in records}
    described = [model for model in models if load_model(model).id in present]
    for name, table in make_tables(tables, models=described, fits=fits, comparison=comparison):
        write_paper_table(table, out / "tables" / name)
        load.tables[name] = table
    figures = [name for name in figures_of(ok) if name != SURFACE or _is_whole(ok)]
    load.pictures += _write_figures(cells_csv, figures, style, out / "figures")
    return load


def _write_figures(
    cells_csv: Path, names: Sequence[str], style: FigureStyle, out: Path
) -> Iterator[Picture]:
    cells = read_cells(cells_csv)
    labels = catalog_labels(cells["model"].unique())
    for name in names:
        if name in FIGURES:
            yield _saved(FIGURES[name](cells, style, labels), name, style, out)
    if set(names) & set(FIT_FIGURES):
        groups = fit(cells_csv, weights="equal").groups()
        for name in FIT_FIGURES:
            yield _saved(FIT_FIGURES[name](groups, style, labels), name, style, out)


def _saved(figure: Drawing, name: str, style: FigureStyle, out: Path) -> Picture:
    png, *_ = save(figure, out / name, style.dpi)
    return Picture(name, figure.alt_text, png.read_bytes())


def _is_whole(cells: Sequence[Cell]) -> bool:
    """Return whether every model has every length with every other: a surface has no holes."""
    inputs, outputs = {c.input_tokens for c in cells}, {c.output_tokens for c in cells}
    models = {cell.model for cell in cells}
    points = {(cell.model, cell.input_tokens, cell.output_tokens) for cell in cells}
    return len(points) == len(models) * len(inputs) * len(outputs)


def _cell(record: CellRecord) -> Cell:
    return Cell(
        model=record.model,
        engine=record.engine,
        max_batch_size=record.max_batch_size,
        requests=record.requests,
        input_tokens=record.input_tokens,
        output_tokens=record.output_tokens,
        repeat=record.repeat,
    )
