"""What forms fitted to a model's own measured cells say of a load, and by how much they miss cells.

Eq. 5 is fitted to the cells of the asked load, the batch form to those of all loads.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sweetspot.analysis.batch_cells import CELL, means_of
from sweetspot.analysis.batch_fits import ONE_LOAD, fit_model
from sweetspot.analysis.least_squares import fit_means, obstacle, terms_at
from sweetspot.ask.predict import Prediction
from sweetspot.energy_models import form
from sweetspot.metering.samples import FloatArray

EQ5, BATCH = "Eq. 5", "batch form"
_EQ5 = form("memory_flops")


@dataclass(frozen=True, eq=False, slots=True)
class FormAnswer:
    """What a form says.

    Attributes:
        name: of the form.
        cells: how many it was fitted to.
        energy_per_token_j: at the asked load and lengths, in J per output token.
        errors: (n,) how far each of the model's cells is missed by the fit without it, or without
            its load, as a share of what was measured; NaN where there is no such fit.
        df: degrees of freedom of the fit.
    """

    name: str
    cells: int
    energy_per_token_j: float
    errors: FloatArray
    df: int


def of_asked_load(answer: Prediction, cells: pd.DataFrame) -> np.ndarray:
    """Return (n,) which cells are of the asked load."""
    in_flight = min(answer.requests, answer.max_batch_size)
    same = (cells["requests"] == answer.requests) & (cells["batch_limit"] == in_flight)
    return same.to_numpy()


def eq5_answer(answer: Prediction, cells: pd.DataFrame) -> FormAnswer | str:
    """Return what Eq. 5 says, or why it says nothing.

    Args:
        answer: what is asked.
        cells: (n,), the means of the model's rows of each load and lengths.
    """
    same = of_asked_load(answer, cells)
    of_load = cells[same]
    if of_load.empty:
        return "no cell is of the asked load"
    means = means_of(of_load)
    terms = terms_at(_EQ5, means, "relative")
    reason = obstacle(_EQ5, means, terms) or _outside(answer, of_load, _LENGTHS)
    if reason:
        return reason
    fit = fit_means(_EQ5, means, terms)
    errors = np.full(len(cells), np.nan)
    errors[same] = np.abs(fit.cell_out)
    value_j = fit.energy_per_token_j([answer.input_tokens], [answer.output_tokens])[0]
    return FormAnswer(EQ5, len(of_load), float(value_j), errors, fit.df)


def batch_answer(answer: Prediction, ok: pd.DataFrame, cells: pd.DataFrame) -> FormAnswer | str:
    """Return what the batch form says, or why it says nothing.

    Errors are of each cell left out where the asked load was measured, else of each load.

    Args:
        answer: what is asked.
        ok: the measured rows of the model.
        cells: (n,), the means of the rows of each load and lengths.
    """
    reason = _outside(answer, cells, (*_LENGTHS, "requests", "batch_limit"))
    if reason:
        return reason
    fitted = fit_model(
        answer.model, ok, max_num_tokens=answer.workload.deployment.limits.max_num_tokens
    )
    if isinstance(fitted, str):
        return "all cells are of one load" if fitted == ONE_LOAD else fitted
    load = (answer.requests, answer.max_batch_size, answer.input_tokens, answer.output_tokens)
    if fitted.loads(*load).waves[0] > fitted.at.waves.max():
        return "no cell has as many waves"
    errors = fitted.cell_out if of_asked_load(answer, cells).any() else fitted.load_out
    if np.isnan(errors).all():
        return "no load can be left out, so that nothing is known of what it misses"
    # cells of one load may be two of the fit, as engines differ in what they had memory for
    of_fit = pd.Series(np.abs(errors), pd.MultiIndex.from_frame(fitted.cells[CELL]))
    missed = of_fit.groupby(level=CELL).mean().reindex(pd.MultiIndex.from_frame(cells[CELL]))
    value_j = float(fitted.energy_per_token_j(*load)[0])
    return FormAnswer(
        BATCH, len(cells), value_j, np.asarray(missed, dtype=np.float64), fitted.fit.df
    )


_LENGTHS = ("input_tokens", "output_tokens")


def _outside(answer: Prediction, cells: pd.DataFrame, columns: tuple[str, ...]) -> str:
    """Return which asked number is beyond those of the cells; empty if none is."""
    asked = {name: getattr(answer, name) for name in (*_LENGTHS, "requests")}
    asked["batch_limit"] = min(answer.requests, answer.max_batch_size)
    for name in columns:
        low, high = int(cells[name].min()), int(cells[name].max())
        if not low <= asked[name] <= high:
            return f"{_NAMES[name]} {asked[name]} is not between the measured {low} and {high}"
    return ""


_NAMES = {
    "input_tokens": "input length",
    "output_tokens": "output length",
    "requests": "N",
    "batch_limit": "min(N, max_batch_size)",
}
