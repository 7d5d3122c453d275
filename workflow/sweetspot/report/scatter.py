"""How far two energies that one board measured may differ by chance: what repeats scatter by.

A board's sensor errs by a gain that is its own, and an offset: in the ratio of two energies from
one board the gain cancels, and what is left is how well a measurement repeats.

Source: Yang, Adámek, Armour, SC'24 (arXiv 2312.02741); docs/measuring.md.
"""

from dataclasses import dataclass
from math import exp, inf, isinf, sqrt

import numpy as np
import pandas as pd

from sweetspot.analysis.cells import GROUP
from sweetspot.plan.adaptive import NOISE

LEVEL = 0.95
_LEAST_DF = 5  # with fewer a quantile of t says more of how few they are than of the board


@dataclass(frozen=True, slots=True)
class Scatter:
    """What measurements of a cell on one board scatter by.

    Attributes:
        deviation: standard deviation of the energy's logarithm.
        df: degrees of freedom that it was found with; inf where it is assumed.
    """

    deviation: float
    df: float

    @property
    def words(self) -> str:
        """What it is, and whether it was found or is assumed."""
        percent = f"{100 * self.deviation:.2g} %"
        if isinf(self.df):
            return f"a scatter of {percent} that is assumed, as too few cells were repeated"
        return f"how repeats scatter ({percent})"

    def factor(self, repeats: int) -> float:
        """Return how far the mean of so many repeats may be off, with a probability of `LEVEL`."""
        from scipy.special import stdtrit

        quantile = float(stdtrit(self.df, (1 + LEVEL) / 2))
        return exp(quantile * self.deviation / sqrt(repeats))


def scatter_of(ok: pd.DataFrame) -> Scatter:
    """Return what repeats scatter by, all cells together; what planning assumes where too few do.

    Args:
        ok: cells that are ok; `gpu_uuid` is the board that measured each, "" where none is known.
    """
    rows = ok[ok["gpu_uuid"] != ""]
    keys = [*GROUP, "input_tokens", "output_tokens", "gpu_uuid"]
    logs = pd.Series(np.log(rows["energy_per_token_j"].to_numpy(float)), index=rows.index)
    cells = logs.groupby([rows[each] for each in keys], sort=False)
    df = len(rows) - cells.ngroups
    if df < _LEAST_DF:
        return Scatter(NOISE, inf)
    return Scatter(sqrt(float(((logs - cells.transform("mean")) ** 2).sum()) / df), df)
