"""One fit of one's own: anybody's measurements in, energy models and sweet spots out."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from sweetspot.analysis.batch_form import MAX_NUM_TOKENS, check_max_num_tokens
from sweetspot.analysis.batch_tables import BatchFit, batch_fit
from sweetspot.analysis.cells import GROUP, groups, of_status_ok
from sweetspot.analysis.fit_summary import summary, values
from sweetspot.analysis.fits import Fits, fit_forms
from sweetspot.analysis.group_fit import GroupFit, best_form
from sweetspot.analysis.sweet_spots import extremes, sweet_spot, sweet_spots
from sweetspot.cells.observations import Observations, read_observations
from sweetspot.config import FitWeights
from sweetspot.errors import InputError, unknown_name
from sweetspot.words import counted


@dataclass(frozen=True, eq=False, repr=False)
class Fit:
    """The six forms fitted to somebody's measurements.

    A group is what is fitted together: the cells of one model at one load, (model, requests,
    max_batch_size). Methods are of the groups of one `model`, or of all where none is named.

    Attributes:
        observations: the measurements as cells, and how they were understood.
        fits: coefficients and quality of every form, as tables.
        sweet_spots: one row per input length of every group that Eq. 5 was fitted to.
        max_num_tokens: tokens of an iteration at most, for `batch`, where the measurements do not
            say.
    """

    observations: Observations
    fits: Fits
    sweet_spots: pd.DataFrame
    max_num_tokens: float

    def __repr__(self) -> str:
        models, cells = self.forms["model"].nunique(), sum(group.count for group in self.groups())
        return (
            f"<fit of {counted(cells, 'cell')} of {counted(models, 'model')}; "
            "summary() says what was found>"
        )

    def __str__(self) -> str:
        return self.summary()

    @property
    def notes(self) -> tuple[str, ...]:
        """How the measurements were understood, one sentence each."""
        return self.observations.notes

    @cached_property
    def batch(self) -> BatchFit:
        """The form that knows the batch, fitted to all loads of each model that has several."""
        return batch_fit(self.observations.cells, max_num_tokens=self.max_num_tokens)

    @property
    def forms(self) -> pd.DataFrame:
        """Every form of every group: how well it fits, or why the cells do not carry it."""
        return self.fits.quality

    @property
    def extremes(self) -> pd.DataFrame:
        """One row per group: its most and least efficient cell, and their ratio."""
        return extremes(self.observations.cells)

    def groups(self, model: str | None = None) -> list[GroupFit]:
        """Return what was found, group by group.

        Raises:
            InputError: there is no such model.
        """
        found = []
        cells = self._of(self.observations.cells, model)
        rows_of, coefficients_of, spots_of = (
            dict(groups(frame, GROUP))
            for frame in (
                of_status_ok(cells),
                self.fits.coefficients,
                self.sweet_spots,
            )
        )
        for group, forms in groups(self._of(self.forms, model), GROUP):
            name, requests, max_batch_size = group
            form_id, of_group = best_form(forms), rows_of[group]
            found.append(
                GroupFit(
                    model=name,
                    requests=requests,
                    max_batch_size=max_batch_size,
                    load_is_given=bool(of_group["load_is_given"].all()),
                    cells=of_group,
                    forms=forms,
                    coefficients=coefficients_of.get(group, self.fits.coefficients[:0]),
                    sweet_spots=spots_of.get(group, self.sweet_spots[:0]),
                    best=self.fits.of_form(form_id)[group] if form_id else None,
                )
            )
        return found

    def predict(
        self, input_tokens: ArrayLike, output_tokens: ArrayLike, *, model: str | None = None
    ) -> pd.DataFrame:
        """Return what the best form of each group (`best_form`) says of other lengths.

        Args:
            input_tokens: I, one or several.
            output_tokens: O, as many, or one for all.
            model: of which model only.

        Returns:
            One row per group and (I, O): the group, `form`, the lengths, `energy_per_token_j`, its
            95 % interval `low` and `high` (of the mean: a measurement scatters about it by its own
            noise), and `inside`: whether both lengths lie within those that were measured.

        Raises:
            InputError: there is no such model, or a length is not a positive number.
        """
        inputs, outputs = np.broadcast_arrays(
            *(np.atleast_1d(np.asarray(e, dtype=float)) for e in (input_tokens, output_tokens))
        )
        for name, lengths in (("input_tokens", inputs), ("output_tokens", outputs)):
            if not ((lengths > 0) & (lengths < np.inf)).all():
                raise InputError(f"{name} must be positive numbers, not {lengths.tolist()}")
        parts = []
        for group in self.groups(model):
            fit = group.best
            if fit is None:
                continue
            low, high = fit.interval(inputs, outputs)
            part = pd.DataFrame(
                {
                    **{name: getattr(group, name) for name in GROUP},
                    "form": fit.form.id,
                    "input_tokens": inputs,
                    "output_tokens": outputs,
                    "energy_per_token_j": fit.energy_per_token_j(inputs, outputs),
                    "low": low,
                    "high": high,
                    "inside": _within(inputs, fit.input_tokens)
                    & _within(outputs, fit.output_tokens),
                }
            )
            parts.append(part)
        return pd.concat(parts, ignore_index=True)

    def sweet_spot(self, input_tokens: float, *, model: str | None = None) -> pd.DataFrame:
        """Return the output length with the least energy per token, by Eq. 6, with intervals.

        One row per group that Eq. 5 was fitted to; columns as of `sweetspot.sweet_spot`.

        Raises:
            InputError: there is no such model, the input length is not a positive number, or Eq. 5
                was fitted to no group.
        """
        found = self._of(sweet_spot(self.fits, input_tokens), model)
        if found.empty:
            why = self.groups(model)[0].no_eq5
            raise InputError(f"no sweet spot, as that takes Eq. 5, and it {why}")
        return found

    def summary(self, *, model: str | None = None) -> str:
        """Return everything that was found, as text for a screen of 110 columns.

        Raises:
            InputError: there is no such model.
        """
        return summary(self.notes, self.groups(model), self._batch_of(model))

    def values(self, *, model: str | None = None) -> dict[str, Any]:
        """Return the same as data for JSON; what is not known is None.

        Raises:
            InputError: there is no such model.
        """
        return values(self.notes, self.groups(model), self._batch_of(model))

    def _batch_of(self, model: str | None) -> BatchFit:
        """Return the batch form of one model; of all where none is named."""
        if model is None:
            return self.batch
        tables = {
            name: getattr(self.batch, name)
            for name in ("coefficients", "quality", "per_load", "spots")
        }
        of_model = {name: table[table["model"] == model] for name, table in tables.items()}
        return replace(self.batch, **of_model)

    def _of(self, frame: pd.DataFrame, model: str | None) -> pd.DataFrame:
        """Return the rows of one model; all where none is named.

        Raises:
            InputError: there is no such model.
        """
        if model is None:
            return frame
        known = self.forms["model"].unique()
        if model not in known:
            raise unknown_name("model of these measurements", model, known)
        return frame[frame["model"] == model].reset_index(drop=True)


def fit(
    source: str | os.PathLike[str] | pd.DataFrame,
    *,
    columns: Mapping[str, str] | None = None,
    weights: FitWeights = "relative",
    max_num_tokens: float = MAX_NUM_TOKENS,
) -> Fit:
    """Fit the six forms to measurements of energy over input and output lengths.

    Args:
        source: a DataFrame, a .csv, .jsonl or .json file, or the folder of a run or a campaign.
        columns: which column a quantity is in, as of `sweetspot.read_observations`.
        weights: "relative" counts errors as a share of each cell's energy, which suits noise of
            some %; "equal" counts them in J, as the paper does.
        max_num_tokens: tokens of an iteration at most, for the batch form, where the measurements
            do not say.

    Raises:
        InputError: the measurements cannot be read, or carry no form; or `max_num_tokens` is less
            than 1.
    """
    check_max_num_tokens(max_num_tokens)
    observations = read_observations(source, columns=columns)
    return fit_observations(observations, weights=weights, max_num_tokens=max_num_tokens)


def fit_observations(
    observations: Observations, *, weights: FitWeights, max_num_tokens: float = MAX_NUM_TOKENS
) -> Fit:
    """Fit the six forms to measurements that were read; as `fit`."""
    fits = fit_forms(observations.cells, weights=weights)
    return Fit(observations, fits, sweet_spots(fits), max_num_tokens)


def _within(lengths: np.ndarray, measured: np.ndarray) -> np.ndarray:
    return np.asarray((measured.min() <= lengths) & (lengths <= measured.max()))
