"""The form that knows the batch: its iterations, what it is of Eq. 5, fits of planted loads."""

import re
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest

from sweetspot.analysis.batch_files import read_batch_fits, write_batch_fits
from sweetspot.analysis.batch_fits import fit_model, kv_cache_of
from sweetspot.analysis.batch_form import BATCH_FORMS, MAX_NUM_TOKENS, loads
from sweetspot.analysis.batch_spots import batch_spot
from sweetspot.analysis.batch_tables import batch_fit
from sweetspot.energy_models import form, sweet_spot_output_tokens
from sweetspot.errors import InputError

PLANTED = {"a0": 0.005, "a1": 1.5e-7, "a2": 7e-6, "a3": 2.4e-3, "a5": 0.4, "w": 0.7, "r": 150.0}
JOINT = PLANTED | {"a6": 12.0, "h": 0.2}
RIDGE = 2.0**6.5
LENGTHS = list(product((64, 512, 2048), (64, 256, 1024)))
MORE_LENGTHS = list(product((64, 256, 512, 2048), (64, 256, 1024)))  # four powers of I
CACHE = 262144


def cells_of(
    plant,
    requests,
    limit,
    lengths=LENGTHS,
    *,
    noise=0.0,
    seed=0,
    model="llama-3.2-1b",
    cache=CACHE,
    planted=PLANTED,
):
    inputs, outputs = np.array(lengths).T
    at = loads(requests, limit, inputs, outputs, kv_cache_tokens=cache)
    whole = BATCH_FORMS[0].at_ridge(RIDGE)
    energies = whole.design_matrix(at) @ [planted.get(term.name, 0.0) for term in whole.terms]
    energies *= 1 + noise * np.random.default_rng(seed).standard_normal(len(energies))
    held = np.minimum(limit, cache // (inputs + outputs))
    return plant(
        *(model, lengths, energies),
        requests=requests,
        max_batch_size=limit,
        max_concurrency=held,
        noise=noise or np.nan,
    )


@pytest.fixture
def several(plant):
    """A grid at three loads; at the largest, requests wait for the limit and for the KV cache."""
    return pd.concat(cells_of(plant, n, b, noise=0.0) for n, b in ((8, 8), (64, 64), (1000, 256)))


@pytest.mark.parametrize(
    ("requests", "limit", "cache", "iterations"),
    [
        (1, 1024, np.inf, 101 + 512 / 8192),  # one prompt, then a token each
        (32, 1024, np.inf, 101 + 2),  # 32 prompts fill two iterations
        (32, 8, np.inf, 4 * 101 + 0.5),  # four waves, and the prompts of the last
        (30, 8, np.inf, 4 * 101 + 6 / 16),  # of which are fewer
        (32, 1024, 16 * 613, 2 * 101 + 1),  # the KV cache holds 16 sequences
        (32, 1024, 100, 32 * 101 + 1 / 16),  # at least one runs
    ],
)
def test_iterations_are_the_larger_bound(requests, limit, cache, iterations):
    at = loads(requests, limit, 512, 101, kv_cache_tokens=cache)
    assert at.iterations[0] == iterations


def one_wave_alphas(values, requests, input_tokens):
    """Return Eq. 5's alphas at one N whose requests run at once, and one input length."""
    hidden = values["h"] * requests / (requests**2 + RIDGE**2)
    return (
        values["a0"] + values["w"] / requests - hidden,
        values["a1"],
        values["a2"],
        values["a3"] + values["w"] / MAX_NUM_TOKENS,
        values["a2"] / 2,
        values["a5"] + values["a6"] / input_tokens + values["r"] / requests,
    )


def several_of(plant, planted, sizes=((4, 4), (24, 24), (64, 64), (200, 200), (1000, 256))):
    return pd.concat(cells_of(plant, n, b, MORE_LENGTHS, planted=planted) for n, b in sizes)


def test_one_wave_is_eq5_and_its_sweet_spot_eq6(plant):
    found = batch_fit(several_of(plant, JOINT))
    alphas = one_wave_alphas(JOINT, 64, 512)
    outputs = np.array([32.0, 100.0, 777.0])
    eq5 = form("memory_flops").energy_per_token_j(alphas, np.full(3, 512.0), outputs)
    of_batch = found.energy_per_token_j("llama-3.2-1b", 64, 1024, 512, outputs)
    np.testing.assert_allclose(of_batch, eq5, rtol=1e-9)
    spot = found.sweet_spot("llama-3.2-1b", 512, requests=64, max_batch_size=1024)
    assert spot.waves == 1
    assert spot.output_tokens == pytest.approx(sweet_spot_output_tokens(alphas, 512), rel=0.006)
    assert found.energies["llama-3.2-1b"](64, 1024, 512, 100)[0] == pytest.approx(eq5[1])


def test_terms_of_what_is_no_sum_are_found_with_their_ridge(plant):
    cells = several_of(plant, JOINT)
    [quality] = batch_fit(cells).quality.itertuples()
    assert (quality.form, quality.ridge_tokens, quality.reason) == ("batch", RIDGE, "")
    fitted = fit_model("llama-3.2-1b", cells)
    found = dict(zip([term.name for term in fitted.form.terms], fitted.fit.values, strict=True))
    assert found == pytest.approx(JOINT, rel=1e-6)
    only_requests = JOINT | {"h": 0.0}
    [quality] = batch_fit(several_of(plant, only_requests)).quality.itertuples()
    assert quality.form == "batch8"
    assert quality.reason == "batch: batch8 meets every cell exactly"


def test_ridge_is_looked_for_anew_without_a_load(plant):
    sizes = ((4, 4), (24, 24), (64, 64), (128, 128), (256, 256), (512, 512))
    parts = [
        cells_of(
            *(plant, n, b, MORE_LENGTHS),
            planted=JOINT | {"h": 0.6},
            noise=0.03,
            seed=n + 2000,
            cache=10**7,
        )
        for n, b in sizes
    ]
    whole = fit_model("llama-3.2-1b", pd.concat(parts))
    others = fit_model("llama-3.2-1b", pd.concat(parts[:-1]))
    assert whole.form.id == others.form.id == "batch"
    assert others.form.ridge_tokens != whole.form.ridge_tokens
    last = parts[-1]
    predicted = others.energy_per_token_j(512, 512, last["input_tokens"], last["output_tokens"])
    expected = predicted / last["energy_per_token_j"] - 1
    np.testing.assert_allclose(whole.load_out[-len(last) :], expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("seed", "reason"), [(0, "a6 would be negative"), (1, r"AICc \d\.\d above that of batch7")]
)
def test_terms_of_what_is_no_sum_have_to_earn_their_place(plant, seed, reason):
    parts = [cells_of(plant, n, 1024, MORE_LENGTHS, noise=0.02, seed=n + seed) for n in (4, 64)]
    fitted = fit_model("llama-3.2-1b", pd.concat(parts))
    assert fitted.form.id == "batch7"
    assert np.isnan(fitted.form.ridge_tokens)
    assert re.fullmatch(reason, fitted.not_carried["batch8"])
    assert "do not tell R" in fitted.not_carried["batch"]


def test_too_few_cells_for_aicc_say_how_many_it_takes(plant):
    parts = [
        cells_of(plant, n, 99, MORE_LENGTHS[first::2][:5], noise=1e-4, seed=n, planted=JOINT)
        for n, first in ((4, 0), (64, 3))
    ]
    fitted = fit_model("llama-3.2-1b", pd.concat(parts))
    assert fitted.form.id == "batch7"
    assert fitted.not_carried["batch8"] == "AICc takes 11 cells or more, there are 10"


def test_planted_coefficients_are_found_from_all_loads_at_once(several):
    found = batch_fit(several)
    np.testing.assert_allclose(found.coefficients["value"], list(PLANTED.values()), rtol=1e-7)
    [quality] = found.quality.itertuples()
    assert (quality.form, quality.loads, quality.cells, quality.loads_left_out) == (
        "batch7",
        3,
        27,
        3,
    )
    assert quality.mape_percent < 1e-9
    assert quality.eq5_all_loads_mape_percent > 10
    assert quality.kv_cache_from == "cells"
    assert CACHE * 0.9 < quality.kv_cache_tokens <= CACHE
    assert set(found.coefficients["stars"]) == {"no noise"}
    assert "tests K" not in "".join(found.summary_lines())


def test_load_left_out_is_predicted_by_a_fit_without_it(plant):
    parts = [cells_of(plant, n, 1024, noise=0.02, seed=n) for n in (4, 32, 64)]
    found = batch_fit(pd.concat(parts))
    others = batch_fit(pd.concat(parts[:2]))
    predicted = others.energy_per_token_j(
        "llama-3.2-1b", 64, 1024, parts[2]["input_tokens"], parts[2]["output_tokens"]
    )
    error = np.mean(np.abs(predicted / parts[2]["energy_per_token_j"] - 1)) * 100
    row = found.per_load[found.per_load["requests"] == 64].iloc[0]
    assert row["left_out_percent"] == pytest.approx(error, rel=1e-6)


def test_limits_beyond_n_are_one_load_and_their_cells_repeats(plant):
    parts = [cells_of(plant, n, b) for n, b in ((8, 64), (8, 1024), (100, 64), (100, 16))]
    [quality] = batch_fit(pd.concat(parts)).quality.itertuples()
    assert (quality.loads, quality.cells, quality.observations) == (3, 27, 36)


def test_terms_that_hang_on_one_cell_are_left_out_with_the_reason(plant):
    parts = [
        cells_of(plant, 128, 512, noise=0.01, cache=10**7),
        *(cells_of(plant, n, 512, [(512, 256)], cache=10**7) for n in (1, 8, 512)),
        cells_of(plant, 32, 512, [(7000, 512)], cache=10**7),
    ]
    found = batch_fit(pd.concat(parts))
    [quality] = found.quality.itertuples()
    assert quality.form == "batch5"
    assert "one cell alone tells 7 terms apart (n32/b32/i7000_o512)" in quality.reason
    said = " ".join(found.summary_lines())
    for words in ("Fewer terms", "Every cell is one wave", "1 of 5 loads cannot be left out"):
        assert words in said


def test_kv_cache_that_bounds_no_cell_is_the_boards(plant):
    cells = pd.concat(cells_of(plant, n, 512).drop(columns="max_concurrency") for n in (4, 16))
    [quality] = batch_fit(cells).quality.itertuples()
    assert quality.kv_cache_from == "memory"
    assert quality.kv_cache_tokens == kv_cache_of("llama-3.2-1b", "h100-sxm")
    [quality] = batch_fit(cells.assign(gpu="mine")).quality.itertuples()
    assert (quality.kv_cache_from, quality.kv_cache_tokens) == ("unknown", np.inf)


def test_sweet_spot_of_several_waves_is_away_from_cliffs(several):
    found = batch_fit(several).fits["llama-3.2-1b"]
    spot = batch_spot(found, 2048, requests=1000, max_batch_size=1000)
    assert spot.waves > 1
    assert spot.range2_low < spot.output_tokens < spot.range2_high
    for cliff in spot.cliffs:
        assert not cliff.is_near(int(spot.output_tokens))
        ends = [cliff.output_tokens, cliff.output_tokens + 1]
        before, after = found.energy_per_token_j(1000, 1000, 2048, ends)
        assert 100 * (after / before - 1) == pytest.approx(cliff.step_percent)
        assert found.loads(1000, 1000, 2048, ends).waves.tolist() == [
            cliff.waves,
            cliff.waves_after,
        ]
    assert spot.least_output_tokens in {cliff.output_tokens for cliff in spot.cliffs}
    assert 0 < spot.lost_percent < 2


def test_range_of_several_waves_hardly_depends_on_the_number_of_requests(several):
    found = batch_fit(several).fits["llama-3.2-1b"]
    first, *others = (
        batch_spot(found, 2048, requests=n, max_batch_size=1000) for n in (2000, 2100, 2200)
    )
    for each in others:
        assert each.range2_low == pytest.approx(first.range2_low, rel=0.01)
        assert each.range2_high == pytest.approx(first.range2_high, rel=0.01)
    assert len({each.least_output_tokens for each in (first, *others)}) == 3


@pytest.mark.slow(reason="hundreds of fits")
def test_intervals_of_sweet_spots_cover(plant):
    def spot(noise, seed):
        loads = (4, 32, 64)
        cells = pd.concat(cells_of(plant, n, 64, noise=noise, seed=(seed, n)) for n in loads)
        return batch_spot(fit_model("llama-3.2-1b", cells), 512, requests=48, max_batch_size=64)

    truth = spot(0.0, 0).output_tokens
    inside = [found.low <= truth <= found.high for found in (spot(0.02, s) for s in range(150))]
    assert 0.91 <= np.mean(inside) <= 0.99


def test_what_cannot_be_fitted_says_why(plant, several):
    few = pd.concat(cells_of(plant, n, 8, [(64, 64), (64, 128)]) for n in (1, 2))
    mixed = several.assign(model="b", gpu=["h100-sxm"] * 9 + ["a100-80gb"] * 18)
    single = cells_of(plant, 8, 8, model="c")
    found = batch_fit(pd.concat([few.assign(model="a"), mixed, single]))
    reasons = found.quality.set_index("model")["reason"].to_dict()
    assert reasons == {
        "a": "needs more than 4 cells, has 4",
        "b": "cells with gpu h100-sxm and a100-80gb are mixed",
    }
    assert found.coefficients.empty
    with pytest.raises(InputError, match="batch form was not fitted to 'c'"):
        found.sweet_spot("c", 64, requests=1, max_batch_size=1)


def test_files_are_read_back_as_they_were_written(several, tmp_path):
    write_batch_fits(several, tmp_path)
    expected, found = batch_fit(several), read_batch_fits(tmp_path)
    for name in ("coefficients", "quality", "per_load", "spots", "across"):
        pd.testing.assert_frame_equal(
            getattr(found, name), getattr(expected, name).reset_index(drop=True), check_dtype=False
        )
    assert replace(expected, fits={}).summary_lines() == found.summary_lines()


def test_interval_without_an_upper_end_says_so(several):
    found = batch_fit(several)
    lines = replace(found, spots=found.spots.assign(estimated_high=np.nan)).summary_lines()
    assert sum(" to any " in line for line in lines) == len(found.spots)
    assert not any("nan" in line for line in lines)


def test_columns_that_are_no_numbers_are_not_used(several):
    odd = several.assign(max_concurrency="many", max_num_tokens=["8192", "0", "?"] * 9)
    [quality] = batch_fit(odd).quality.itertuples()
    assert (quality.kv_cache_from, quality.max_num_tokens) == ("memory", 8192)
