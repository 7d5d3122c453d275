"""Somebody's own fit as the evidence along lengths: Eq. 5, on cells of one model at one load.

Nothing is taken from it beyond the lengths that were measured.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, sqrt

import numpy as np
import pandas as pd

from sweetspot.analysis.fit import Fit, fit_observations
from sweetspot.analysis.group_fit import GroupFit
from sweetspot.analysis.least_squares import FormFit
from sweetspot.analysis.linear_fit import LEVEL
from sweetspot.ask.own_cells import cells_of
from sweetspot.energy_models import Array
from sweetspot.errors import InputError
from sweetspot.simulator.constants.intervals import Interval
from sweetspot.simulator.deployment.deployment import Deployment

Lengths = tuple[float, float]
"""Input and output tokens of a request."""


@dataclass(frozen=True, eq=False, kw_only=True)
class OwnFit:
    """One group of cells.

    Attributes:
        found: all that was fitted.
        group: the cells that this is about.
        form: Eq. 5 fitted to them.
    """

    found: Fit
    group: GroupFit
    form: FormFit

    @property
    def words(self) -> str:
        """Which cells it rests on."""
        return f"{self.group.count} cells of {self.group.title}"

    @property
    def in_flight(self) -> int | None:
        """Requests at once of its cells, at most; None where no column says so."""
        group = self.group
        return min(group.requests, group.max_batch_size) if group.load_is_given else None

    @property
    def outputs(self) -> tuple[int, int]:
        """The shortest and the longest output that was measured."""
        measured = self.form.output_tokens
        return int(measured.min()), int(measured.max())

    def holds(self, lengths: Lengths) -> bool:
        """Return whether both lengths lie within those that were measured."""
        measured = self.form.input_tokens, self.form.output_tokens
        return all(
            axis.min() <= at <= axis.max() for at, axis in zip(lengths, measured, strict=True)
        )

    def energy_per_token_j(self, lengths: Lengths) -> float:
        """Return the fitted e, in J per output token."""
        return float(self._terms(lengths) @ self.form.values)

    def interval(self, lengths: Lengths) -> Interval:
        """Return how far the mean of measurements there may be from it."""
        terms, energy_j = self._terms(lengths), self.energy_per_token_j(lengths)
        return self._within(terms / energy_j)

    def interval_of_ratio(self, one: Lengths, other: Lengths) -> Interval:
        """Return how far the ratio of both energies may be off; they share their coefficients."""
        first, second = (self._terms(each) / self.energy_per_token_j(each) for each in (one, other))
        return self._within(first - second)

    def sweet_spot(self, input_tokens: float) -> tuple[float, float, float]:
        """Return Eq. 6's output length and the ends of the range within 2 % of the least.

        Raises:
            InputError: the fit has no minimum there.
        """
        rows = self.found.sweet_spot(input_tokens, model=self.group.model)
        own = rows[
            (rows["requests"] == self.group.requests)
            & (rows["max_batch_size"] == self.group.max_batch_size)
        ].iloc[0]
        spot = own["estimated_output_tokens"], own["range2_low"], own["range2_high"]
        if not np.isfinite(spot).all():
            raise InputError(
                f"the fit to {self.words} has no least energy at {input_tokens:g} input tokens;"
                " measure more, or leave the cells out"
            )
        return spot

    def _terms(self, lengths: Lengths) -> Array:
        inputs, outputs = ([each] for each in lengths)
        terms: Array = self.form.form.design_matrix(inputs, outputs)[0]
        return terms

    def _within(self, gradient: Array) -> Interval:
        """Return the interval of what has this gradient of its logarithm."""
        variance = max(0.0, float(gradient @ self.form.covariance @ gradient))
        return Interval(
            factor=exp(min(50.0, self.form.t_quantile * sqrt(variance))),
            level=LEVEL,
            models=1,
            cells=self.group.count,
            rests_on=self.words,
        )


def own_fit(
    cells: str | os.PathLike[str] | pd.DataFrame,
    deployment: Deployment,
    columns: Mapping[str, str] | None = None,
    *,
    alone: bool,
) -> OwnFit:
    """Return the fit to the cells of a model: at the load that has most of them.

    Args:
        cells: as of `sweetspot.fit`.
        deployment: the model, and the board and engine that they are to be of; others are left
            out, with a note.
        columns: as of `sweetspot.fit`.
        alone: whether it is the only model that is asked about, so that cells of a single one are
            its, whatever they call it.

    Raises:
        InputError: as of `sweetspot.fit` and `cells_of`, or there is no such model, or too few
            cells of it.
    """
    source = "cells" if isinstance(cells, pd.DataFrame) else str(cells)
    found = fit_observations(cells_of(deployment, cells, columns), weights="relative")
    names = list(found.forms["model"].unique())
    groups = found.groups(names[0] if alone and len(names) == 1 else deployment.model.id)
    group = max(groups, key=lambda each: (not each.no_eq5, each.count))
    if group.no_eq5 or group.best is None:
        raise InputError(
            f"{source}: Eq. 5 {group.no_eq5}; measure more, or let fewer correct the simulator:"
            " sweetspot predict --cells"
        )
    return OwnFit(found=found, group=group, form=group.best)
