"""Which batch form the cells of a model carry."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sweetspot.analysis.batch_cells import cell_name, load_places, means_of
from sweetspot.analysis.batch_form import BATCH_FORMS, COUNTED_FORMS, JOINT_FORMS, BatchForm, Loads
from sweetspot.analysis.batch_ridge import find_ridges
from sweetspot.analysis.held_out import left_out
from sweetspot.analysis.linear_fit import ALONE, LinearFit, linear_fit
from sweetspot.analysis.weighted_terms import WeightedTerms, weighted_terms
from sweetspot.energy_models import Array


@dataclass(frozen=True, eq=False, slots=True)
class FittedForm:
    """A form that cells carry, and its fit.

    Attributes:
        ridges: (loads,), R as the cells of all loads but each have it; None of a form without.
    """

    form: BatchForm
    fit: LinearFit
    ridges: Array | None

    @property
    def negative(self) -> str:
        """Which of the terms of what is not a sum are, by name."""
        named = zip(self.form.terms, self.fit.values, strict=True)
        return ", ".join(
            term.name for term, value in named if value < 0 and term not in COUNTED_FORMS[0].terms
        )

    @property
    def aicc(self) -> float:
        """AIC for few cells; lowest where the terms meet every cell exactly.

        Source: C. Hurvich and C.-L. Tsai, "Regression and time series model selection in small
        samples", Biometrika 76 (1989).
        """
        if self.fit.is_exact:
            return -np.inf
        cells, counted = len(self.fit.observed_j), self._parameters
        if cells <= counted + 1:
            return np.inf
        aic = self.fit.aic + 2 * (counted - len(self.form.terms))
        return float(aic + 2 * counted * (counted + 1) / (cells - counted - 1))

    @property
    def _parameters(self) -> int:
        """What AICc counts: the terms, R and sigma."""
        return len(self.form.terms) + self.form.has_ridge + 1

    def not_better_than(self, shorter: "FittedForm") -> str:
        """Return why its further terms have no place beside a shorter form; empty if they do."""
        if self.negative:
            return f"{self.negative} would be negative"
        if self.aicc < shorter.aicc:
            return ""
        if shorter.fit.is_exact:
            return f"{shorter.form.id} meets every cell exactly"
        if self.aicc == np.inf:
            cells, least = len(self.fit.observed_j), self._parameters + 2
            return f"AICc takes {least} cells or more, there are {cells}"
        return f"AICc {self.aicc - shorter.aicc:.1f} above that of {shorter.form.id}"

    def load_out(self, at: Loads, cells: pd.DataFrame) -> Array:
        """Return (n,) weighted errors of the cells of each load by the fit to all others.

        With R as those have it; NaN where they do not tell the terms apart.
        """
        load = load_places(cells)
        if self.ridges is None:
            return left_out(self.fit, load)
        ridge = self.ridges[load]
        found = np.full(len(load), np.nan)
        for each in np.unique(ridge[~np.isnan(ridge)]):
            fit = fit_form(self.form.at_ridge(each), at, cells)
            if not isinstance(fit, str):
                found = np.where(ridge == each, left_out(fit, load), found)
        return found


def choose(at: Loads, cells: pd.DataFrame) -> tuple[FittedForm, dict[str, str]] | str:
    """Return the form that cells carry, and of longer ones why not; or why they carry none.

    Of what is counted it is the longest form that is carried. Terms of what is not a sum have to
    earn their place: they are there where they are positive, as what they stand for is, and AICc is
    lower with them, R being a parameter, too.

    A form is carried where no term hangs on a single cell: leaving that out, nothing would be known
    of the term, so neither could an error of it be seen.

    Args:
        at: (n,) loads of the cells.
        cells: (n,) of `cell_means`.
    """
    not_carried: dict[str, str] = {}
    best: FittedForm | str = ""
    for counted in COUNTED_FORMS:
        best = fitted_form(counted, at, cells)
        if not isinstance(best, str):
            break
        not_carried[counted.id] = best
    if isinstance(best, str):
        return best
    if best.form is COUNTED_FORMS[0]:  # the longer ones have all of its terms
        for longer in JOINT_FORMS:
            found = fitted_form(longer, at, cells)
            reason = found if isinstance(found, str) else found.not_better_than(best)
            if reason or isinstance(found, str):
                not_carried[longer.id] = reason
            else:
                best = found
    terms = len(best.form.terms)
    longer_ones = [each.id for each in BATCH_FORMS if len(each.terms) > terms]
    return best, {name: not_carried[name] for name in longer_ones if name in not_carried}


def fitted_form(form: BatchForm, at: Loads, cells: pd.DataFrame) -> FittedForm | str:
    """Return a form's fit, with R where it has that; or why the cells do not carry it."""
    if not form.has_ridge:
        fit = fit_form(form, at, cells)
        return fit if isinstance(fit, str) else FittedForm(form, fit, None)
    shorter = fit_form(form.without_ridge(), at, cells)
    if isinstance(shorter, str):
        return shorter
    of_all, ridges = find_ridges(at, shorter, load_places(cells))
    if np.isnan(of_all):
        return "the cells do not tell R, the tokens from which computing hides reading"
    form = form.at_ridge(of_all)
    fit = fit_form(form, at, cells)
    return fit if isinstance(fit, str) else FittedForm(form, fit, ridges)


def fit_form(form: BatchForm, at: Loads, cells: pd.DataFrame) -> LinearFit | str:
    """Return the fit of a form to all cells, or why they do not carry it."""
    means = means_of(cells)
    terms = weighted_terms(form.design_matrix(at).T, means.energy_per_token_j, "relative")
    return _obstacle(form, terms, cells) or linear_fit(terms, means)


def _obstacle(form: BatchForm, terms: WeightedTerms, cells: pd.DataFrame) -> str:
    count = len(form.terms)
    if len(cells) <= count:
        return f"needs more than {count} cells, has {len(cells)}"
    if terms.rank < count:
        return f"the cells tell {terms.rank} of {count} terms apart"
    alone = np.flatnonzero(terms.leverage > 1 - ALONE)
    if alone.size:
        names = ", ".join(cell_name(cells.iloc[place]) for place in alone)
        return f"one cell alone tells {count} terms apart ({names})"
    return ""
