"""Looks: families that keep their colours, markers, names as people write them."""

import matplotlib.pyplot as plt
import pytest

from sweetspot.catalog import gpu_ids, model_ids
from sweetspot.figures.labels import board_name, written_out
from sweetspot.figures.style import categorical_looks, decimal_ticks, least_span, model_looks
from sweetspot.palettes import PALETTES, family_of


@pytest.mark.parametrize("palette", PALETTES)
def test_families_keep_their_colour_whoever_else_is_there(palette):
    everybody = model_looks(palette, model_ids())
    for model in model_ids():
        alone = model_looks(palette, [model, "my-model", "another"])
        assert alone[model].color == everybody[model].color
        assert alone[model].color not in (alone["my-model"].color, alone["another"].color)
    colors = {family_of(model): look.color for model, look in everybody.items()}
    assert len(set(colors.values())) == len(colors) == 6
    assert len({(look.color, look.marker) for look in everybody.values()}) == len(everybody)


def test_looks_past_the_palette_differ_by_marker():
    models = [f"mine-{place}" for place in range(40)]
    looks = model_looks("colorblind", models).values()
    assert len({(look.color, look.marker) for look in looks}) == 40
    repeated = categorical_looks("colorblind", 20)
    assert len({(look.color, look.marker) for look in repeated}) == 20


def test_boards_are_named_as_people_write_them():
    assert board_name("h100-sxm") == "H100 SXM"
    assert board_name("a100-80gb") == "A100 SXM (80 GB)"
    assert board_name("my-board") == "my-board"
    assert len({board_name(gpu) for gpu in gpu_ids()}) == len(gpu_ids())
    text = "h100-sxm, published numbers + tensorrt-llm, published numbers"
    assert written_out(text) == "H100 SXM, published numbers + TensorRT-LLM, published numbers"


@pytest.mark.parametrize("values", [[0.033, 0.033 * (1 + 1e-15)], [1.0, 1.0]])
def test_equal_values_are_a_flat_line_on_an_axis_with_ticks(values):
    figure, ax = plt.subplots()
    ax.plot([1, 2], values)
    ax.set_yscale("log")
    least_span(ax)
    decimal_ticks(ax.yaxis)
    low, high = ax.get_ylim()
    ticks = [tick for tick in ax.get_yticks() if low <= tick <= high]
    plt.close(figure)
    assert low < values[0] < high < 1.11 * low
    assert len(ticks) >= 2
