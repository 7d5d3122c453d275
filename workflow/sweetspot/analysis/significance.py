"""Stars: what a coefficient's p-value is worth in one mark, and how many models have which."""

import numpy as np
import pandas as pd

UNDEFINED = "undefined"
"""The stars of a coefficient whose fit has no residuals, and so no p-value."""

NO_NOISE = "no noise"
"""Those of simulated cells without noise: their residuals are what the form misses, no chance."""

LEVELS = {
    "three_stars": "***",
    "two_stars": "**",
    "one_star": "*",
    "not_significant": "n.s.",
}
"""Columns of the paper's Table 4, and the mark that each counts."""


def stars(p_value: float, *, noise: bool = True) -> str:
    """Return the mark of Table 4: *** below 0.001, ** below 0.01, * below 0.05, else n.s.

    The paper names no limits; these are the usual ones. `noise` is whether chance had a part in
    the cells.
    """
    if not noise:
        return NO_NOISE
    if np.isnan(p_value):
        return UNDEFINED
    limits = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
    return next((mark for limit, mark in limits if p_value < limit), "n.s.")


def significance_counts(coefficients: pd.DataFrame, marks: str = "stars") -> pd.DataFrame:
    """Return one row per coefficient of Eq. 5: models at each level, undefined, no_noise, in all.

    The rows must be of one load (requests, max_batch_size), or models would count twice. A
    coefficient is undefined where its fit has no residuals to test against. `marks` is the column
    of stars that is counted: "stars" or "hc3_stars".
    """
    eq5 = coefficients[coefficients["form"] == "memory_flops"]
    found = pd.crosstab(eq5["term"], eq5[marks])
    counts = found.reindex(columns=[*LEVELS.values(), UNDEFINED, NO_NOISE], fill_value=0)
    counts.columns = pd.Index([*LEVELS, "undefined", "no_noise"])
    counts.index.name = "parameter"
    return counts.assign(models=counts.sum(axis="columns"))
