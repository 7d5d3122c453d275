"""The figure of a choice: what misses a target is hollow, a line is the lower end of the front."""

import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from sweetspot.config import FigureStyle
from sweetspot.figures.front import front_figure
from sweetspot.palettes import family_colours

ROWS = [  # number, model, E2E, J, meets, on the front
    (1, "opt-1.3b", 4.0, 10.0, True, True),
    (2, "qwen2-7b", 2.0, 20.0, True, True),
    (3, "qwen2-7b", 3.0, 30.0, True, True),  # by its throughput alone
    (4, "opt-1.3b", 5.0, 25.0, True, False),
    (5, "opt-1.3b", 9.0, 9.0, False, False),
    (6, "opt-1.3b", None, 9.0, False, False),
]


@pytest.fixture(scope="module")
def figure():
    names = ["number", "model", "e2e_p95_s", "energy_per_request_j", "meets", "on_front"]
    table = pd.DataFrame(ROWS, columns=names)
    table["energy_per_request_low_j"] = table["energy_per_request_j"] / 1.2
    table["energy_per_request_high_j"] = table["energy_per_request_j"] * 1.2
    table = table.assign(gpu="h100-sxm", engine="vllm", calibration_level="data sheet")
    return front_figure(table, "e2e_p95_s", 6.0, FigureStyle(), ["the load"])


def test_only_what_misses_a_target_is_hollow(figure):
    (ax,) = figure.axes
    points = [line for line in ax.lines if line.get_marker() not in ("", "None", None)]
    hollow = {
        float(line.get_xdata()[0]): to_rgb(line.get_markerfacecolor()) == (1, 1, 1)
        for line in points
    }
    assert hollow == {4: False, 2: False, 3: False, 5: False, 9: True}
    sizes = {float(line.get_xdata()[0]): line.get_markersize() for line in points}
    assert sizes[2] == sizes[3] == sizes[4] > sizes[5] == sizes[9]


def test_line_joins_what_no_other_is_better_than_in_both(figure):
    (ax,) = figure.axes
    (line,) = [each for each in ax.lines if each.get_drawstyle() == "steps-post"]
    assert list(zip(*line.get_data(), strict=True)) == [(2, 20), (4, 10)]


def test_families_keep_their_colour(figure):
    own = family_colours("colorblind", ["opt", "qwen"])
    (ax,) = figure.axes
    points = [line for line in ax.lines if line.get_marker() not in ("", "None", None)]
    assert {line.get_color() for line in points} == {to_rgb(color) for color in own.values()}


def test_words_say_what_is_drawn_and_on_what_it_rests(figure):
    assert "of 5 candidates, simulated" in figure.alt_text
    assert "Not drawn: 1 candidate" in figure.alt_text
    printed = " ".join(text.get_text() for text in figure.texts)
    assert "H100 SXM (data sheet)" in printed
    assert "vLLM" in printed
    assert "the load" in printed
