"""Least squares of one form on one set of cells, and what it errs by on cells left out."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from sweetspot.analysis.cell_means import CellMeans, cell_means
from sweetspot.analysis.held_out import held_out
from sweetspot.analysis.linear_fit import ALONE, LinearFit, linear_fit
from sweetspot.analysis.weighted_terms import WeightedTerms, weighted_terms
from sweetspot.config import FitWeights
from sweetspot.energy_models import Array, Form


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class FormFit(LinearFit):
    """The fit of a form, in the order of its terms; per cell, (n,), are its lengths, too.

    Attributes:
        held_out_percent: (n,), the error of each cell's prediction by the others.
        leave_one_cell_out_percent, leave_one_input_out_percent, leave_one_output_out_percent:
            mean absolute error on cells left out (`HeldOut`).
        worst: the cell ("I/O") that the others predict worst, and its error in %.
    """

    form: Form
    input_tokens: Array
    output_tokens: Array
    held_out_percent: Array
    leave_one_cell_out_percent: float
    leave_one_input_out_percent: float
    leave_one_output_out_percent: float
    worst: tuple[str, float]

    @property
    def without_rounding(self) -> Array:
        """(k,), the values; 0 of terms that a fit without errors has no use for.

        Energies that only fall with the output, say, leave 1e-20 J/token² of a term that rises.
        """
        if not self.is_exact:
            return self.values
        design = self.form.design_matrix(self.input_tokens, self.output_tokens)
        shares = np.abs(design * self.values / self.observed_j[:, None]).max(axis=0)
        return np.where(shares > ALONE, self.values, 0.0)

    def energy_per_token_j(self, input_tokens: ArrayLike, output_tokens: ArrayLike) -> Array:
        """Return the fitted e at each of the n cells, in J per output token."""
        return self.form.energy_per_token_j(self.values, input_tokens, output_tokens)

    def interval(self, input_tokens: ArrayLike, output_tokens: ArrayLike) -> tuple[Array, Array]:
        """Return where the fitted e lies at each of the n cells with 95 %: (low, high), in J.

        It is of the mean: a single measurement scatters about it by its own noise.
        """
        design = self.form.design_matrix(input_tokens, output_tokens)
        variance = np.einsum("ij,jk,ik->i", design, self.covariance, design)
        half = self.t_quantile * np.sqrt(np.maximum(0.0, variance))  # which rounding makes less
        middle = design @ self.values
        return middle - half, middle + half


def terms_at(form: Form, cells: CellMeans, weights: FitWeights) -> WeightedTerms:
    """Return a form's terms at cells, as a fit takes them."""
    lengths = cells.input_tokens, cells.output_tokens
    terms = [term.function(*lengths) for term in form.terms]
    return weighted_terms(terms, cells.energy_per_token_j, weights)


def obstacle(form: Form, cells: CellMeans, terms: WeightedTerms) -> str:
    """Return why these cells cannot carry this form, whose terms they are; empty if they can."""
    count = len(cells.repeats)
    needs = (
        f"needs at least {form.min_cells} cells over {form.input_lengths} input and "
        f"{form.output_lengths} output lengths"
    )
    inputs, outputs = (places.max() + 1 for places in (cells.input_places, cells.output_places))
    has = f"has {count} over {inputs} and {outputs}"
    if count < form.min_cells:
        return f"{needs}, {has}"
    if terms.rank < len(form.terms):
        return f"{needs} that vary independently, {has} (rank {terms.rank} of {len(form.terms)})"
    return ""


def fit_form(
    form: Form,
    input_tokens: Array,
    output_tokens: Array,
    energy_per_token_j: Array,
    *,
    weights: FitWeights = "equal",
) -> FormFit:
    """Fit e(I, O) to rows of cells, repeats averaged; they must carry the form (`obstacle`).

    Source: equal weights on J/token reproduce the paper's Table 3 from its Table 5; weights on
    total energy or on relative error do not.
    """
    cells = cell_means(input_tokens, output_tokens, energy_per_token_j)
    return fit_means(form, cells, terms_at(form, cells, weights))


def fit_means(form: Form, cells: CellMeans, terms: WeightedTerms) -> FormFit:
    """Fit e(I, O) to cells whose repeats were averaged, by the form's `terms_at` them."""
    fit = linear_fit(terms, cells)
    out = held_out(fit, cells)
    return FormFit(
        **{field.name: getattr(fit, field.name) for field in fields(fit)},
        form=form,
        input_tokens=cells.input_tokens,
        output_tokens=cells.output_tokens,
        held_out_percent=out.errors_percent,
        leave_one_cell_out_percent=out.cell,
        leave_one_input_out_percent=out.input_length,
        leave_one_output_out_percent=out.output_length,
        worst=out.worst(cells.input_tokens, cells.output_tokens),
    )
