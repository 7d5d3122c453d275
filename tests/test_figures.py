"""Figures: what they show, what they say of its origin, and what they refuse to draw."""

import re
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from fontTools import subset
from fontTools.ttLib import TTFont
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon, Rectangle
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from sweetspot.config import MIN_FONT_PT, FigureStyle, parse_style
from sweetspot.errors import InputError
from sweetspot.figures.by_name import FIGURES
from sweetspot.figures.canvas import save
from sweetspot.figures.figure1 import figure1
from sweetspot.figures.figure2 import figure2
from sweetspot.figures.figure3 import figure3_heatmap, figure3_surface, normalised_mean
from sweetspot.figures.figure4 import figure4
from sweetspot.figures.labels import ModelLabel, catalog_labels
from sweetspot.published import GRID, surface_cells

STYLE = FigureStyle()
LABELS = catalog_labels(surface_cells()["model"].unique())
TRUETYPE = b"\0\1\0\0"
LENGTHS = [str(length) for length in GRID]


def simulated(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells as if the simulator had made them; it need only be plausible."""
    return cells.assign(
        engine="simulator", simulated=True, energy_source="integration", calibration="h100-sxm"
    )


@pytest.fixture(scope="module")
def cells() -> pd.DataFrame:
    """The three sweeps of the paper."""
    grid = simulated(surface_cells())
    falcon = grid[grid["model"] == "falcon-rw-7b"]
    llama = grid[(grid["model"] == "llama-3.2-1b") & (grid["input_tokens"] == 64)]
    parts = [grid]
    for requests, factor in ((10, 0.3), (100, 0.8)):
        tokens_per_j = falcon["tokens_per_j"] * factor
        parts.append(falcon.assign(requests=requests, tokens_per_j=tokens_per_j))
    for requests in (128, 1000):
        for limit in (64, 128, 256, 512, 1024):
            if (requests, limit) != (1000, 1024):
                tokens_per_j = llama["tokens_per_j"] * min(requests, limit) ** 0.1 / 2
                setting = {"requests": requests, "max_batch_size": limit}
                parts.append(llama.assign(**setting, tokens_per_j=tokens_per_j))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def figures(cells: pd.DataFrame) -> dict[str, Figure]:
    """All figures of the paper's sweeps."""
    return {name: draw(cells, STYLE, LABELS) for name, draw in FIGURES.items()}


@pytest.fixture(scope="module")
def few(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells of two lengths: every figure but the surface can be drawn of them, and soon."""
    two = [64, 512]
    return cells[cells["input_tokens"].isin(two) & cells["output_tokens"].isin(two)]


@pytest.fixture
def no_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the layout, half of a figure's time, where only what it says is looked at."""
    monkeypatch.setattr(ConstrainedLayoutEngine, "execute", lambda *_: None)


def failed(cells: pd.DataFrame, **where: object) -> pd.DataFrame:
    """Return the cells with some of them failed, as they stand in the table."""
    chosen = pd.Series(True, index=cells.index)
    for column, value in where.items():
        chosen &= cells[column] == value
    assert chosen.any()
    cells = cells.copy()
    cells.loc[chosen, ["status", "reason"]] = ["failed", "out of memory"]
    cells.loc[chosen, ["energy_j", "energy_per_token_j", "tokens_per_j"]] = np.nan
    cells.loc[chosen, ["energy_source", "calibration"]] = np.nan
    return cells


def texts(figure: Figure) -> list[Text]:
    """Return everything that is written on a figure, without ticks that lie off their axis."""
    unseen = set()
    for ax in figure.axes:
        if ax.name == "3d":  # asking for these ticks would move them onto the page's plane
            continue
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            for at, label in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True):
                if not low <= at <= high:
                    unseen.add(label)
    found = [t for t in figure.findobj(Text) if isinstance(t, Text) and t not in unseen]
    return [t for t in found if t.get_visible() and t.get_text().strip()]


def small_print(figure: Figure) -> str:
    """Return the lines below the panels, top to bottom."""
    lines = sorted(figure.texts, key=lambda line: -line.get_position()[1])
    return " ".join(line.get_text() for line in lines)


def line(ax: Axes, label: str) -> Line2D:
    """Return the line with this legend entry."""
    (found,) = [item for item in ax.lines if item.get_label() == label]
    return found


def values(found: Line2D) -> dict[int, float]:
    """Return what a line shows at each output length."""
    return dict(zip(np.asarray(found.get_xdata()), np.asarray(found.get_ydata()), strict=True))


def bars_of(ax: Axes) -> list[list[np.ndarray]]:
    """Return the ends of the error bars, a list per line."""
    found = [item for item in ax.containers if isinstance(item, ErrorbarContainer)]
    return [item.lines[2][0].get_segments() for item in found]


def mesh_values(ax: Axes) -> np.ma.MaskedArray:
    """Return the numbers behind a heat map, longest input last."""
    (mesh,) = [item for item in ax.collections if isinstance(item, QuadMesh)]
    array = mesh.get_array()
    assert array is not None
    return np.ma.asarray(array).reshape(len(GRID), len(GRID))


def at(input_tokens: int, output_tokens: int) -> tuple[int, int]:
    """Return row and column of a cell in a grid."""
    return GRID.index(input_tokens), GRID.index(output_tokens)


@pytest.mark.parametrize("name", FIGURES)
def test_figure_writing_is_large_enough_and_inside_the_page(
    figures: dict[str, Figure], name: str
) -> None:
    assert min(float(text.get_fontsize()) for text in texts(figures[name])) >= MIN_FONT_PT
    assert_inside_the_page(figures[name])


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("name", sorted({*FIGURES} - {"figure3_surface"}))
def test_figure_of_two_lengths_keeps_its_writing_inside_the_page(
    few: pd.DataFrame, name: str, columns: int
) -> None:
    assert_inside_the_page(FIGURES[name](few, parse_style({"columns": columns}, ""), LABELS))


def assert_inside_the_page(figure: Figure) -> None:
    """Assert that nothing written is cut off; labels of axes find their places when it is drawn."""
    figure.draw_without_rendering()
    page = figure.bbox
    for text in texts(figure):
        box = text.get_window_extent()
        assert box.x0 >= page.x0 - 1, text.get_text()
        assert box.x1 <= page.x1 + 1, text.get_text()
        assert box.y0 >= page.y0 - 1, text.get_text()
        assert box.y1 <= page.y1 + 1, text.get_text()


@pytest.mark.parametrize("name", FIGURES)
def test_figure_small_print_stands_clear_of_the_panels(
    figures: dict[str, Figure], name: str
) -> None:
    figure = figures[name]
    figure.draw_without_rendering()
    top = max(text.get_window_extent().y1 for text in figure.texts)
    for ax in figure.axes:
        for label in (ax.xaxis.label, ax.yaxis.label):
            if label.get_text():
                assert label.get_window_extent().y0 >= top - 1


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        (
            "figure1_requests",
            {
                "Input length I (tokens)",
                "Output length O (tokens)",
                "Energy efficiency (tokens/J), logarithmic colour scale",
            },
        ),
        ("figure2_output_length", {"Output length O (tokens)", "Energy efficiency (tokens/J)"}),
        (
            "figure3_surface",
            {
                "Input length I (tokens)",
                "Output length O (tokens)",
                "Normalised efficiency (0 to 1)",
            },
        ),
        (
            "figure3_heatmap",
            {
                "Input length I (tokens)",
                "Output length O (tokens)",
                "Normalised efficiency (0 to 1)",
            },
        ),
        ("figure4_batch", {"Output length O (tokens)", "Energy efficiency (tokens/J)"}),
    ],
)
def test_figure_axes_have_units(figures: dict[str, Figure], name: str, labels: set[str]) -> None:
    found = set()
    for ax in figures[name].axes:
        found |= {ax.get_xlabel(), ax.get_ylabel(), getattr(ax, "get_zlabel", lambda: "")()}
    assert found - {""} == labels


