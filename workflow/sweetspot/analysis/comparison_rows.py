"""What of ours belongs beside which published number."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pandas as pd

from sweetspot import published
from sweetspot.analysis.fits import Fits
from sweetspot.analysis.significance import LEVELS, significance_counts
from sweetspot.analysis.sweet_spots import extremes, sweet_spots
from sweetspot.energy_models import form

TABLE5 = "published-table5"
HEADLINE = "published-headline"
ALL_MODELS = "all 13"
GRID_CELLS = len(published.GRID) ** 2
PAPER_LOAD = (published.REQUESTS, published.MAX_BATCH_SIZE)
LOAD = f"N={published.REQUESTS}, B={published.MAX_BATCH_SIZE}"


class Pair(NamedTuple):
    """A published number and ours.

    Attributes:
        cells: how many of our lengths ours was made from.
        sources: which publications a calibration would have to see for ours to be no evidence.
    """

    where: str
    quantity: str
    model: str
    condition: str
    unit: str
    published: float
    ours: float
    cells: int
    simulated: bool
    sources: tuple[str, ...] = (TABLE5,)


def table3_pairs(quality: pd.DataFrame) -> Iterator[Pair]:
    """MAPE of every form and model."""
    paper = published.table3().set_index("model")
    fitted = on_paper_load(quality[quality["status"] == "ok"])
    for row in fitted.itertuples():
        if row.model in paper.index:
            yield Pair(
                "Table 3",
                f"MAPE, {form(row.form).title}",
                row.model,
                condition(LOAD, row.cells, GRID_CELLS),
                "%",
                float(paper.at[row.model, row.form]),
                row.mape_percent,
                row.cells,
                row.simulated,
            )


def table4_pairs(fits: Fits) -> Iterator[Pair]:
    """For how many of the 13 models each coefficient of Eq. 5 is significant."""
    paper = published.table4().set_index("parameter")
    models = published.table5()["model"]
    coefficients = on_paper_load(fits.coefficients)
    counts = significance_counts(coefficients[coefficients["model"].isin(models)])
    quality = _eq5_quality(fits.quality, models)
    for parameter, row in counts.iterrows():
        if row["models"] == len(models):
            for level, title in LEVELS.items():
                yield Pair(
                    "Table 4",
                    f"models with {parameter} {title}",
                    ALL_MODELS,
                    condition(LOAD, int(quality["cells"].sum()), len(models) * GRID_CELLS),
                    "models",
                    float(paper.at[parameter, level]),
                    float(row[level]),
                    int(quality["cells"].sum()),
                    bool(quality["simulated"].any()),
                )


def table5_pairs(ok: pd.DataFrame, fits: Fits) -> Iterator[Pair]:
    """Coefficients of Eq. 5, and the sweet spot as observed and as Eq. 6 estimates it."""
    paper = published.table5().set_index("model")
    eq5 = form("memory_flops")
    units = {term.name: term.unit for term in eq5.terms}
    coefficients = on_paper_load(fits.coefficients)
    coefficients = coefficients[coefficients["form"] == eq5.id].set_index(["model", "term"])
    grid = on_paper_load(on_paper_lengths(ok))
    best = extremes(grid).set_index("model")
    spots = sweet_spots(ok, fits.coefficients)
    spots = on_paper_load(spots).set_index(["model", "input_tokens"])
    quality = _eq5_quality(fits.quality, paper.index).set_index("model")
    for model, fit in quality.iterrows():
        row = paper.loc[model]
        estimated_at = int(row["estimated_input_tokens"])
        numbers: list[tuple[str, str, str, float]] = [
            (name, name, unit, float(coefficients.at[(model, name), "value"]))
            for name, unit in units.items()
        ]
        if model in best.index:
            numbers += [
                (
                    f"observed_{axis}_tokens",
                    f"observed sweet spot, {axis} tokens",
                    "tokens",
                    float(best.at[model, f"best_{axis}_tokens"]),
                )
                for axis in ("input", "output")
            ]
        if (model, estimated_at) in spots.index:
            numbers.append(
                (
                    "estimated_output_tokens",
                    f"estimated sweet spot (Eq. 6) at I={estimated_at}, output tokens",
                    "tokens",
                    float(spots.at[(model, estimated_at), "estimated_output_tokens"]),
                )
            )
        for column, quantity, unit, ours in numbers:
            yield Pair(
                "Table 5",
                quantity,
                model,
                condition(LOAD, int(fit["cells"]), GRID_CELLS),
                unit,
                float(row[column]),
                ours,
                int(fit["cells"]),
                bool(fit["simulated"]),
            )


def condition(load: str, cells: int, paper_cells: int) -> str:
    """Return under what a number was found, and how our cells differ from the paper's."""
    return load if cells == paper_cells else f"{load}, {cells} cells (the paper: {paper_cells})"


def on_paper_lengths(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose lengths are on the paper's grid; ours may be finer or longer."""
    lengths = frame[["input_tokens", "output_tokens"]]
    return frame[lengths.isin(published.GRID).all(axis="columns")]


def on_paper_load(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows under the load of the paper's grid: N = 1000, max_batch_size 1024."""
    return frame[
        (frame["requests"] == published.REQUESTS)
        & (frame["max_batch_size"] == published.MAX_BATCH_SIZE)
    ]


def _eq5_quality(quality: pd.DataFrame, models: Iterable[str]) -> pd.DataFrame:
    """Return the fits of Eq. 5 to the paper's models under the paper's load."""
    rows = on_paper_load(quality[(quality["form"] == "memory_flops") & (quality["status"] == "ok")])
    return rows[rows["model"].isin(list(models))]
