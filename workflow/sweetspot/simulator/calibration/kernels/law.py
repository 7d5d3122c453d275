"""A law with a few positive numbers, fitted to measured times by their ratios."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

from sweetspot.simulator.cost.work import FloatArray

Values = Mapping[str, float]
Law = Callable[[Values], FloatArray]

# Ratios beyond 10 % count linearly: some shapes meet a kernel that suits them ill.
SOFT_L1_SCALE = 0.1
# Releases whose tables the fits use: the latest of each engine on a board.
RELEASES = frozenset({"1.0.0", "1.3.0rc20", "0.14.0", "0.24.0"})


@dataclass(frozen=True, eq=False, slots=True)
class LawFit:
    """What a fit found.

    Attributes:
        values: of the law, each by its name.
        log_errors: (rows,) logarithm of the law's time over the measured one.
        cost: what the search made smallest.
    """

    values: dict[str, float]
    log_errors: FloatArray
    cost: float

    @property
    def mean_percent(self) -> float:
        """Mean absolute error."""
        return mean_percent(self.log_errors)


def mean_percent(log_errors: FloatArray) -> float:
    """Return the mean absolute error in % of logarithms of ratios."""
    return 100 * float(np.abs(np.expm1(log_errors)).mean())


def fit_law(law: Law, measured_s: FloatArray, start: Values) -> LawFit:
    """Return the values at which a law's times are nearest to the measured ones, by their ratios.

    Args:
        law: from values to times in s, (rows,).
        measured_s: (rows,).
        start: where the search begins; what is no part of it the law holds itself.
    """

    def residuals(logs: FloatArray) -> FloatArray:
        values = dict(zip(start, np.exp(logs).tolist(), strict=True))
        errors: FloatArray = np.log(law(values) / measured_s)
        return errors

    # logarithms: all values are positive, and their units differ by twenty powers of ten
    first = np.log(list(start.values()))
    found = least_squares(
        residuals,
        first,
        bounds=(first - 7, first + 7),
        loss="soft_l1",
        f_scale=SOFT_L1_SCALE,
        x_scale=1.0,
    )
    values = dict(zip(start, np.exp(found.x).tolist(), strict=True))
    return LawFit(values, residuals(found.x), float(found.cost))


def rows_of(table: pd.DataFrame, gpu_id: str) -> pd.DataFrame:
    """Return what of a table the fits of a GPU use, numbered from 0."""
    kept = table[(table["gpu"] == gpu_id) & table["version"].isin(RELEASES)]
    return kept.reset_index(drop=True)


def column(table: pd.DataFrame, name: str) -> FloatArray:
    """Return a column as floats."""
    return table[name].to_numpy(np.float64)