@pytest.mark.parametrize("name", FIGURES)
def test_figure_ticks_write_lengths_in_full(figures: dict[str, Figure], name: str) -> None:
    panels = [ax for ax in figures[name].axes if ax.get_xlabel() == "Output length O (tokens)"]
    assert panels
    for ax in panels:
        expected = LENGTHS[::2] if ax.name == "3d" else LENGTHS  # all of them would overlap
        assert [tick.get_text() for tick in ax.get_xticklabels()] == expected
        if ax.get_ylabel() == "Input length I (tokens)":
            assert [tick.get_text() for tick in ax.get_yticklabels()] == expected


def contains(outer: Bbox, inner: Bbox) -> bool:
    """Return whether a box lies inside another."""
    corners = inner.corners()
    return bool(np.all((corners >= outer.min) & (corners <= outer.max)))


@pytest.mark.parametrize("name", FIGURES)
def test_figure_says_that_it_is_simulated(figures: dict[str, Figure], name: str) -> None:
    said = small_print(figures[name])
    assert "simulated · TensorRT-LLM scheduler model · H100 SXM · calibration H100 SXM" in said
    assert "measured" not in said
    for ax in figures[name].axes:
        if ax.get_label() != "<colorbar>":  # a crop loses the small print, but not this
            words = [text for text in ax.texts if text.get_text() == "SIMULATED"]
            assert words
            assert all(contains(ax.get_window_extent(), e.get_window_extent()) for e in words)


