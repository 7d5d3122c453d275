"""Fits: the paper's MAPEs, planted coefficients, honest p-values, refusals."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweetspot import published
from sweetspot.analysis.fit_files import fit_file, read_fits
from sweetspot.analysis.fits import fit_forms
from sweetspot.analysis.significance import stars
from sweetspot.analysis.sweet_spots import sweet_spots
from sweetspot.energy_models import FORMS, form
from sweetspot.errors import InputError, TooFewCellsError

LENGTHS = [(i, o) for i in published.GRID for o in published.GRID]
INPUTS, OUTPUTS = np.array(LENGTHS).T
EQ5 = form("memory_flops")
TRUTH = np.array([5e-3, 1e-7, 7e-6, 2.6e-3, 4e-6, 0.5])


@pytest.mark.parametrize(
    ("form_id", "mape_percent"),
    [("baseline1", 126.0), ("baseline2", 123.7), ("baseline3", 104.8), ("baseline4", 29.5)],
)
def test_baselines_fitted_to_the_published_surfaces_err_as_derived(surfaces, form_id, mape_percent):
    quality = fit_forms(surfaces).quality
    found = quality.loc[quality["form"] == form_id, "mape_percent"].mean()
    assert found == pytest.approx(mape_percent, abs=0.5)


def test_baselines_follow_table3_model_by_model(surfaces):
    mape = fit_forms(surfaces).quality.pivot(index="model", columns="form", values="mape_percent")
    printed = published.table3().set_index("model")
    for form_id in ("baseline1", "baseline2", "baseline3", "baseline4"):
        assert mape[form_id].corr(printed[form_id]) > 0.96


@pytest.mark.parametrize("planted", FORMS, ids=lambda planted: planted.id)
def test_planted_coefficients_are_recovered(plant, planted):
    truth = TRUTH[: len(planted.terms)]
    cells = plant("m", LENGTHS, planted.energy_per_token_j(truth, INPUTS, OUTPUTS))
    fits = fit_forms(cells, [planted])
    assert fits.coefficients["value"].to_numpy() == pytest.approx(truth, rel=1e-9)
    assert fits.quality["mape_percent"].item() == pytest.approx(0, abs=1e-9)


def test_r_squared_is_the_share_of_variance_and_undefined_where_there_is_none(plant):
    rng = np.random.default_rng(7)
    noise = 1e-3 * rng.standard_normal(len(INPUTS))
    energies = EQ5.energy_per_token_j(TRUTH, INPUTS, OUTPUTS) + noise
    fits = fit_forms(plant("m", LENGTHS, energies), [EQ5])
    fitted = EQ5.energy_per_token_j(fits.coefficients["value"].to_numpy(), INPUTS, OUTPUTS)
    unexplained = ((energies - fitted) ** 2).sum() / ((energies - energies.mean()) ** 2).sum()
    assert fits.quality["r_squared"].item() == pytest.approx(1 - unexplained)
    flat = fit_forms(plant("m", LENGTHS, np.full(len(INPUTS), 2.0)), [EQ5])
    assert np.isnan(flat.quality["r_squared"].item())


@pytest.mark.parametrize("weights", ["equal", "relative"])
def test_exact_fit_has_no_p_values(plant, weights):
    cells = plant("m", LENGTHS, EQ5.energy_per_token_j(TRUTH, INPUTS, OUTPUTS), simulated=False)
    fits = fit_forms(cells, [EQ5], weights=weights)
    assert fits.coefficients[["p_value", "hc3_p_value"]].isna().all(axis=None)
    assert set(fits.coefficients["stars"]) == {"undefined"}
    assert fits.quality[["aic", "bic", "f_over_eq4", "f_p_value_holm"]].isna().all(axis=None)
    assert fits.coefficients["value"].to_numpy() == pytest.approx(TRUTH, rel=1e-9)


def test_simulated_cells_without_noise_have_p_values_and_no_stars(noisy):
    one = noisy[noisy["model"] == "opt-2.7b"]
    stated = fit_forms(one).coefficients
    assert "***" in set(stated["stars"])
    bare = fit_forms(one.drop(columns="noise")).coefficients
    assert set(bare["stars"]) | set(bare["hc3_stars"]) == {"no noise"}
    pd.testing.assert_series_equal(bare["p_value"], stated["p_value"])


@pytest.mark.parametrize(
    ("p_value", "mark"),
    [(0.0, "***"), (0.0009, "***"), (0.001, "**"), (0.01, "*"), (0.05, "n.s."), (1.0, "n.s.")],
)
def test_stars_mark_the_usual_levels(p_value, mark):
    assert stars(p_value) == mark


def test_failed_cells_are_counted_and_not_used(noisy):
    one = noisy[noisy["model"] == "opt-2.7b"]
    failed = one.iloc[[3]].assign(status="failed", energy_per_token_j=np.nan)
    rest = one.drop(one.index[3])
    fits = fit_forms(pd.concat([rest, failed]))
    assert set(fits.quality["cells"]) == {48}
    assert set(fits.quality["cells_left_out"]) == {1}
    values = fits.coefficients["value"].to_numpy()
    assert values == pytest.approx(fit_forms(rest).coefficients["value"].to_numpy())


def test_loads_are_fitted_apart_and_a_single_input_length_carries_no_grid_form(noisy):
    one = noisy[noisy["model"] == "llama-3.2-1b"]
    batch = one[one["input_tokens"] == 64].assign(max_batch_size=64)
    fits = fit_forms(pd.concat([one, batch]))
    status = fits.quality.set_index(["max_batch_size", "form"])
    assert (status.loc[1024, "status"] == "ok").all()
    assert status.loc[(64, "memory_flops"), "reason"] == (
        "needs at least 7 cells over 3 input and 3 output lengths that vary independently, "
        "has 7 over 1 and 7 (rank 3 of 6)"
    )
    assert status.loc[(64, "baseline2"), "status"] == "ok"
    alone = fit_forms(one).coefficients["value"].to_numpy()
    both = fits.coefficients[fits.coefficients["max_batch_size"] == 1024]["value"].to_numpy()
    assert both == pytest.approx(alone)


def test_forms_that_cells_cannot_carry_are_rows_with_the_reason(noisy):
    few = noisy[(noisy["input_tokens"] <= 128) & (noisy["output_tokens"] <= 128)]
    fits = fit_forms(few[few["model"] == "llama-3.2-1b"])
    quality = fits.quality.set_index("form")
    assert quality.loc["memory_flops", "reason"] == (
        "needs at least 7 cells over 3 input and 3 output lengths, has 4 over 2 and 2"
    )
    fitted = ["baseline1", "baseline2", "baseline3", "baseline4"]
    assert quality.index[quality["status"] == "ok"].to_list() == fitted
    assert fits.coefficients["form"].unique().tolist() == fitted
    assert np.isnan(quality.loc["flops", "mape_percent"])
    assert fits.of_form("memory_flops") == {}


def test_cells_that_carry_no_form_are_refused_with_the_nearest(noisy):
    one = noisy[(noisy["input_tokens"] == 64) & (noisy["output_tokens"] == 64)]
    message = (
        r"too few cells to fit Baseline 1 \(Niu et al\. 2025\): llama-3\.2-1b \(N=1000, "
        r"max_batch_size 1024\) needs at least 2 cells over 1 input and 2 output lengths, has 1"
    )
    with pytest.raises(TooFewCellsError, match=message):
        fit_forms(pd.concat([one, one.assign(repeat=1)]))


def test_no_valid_cell_at_all_is_refused(noisy):
    with pytest.raises(
        TooFewCellsError, match="none of the 637 cells has status ok, and a fit needs at least 2"
    ):
        fit_forms(noisy.assign(status="failed"))


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -1.0])
def test_unusable_number_in_a_valid_row_names_the_cell(noisy, value):
    cells = noisy.copy()
    cells.loc[5, "energy_per_token_j"] = value
    with pytest.raises(InputError, match=r"cell llama-3\.2-1b/b1024/n1000/i64_o2048/r0: en"):
        fit_forms(cells)


@pytest.mark.parametrize(
    ("column", "values"),
    [("simulated", (True, False)), ("gpu", ("h100-sxm", "h200-sxm")), ("engine", ("a", "b"))],
)
def test_mixed_origins_in_one_fit_are_refused(noisy, column, values):
    cells = noisy.copy()
    cells[column] = [values[place % 2] for place in range(len(cells))]
    with pytest.raises(InputError, match=f"mixes cells with {column} {values[0]} and {values[1]}"):
        fit_forms(cells)


def test_missing_columns_are_named(noisy):
    with pytest.raises(InputError, match="lacks the columns gpu, simulated"):
        fit_forms(noisy.drop(columns=["gpu", "simulated"]))


def test_files_read_back_as_they_were_fitted(noisy, tmp_path):
    noisy.to_csv(tmp_path / "cells.csv", index=False)
    fit_file(tmp_path / "cells.csv", tmp_path / "fits")
    written = {path.name for path in (tmp_path / "fits").iterdir()}
    assert written == {"coefficients.csv", "quality.csv", "sweet_spots.csv", "extremes.csv"}
    fits, back = fit_forms(noisy), read_fits(tmp_path / "fits")
    pd.testing.assert_frame_equal(back.coefficients, fits.coefficients, rtol=1e-9)
    pd.testing.assert_frame_equal(back.quality, fits.quality, rtol=1e-9)


def test_exact_fits_survive_the_files(surfaces, tmp_path):
    surfaces.to_csv(tmp_path / "cells.csv", index=False)
    fit_file(tmp_path / "cells.csv", tmp_path)
    eq5 = read_fits(tmp_path).coefficients.query("form == 'memory_flops'")
    assert eq5["p_value"].isna().all()
    assert set(eq5["stars"]) == {"undefined"}


@pytest.mark.parametrize("content", [None, "", 'a,b\n1,2,3\n"', "a,b\n1,2\n"])
def test_broken_cells_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "cells.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=r"cells\.csv"):
        fit_file(path, tmp_path / "fits")


def test_unwritable_folder_is_refused(noisy, tmp_path):
    noisy.to_csv(tmp_path / "cells.csv", index=False)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot write"):
        fit_file(tmp_path / "cells.csv", tmp_path / "file" / "fits")


def test_fits_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(InputError, match="fit again"):
        read_fits(tmp_path)


@pytest.mark.parametrize("name", ["coefficients.csv", "quality.csv"])
def test_fits_of_other_columns_are_refused_by_name(noisy, tmp_path, name):
    noisy.to_csv(tmp_path / "cells.csv", index=False)
    fit_file(tmp_path / "cells.csv", tmp_path)
    (tmp_path / name).write_text("x\n")
    with pytest.raises(InputError, match=f"{name}.*delete the folder and fit again"):
        read_fits(tmp_path)


@settings(
    max_examples=settings().max_examples // 5,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), weights=st.sampled_from(["equal", "relative"]))
def test_any_cells_give_fits_or_one_line(plant, data, weights):
    length = st.sampled_from([1, 64, 65, 128, 4096, 100_000])
    lengths = data.draw(st.lists(st.tuples(length, length), min_size=1, max_size=25))
    energy = st.one_of(st.just(2.0), st.floats(1e-9, 1e9))
    energies = data.draw(st.lists(energy, min_size=len(lengths), max_size=len(lengths)))
    cells = plant("m", lengths, np.array(energies), simulated=False)
    if len(set(lengths)) == 1:
        with pytest.raises(TooFewCellsError):
            fit_forms(cells, weights=weights)
        return
    fits = fit_forms(cells, weights=weights)
    quality = fits.quality.set_index("form")
    assert quality.at["baseline1", "status"] == "ok"
    assert ((quality["reason"] == "") == (quality["status"] == "ok")).all()
    spots = sweet_spots(fits)
    assert len(spots) in (0, cells["input_tokens"].nunique())
    assert not (spots["estimated_low"] > spots["estimated_high"]).any()
