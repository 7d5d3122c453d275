"""A heat map's words and numbers, on grids of any height."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from sweetspot.figures.heat import CELL_HEIGHT_IN, heat_map

WORD = "SIMULATED"


@pytest.mark.parametrize("rows", [7, 13, 20])
def test_word_stands_in_every_crop_of_three_rows_of_a_grid_of_any_height(rows):
    grid = pd.DataFrame(np.arange(7.0 * rows).reshape(rows, 7))
    ax = Figure(figsize=(3, CELL_HEIGHT_IN * rows + 1)).subplots()
    heat_map(ax, grid, norm=Normalize(0, 7 * rows), colormap="cividis", annotations=None, word=WORD)
    heights = [text.get_position()[1] for text in ax.texts if text.get_text() == WORD]
    assert all(any(first < at < first + 3 for at in heights) for first in range(rows - 2))
