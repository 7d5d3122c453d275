"""Sweet spots: planted minima are found, estimates outside the data say so."""

import numpy as np
import pandas as pd
import pytest

from sweetspot import published
from sweetspot.analysis.fits import fit_forms
from sweetspot.analysis.sweet_spots import extremes, sweet_spot, sweet_spots
from sweetspot.errors import InputError

LENGTHS = [(i, o) for i in published.GRID for o in published.GRID]


def test_surfaces_give_back_the_printed_estimates(surfaces):
    spots = sweet_spots(fit_forms(surfaces))
    at_64 = spots[spots["input_tokens"] == 64].set_index("model")["estimated_output_tokens"]
    printed = published.table5().set_index("model")["estimated_output_tokens"]
    # Coefficients fitted anew carry rounding; it can move no printed token.
    assert at_64.round().astype(int).to_dict() == printed.to_dict()


def test_estimate_at_any_length_is_the_least_energy_of_the_fit(surfaces):
    fits = fit_forms(surfaces)
    spots = sweet_spots(fits)
    of_64 = sweet_spot(fits, 64)
    of_grid = spots.loc[spots["input_tokens"] == 64, of_64.columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(of_64, of_grid, rtol=1e-12)
    between = sweet_spot(fits, 100.5)
    limits = sweet_spot(fits, 128)["estimated_output_tokens"]
    assert (of_64["estimated_output_tokens"] < between["estimated_output_tokens"]).all()
    assert (between["estimated_output_tokens"] < limits).all()


@pytest.mark.parametrize("input_tokens", [0, -64, float("nan"), float("inf")])
def test_length_that_is_not_positive_is_refused(surfaces, input_tokens):
    fits = fit_forms(surfaces[surfaces["model"] == "opt-1.3b"])
    with pytest.raises(InputError, match="input_tokens must be a positive number, not"):
        sweet_spot(fits, input_tokens)


def test_observed_spot_is_a_measured_neighbour_of_the_estimate(surfaces):
    spots = sweet_spots(fit_forms(surfaces))
    inside = spots[spots["estimate_inside_range"]]
    ratio = inside["observed_output_tokens"] / inside["estimated_output_tokens"]
    assert ratio.between(0.5, 2).all()  # lengths double, so the minimum lies within one step
    assert (inside["estimated_tokens_per_j"] >= inside["observed_tokens_per_j"] * 0.999999).all()


def test_what_the_observed_length_loses_is_the_fitted_curve_above_its_least(noisy):
    fits = fit_forms(noisy)
    of_eq5 = fits.of_form("memory_flops")
    for row in sweet_spots(fits).itertuples():
        fit = of_eq5[row.model, row.requests, row.max_batch_size]
        outputs = [row.observed_output_tokens, row.estimated_output_tokens]
        observed, least = fit.energy_per_token_j([row.input_tokens] * 2, outputs)
        assert row.lost_at_observed_percent == pytest.approx((observed / least - 1) * 100)
        assert row.lost_at_observed_percent >= 0
        inside = row.range2_low <= row.observed_output_tokens <= row.range2_high
        assert inside == (row.lost_at_observed_percent <= 2)


def test_estimate_outside_the_measured_outputs_is_marked(surfaces):
    short = surfaces[(surfaces["output_tokens"] <= 256) & (surfaces["model"] == "llama-3.2-1b")]
    spots = sweet_spots(fit_forms(short))
    assert not spots["estimate_inside_range"].any()
    assert set(spots["observed_output_tokens"]) == {256}
    assert set(spots["output_lengths"]) == {3}


def test_equal_efficiencies_count_for_the_shorter_output(plant):
    energies = [1.0 + (o > 256) + (o < 128) + 0.001 * (i > 64) for i, o in LENGTHS]
    cells = plant("m", LENGTHS, energies)
    spots = sweet_spots(fit_forms(cells))
    assert set(spots["observed_output_tokens"]) == {128}


def test_fit_without_a_minimum_estimates_nothing(plant):
    energies = [1.0 + i / 4096 + 100 / o - o / 1e5 for i, o in LENGTHS]
    cells = plant("m", LENGTHS, energies)
    spots = sweet_spots(fit_forms(cells))
    assert spots["estimated_output_tokens"].isna().all()
    assert spots["estimated_tokens_per_j"].isna().all()
    assert not spots["estimate_inside_range"].any()


def test_repeats_are_averaged_before_anything_is_compared(plant):
    lucky = [1.0 - 0.5 * ((i, o) == (4096, 4096)) for i, o in LENGTHS]
    unlucky = [1.0 + 1.0 * ((i, o) == (4096, 4096)) for i, o in LENGTHS]
    cells = pd.concat([plant("m", LENGTHS, lucky), plant("m", LENGTHS, unlucky, repeat=1)])
    ends = extremes(cells).iloc[0]
    assert (ends["worst_input_tokens"], ends["worst_output_tokens"]) == (4096, 4096)
    assert ends["best_over_worst"] == pytest.approx(1.25)
    assert ends["cells"] == 49


def test_extremes_are_those_of_the_cells(noisy):
    ends = extremes(noisy).set_index("model")
    for model, rows in noisy.groupby("model"):
        energies = rows["energy_per_token_j"]
        assert ends.at[model, "best_over_worst"] == pytest.approx(energies.max() / energies.min())
        assert ends.at[model, "best_tokens_per_j"] == pytest.approx(1 / np.min(energies))
