"""The page of a run, from the files in its folder."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from sweetspot.analysis.fit_files import read_written
from sweetspot.analysis.sweet_spots import SWEET_SPOTS
from sweetspot.cells.read import read_cells
from sweetspot.files import write_text_atomic
from sweetspot.reading import as_mapping, parse_json, read_bytes, read_text
from sweetspot.report.exhibits import Picture, figures_section, tables_section
from sweetspot.report.origin import Provenance
from sweetspot.report.results_page import OPENING_FIGURE, results_html
from sweetspot.tables import make_tables


def write_page(
    folder: Path,
    *,
    run: str,
    blocks: Iterable[Path],
    models: Sequence[str],
    table_names: Sequence[str],
    figure_names: Sequence[str],
    out: Path,
) -> None:
    """Write the page of a run.

    Args:
        folder: of the run, with cells.csv, fits/, comparison.csv and figures/.
        run: what it is called.
        blocks: files of the cells' records.
        models: as Table 2 takes them.
        table_names: the tables that there are.
        figure_names: the figures.
        out: the page.

    Raises:
        InputError: a file cannot be read, or not written.
    """
    cells_csv, fits = folder / "cells.csv", folder / "fits"
    cells = read_cells(cells_csv)
    pictures = list(read_pictures(folder / "figures", figure_names))
    first = next((each for each in pictures if each.name == OPENING_FIGURE), None)
    tables = make_tables(
        table_names, models=models, fits=fits, comparison=folder / "comparison.csv"
    )
    page = results_html(
        run,
        made=dict(_provenances(blocks)),
        cells=cells,
        csv=read_bytes(cells_csv, "cells"),
        spots=read_spots(fits),
        picture=first,
        sections=[
            figures_section(each for each in pictures if each is not first),
            tables_section(tables),
        ],
        has_explorer=True,
    )
    write_text_atomic(out, page)


def read_pictures(folder: Path, names: Iterable[str]) -> Iterator[Picture]:
    """Yield figures of a folder.

    Raises:
        InputError: one cannot be read.
    """
    for name in names:
        alt_text = " ".join(read_text(folder / f"{name}.alt.txt", "figure in words").split())
        yield Picture(name, alt_text, read_bytes(folder / f"{name}.png", "figure"))


def read_spots(fits: Path) -> pd.DataFrame:
    """Return the sweet spots of fits; no row where nothing was fitted."""
    path = fits / "sweet_spots.csv"
    return read_written(path) if path.is_file() else pd.DataFrame(columns=SWEET_SPOTS)


def _provenances(blocks: Iterable[Path]) -> Iterator[tuple[str, Provenance]]:
    """Yield the id of each cell, and how it was made."""
    for path in blocks:
        # Not splitlines: a reason may hold other line separators, which JSON does not escape.
        lines = read_text(path, "cell records").removesuffix("\n").split("\n")
        for number, line in enumerate(lines, start=1):
            record = as_mapping(parse_json(line, f"{path} line {number}"), str(path))
            yield str(record.get("cell")), record.get("provenance", {})