@pytest.mark.parametrize("name", ["figure1_requests", "figure3_heatmap"])
def test_heat_map_is_marked_in_every_crop_of_four_rows_and_no_number_is_covered(
    figures: dict[str, Figure], name: str
) -> None:
    for ax in figures[name].axes[:-1]:  # the last is the colour bar
        heights = [text.get_position()[1] for text in ax.texts if text.get_text() == "SIMULATED"]
        for first in range(len(GRID) - 3):
            assert any(first < height < first + 4 for height in heights)
        boxes = {
            stamped: [
                text.get_window_extent()
                for text in ax.texts
                if (text.get_text() == "SIMULATED") is stamped
            ]
            for stamped in (True, False)
        }
        # a box of digits ends with the line below them, where none of them is
        assert not any(
            word.padded(-3).overlaps(number) for word in boxes[True] for number in boxes[False]
        )


def test_figure_says_how_many_cells_it_holds(figures: dict[str, Figure]) -> None:
    assert "N = 10, 100, 1000 · max_batch_size 1024 · 147 cells" in small_print(
        figures["figure1_requests"]
    )
    assert "N = 1000 · max_batch_size 1024 · 13 models, 49 cells each" in small_print(
        figures["figure3_heatmap"]
    )


@pytest.mark.usefixtures("no_layout")
def test_figure_says_level_of_calibration(cells: pd.DataFrame) -> None:
    said = small_print(figure2(cells.assign(calibration_level="data sheet"), STYLE, LABELS))
    assert "calibration H100 SXM (data sheet)" in said


ENDS = {"low": 0.8, "high": 1.25}


@pytest.mark.usefixtures("no_layout")
def test_figure_says_how_sure_simulated_energies_are(cells: pd.DataFrame) -> None:
    ends = {f"energy_per_token_{end}_j": by / cells["tokens_per_j"] for end, by in ENDS.items()}
    sure = cells.assign(**ends, interval_level=0.9, interval_models=13)
    said = small_print(figure2(sure, STYLE, LABELS))
    assert "energy within a factor of 1.25 (90 %, 13 models)" in said


@pytest.mark.usefixtures("no_layout")
def test_figure_says_measured_and_by_what_sensor(cells: pd.DataFrame) -> None:
    measured = cells.assign(
        simulated=False, engine="tensorrt-llm", calibration="", energy_source="counter"
    )
    measured.loc[measured["output_tokens"] == 64, "energy_source"] = "integration"
    figure = figure2(measured, STYLE, LABELS)
    said = small_print(figure)
    assert not [text for ax in figure.axes for text in ax.texts]
    assert "measured · TensorRT-LLM · H100 SXM · energy by counter and integration" in said
    assert "simulated" not in said


@pytest.mark.usefixtures("no_layout")
def test_figure_says_published_surface() -> None:
    said = small_print(figure3_heatmap(surface_cells(), STYLE, LABELS))
    assert "published surface (Table 5, Eq. 5)" in said
    assert "measured" not in said
    assert "simulated" not in said


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("simulated", False, r"several origins: .*simulated \(\d+ cells\)"),
        ("energy_source", "published surface", "several origins"),
        ("gpu", "a100-80gb", r"several GPUs: .*a100-80gb \(7 cells\)"),
        ("engine", "vllm", "several engines"),
        ("calibration", "mine", "several calibrations"),
    ],
)
def test_figure_refuses_mixed_origins(
    cells: pd.DataFrame, draw: Callable[..., Figure], column: str, value: str | bool, message: str
) -> None:
    mixed = cells.astype({column: object})
    mixed.loc[mixed.index[:7], column] = value
    with pytest.raises(InputError, match=message):
        draw(mixed, STYLE, LABELS)


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_figure_refuses_cells_without_a_result(
    cells: pd.DataFrame, draw: Callable[..., Figure]
) -> None:
    with pytest.raises(InputError, match=r"none of \d+ cells is valid"):
        draw(failed(cells, gpu="h100-sxm"), STYLE, LABELS)


