"""The form that knows the batch, drawn through cells: one set of coefficients for all loads.

What is drawn comes as functions, as figures know nothing of fits.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from sweetspot.energy_models import Array
from sweetspot.figures.style import LineLook

BatchEnergies = Mapping[str, Callable[[int, int, Array, Array], Array]]
"""By model e at N, max_batch_size, and lengths I and O, (n,) each: (n,) in J per output token."""

CURVES_NOTE = "Lines: the batch form, one set of coefficients for all loads of a model."
RIDGE_NOTE = (
    "Dashes: sweet spot of each input length by the batch form, one set of coefficients for all N."
)
_PER_DOUBLING = 32


def draw_form(ax: Axes, form: BatchEnergies, cells: pd.DataFrame, look: LineLook) -> bool:
    """Draw the form's tokens/J over output length for one load and input length of cells.

    Returns:
        Whether the form was fitted to the cells' model.
    """
    outputs = _between(cells["output_tokens"])
    energies = _energies(form, cells, float(cells["input_tokens"].iloc[0]), outputs)
    if energies is None:
        return False
    ax.plot(outputs, 1 / energies, color=look.color, linestyle="-", linewidth=look.width_pt)
    return True


def draw_ridge(ax: Axes, form: BatchEnergies, cells: pd.DataFrame) -> bool:
    """Draw where the form has its sweet spots over a heat map of one load; as `draw_form`."""
    inputs, outputs = sorted(cells["input_tokens"].unique()), _between(cells["output_tokens"])
    lengths = sorted(cells["output_tokens"].unique())
    places: list[float] = []
    for each in inputs:
        energies = _energies(form, cells, float(each), outputs)
        if energies is None:
            return False
        place = np.interp(np.log(outputs[np.argmin(energies)]), np.log(lengths), _middles(lengths))
        places.append(float(place))
    # Only between rows: numbers stand in their middles.
    spots = np.column_stack([places, _middles(inputs)])
    for here, there in pairwise(spots):
        ends = np.array([here + share * (there - here) for share in (0.28, 0.72)])
        for color, width_pt in (("white", 2.2), ("black", 1.0)):
            ax.plot(*ends.T, color=color, linewidth=width_pt, solid_capstyle="round")
    return True


def _energies(
    form: BatchEnergies, cells: pd.DataFrame, input_tokens: float, outputs: Array
) -> Array | None:
    model, requests, limit = cells[["model", "requests", "max_batch_size"]].iloc[0]
    if model not in form:
        return None
    inputs = np.full_like(outputs, input_tokens)
    return form[str(model)](int(requests), int(limit), inputs, outputs)


def _between(lengths: "pd.Series[int]") -> Array:
    """Return lengths from the shortest to the longest, evenly on a logarithmic axis."""
    shortest, longest = float(lengths.min()), float(lengths.max())
    count = max(2, int(_PER_DOUBLING * np.log2(longest / shortest)))
    return np.geomspace(shortest, longest, count)


def _middles(lengths: Sequence[float]) -> list[float]:
    """Return where a heat map has the middle of each row or column."""
    return [place + 0.5 for place in range(len(lengths))]
