"""What cells that were measured several times say: the mean of their repeats, with an interval."""

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from sweetspot.analysis.cells import mean_over_repeats, of_status_ok
from sweetspot.cells.read import positive

LEVEL = 0.95
CELL = ["model", "engine", "max_batch_size", "requests", "input_tokens", "output_tokens"]


def repeats_of(cells: pd.DataFrame) -> pd.DataFrame:
    """Return one row per cell, in order of appearance.

    Args:
        cells: of `read_cells`.

    Returns:
        The cell, `repeats` that are ok, their mean `energy_per_token_j` in J per output token, and
        the ends `low_j` and `high_j` of its interval by Student's t; NaN where too few are ok.

    Raises:
        InputError: an energy is missing or no positive number.
    """
    ok = of_status_ok(cells)
    ok = ok.assign(energy_per_token_j=positive(ok, "energy_per_token_j", "the table of cells"))
    found = cells[CELL].drop_duplicates().merge(mean_over_repeats(ok, CELL), on=CELL, how="left")
    count = found["repeats"].fillna(0).astype("int64")
    half_j = stdtrit(count - 1, (1 + LEVEL) / 2) * found["std"] / np.sqrt(count)
    return found.assign(
        repeats=count,
        low_j=found["energy_per_token_j"] - half_j,
        high_j=found["energy_per_token_j"] + half_j,
    )
