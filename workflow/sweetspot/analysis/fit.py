"""One fit of one's own: anybody's measurements in, energy models and sweet spots out."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from sweetspot.analysis.fits import Fits, fit_forms
from sweetspot.analysis.sweet_spots import sweet_spots
from sweetspot.cells.observations import Observations, read_observations


@dataclass(frozen=True, eq=False, slots=True)
class Fit:
    """The six forms fitted to somebody's measurements.

    Attributes:
        observations: the measurements as cells, and how they were understood.
        fits: coefficients and quality of every form.
        sweet_spots: one row per input length of every group that Eq. 5 was fitted to.
    """

    observations: Observations
    fits: Fits
    sweet_spots: pd.DataFrame

    @property
    def notes(self) -> tuple[str, ...]:
        """How the measurements were understood, one sentence each."""
        return self.observations.notes

    def summary(self) -> str:
        """Return what was found, for a screen."""
        parts = [*self.notes, "", self.fits.quality.to_string(), "", self.sweet_spots.to_string()]
        return "\n".join(parts)


def fit(
    source: str | os.PathLike[str] | pd.DataFrame, *, columns: Mapping[str, str] | None = None
) -> Fit:
    """Fit the six forms to measurements of energy over input and output lengths.

    Args:
        source: a DataFrame, a .csv or .jsonl file, or the folder of a run or of a campaign.
        columns: as of `read_observations`.

    Raises:
        InputError: the measurements cannot be read, or no form can be fitted to them.
    """
    observations = read_observations(source, columns=columns)
    fits = fit_forms(observations.cells)
    return Fit(observations, fits, sweet_spots(observations.cells, fits))