@pytest.mark.parametrize(("draw", "sweep"), [(figure1, "requests"), (figure4, "max_batch_size")])
def test_figure_names_the_sweep_that_is_missing(draw: Callable[..., Figure], sweep: str) -> None:
    with pytest.raises(InputError, match=f"add a sweep over `{sweep}`"):
        draw(simulated(surface_cells()), STYLE, LABELS)


def test_figure2_needs_several_output_lengths() -> None:
    with pytest.raises(InputError, match="add a sweep over `output_tokens`"):
        figure2(simulated(surface_cells(output_tokens=[256])), STYLE, LABELS)


def test_figure3_needs_a_grid_of_cells_that_differ() -> None:
    with pytest.raises(InputError, match="add a sweep over `input_tokens` and `output_tokens`"):
        figure3_surface(simulated(surface_cells(input_tokens=[64])), STYLE, LABELS)
    patch = simulated(surface_cells(["opt-1.3b"], [64, 128], [64, 128]))
    with pytest.raises(InputError, match="needs 3 input and 3 output lengths, and here are 2 and"):
        figure3_surface(patch, STYLE, LABELS)
    flat = simulated(surface_cells(["opt-1.3b"])).assign(tokens_per_j=5.0)
    with pytest.raises(InputError, match="no model has two valid cells that differ"):
        figure3_heatmap(flat, STYLE, LABELS)


@pytest.mark.usefixtures("no_layout")
def test_figures_pass_over_sweeps_that_cannot_fill_them(cells: pd.DataFrame) -> None:
    grid = cells[cells["model"].isin(["opt-1.3b", "qwen2-7b"])]
    single = cells[(cells["input_tokens"] == 64) & (cells["output_tokens"] == 64)]
    with_points = pd.concat([grid, single.assign(requests=5000, input_tokens=32)])
    for draw in (figure2, figure3_heatmap):
        assert small_print(draw(with_points, STYLE, LABELS)) == small_print(
            draw(grid, STYLE, LABELS)
        )


@pytest.mark.usefixtures("no_layout")
def test_figure1_of_many_models_shows_a_page_of_them_best_and_worst_among_them(
    cells: pd.DataFrame,
) -> None:
    falcon = cells[cells["model"] == "falcon-rw-7b"]
    many = pd.concat(
        [
            falcon.assign(model=f"m{place:02}", tokens_per_j=falcon["tokens_per_j"] / place)
            for place in range(1, 41)
        ]
    )
    drawing = figure1(many, STYLE)
    titles = [ax.get_title() for ax in drawing.figure.axes[:-1]]
    assert len(titles) == 12
    assert [title.split(",")[0] for title in titles[::3]] == ["m01", "m14", "m27", "m40"]
    assert "4 of 40 models, most to least efficient." in small_print(drawing)


def test_figure1_has_a_panel_per_request_count_on_one_scale(
    cells: pd.DataFrame, figures: dict[str, Figure]
) -> None:
    *panels, _ = figures["figure1_requests"].axes
    assert [ax.get_title() for ax in panels] == [
        f"Falcon-RW (7.5B), N = {n} requests" for n in (10, 100, 1000)
    ]
    limits = set()
    for ax, requests in zip(panels, (10, 100, 1000), strict=True):
        of_panel = cells[(cells["model"] == "falcon-rw-7b") & (cells["requests"] == requests)]
        expected = of_panel.pivot_table("tokens_per_j", "input_tokens", "output_tokens")
        assert mesh_values(ax).filled(np.nan) == pytest.approx(expected.to_numpy())
        (mesh,) = [item for item in ax.collections if isinstance(item, QuadMesh)]
        limits.add((mesh.norm.vmin, mesh.norm.vmax))
        frames = [p for p in ax.patches if isinstance(p, Rectangle)]
        assert [frame.get_xy() for frame in frames] == [at(64, 128)[::-1]]
    falcon = cells[cells["model"] == "falcon-rw-7b"]["tokens_per_j"]
    assert limits == {(falcon.min(), falcon.max())}


