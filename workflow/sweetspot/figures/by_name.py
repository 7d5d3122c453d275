"""All figures by the name of their files: the paper's, those of a fit, those of the batch form."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from sweetspot.analysis.group_fit import GroupFit
from sweetspot.config import FigureStyle
from sweetspot.figures.batch_across import batch_across
from sweetspot.figures.canvas import Drawing
from sweetspot.figures.figure1 import figure1
from sweetspot.figures.figure2 import figure2
from sweetspot.figures.figure3 import figure3_heatmap, figure3_surface
from sweetspot.figures.figure4 import figure4
from sweetspot.figures.fit_coefficients import fit_coefficients
from sweetspot.figures.fit_curves import fit_curves
from sweetspot.figures.fit_errors import fit_errors
from sweetspot.figures.labels import ModelLabel

Labels = Mapping[str, ModelLabel]

FIGURES: Mapping[str, Callable[[pd.DataFrame, FigureStyle, Labels | None], Drawing]] = {
    "figure1_requests": figure1,
    "figure2_output_length": figure2,
    "figure3_surface": figure3_surface,
    "figure3_heatmap": figure3_heatmap,
    "figure4_batch": figure4,
}

FIT_FIGURES: Mapping[str, Callable[[Sequence[GroupFit], FigureStyle, Labels | None], Drawing]] = {
    "fit_curves": fit_curves,
    "fit_errors": fit_errors,
    "fit_coefficients": fit_coefficients,
}

SHOW_BATCH = {"figure1_requests": figure1, "figure4_batch": figure4}
"""Those of `FIGURES` that can show a fit of the batch form, as their fourth argument."""

BATCH_FIGURES = {"batch_across": batch_across}
"""Those of `across_models`, and of the cells that it is of."""
