"""The paper's figures, each a pure function from a cells table to a matplotlib figure.

`FIGURES` has them by the name of their files; `canvas.save` writes one to files; `evidence` says on
each what it is worth, and refuses to mix what was simulated with what was measured.
"""

from collections.abc import Callable, Mapping

import pandas as pd

from sweetspot.config import FigureStyle
from sweetspot.figures.canvas import Drawing
from sweetspot.figures.figure1 import figure1
from sweetspot.figures.figure2 import figure2
from sweetspot.figures.figure3 import figure3_heatmap, figure3_surface
from sweetspot.figures.figure4 import figure4
from sweetspot.figures.labels import ModelLabel

FIGURES: Mapping[
    str, Callable[[pd.DataFrame, FigureStyle, Mapping[str, ModelLabel] | None], Drawing]
] = {
    "figure1_requests": figure1,
    "figure2_output_length": figure2,
    "figure3_surface": figure3_surface,
    "figure3_heatmap": figure3_heatmap,
    "figure4_batch": figure4,
}
