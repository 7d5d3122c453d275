"""The page of a run or of a campaign: it opens on what was found, and holds all that was made."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from sweetspot.analysis.cells import has_noise
from sweetspot.report import html
from sweetspot.report.cells_table import cells_table
from sweetspot.report.exhibits import Picture, figure_exhibit
from sweetspot.report.findings import best_cells, findings
from sweetspot.report.html import Exhibit, Section
from sweetspot.report.origin import Provenance, opening, origin_of, title_of
from sweetspot.report.spots import sweet_spots

_EXPLORER = '<p><a href="explorer.html">Explore these models</a>: other lengths, loads, prices</p>'

OPENING_FIGURE = "figure2_output_length"


def results_html(
    name: str,
    *,
    made: Mapping[str, Provenance],
    cells: pd.DataFrame,
    csv: bytes,
    spots: pd.DataFrame,
    picture: Picture | None,
    sections: Sequence[Section],
    has_explorer: bool = False,
) -> str:
    """Return the page, one file: the same input gives the same bytes.

    Args:
        name: of the run or campaign.
        made: what the record of each cell says of how it was made, by the cell's id.
        cells: all of them, as `read_cells` gives them.
        csv: the same, as a file to download.
        spots: of `analysis.sweet_spots`; empty where nothing was fitted.
        picture: the figure that the page opens on.
        sections: what else there is, in order.
        has_explorer: whether explorer.html is made beside the page.

    Raises:
        InputError: the cells cannot be compared.
    """
    shown = [figure_exhibit(picture)] if picture else []
    boards = {cell: each.get("gpu_uuid", "") for cell, each in made.items()}
    sentences = findings(cells.assign(gpu_uuid=cells["cell"].map(boards)), spots)
    result = Section(
        "Result",
        [
            *(html.paragraph(sentence, "result") for sentence in sentences),
            _EXPLORER if has_explorer else "",
            *_spots(cells, spots, has_explorer=has_explorer),
            *shown,
        ],
    )
    reasons = Section("Cells that are not ok", reasons_of(cells))
    table = Section("Cells", [cells_table(cells, csv, f"{name}.csv")])
    return html.page(
        f"{title_of(cells)}: {name}",
        opening(name, cells, origin_of(made.values())),
        [result, *sections, reasons, table],
    )


def reasons_of(cells: pd.DataFrame) -> list[str]:
    """Return why cells are not ok, and how many for each reason."""
    bad = cells[cells["status"] != "ok"]
    counts = Counter(zip(bad["status"], bad["reason"], strict=True))
    rows = [[status, reason, str(count)] for (status, reason), count in counts.items()]
    if not rows:
        return []
    kinds = [False, False, True]
    return [html.table(["Status", "Reason", "Cells"], rows, label="Reasons", numbers=kinds)]


def _spots(cells: pd.DataFrame, spots: pd.DataFrame, *, has_explorer: bool) -> list[str | Exhibit]:
    title = "Sweet spots"
    if spots.empty:
        text = "None: they take Eq. 5, and no model has cells that carry it. " + ", and ".join(
            [
                "Rings in figures mark the best of the cells that were run",
                *(["stars in the explorer the least of simulated curves"] * has_explorer),
            ]
        )
        text += "."
        return [Exhibit(title, html.paragraph(text))]
    best = {key: each.tokens_per_j for key, each in best_cells(cells).items()}
    shown = sweet_spots(spots, best=best, has_noise=has_noise(cells))
    return [Exhibit(title, "\n".join(shown))]
