"""Intervals of the sweet spot: derivatives, sets and ranges found by trying instead."""

import numpy as np
import pytest

from sweetspot import published
from sweetspot.analysis.least_squares import fit_form
from sweetspot.analysis.sweet_spot_intervals import (
    bootstrap,
    delta_interval,
    fieller_interval,
    sweet_spot_lengths,
    within_percent,
)
from sweetspot.energy_models import form, sweet_spot_output_tokens

LENGTHS = np.array([(i, o) for i in published.GRID for o in published.GRID], dtype=float)
INPUTS, OUTPUTS = LENGTHS.T
EQ5 = form("memory_flops")


def fit_with(noise, weights="relative", seed=4):
    truth = published.table5().loc[0, [term.name for term in EQ5.terms]].to_numpy(float)
    exact = EQ5.energy_per_token_j(truth, INPUTS, OUTPUTS)
    factor = 1 + noise * np.random.default_rng(seed).standard_normal(len(exact))
    return fit_form(EQ5, INPUTS, OUTPUTS, exact * factor, weights=weights)


@pytest.fixture(scope="module")
def fit():
    return fit_with(0.02)


@pytest.mark.parametrize("input_tokens", [64, 700.5, 4096])
def test_delta_interval_follows_differences_of_eq6(fit, input_tokens):
    spot = sweet_spot_output_tokens(fit.values.tolist(), input_tokens)
    steps = 1e-5 * np.abs(fit.values)
    slopes = [
        (sweet_spot_output_tokens(list(fit.values + step), input_tokens) - spot) / step[term]
        for term, step in enumerate(np.diag(steps))
    ]
    half = fit.t_quantile * np.sqrt(slopes @ fit.covariance @ slopes)
    low, high = delta_interval(fit, input_tokens)
    assert (float(low), float(high)) == pytest.approx((spot - half, spot + half), rel=1e-3)


def not_refuted(fit, input_tokens):
    """Try lengths: which could be where de/dO = 0, by the t-test of that slope."""
    lengths = np.geomspace(1e-2, 1e6, 400_001)
    inputs = np.full_like(lengths, input_tokens)
    zero, one = np.zeros_like(lengths), np.ones_like(lengths)
    # de/dO times O², in the coefficients
    slope = np.column_stack([zero, -(inputs**2), zero, -inputs, lengths**2, -one])
    variance = np.einsum("ni,ij,nj->n", slope, fit.covariance, slope)
    held = lengths[np.abs(slope @ fit.values) <= fit.t_quantile * np.sqrt(variance)]
    return held.min(), held.max()


@pytest.mark.parametrize(
    ("noise", "weights", "seed", "input_tokens"),
    [(0.02, "relative", 4, 64), (0.02, "relative", 4, 4096), (0.05, "equal", 1, 64)],
)
def test_fieller_interval_is_what_the_test_of_the_slope_cannot_refute(
    noise, weights, seed, input_tokens
):
    fit = fit_with(noise, weights, seed)
    low, high = fieller_interval(fit, input_tokens)
    held = not_refuted(fit, input_tokens)
    assert (max(float(low), 1e-2), float(high)) == pytest.approx(held, rel=1e-4)


def test_fieller_interval_has_no_upper_end_where_alpha4_may_be_zero():
    ends = []
    for seed in (0, 2, 3, 5):
        fit = fit_with(0.4, "equal", seed)
        low, high = fieller_interval(fit, [64, 4096])
        ends.append(np.isinf(high).all())
        assert ends[-1] == (fit.p_values[4] > 0.05)
        for place, input_tokens in enumerate([64, 4096]):
            held = not_refuted(fit, input_tokens)
            assert max(low[place], 1e-2) == pytest.approx(held[0], rel=1e-4)
            assert min(high[place], 1e6) == pytest.approx(held[1], rel=1e-4)
    assert ends == [False, True, False, True]


@pytest.mark.parametrize("percent", [2, 5])
def test_energies_at_the_ends_of_a_range_are_that_much_above_the_least(fit, percent):
    inputs = np.array([64.0, 512.0, 4096.0])
    spots = sweet_spot_lengths(fit, inputs)
    least = fit.energy_per_token_j(inputs, spots)
    low, high = within_percent(fit, inputs, percent)
    assert (low < spots).all()
    assert (spots < high).all()
    for ends in (low, high):
        assert fit.energy_per_token_j(inputs, ends) == pytest.approx(least * (1 + percent / 100))


def test_no_minimum_has_no_interval_and_no_range():
    energies = 1.0 + INPUTS / 4096 + 100 / OUTPUTS - OUTPUTS / 1e5
    energies *= 1 + 0.01 * np.random.default_rng(0).standard_normal(len(energies))
    falling = fit_form(EQ5, INPUTS, OUTPUTS, energies)
    found = (delta_interval, fieller_interval, lambda fit, i: within_percent(fit, i, 2))
    for interval in found:
        assert np.isnan(interval(falling, 64)).all()


@pytest.mark.parametrize("by", ["residuals", "cells"])
def test_bootstrap_agrees_with_the_formulas_and_with_itself(fit, by):
    low, high = delta_interval(fit, 512)
    again = bootstrap(fit, 512, by=by)
    assert again == bootstrap(fit, 512, by=by)
    assert again != bootstrap(fit, 512, by=by, seed=1)
    assert again.high - again.low == pytest.approx(high - low, rel=0.25)
    assert again.low < sweet_spot_lengths(fit, 512) < again.high
