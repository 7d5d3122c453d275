"""For how many models each coefficient of Eq. 5 is significant."""

import pandas as pd

from sweetspot.analysis.fits import UNDEFINED

LEVELS = {
    "three_stars": "***",
    "two_stars": "**",
    "one_star": "*",
    "not_significant": "n.s.",
}
"""Columns of the paper's Table 4, and the mark that each counts."""


def significance_counts(coefficients: pd.DataFrame) -> pd.DataFrame:
    """Return one row per coefficient of Eq. 5: models at each level, undefined, and in all.

    The rows must be of one load (requests, max_batch_size), or models would count twice. A
    coefficient is undefined where its fit has no residuals to test against.
    """
    eq5 = coefficients[coefficients["form"] == "memory_flops"]
    marks = pd.crosstab(eq5["term"], eq5["stars"])
    counts = marks.reindex(columns=[*LEVELS.values(), UNDEFINED], fill_value=0)
    counts.columns = pd.Index([*LEVELS, UNDEFINED])
    counts.index.name = "parameter"
    return counts.assign(models=counts.sum(axis="columns"))
