"""The carried numbers are whole, and agree with what the paper says of them elsewhere."""

import subprocess
import sys

import numpy as np
import pytest

from sweetspot import published
from sweetspot.analysis.sweet_spots import extremes
from sweetspot.catalog import model_ids
from sweetspot.errors import InputError


@pytest.mark.parametrize("read", [published.table3, published.table5])
def test_tables_name_the_catalogs_models_in_order(read):
    assert tuple(read()["model"]) == model_ids()


def test_table3_gives_the_printed_averages_and_deviations():
    table = published.table3().drop(columns="model")
    headline = published.headline().set_index("id")["value"]
    for form_id in table.columns:
        # Printed with two digits; the deviation is that of a population.
        assert table[form_id].mean() == pytest.approx(headline[f"mean_mape_{form_id}"], abs=0.0051)
        assert table[form_id].std(ddof=0) == pytest.approx(
            headline[f"std_mape_{form_id}"], abs=0.0051
        )


def test_table4_counts_all_models():
    assert (published.table4().drop(columns="parameter").sum(axis="columns") == 13).all()


def test_headline_figures_are_one_number_a_row():
    headline = published.headline()
    assert headline["id"].is_unique
    assert headline["value"].dtype == float
    assert headline["value"].notna().all()


def test_throughput_holds_the_eight_cells_of_a_release_that_fit_the_grids_context():
    rows = published.throughput()
    chosen = rows[(rows["engine_version"] == "0.15.0") & (rows["precision"] == "fp16")]
    assert len(chosen[chosen["input_tokens"] + chosen["output_tokens"] <= 8192]) == 8
    assert set(rows["gpu"]) == {"h100-sxm"}


def test_surfaces_are_worst_at_long_inputs_and_short_outputs():
    ends = extremes(published.surface_cells())
    assert set(ends["worst_input_tokens"]) == {4096}
    assert set(ends["worst_output_tokens"]) == {64}
    assert ends["best_over_worst"].mean() == pytest.approx(32.1, abs=0.05)


def test_surfaces_contradict_the_observed_sweet_spots_of_three_models():
    lengths = ["input_tokens", "output_tokens"]
    above_best = {}
    for row in published.table5().to_dict("records"):
        surface = published.surface_cells([row["model"]]).set_index(lengths)["energy_per_token_j"]
        observed = row["observed_input_tokens"], row["observed_output_tokens"]
        above_best[row["model"]] = 100 * (surface[observed] / surface.min() - 1)
    slips = {model: round(percent) for model, percent in above_best.items() if percent > 0}
    assert slips == {"llama-3.2-1b": 5, "opt-1.3b": 16, "gemma-2-9b": 52}


def test_surface_cells_say_that_they_are_not_a_measurement():
    cells = published.surface_cells(["falcon-rw-7b"], [64, 4096], [128])
    assert list(cells["cell"]) == [
        "falcon-rw-7b/b1024/n1000/i64_o128/r0",
        "falcon-rw-7b/b1024/n1000/i4096_o128/r0",
    ]
    assert set(cells["energy_source"]) == {"published surface (Table 5, Eq. 5)"}
    assert list(cells["beyond_native_context"]) == [False, True]
    assert cells["mean_power_w"].isna().all()
    joules = cells["energy_per_token_j"] * 1000 * 128
    assert cells["energy_j"].to_numpy() == pytest.approx(joules.to_numpy())
    assert (cells["tokens_per_j"] * cells["energy_per_token_j"]).to_numpy() == pytest.approx(
        np.ones(2)
    )


def test_surface_of_a_model_that_the_paper_lacks_is_refused():
    with pytest.raises(InputError, match=r"did you mean 'llama-3\.1-8b'"):
        published.surface_cells(["llama-3.1-70b"])


def test_importing_the_readers_loads_nothing_heavy():
    code = "import sweetspot.published, sys; print({'numpy', 'pandas'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