def test_figure1_marks_cells_beyond_the_native_context(figures: dict[str, Figure]) -> None:
    for ax in figures["figure1_requests"].axes[:3]:
        marks = [p for p in ax.patches if isinstance(p, Polygon)]
        beyond = sum(i + o > 2048 for i in GRID for o in GRID)  # Falcon-RW was trained on 2048
        assert len(marks) == beyond
    assert "beyond the model's native context" in small_print(figures["figure1_requests"])


@pytest.mark.usefixtures("no_layout")
def test_figure1_failed_cell_is_a_gap(cells: pd.DataFrame) -> None:
    broken = failed(cells, model="falcon-rw-7b", requests=100, input_tokens=512, output_tokens=256)
    figure = figure1(broken, STYLE, LABELS)
    for ax, gap in zip(figure.axes[:3], (False, True, False), strict=True):
        mask = np.ma.getmaskarray(mesh_values(ax))
        assert mask.sum() == gap
        assert bool(mask[at(512, 256)]) is gap
        dashes = [t.get_position() for t in ax.texts if t.get_text() == "\N{EN DASH}"]
        assert dashes == ([tuple(place + 0.5 for place in at(512, 256)[::-1])] if gap else [])
    assert "no valid result (1 of 147 cells)" in small_print(figure)


def test_figure2_sorts_models_into_families(figures: dict[str, Figure]) -> None:
    figure = figures["figure2_output_length"]
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == [f"{family} models, I = 64 tokens" for family in ("XS", "S", "M")]
    assert [len(ax.get_legend_handles_labels()[1]) for ax in figure.axes] == [3, 4, 6]
    for ax in figure.axes:
        colors = {
            str(entry.get_color())
            for entry in ax.lines
            if not str(entry.get_label()).startswith("_")
        }
        assert len(colors) == len(ax.get_legend_handles_labels()[1])


@pytest.mark.parametrize("name", ["figure2_output_length", "figure4_batch"])
def test_curves_have_one_legend_that_covers_no_panel(figures: dict[str, Figure], name: str) -> None:
    (legend,) = figures[name].legends
    bottom = legend.get_window_extent().y0
    for ax in figures[name].axes:
        assert ax.get_legend() is None
        assert ax.title.get_window_extent().y1 <= bottom + 1


def test_figure2_of_many_models_has_few_lines_a_panel(cells: pd.DataFrame) -> None:
    one = simulated(surface_cells(["opt-1.3b"], [64], [64, 512, 4096]))
    many = pd.concat([one.assign(model=f"model-{place}") for place in range(30)])
    figure = figure2(many, STYLE, LABELS)
    assert not figure.legends
    shown = [ax.get_legend_handles_labels()[1] for ax in figure.axes]
    assert sum(map(len, shown)) == 30
    for ax in figure.axes:
        assert ax.get_legend() is not None
        looks = {
            (str(entry.get_color()), entry.get_marker())
            for entry in ax.lines
            if not str(entry.get_label()).startswith("_")
        }
        assert len(looks) == len(ax.get_legend_handles_labels()[1]) <= 8
    assert_inside_the_page(figure)


def test_figure2_draws_the_grid_and_rings_the_peak(
    cells: pd.DataFrame, figures: dict[str, Figure]
) -> None:
    ax = figures["figure2_output_length"].axes[0]
    grid = cells[
        (cells["model"] == "llama-3.2-1b")
        & (cells["input_tokens"] == 64)
        & (cells["requests"] == 1000)
        & (cells["max_batch_size"] == 1024)
    ].set_index("output_tokens")["tokens_per_j"]
    assert values(line(ax, "Llama 3.2 (1B)")) == pytest.approx(grid.to_dict())
    rings = [values(ring) for ring in ax.lines if ring.get_markersize() > 7]
    assert pytest.approx({grid.idxmax(): grid.max()}) in rings
    assert len(rings) == 3


@pytest.mark.usefixtures("no_layout")
def test_figure2_failed_cell_is_a_gap(cells: pd.DataFrame) -> None:
    broken = failed(cells, model="opt-1.3b", input_tokens=64, output_tokens=512)
    figure = figure2(broken, STYLE, LABELS)
    shown = values(line(figure.axes[0], "OPT (1.3B)"))
    assert [length for length, value in shown.items() if np.isnan(value)] == [512]
    assert "no valid result (1 of 91 cells)" in small_print(figure)


