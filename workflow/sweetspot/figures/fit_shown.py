"""Which fits the figures of fits show, and what they say of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from sweetspot.analysis.cells import has_noise
from sweetspot.analysis.group_fit import GroupFit
from sweetspot.analysis.least_squares import FormFit
from sweetspot.config import FigureStyle
from sweetspot.figures.evidence import Evidence, evidence_of, provenance
from sweetspot.figures.labels import ModelLabel, label_of
from sweetspot.figures.style import LineLook, model_looks
from sweetspot.words import listed

ENERGY_LABEL = "Energy per output token (J)"
NO_NOISE = "Cells without noise: intervals show lack of fit only."


@dataclass(frozen=True, eq=False, slots=True)
class Shown:
    """One fit for each model: that of the load with most cells, of equals the most requests.

    Attributes:
        fits: by model.
        groups: what each fit is of.
        cells: the cells of all of them.
        names, looks: how each model is written and drawn.
    """

    fits: Mapping[str, FormFit]
    groups: Mapping[str, GroupFit]
    cells: pd.DataFrame
    names: Mapping[str, str]
    looks: Mapping[str, LineLook]
    evidence: Evidence
    source: str

    @property
    def models(self) -> list[str]:
        """The models, in the order of their cells."""
        return list(self.fits)

    def dots(self, ax: Axes, model: str, x: ArrayLike, y: ArrayLike) -> None:
        """Draw the cells of a model; the dots' id is the model's."""
        look = self.looks[model]
        ax.plot(
            *(x, y),
            linestyle="none",
            marker=look.marker,
            markersize=2.6,
            markeredgewidth=0,
            alpha=0.8,
            color=look.color,
            gid=model,
        )

    @property
    def form(self) -> str:
        """Which form was fitted, in words; of which models another one."""
        by_form: dict[str, list[str]] = {}
        for model, fit in self.fits.items():
            by_form.setdefault(fit.form.id, []).append(model)
        most = max(by_form, key=lambda form: len(by_form[form]))
        others = [
            f"{_title(self.fits[members[0]])} for {listed(self.names[each] for each in members)}"
            for form, members in by_form.items()
            if form != most
        ]
        return ", ".join([_title(self.fits[by_form[most][0]]), *others])

    @property
    def weights(self) -> str:
        """What the fits count errors as."""
        (weights,) = {fit.weights for fit in self.fits.values()}
        return f"{weights} weights"

    @property
    def no_noise(self) -> str:
        """That intervals say less of cells without noise; empty for others."""
        return "" if has_noise(self.cells) else NO_NOISE


def shown(
    found: Sequence[GroupFit], style: FigureStyle, labels: Mapping[str, ModelLabel] | None
) -> Shown:
    """Return what figures of a fit show of its groups.

    Raises:
        InputError: cells of different origin are mixed.
    """
    fits: dict[str, FormFit] = {}
    groups: dict[str, GroupFit] = {}
    for group in found:
        if group.best is not None and _more(group, groups.get(group.model)):
            groups[group.model], fits[group.model] = group, group.best
    cells = pd.concat([group.cells for group in groups.values()])
    return Shown(
        fits=fits,
        groups=groups,
        cells=cells,
        names={model: label_of(model, labels or {}).name for model in fits},
        looks=model_looks(style.palette, list(fits)),
        evidence=evidence_of(cells),
        source=provenance(cells),
    )


def _more(group: GroupFit, other: GroupFit | None) -> bool:
    """Return whether a group has more cells than another, of equals more requests in flight."""
    if other is None:
        return True
    first, second = ((e.count, e.requests, e.max_batch_size) for e in (group, other))
    return first > second


def _title(fit: FormFit) -> str:
    """Return the name of a form: Eq. 5, Baseline 4."""
    form = fit.form
    return form.source if form.source.startswith("Eq.") else form.title
