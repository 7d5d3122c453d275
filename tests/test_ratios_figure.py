"""The figure of two runs side by side."""

import numpy as np
import pandas as pd

from sweetspot.config import FigureStyle
from sweetspot.figures.ratios import ratios_figure


def test_models_have_a_panel_each_on_one_scale_and_unknown_intervals_no_bar():
    ratios = pd.DataFrame(
        {
            "model": ["mine", "mine", "other"],
            "input_tokens": [64, 64, 256],
            "output_tokens": [64, 128, 64],
            "ratio": [1.5, 1.2, 0.5],
            "low": [1.4, np.nan, 0.4],
            "high": [1.6, np.nan, 0.7],
            "simulated_a": False,
            "simulated_b": True,
        }
    )
    means = {"mine": 1.35, "other": 0.5}
    figure = ratios_figure(ratios, means, FigureStyle(), {}, ["A: a.csv", "B: b.csv"])
    assert [ax.get_title() for ax in figure.axes] == ["mine", "other"]
    low, high = figure.axes[0].get_ylim()
    assert figure.axes[1].get_ylim() == (low, high)
    for ax in figure.axes:
        ticks = [int(tick.get_text()) for tick in ax.get_xticklabels()]
        assert ax.get_xlim()[0] <= ticks[0] <= ticks[-1] <= ax.get_xlim()[1]
    assert low < 0.4
    assert high > 1.6
    bars = [
        np.ptp(path.vertices[:, 1]) for c in figure.axes[0].collections for path in c.get_paths()
    ]
    assert np.allclose(bars, [0.2])
    assert "B: b.csv" in [text.get_text() for text in figure.texts]
    assert {text.get_text() for ax in figure.axes for text in ax.texts} == {"B SIMULATED"}
    assert "from 0.5 (other, 256 input and 64 output tokens) to 1.5 (mine" in figure.alt_text


def test_many_lengths_are_told_apart_by_octaves():
    lengths = np.arange(1, 41)
    ratios = pd.DataFrame(
        {
            "model": "mine",
            "input_tokens": lengths,
            "output_tokens": lengths,
            "ratio": 1.0 + lengths / 100,
            "low": np.nan,
            "high": np.nan,
            "simulated_a": False,
            "simulated_b": False,
        }
    )
    figure = ratios_figure(ratios, {"mine": 1.2}, FigureStyle(), {}, [])
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["1", "2 to 3", "4 to 7", "8 to 15", "16 to 31", "32 to 63"]
    ticks = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert ticks == ["1", "2", "4", "8", "16", "32"]
