"""One panel: fitted against observed energy, one dot a cell."""

import numpy as np
from matplotlib.axes import Axes

from sweetspot.figures.fit_shown import Shown
from sweetspot.figures.style import QUIET, decimal_ticks, plain_look

OFF_PERCENT = 10
"""How far the pale band reaches to each side."""

_ROOM = 1.25  # beyond the outermost dot, as a factor


def draw_predicted(ax: Axes, of_fit: Shown, *, by_model: bool) -> int:
    """Draw fitted against observed energy per output token, as density where not by model.

    Returns:
        How many cells are not shown, as their fitted energy is zero or less.
    """
    fits = of_fit.fits.values()
    observed, fitted = (
        np.concatenate([getattr(fit, name) for fit in fits]) for name in ("observed_j", "fitted_j")
    )
    for model, fit in of_fit.fits.items() if by_model else ():
        of_fit.dots(ax, model, fit.observed_j, fit.fitted_j)
    positive = fitted > 0
    if not by_model:
        ax.hexbin(
            *(observed[positive], fitted[positive]),
            gridsize=45,
            xscale="log",
            yscale="log",
            bins="log",
            cmap="Greys",
        )
    edges = np.array([observed.min() / _ROOM, observed.max() * _ROOM])
    off = OFF_PERCENT / 100
    ax.fill_between(edges, edges * (1 - off), edges * (1 + off), color="0.94", zorder=0.05)
    ax.plot(edges, edges, color=QUIET, linewidth=0.6, zorder=1)
    ax.set(xscale="log", yscale="log", xlim=edges, ylim=edges)
    for axis in (ax.xaxis, ax.yaxis):
        decimal_ticks(axis)
    ax.set_xlabel("Observed (J per output token)")
    ax.set_ylabel("Fitted (J per output token)")
    plain_look(ax)
    return int((~positive).sum())
