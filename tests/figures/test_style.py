"""Looks: families that keep their colours, markers, names as people write them."""

import matplotlib.pyplot as plt
import pytest

from sweetspot.catalog import gpu_ids, model_ids
from sweetspot.figures.labels import board_name, written_out
from sweetspot.figures.style import (
    categorical_looks,
    decimal_ticks,
    least_span,
    model_looks,
    plain_look,
    spaced,
)
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
    assert written_out("simulated · llama-3.1-8b · vllm") == "simulated · Llama 3.1 (8B) · vLLM"
    assert written_out("A: h100-sxm.csv, runs/vllm/b") == "A: h100-sxm.csv, runs/vllm/b"


@pytest.mark.parametrize(
    ("lengths", "most", "kept"),
    [
        ([64, 128, 256, 512, 1024, 2048, 4096], 3, [64, 512, 4096]),
        ([64, 256, 1024, 1100], 3, [64, 256, 1100]),
        ([64, 65], 4, [64, 65]),
        ([64], 4, [64]),
    ],
)
def test_ticks_stand_apart_from_the_first_length_to_the_last(lengths, most, kept):
    assert spaced(lengths, most) == kept


def test_ticks_are_the_same_at_any_resolution():
    figure, ax = plt.subplots(figsize=(3, 2))
    ax.set_ylim(0.0, 10.0)
    plain_look(ax)
    ticks = set()
    for dpi in (30, 100, 300):
        figure.set_dpi(dpi)
        ticks.add(tuple(ax.get_yticks()))
    figure.set_size_inches(3, 12)
    ticks.add(tuple(ax.get_yticks()))
    plt.close(figure)
    assert len(ticks) == 1


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
