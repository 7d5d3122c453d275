"""What of ours belongs beside which published number."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sweetspot import published
from sweetspot.analysis.fits import Fits
from sweetspot.analysis.significance import LEVELS, significance_counts
from sweetspot.analysis.sweet_spots import extremes
from sweetspot.energy_models import form, sweet_spot_output_tokens

TABLE5 = "published-table5"
HEADLINE = "published-headline"
ALL_MODELS = "all 13"
GRID_CELLS = len(published.GRID) ** 2
PAPER_LOAD = (published.REQUESTS, published.MAX_BATCH_SIZE)
LOAD = f"N={published.REQUESTS}, B={published.MAX_BATCH_SIZE}"

Row = Mapping[Any, Any]
"""One of the paper's numbers or statements, as `published.headline` has it."""


class Pair(NamedTuple):
    """A published number and ours.

    Attributes:
        cells: how many of our lengths ours was made from.
        sources: which publications ours is not evidence for, if a calibration was fitted to them.
        relation: of a statement: ours is to be "=", ">" or "<" the published number; empty where
            numbers are compared.
        note: what is to be known of the published number.
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
    relation: str = ""
    note: str = ""


def table3_pairs(ok: pd.DataFrame, quality: pd.DataFrame) -> Iterator[Pair]:
    """MAPE of every form and model."""
    fitted_over = grid_condition(ok)
    paper = published.table3().set_index("model").to_dict("index")
    fitted = on_paper_load(quality[quality["status"] == "ok"])
    for row in fitted.to_dict("records"):
        if row["model"] in paper:
            yield Pair(
                "Table 3",
                f"MAPE, {form(row['form']).title}",
                row["model"],
                fitted_over[row["model"]],
                "%",
                float(paper[row["model"]][row["form"]]),
                row["mape_percent"],
                row["cells"],
                row["simulated"],
            )


def table4_pairs(ok: pd.DataFrame, fits: Fits) -> Iterator[Pair]:
    """For how many of the 13 models each coefficient of Eq. 5 is significant."""
    paper = published.table4().set_index("parameter").to_dict("index")
    models = published.table5()["model"]
    coefficients = on_paper_load(fits.coefficients)
    counts = significance_counts(coefficients[coefficients["model"].isin(models)])
    quality = _eq5_quality(fits.quality, models)
    fitted_over = grid_condition(ok)[ALL_MODELS]
    for row in counts.reset_index().to_dict("records"):
        parameter = row["parameter"]
        # Without noise nothing is significant or not
        if row["models"] - row["no_noise"] == len(models):
            for level, title in LEVELS.items():
                yield Pair(
                    "Table 4",
                    f"models with {parameter} {title}",
                    ALL_MODELS,
                    fitted_over,
                    "models",
                    float(paper[parameter][level]),
                    float(row[level]),
                    int(quality["cells"].sum()),
                    bool(quality["simulated"].any()),
                )


def table5_pairs(ok: pd.DataFrame, fits: Fits) -> Iterator[Pair]:
    """Coefficients of Eq. 5, and the sweet spot as observed and as Eq. 6 estimates it."""
    paper = published.table5().set_index("model").to_dict("index")
    coefficients = on_paper_load(fits.coefficients)
    values = coefficients[coefficients["form"] == "memory_flops"].set_index(["model", "term"])
    values_of: dict[Any, float] = values["value"].to_dict()
    ends = extremes(on_paper_load(on_paper_lengths(ok))).set_index("model")
    best_of = ends.to_dict("index")
    at_load = on_paper_load(ok)[["model", "input_tokens"]]
    measured = set(at_load.itertuples(index=False, name=None))
    fitted_over = grid_condition(ok)
    for fit in _eq5_quality(fits.quality, paper).to_dict("records"):
        model, at = fit["model"], paper[fit["model"]]["estimated_input_tokens"]
        ours = [
            (term.name, term.name, term.unit, values_of[model, term.name])
            for term in form("memory_flops").terms
        ]
        for axis in ("input", "output") if model in best_of else ():
            title = f"observed sweet spot, {axis} tokens"
            tokens = best_of[model][f"best_{axis}_tokens"]
            ours.append((f"observed_{axis}_tokens", title, "tokens", tokens))
        if (model, at) in measured:
            title = f"estimated sweet spot (Eq. 6) at I={at}, output tokens"
            length = sweet_spot_output_tokens([value for *_, value in ours[:6]], at)
            ours.append(("estimated_output_tokens", title, "tokens", length))
        for column, quantity, unit, value in ours:
            yield Pair(
                "Table 5",
                quantity,
                model,
                fitted_over[model],
                unit,
                float(paper[model][column]),
                float(value),
                fit["cells"],
                fit["simulated"],
                # A point of a grid is met or not: how far off says little where steps are doublings
                relation="=" if column.startswith("observed") else "",
            )
    yield from _spots_as_grid_points(ends[ends.index.isin(list(paper))], paper)


def _spots_as_grid_points(best_of: pd.DataFrame, paper: Mapping[Any, Any]) -> Iterator[Pair]:
    """For how many of the 13 models the most efficient cell is the paper's, or next to it."""
    if len(best_of) < len(paper):
        return
    steps = [
        max(
            abs(
                published.GRID.index(best[f"best_{axis}_tokens"])
                - published.GRID.index(row[f"observed_{axis}_tokens"])
            )
            for axis in ("input", "output")
        )
        for (_, row), (_, best) in zip(
            sorted(paper.items()), sorted(best_of.iterrows()), strict=True
        )
    ]
    for quantity, limit in (
        ("models whose observed sweet spot is the paper's", 0),
        ("models whose observed sweet spot is the paper's or next to it on the grid", 1),
    ):
        yield Pair(
            "Table 5",
            quantity,
            ALL_MODELS,
            condition(LOAD, int(best_of["cells"].sum()), GRID_CELLS * len(paper)),
            f"of {len(paper)} models",
            float("nan"),
            float(sum(step <= limit for step in steps)),
            int(best_of["cells"].sum()),
            bool(best_of["simulated"].any()),
        )


