"""What was found on one group: the cells of one model at one load, fitted together."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sweetspot.analysis.least_squares import FormFit


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class GroupFit:
    """One group's fits.

    Attributes:
        model, requests, max_batch_size: which group it is.
        load_is_given: whether the measurements say the load, or it is a default.
        cells: its rows with status ok.
        forms, coefficients, sweet_spots: its rows of `Fits` and of `sweet_spots`.
        best: the fit that predictions are made with (`best_form`); None where no form was fitted.
    """

    model: str
    requests: int
    max_batch_size: int
    load_is_given: bool
    cells: pd.DataFrame
    forms: pd.DataFrame
    coefficients: pd.DataFrame
    sweet_spots: pd.DataFrame
    best: FormFit | None

    @property
    def count(self) -> int:
        """Distinct cells: repeats count once."""
        return int(self.forms["cells"].iloc[0])

    @property
    def title(self) -> str:
        """The model, and its load where that is known."""
        load = f", N = {self.requests}, max_batch_size {self.max_batch_size}"
        return f"{self.model}{load if self.load_is_given else ''}"

    @property
    def is_constant(self) -> bool:
        """Whether the energy is the same in all cells, so that there is nothing to draw."""
        return self.best is not None and bool(np.isnan(self.best.r_squared))

    @property
    def no_eq5(self) -> str:
        """Why Eq. 5 was not fitted; empty where it was."""
        eq5 = self.forms[self.forms["form"] == "memory_flops"]
        return str(eq5["reason"].iloc[0])


def best_form(forms: pd.DataFrame) -> str | None:
    """Return the form of a group's rows that says most of what its cells carry.

    It is Eq. 5; where the cells do not carry it, Eq. 4; else the baseline that errs least on cells
    left out; and a constant where all energies are equal. None where no form was fitted.
    """
    fitted = forms[forms["status"] == "ok"]
    if fitted.empty:
        return None
    errors = fitted.set_index("form")["leave_one_cell_out_percent"].fillna(np.inf)
    if fitted["r_squared"].isna().all():
        return str(errors.index[0])
    known = [form for form in ("memory_flops", "flops") if form in errors.index]
    return known[0] if known else str(errors.idxmin())