@pytest.mark.usefixtures("no_layout")
def test_figure2_repeats_are_a_mean_with_their_range(cells: pd.DataFrame) -> None:
    again = [
        cells.assign(repeat=repeat, tokens_per_j=cells["tokens_per_j"] * factor)
        for repeat, factor in ((1, 1.2), (2, 1.7))
    ]
    figure = figure2(pd.concat([cells, *again]), STYLE, LABELS)
    once = values(line(figure2(cells, STYLE, LABELS).axes[0], "OPT (1.3B)"))
    mean = values(line(figure.axes[0], "OPT (1.3B)"))
    assert mean == pytest.approx({length: 1.3 * value for length, value in once.items()})
    bars = bars_of(figure.axes[0])[1]  # second model: OPT (1.3B)
    assert [(bar[0][1], bar[1][1]) for bar in bars] == [
        pytest.approx((value, 1.7 * value)) for value in once.values()
    ]
    assert "mean of 3 repeats" in small_print(figure)
    assert "Error bars" in small_print(figure)


@pytest.mark.usefixtures("no_layout")
def test_figure2_puts_unknown_models_into_a_panel_of_their_own(cells: pd.DataFrame) -> None:
    figure = figure2(cells.replace({"model": {"opt-1.3b": "my-model"}}), STYLE, LABELS)
    assert figure.axes[-1].get_title() == "Other models, I = 64 tokens"
    assert figure.axes[-1].get_legend_handles_labels()[1] == ["my-model"]


def test_normalised_mean_agrees_with_plain_pandas(cells: pd.DataFrame) -> None:
    grid = simulated(surface_cells())
    mean, models = normalised_mean(grid)
    by_model = grid.groupby("model")["tokens_per_j"]
    low, high = by_model.transform("min"), by_model.transform("max")
    expected = (
        grid.assign(z=(grid["tokens_per_j"] - low) / (high - low))
        .groupby(["input_tokens", "output_tokens"])["z"]
        .mean()
    )
    assert mean.to_numpy().ravel() == pytest.approx(expected.to_numpy())
    assert mean.to_numpy().min() >= 0
    assert mean.to_numpy().max() <= 1
    assert mean.loc[4096, 64] == pytest.approx(0)  # the paper: the worst cell of every model
    assert (models == 13).all(axis=None)


def test_normalised_mean_averages_the_models_that_have_a_cell() -> None:
    grid = simulated(surface_cells(["opt-1.3b", "qwen2-7b"]))
    broken = failed(grid, model="opt-1.3b", input_tokens=128, output_tokens=128)
    broken = failed(broken, input_tokens=4096, output_tokens=4096)
    mean, models = normalised_mean(broken)
    alone, _ = normalised_mean(broken[broken["model"] == "qwen2-7b"])
    assert mean.loc[128, 128] == pytest.approx(alone.loc[128, 128])
    assert models.loc[128, 128] == 1
    assert bool(mean.isna().loc[4096, 4096])
    assert models.loc[4096, 4096] == 0


def test_figure3_shows_gaps_and_thin_means(cells: pd.DataFrame) -> None:
    broken = failed(cells, model="opt-1.3b", input_tokens=128, output_tokens=128)
    broken = failed(broken, input_tokens=4096, output_tokens=4096)
    figure = figure3_heatmap(broken, STYLE, LABELS)
    shown = {t.get_position(): t.get_text() for t in figure.axes[0].texts}
    assert shown[1.5, 1.5].endswith("*")
    assert shown[6.5, 6.5] == "\N{EN DASH}"
    assert sum(text.endswith("*") for text in shown.values()) == 1
    assert "mean of fewer than 13 models" in small_print(figure)
    surface = figure3_surface(failed(cells, input_tokens=512, output_tokens=512), STYLE, LABELS)
    surface.draw_without_rendering()  # which projects
    (faces,) = surface.axes[0].collections
    open_faces = [f for f in faces.get_paths() if np.isnan(np.asarray(f.vertices)).any()]
    assert (len(open_faces), len(faces.get_paths())) == (4, 36)
    assert "Points without a valid result: 1." in small_print(surface)


