"""The numbers of the paper's text, and the surfaces of its Table 5, each beside ours."""

from collections.abc import Iterator

import pandas as pd

from sweetspot import published
from sweetspot.analysis.cells import mean_over_repeats
from sweetspot.analysis.claim_rows import Found, claim_pairs
from sweetspot.analysis.comparison_rows import (
    ALL_MODELS,
    GRID_CELLS,
    HEADLINE,
    LOAD,
    PAPER_LOAD,
    TABLE5,
    Pair,
    Row,
    cells_of,
    condition,
    grid_condition,
    on_paper_lengths,
    on_paper_load,
)
from sweetspot.analysis.fits import Fits
from sweetspot.analysis.sweet_spots import extremes
from sweetspot.energy_models import form

_EFFICIENCIES = {"max": "highest efficiency", "min": "lowest efficiency", "cell": "efficiency"}
_AVERAGES = {
    "mean_mape": "mean MAPE",
    "std_mape": "standard deviation of MAPE",
    "mape_reduction": "MAPE reduction, Eq. 5 over Eq. 4",
    "best_over_worst": "efficiency, best over worst cell",
}


def headline_pairs(ok: pd.DataFrame, fits: Fits) -> Iterator[Pair]:
    """What the paper states in its text, and Table 3's two last rows."""
    cells = on_paper_lengths(ok)
    means = mean_over_repeats(cells)
    fitted_over = grid_condition(ok)[ALL_MODELS]
    fitted = on_paper_load(fits.quality[fits.quality["status"] == "ok"])
    on_load = on_paper_load(cells)
    for row in published.headline().to_dict("records"):
        if row["statistic"] in _EFFICIENCIES:
            yield from _efficiency(row, means)
        elif row["statistic"] in _AVERAGES:
            yield from _average(row, on_load, fitted, fitted_over)
    coefficients = on_paper_load(fits.coefficients)
    eq5 = coefficients[coefficients["form"] == "memory_flops"]
    yield from claim_pairs(
        Found(
            means=means,
            mape_percent=fitted.pivot(index="model", columns="form", values="mape_percent"),
            alphas=eq5.pivot(index="model", columns="term", values="value"),
            fitted_over=fitted_over,
        )
    )


def _efficiency(row: Row, means: pd.DataFrame) -> Iterator[Pair]:
    """Compute one model's highest, lowest or only efficiency under a load, if it was run."""
    load = f"N={row['requests']}, B={row['max_batch_size']}"
    paper_cells = GRID_CELLS
    chosen = cells_of(means, row)
    for axis, column in (("I", "input_tokens"), ("O", "output_tokens")):
        if pd.notna(row.get(column)):
            load += f", {axis}={row[column]}"
            paper_cells //= len(published.GRID)
    if chosen.empty:
        return
    energy_per_token_j = chosen["energy_per_token_j"]
    extreme = energy_per_token_j.max() if row["statistic"] == "min" else energy_per_token_j.min()
    on_grid = (row["requests"], row["max_batch_size"]) == PAPER_LOAD
    yield Pair(
        row["where"],
        _EFFICIENCIES[row["statistic"]],
        row["model"],
        condition(load, len(chosen), paper_cells),
        row["unit"],
        float(row["value"]),
        float(1 / extreme),
        len(chosen),
        bool(chosen["simulated"].any()),
        (TABLE5, HEADLINE) if on_grid else (HEADLINE,),
        note=row["note"],
    )


def _average(
    row: Row, cells: pd.DataFrame, fitted: pd.DataFrame, fitted_over: str
) -> Iterator[Pair]:
    """Average a number over the paper's models, if this run has all of them."""
    statistic = row["statistic"]
    is_ratio = statistic == "best_over_worst"
    if is_ratio:
        by_model = extremes(cells).set_index("model")
        values = by_model["best_over_worst"]
    else:
        form_id = "memory_flops" if statistic == "mape_reduction" else row["form"]
        by_model = fitted[fitted["form"] == form_id].set_index("model")
        values = by_model["mape_percent"]
    if statistic == "mape_reduction":
        flops = fitted[fitted["form"] == "flops"].set_index("model")["mape_percent"]
        values = (1 - values / flops) * 100
    models = published.table5()["model"]
    values = values.reindex(models)
    if values.isna().any():
        return
    counted = by_model.loc[models]
    cell_count = int(counted["cells"].sum())
    title: str = "" if pd.isna(row["form"]) else f", {form(row['form']).title}"
    yield Pair(
        row["where"],
        f"{_AVERAGES[statistic]}{title}",
        ALL_MODELS,
        condition(LOAD, cell_count, len(models) * GRID_CELLS) if is_ratio else fitted_over,
        row["unit"],
        float(row["value"]),
        # Divided by 13, as the paper's printed deviations are.
        float(values.std(ddof=0) if statistic == "std_mape" else values.mean()),
        cell_count,
        bool(counted["simulated"].any()),
        (TABLE5, HEADLINE),
        note=row["note"],
    )


def surface_pairs(ok: pd.DataFrame) -> Iterator[Pair]:
    """Every cell beside e(I, O) on Table 5's surface, and the mean error of each model."""
    ours = on_paper_load(mean_over_repeats(on_paper_lengths(ok)))
    surface = published.surface_cells()
    both = ours.merge(surface, on=["model", "input_tokens", "output_tokens"], suffixes=("", "_pub"))
    for row in both.to_dict("records"):
        yield Pair(
            "Table 5, Eq. 5",
            "energy per output token on the surface",
            row["model"],
            f"{LOAD}, I={row['input_tokens']}, O={row['output_tokens']}",
            "J/token",
            row["energy_per_token_j_pub"],
            row["energy_per_token_j"],
            1,
            row["simulated"],
        )
    ratio = both["energy_per_token_j"] / both["energy_per_token_j_pub"]
    both["error_percent"] = (ratio - 1).abs() * 100
    groups = [(model, rows, GRID_CELLS) for model, rows in both.groupby("model", sort=False)]
    if both["model"].nunique() == surface["model"].nunique():
        groups.append((ALL_MODELS, both, len(surface)))
    for model, rows, paper_cells in groups:
        yield Pair(
            "Table 5, Eq. 5",
            "mean error against the surface",
            str(model),
            condition(LOAD, len(rows), paper_cells),
            "%",
            float("nan"),
            float(rows["error_percent"].mean()),
            len(rows),
            bool(rows["simulated"].any()),
        )
