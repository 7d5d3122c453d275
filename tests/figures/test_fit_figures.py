"""Figures of a fit: curves and sweet spots, errors, coefficients; of one model and of many."""

import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.layout_engine import ConstrainedLayoutEngine

from sweetspot.analysis.fit import fit
from sweetspot.config import MIN_FONT_PT, FigureStyle, parse_style
from sweetspot.errors import InputError
from sweetspot.figures.by_name import FIT_FIGURES
from sweetspot.figures.fit_coefficients import fit_coefficients
from sweetspot.figures.fit_curves import fit_curves
from sweetspot.figures.fit_errors import fit_errors
from sweetspot.figures.words import quantity
from sweetspot.outputs import FIGURES_OF_FITS
from sweetspot.published import surface_cells

STYLE = FigureStyle()
LENGTHS = [64, 512, 4096]


def noisy(models, *, seed=3, lengths=LENGTHS, repeats=1, **columns):
    """Return cells on the paper's surfaces with 2 % of noise, as somebody's measurements."""
    rng = np.random.default_rng(seed)
    cells = surface_cells(models, lengths, lengths)
    rows = cells[["model", "input_tokens", "output_tokens", "energy_per_token_j"]]
    parts = [
        rows.assign(
            energy_per_token_j=rows["energy_per_token_j"] * rng.normal(1, 0.02, len(rows)),
            repeat=repeat,
        )
        for repeat in range(repeats)
    ]
    return pd.concat(parts, ignore_index=True).assign(**columns)


@pytest.fixture(scope="module")
def one():
    """One model with repeats, measured."""
    return fit(noisy(["llama-3.1-8b"], repeats=2)).groups()


@pytest.fixture(scope="module")
def two():
    """Two models, simulated without noise."""
    origin = {"simulated": True, "engine": "simulator", "gpu": "h100-sxm"}
    return fit(noisy(["llama-3.1-8b", "opt-1.3b"], **origin)).groups()


@pytest.fixture
def no_layout(monkeypatch):
    """Spare the layout, half of a figure's time, where only what it says is looked at."""
    monkeypatch.setattr(ConstrainedLayoutEngine, "execute", lambda *_: None)


def small_print(figure):
    return " ".join(text.get_text() for text in reversed(figure.texts))


def test_fits_have_the_figures_that_are_planned():
    assert tuple(FIT_FIGURES) == FIGURES_OF_FITS


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("name", FIT_FIGURES)
def test_fit_figure_writes_inside_the_page_and_large_enough(two, name, columns):
    figure = FIT_FIGURES[name](two, parse_style({"columns": columns}, ""), None)
    for ax in figure.axes:
        texts = [ax.title, ax.xaxis.label, ax.yaxis.label, *ax.texts]
        texts += [tick for tick in ax.get_yticklabels() if ax.get_yticklabels()]
        for text in texts:
            if text.get_visible() and text.get_text():
                box = text.get_window_extent()
                assert figure.bbox.x0 - 1 <= box.x0 <= box.x1 <= figure.bbox.x1 + 1, text
                assert text.get_fontsize() >= MIN_FONT_PT
        assert "SIMULATED" in {text.get_text() for text in ax.texts}
    assert "simulated · TensorRT-LLM scheduler model · H100 SXM" in small_print(figure)


@pytest.mark.usefixtures("no_layout")
@pytest.mark.parametrize("name", FIT_FIGURES)
def test_fit_figure_of_measured_cells_says_so_and_no_load_that_nobody_gave(one, name):
    figure = FIT_FIGURES[name](one, STYLE, None)
    said = small_print(figure)
    assert "measured · 9 cells · mean of 2 repeats" in said
    assert "Eq. 5, relative weights" in said
    assert "without noise" not in said
    assert "Measured." in figure.alt_text


@pytest.mark.usefixtures("no_layout")
def test_fit_curves_of_one_model_pass_through_its_cells_to_the_sweet_spot(one):
    figure = fit_curves(one, STYLE, None)
    (group,) = one
    assert [ax.get_title() for ax in figure.axes] == [f"I = {length} tokens" for length in LENGTHS]
    for ax, length in zip(figure.axes, LENGTHS, strict=True):
        curve, dots, interval, spot = ax.lines
        outputs = curve.get_xdata()
        expected = group.best.energy_per_token_j(np.full_like(outputs, length), outputs)
        assert curve.get_ydata() == pytest.approx(expected)
        at = group.best.input_tokens == length
        assert dots.get_ydata() == pytest.approx(group.best.observed_j[at])
        row = group.sweet_spots.set_index("input_tokens").loc[length]
        assert spot.get_xdata() == pytest.approx([row["estimated_output_tokens"]])
        assert interval.get_xdata() == pytest.approx([row["estimated_low"], row["estimated_high"]])
        (band,) = ax.collections
        low, high = group.best.interval([length], [64])
        edges = band.get_paths()[0].vertices[:, 1]
        assert np.isclose(edges[:, None], [low[0], high[0]]).any(axis=0).all()
        assert f"{quantity(row['estimated_output_tokens'])} (" in figure.alt_text


