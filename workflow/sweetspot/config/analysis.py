"""How the energy models are fitted."""

from typing import Literal

from pydantic import Field

from sweetspot.config.sections import Section

FitWeights = Literal["equal", "relative"]


class Analysis(Section):
    """Fits of the energy models to the cells."""

    weights: FitWeights = Field(
        default="equal",
        description="What least squares counts: `equal`: the errors of all cells in J per token, "
        "the paper's; `relative`: as a share of each cell's energy, which suits noise of some % "
        "and gives narrower intervals then ([how much](statistics.md)).",
    )