def test_figure4_has_a_line_per_limit_and_a_panel_per_request_count(
    cells: pd.DataFrame, figures: dict[str, Figure]
) -> None:
    left, right = figures["figure4_batch"].axes
    assert left.get_title().splitlines() == [
        "Llama 3.2 (1B), N = 128 requests, I = 64 tokens",
        "128 and more coincide: 128 requests fill no larger batch",
    ]
    assert right.get_title() == "Llama 3.2 (1B), N = 1000 requests, I = 64 tokens"
    assert left.get_ylim() == right.get_ylim()
    for ax in (left, right):
        assert ax.get_legend_handles_labels()[1] == ["64", "128", "256", "512", "1024"]
    same = values(line(left, "128"))
    assert values(line(left, "1024")) == pytest.approx(same)
    widths = [line(left, limit).get_linewidth() for limit in ("128", "256", "512", "1024")]
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == 4


@pytest.mark.usefixtures("no_layout")
@pytest.mark.parametrize("draw", [figure2, figure3_heatmap])
def test_figure_reads_the_same_from_a_table_on_disk(
    cells: pd.DataFrame, draw: Callable[..., Figure], tmp_path: Path
) -> None:
    broken = failed(cells, input_tokens=64, output_tokens=512, model="falcon-rw-7b")
    broken.to_csv(tmp_path / "cells.csv", index=False)
    read = pd.read_csv(tmp_path / "cells.csv")
    assert small_print(draw(read, STYLE, LABELS)) == small_print(draw(broken, STYLE, LABELS))


@pytest.mark.usefixtures("no_layout")
def test_figure_names_models_by_label(cells: pd.DataFrame) -> None:
    labels = {"llama-3.2-1b": ModelLabel(name="Tiny", size_family="XS")}
    assert figure4(cells, STYLE, labels).axes[0].get_title().startswith("Tiny, ")
    assert figure4(cells, STYLE).axes[0].get_title().startswith("llama-3.2-1b, ")


@pytest.mark.parametrize(("columns", "width_in"), [(1, 3.35), (2, 7.0)])
@pytest.mark.parametrize("draw", [figure1, figure4])
def test_figure_spans_the_columns_of_its_style(
    few: pd.DataFrame, draw: Callable[..., Figure], columns: int, width_in: float
) -> None:
    style = parse_style({"columns": columns, "palette": "okabe_ito"}, "")
    figure = draw(few, style, LABELS)
    assert figure.get_size_inches()[0] == pytest.approx(width_in)
    panels = [ax for ax in figure.axes if ax.get_title()]
    assert len({round(ax.get_position().y0, 3) for ax in panels}) == (
        len(panels) if columns == 1 else 1
    )


@pytest.mark.usefixtures("no_layout")
def test_figure_leaves_matplotlib_as_it_was(cells: pd.DataFrame) -> None:
    before = mpl.rcParams["font.size"], mpl.rcParams["axes.linewidth"]
    figure4(cells, FigureStyle(font_size_pt=9), LABELS)
    assert (mpl.rcParams["font.size"], mpl.rcParams["axes.linewidth"]) == before


def test_save_writes_the_same_bytes_twice(few: pd.DataFrame, tmp_path: Path) -> None:
    kept = []
    for folder in ("first", "second"):
        paths = save(figure3_heatmap(few, STYLE, LABELS), tmp_path / folder / "f", 100)
        assert [path.name for path in paths] == ["f.png", "f.pdf", "f.alt.txt"]
        kept.append([path.read_bytes() for path in paths])
    assert kept[0] == kept[1]
    png, pdf, alt = kept[0]
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20], "big") == 335
    assert pdf.startswith(b"%PDF")
    assert b"CreationDate" not in pdf
    assert b"/CIDFontType2" in pdf
    assert b"/Type3" not in pdf
    assert alt.startswith(b"Heat map of tokens per joule")
    assert len(list((tmp_path / "first").iterdir())) == len(kept[0])


def test_pdf_embeds_fonts_of_outlines_alone(few: pd.DataFrame, tmp_path: Path) -> None:
    _, pdf, _ = save(figure3_heatmap(few, STYLE, LABELS), tmp_path / "f", 100)
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf.read_bytes(), re.DOTALL)
    fonts = [data for each in streams if (data := zlib.decompress(each)).startswith(TRUETYPE)]
    assert len(fonts) >= 2  # regular and bold
    for data in fonts:
        tables = set(TTFont(BytesIO(data)).keys())
        assert {"glyf", "hmtx"} <= tables
        assert not {"GDEF", "GPOS", "GSUB"} & tables
    assert "GPOS" not in subset.Options().drop_tables  # others get what they had


def test_save_refuses_a_folder_that_cannot_be_made(
    figures: dict[str, Figure], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write"):
        save(figures["figure3_surface"], tmp_path / "file" / "f", 100)
