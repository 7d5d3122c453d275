"""How the energy models are fitted."""

from dataclasses import dataclass
from typing import Annotated, Literal

from sweetspot.config.sections import Section

FitWeights = Literal["equal", "relative"]


@dataclass(frozen=True, kw_only=True)
class Analysis(Section):
    """Fits of the energy models to the cells."""

    weights: Annotated[
        FitWeights,
        "What least squares counts: `equal`: the errors of all cells in J per token, "
        "the paper's; `relative`: as a share of each cell's energy, which suits noise of some % "
        "and gives narrower intervals then ([how much](statistics.md)).",
    ] = "equal"