def condition(load: str, shared: int, of_paper: int, others: int = 0) -> str:
    """Return under what a number was found, and how our lengths differ from the paper's."""
    if shared < of_paper:
        load += f", {shared} of the paper's {of_paper} cells"
    return load + (f", {others} others" if others else "")


def grid_condition(ok: pd.DataFrame) -> dict[str, str]:
    """Return the condition of fits to the paper's load: by model, and for ALL_MODELS together."""
    lengths = on_paper_load(ok)[["model", "input_tokens", "output_tokens"]].drop_duplicates()
    shared = on_paper_lengths(lengths).groupby("model").size()
    counts = pd.DataFrame({"shared": shared, "in_all": lengths.groupby("model").size()}).fillna(0)
    conditions = {
        str(model): condition(
            LOAD, int(row["shared"]), GRID_CELLS, int(row["in_all"] - row["shared"])
        )
        for model, row in counts.iterrows()
    }
    known = counts[counts.index.isin(published.table5()["model"])].sum().astype(int)
    paper_cells = GRID_CELLS * len(published.table5())
    others = known["in_all"] - known["shared"]
    return {**conditions, ALL_MODELS: condition(LOAD, known["shared"], paper_cells, others)}


def cells_of(means: pd.DataFrame, row: Row) -> pd.DataFrame:
    """Return the cells that a row of the published numbers speaks of."""
    said = [
        means[column] == row[column]
        for column in ("model", "requests", "max_batch_size", "input_tokens", "output_tokens")
        if pd.notna(row.get(column))
    ]
    return means[np.logical_and.reduce(said)] if said else means


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


def _eq5_quality(quality: pd.DataFrame, models: Iterable[Any]) -> pd.DataFrame:
    """Return the fits of Eq. 5 to the paper's models under the paper's load."""
    rows = on_paper_load(quality[(quality["form"] == "memory_flops") & (quality["status"] == "ok")])
    return rows[rows["model"].isin(list(models))]
