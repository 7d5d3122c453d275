"""Figures and tables of the batch form: lines through cells, ridges over grids, models left out."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from matplotlib.layout_engine import ConstrainedLayoutEngine

from sweetspot.analysis.batch_across import LEAST_MODELS, RULES, SIZES
from sweetspot.analysis.batch_form import COUNTED_FORMS, loads
from sweetspot.analysis.batch_tables import batch_fit
from sweetspot.catalog import load_model
from sweetspot.config import FigureStyle
from sweetspot.errors import InputError
from sweetspot.figures.batch_across import batch_across
from sweetspot.figures.batch_form import CURVES_NOTE, RIDGE_NOTE
from sweetspot.figures.figure1 import figure1
from sweetspot.figures.figure4 import figure4
from sweetspot.tables.batch_table import batch_coefficients, batch_loads
from sweetspot.tables.table import markdown

STYLE = FigureStyle()
LENGTHS = [*product((64, 512, 2048), (64, 256, 1024))]
FACTORS = {"1": 0.5, "parameters": 4e-12, "weights of layers": 2e-12, "layers": 1e-4}
FACTORS |= {"layers · attention width": 3e-12, "KV bytes per token": 2e-10}
MODELS = ("llama-3.2-1b", "opt-1.3b", "qwen2-7b", "gemma-2-9b")


def cells_of(model, settings):
    """Return cells whose coefficients follow from the model's sizes."""
    shape = load_model(model)
    values = [sum(FACTORS[size] * SIZES[size](shape) for size in RULES[term]) for term in RULES]
    points = [(n, b, i, o) for (n, b), (i, o) in product(settings, LENGTHS)]
    n, b, i, o = np.array(points).T
    energies = COUNTED_FORMS[0].design_matrix(loads(n, b, i, o)) @ values
    return pd.DataFrame(
        {
            "cell": [f"{model}/{point}" for point in points],
            "model": model,
            "engine": "simulator",
            "gpu": "h100-sxm",
            "status": "ok",
            "simulated": True,
            "energy_source": "integration",
            "calibration": "a",
            "repeat": 0,
            "beyond_native_context": False,
            "requests": n,
            "max_batch_size": b,
            "input_tokens": i,
            "output_tokens": o,
            "energy_per_token_j": energies,
            "tokens_per_j": 1 / energies,
            "max_concurrency": b,
        }
    )


@pytest.fixture(scope="module")
def cells():
    return cells_of("llama-3.2-1b", [(4, 64), (64, 16), (64, 64)])


@pytest.fixture(autouse=True)
def no_layout(monkeypatch):
    """Spare the layout, half of a figure's time: what it says is looked at."""
    monkeypatch.setattr(ConstrainedLayoutEngine, "execute", lambda *_: None)


def texts(figure):
    return " ".join(text.get_text() for text in figure.texts)


def test_figure4_has_the_forms_lines_through_markers(cells):
    figure = figure4(cells, STYLE, None, batch_fit(cells).energies)
    (ax,) = figure.axes
    curves = [line for line in ax.lines if len(line.get_xdata()) > 50]
    assert len(curves) == 2
    markers = [line for line in ax.lines if line.get_linestyle() == "None"]
    for curve, limit in zip(curves, (16, 64), strict=True):
        at = cells[(cells["requests"] == 64) & (cells["input_tokens"] == 64)]
        of_limit = at[at["max_batch_size"] == limit]
        met = np.interp(of_limit["output_tokens"], *curve.get_data())
        np.testing.assert_allclose(met, of_limit["tokens_per_j"], rtol=1e-3)
    assert len(markers) >= 2
    assert CURVES_NOTE in texts(figure)
    assert CURVES_NOTE in figure.alt_text
    assert CURVES_NOTE not in texts(figure4(cells, STYLE, None, {}))


def test_figure1_leads_along_the_forms_sweet_spots(cells):
    fit = batch_fit(cells)
    figure = figure1(cells, STYLE, None, fit.energies)
    ax = figure.axes[0]
    xs, ys = ax.lines[-1].get_data()
    spots = [
        fit.sweet_spot("llama-3.2-1b", i, requests=4, max_batch_size=64).output_tokens
        for i in (512, 2048)
    ]
    places = np.interp(np.log(np.minimum(spots, 1024)), np.log([64, 256, 1024]), [0.5, 1.5, 2.5])
    np.testing.assert_allclose(np.interp(ys, [1.5, 2.5], places), xs, atol=0.05)
    assert RIDGE_NOTE.split(",")[0] in texts(figure).replace("\n", " ")
    assert not figure1(cells, STYLE).axes[0].lines


@pytest.fixture(scope="module")
def cells_of_several():
    return pd.concat(cells_of(m, [(4, 64), (64, 16), (64, 64), (1000, 64)]) for m in MODELS)


@pytest.fixture(scope="module")
def several(cells_of_several):
    return batch_fit(cells_of_several)


def test_model_left_out_is_met_where_coefficients_follow_its_sizes(several):
    assert len(MODELS) == LEAST_MODELS
    assert len(several.across) == len(MODELS) * len(RULES)
    assert several.across["error_percent"].abs().max() < 1e-4
    assert several.quality["leave_one_model_out_percent"].max() < 1e-4


def test_fewer_models_leave_none_out(cells):
    found = batch_fit(cells)
    assert found.across.empty
    with pytest.raises(InputError, match="batch_across needs 4 or more models of the catalog"):
        batch_across(found.across, cells, STYLE)
    assert found.quality["leave_one_model_out_percent"].isna().all()


def test_figure_across_models_has_a_panel_a_coefficient(several, cells_of_several):
    figure = batch_across(several.across, cells_of_several, STYLE)
    titles = [ax.get_title() for ax in figure.axes]
    assert [title.partition(":")[0] for title in titles] == list(RULES)
    assert all("SIMULATED" in [text.get_text() for text in ax.texts] for ax in figure.axes)


def test_tables_say_what_the_cells_do_not_test(cells):
    few = batch_fit(cells[cells["requests"] <= cells["max_batch_size"]])
    for table in (batch_coefficients(few), batch_loads(few)):
        text = markdown(table)
        assert "Every cell is one wave" in text
        assert "The KV cache bounds no cell" in text
        assert "Simulated cells without noise" in text


def test_table_of_coefficients_says_what_r_is(cells):
    found = batch_fit(cells)
    known = replace(found, quality=found.quality.assign(ridge_tokens=181.0))
    text = markdown(batch_coefficients(known))
    assert "R of H, in tokens per iteration: 181 of Llama 3.2 (1B)." in text
    assert "R of H" not in markdown(batch_coefficients(found))


def test_tables_without_a_fit_say_so(cells):
    one_load = batch_fit(cells[cells["requests"] == 4])
    for table in (batch_coefficients(one_load), batch_loads(one_load)):
        assert "No model has several loads" in markdown(table)
