"""The paper's stated efficiencies that its Table 5 does not hold, beside simulated ones."""

from collections.abc import Hashable
from typing import Any

import pandas as pd

from sweetspot import published
from sweetspot.catalog import Gpu
from sweetspot.config import Limits
from sweetspot.simulator.calibration.layout import deployments_of, lay_out
from sweetspot.simulator.constants.constants import Constants

# How far off each may be, in %.
TARGETS_PERCENT = {
    "llama_3_2_1b_peak_batch_64": 3.0,
    "llama_3_2_1b_long_output_batch_256": 4.0,
    "falcon_rw_7b_10_requests_min": 8.0,
    "falcon_rw_7b_10_requests_max": 8.0,
}


def headline_ratios(board: Gpu, constants: Constants) -> dict[Hashable, tuple[float, float]]:
    """Return {id: (simulated over stated efficiency, target in %)}."""
    stated = published.headline()
    chosen = stated[stated["id"].isin(TARGETS_PERCENT)].to_dict("records")
    return {
        row["id"]: (_efficiency(row, board, constants) / row["value"], TARGETS_PERCENT[row["id"]])
        for row in chosen
    }


def _efficiency(row: dict[Hashable, Any], board: Gpu, constants: Constants) -> float:
    """Return the tokens/J that a row asks for: of one cell, or the best or worst of the grid."""
    axes = {
        name: published.GRID if pd.isna(row[name]) else (int(row[name]),)
        for name in ("input_tokens", "output_tokens")
    }
    cells = pd.DataFrame(
        [(i, o) for i in axes["input_tokens"] for o in axes["output_tokens"]], columns=list(axes)
    ).assign(
        model=row["model"],
        requests=int(row["requests"]),
        max_batch_size=int(row["max_batch_size"]),
    )
    runs = lay_out(cells, deployments_of(cells, board, Limits()))
    taken = runs.taken(board, constants)
    efficiency = runs.total_output_tokens / taken.energy_j
    return float(efficiency.min() if row["statistic"] == "min" else efficiency.max())