@pytest.mark.usefixtures("no_layout")
def test_fit_figures_of_many_models_are_no_smear(monkeypatch):
    # functions of these names hide the modules
    monkeypatch.setattr(sys.modules["sweetspot.figures.fit_curves"], "MOST_PANELS", 3)
    monkeypatch.setattr(sys.modules["sweetspot.figures.fit_errors"], "MODELS_OF_A_LEGEND", 4)
    cells = pd.concat([noisy(["opt-1.3b"], seed=n, model=f"m{n}") for n in range(5)])
    groups = fit(cells).groups()
    figure = fit_curves(groups, STYLE, None)
    errors = {group.model: group.best.mape_percent for group in groups}
    shown = [errors[ax.get_title()] for ax in figure.axes]
    assert shown == [sorted(errors.values())[place] for place in (0, 2, 4)]
    assert "3 of 5 models" in small_print(figure)
    figure = fit_errors(groups, STYLE, None)
    assert not figure.legends
    assert not [line for ax in figure.axes for line in ax.lines if line.get_gid()]
    assert "45 cells, the darker the more" in small_print(figure)


@pytest.mark.usefixtures("no_layout")
def test_fit_errors_are_of_the_fit(one):
    figure = fit_errors(one, STYLE, None)
    (group,) = one
    predicted, *others = figure.axes
    dots = next(line for line in predicted.lines if line.get_gid())
    assert dots.get_xdata() == pytest.approx(group.best.observed_j)
    assert dots.get_ydata() == pytest.approx(group.best.fitted_j)
    residuals = 100 * (1 - group.best.fitted_j / group.best.observed_j)
    for ax in others:
        dots = next(line for line in ax.lines if line.get_gid())
        assert dots.get_ydata() == pytest.approx(residuals)
    said = f"mean error {group.best.mape_percent:.2g} %"
    assert said in small_print(figure)
    assert f"{group.best.leave_one_cell_out_percent:.2g} % on cells left out" in figure.alt_text


@pytest.mark.usefixtures("no_layout")
def test_fit_coefficients_stand_with_their_intervals(two):
    figure = fit_coefficients(two, STYLE, None)
    assert [ax.get_title() for ax in figure.axes] == [f"α{place}" for place in range(6)]
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == [
        group.model for group in two
    ]
    for place, ax in enumerate(figure.axes):
        bars, dots = ax.lines[:-1:2], ax.lines[1::2]
        for group, bar, dot in zip(two, bars, dots, strict=False):
            fitted = group.best
            scale = bar.get_xdata()[0] / fitted.low[place]
            assert bar.get_xdata()[1] == pytest.approx(scale * fitted.high[place])
            assert dot.get_xdata()[0] == pytest.approx(scale * fitted.values[place])
            zero_inside = fitted.low[place] <= 0 <= fitted.high[place]
            assert (dot.get_markerfacecolor() == "white") is bool(zero_inside)
    assert "Cells without noise" in small_print(figure)


@pytest.mark.usefixtures("no_layout")
def test_fit_figures_of_a_simpler_form_name_it():
    few = noisy(["opt-1.3b"], lengths=[64, 512])
    for draw in FIT_FIGURES.values():
        figure = draw(fit(few).groups(), STYLE, None)
        assert "Baseline" in small_print(figure)
        assert "sweet spot O*" not in small_print(figure)


@pytest.mark.usefixtures("no_layout")
def test_band_that_reaches_zero_leaves_the_axis_to_the_cells():
    cells = noisy(["opt-1.3b"])
    cells["energy_per_token_j"] *= np.random.default_rng(5).lognormal(0, 1, len(cells))
    (group,) = fit(cells).groups()
    low, _ = group.best.interval(group.best.input_tokens, group.best.output_tokens)
    assert low.min() < 0
    for ax in fit_curves([group], STYLE, None).axes:
        curve, dots, *_ = ax.lines
        drawn = np.concatenate([curve.get_ydata(), dots.get_ydata()])
        assert ax.get_ylim()[0] >= drawn[drawn > 0].min() / 2.01


@pytest.mark.usefixtures("no_layout")
def test_sweet_spot_beyond_the_cells_is_said_to_be(one):
    assert "No diamond" not in small_print(fit_curves(one, STYLE, None))
    cells = noisy(["llama-3.1-8b"], lengths=[64, 96, 128])
    figure = fit_curves(fit(cells).groups(), STYLE, None)
    assert "No diamond: O* is beyond the cells." in small_print(figure)
    assert "beyond the cells)" in figure.alt_text


def test_fit_curves_of_one_output_length_are_refused():
    cells = noisy(["opt-1.3b"])
    with pytest.raises(InputError, match="each model has one only"):
        fit_curves(fit(cells[cells["output_tokens"] == 64]).groups(), STYLE)


def test_long_names_of_models_stay_over_their_panels():
    names = ["somebody/a-name-as-long-as-some-of-the-hub-are-instruct", "$x_1$ costs $2"]
    cells = noisy(["opt-1.3b"])
    groups = fit(pd.concat([cells.assign(model=name) for name in names])).groups()
    figure = fit_curves(groups, STYLE)
    edges = [ax.title.get_window_extent() for ax in figure.axes]
    assert edges[0].x1 < edges[1].x0
    assert figure.axes[1].get_title() == names[1]
    assert not figure.axes[1].title.get_parse_math()
