"""Least squares: every number against its formula written out, repeats, and invariances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sweetspot import published
from sweetspot.analysis.fits import fit_forms
from sweetspot.analysis.least_squares import fit_form
from sweetspot.energy_models import FORMS, form

LENGTHS = [(i, o) for i in published.GRID for o in published.GRID]
INPUTS, OUTPUTS = np.array(LENGTHS, dtype=float).T
EQ4, EQ5 = form("flops"), form("memory_flops")
TRUTH = np.array([5e-3, 1e-7, 7e-6, 2.6e-3, 4e-6, 0.5])
EXACT = EQ5.energy_per_token_j(TRUTH, INPUTS, OUTPUTS)
NOISY = EXACT * (1 + 0.02 * np.random.default_rng(3).standard_normal(len(EXACT)))


class ByHand:
    """The same fit from normal equations, one cell after the other."""

    def __init__(self, fitted, weights, inputs=INPUTS, outputs=OUTPUTS, energies=NOISY):
        weight = 1 / energies**2 if weights == "relative" else np.ones_like(energies)
        self.x = fitted.design_matrix(inputs, outputs)
        self.scale = np.abs(self.x).max(axis=0)
        x = self.x / self.scale
        self.n, self.k = x.shape
        gram = sum(w * np.outer(row, row) for w, row in zip(weight, x, strict=True))
        inverse = np.linalg.inv(gram)
        values = inverse @ sum(w * e * row for w, e, row in zip(weight, energies, x, strict=True))
        self.residuals = energies - x @ values
        self.rss = float(weight @ self.residuals**2)
        self.df = self.n - self.k
        variance = self.rss / self.df
        self.values = values / self.scale
        self.std_errors = np.sqrt(variance * np.diag(inverse)) / self.scale
        self.leverage = np.array(
            [w * row @ inverse @ row for w, row in zip(weight, x, strict=True)]
        )
        meat = sum(
            w**2 * (r / (1 - h)) ** 2 * np.outer(row, row)
            for w, r, h, row in zip(weight, self.residuals, self.leverage, x, strict=True)
        )
        self.hc3_std_errors = np.sqrt(np.diag(inverse @ meat @ inverse)) / self.scale
        log_likelihood = (
            -self.n / 2 * (np.log(2 * np.pi * self.rss / self.n) + 1) + np.log(weight).sum() / 2
        )
        self.aic = 2 * self.k - 2 * log_likelihood
        self.bic = np.log(self.n) * self.k - 2 * log_likelihood
        mean = weight @ energies / weight.sum()
        self.r_squared = 1 - self.rss / (weight @ (energies - mean) ** 2)
        self.vif = [self._inflation(x, weight, term) for term in range(self.k)]

    def _inflation(self, x, weight, term):
        """Regress one term on the others: 1 / (1 - R²)."""
        if np.ptp(x[:, term]) == 0:
            return np.nan
        root = np.sqrt(weight)
        target, others = x[:, term] * root, np.delete(x, term, axis=1) * root[:, None]
        left = target - others @ np.linalg.lstsq(others, target, rcond=None)[0]
        mean = weight @ x[:, term] / weight.sum()
        return (weight @ (x[:, term] - mean) ** 2) / (left @ left)


@pytest.mark.parametrize("weights", ["equal", "relative"])
@pytest.mark.parametrize("fitted", FORMS, ids=lambda fitted: fitted.id)
def test_numbers_are_those_of_the_formulas(fitted, weights):
    fit = fit_form(fitted, INPUTS, OUTPUTS, NOISY, weights=weights)
    hand = ByHand(fitted, weights)
    for name in (
        *("values", "std_errors", "hc3_std_errors", "leverage", "vif"),
        *("df", "aic", "bic", "r_squared"),
    ):
        assert getattr(fit, name) == pytest.approx(
            getattr(hand, name), rel=1e-9, abs=1e-12, nan_ok=True
        ), name
    t = fit.values / hand.std_errors
    assert fit.p_values == pytest.approx(2 * stats.t.sf(np.abs(t), hand.df), rel=1e-9)
    hc3 = fit.values / hand.hc3_std_errors
    assert fit.hc3_p_values == pytest.approx(2 * stats.t.sf(np.abs(hc3), hand.df), rel=1e-9)
    assert fit.sigma == pytest.approx(np.sqrt(hand.rss / hand.df), rel=1e-9)
    assert fit.rmse_j == pytest.approx(np.sqrt(np.mean(hand.residuals**2)), rel=1e-9)
    assert fit.mape_percent == pytest.approx(np.mean(np.abs(hand.residuals) / NOISY) * 100)
    half = stats.t.ppf(0.975, hand.df) * hand.std_errors
    assert fit.low == pytest.approx(fit.values - half)
    assert fit.high == pytest.approx(fit.values + half)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx(hand.std_errors, rel=1e-9)
    assert np.sqrt(np.diag(fit.hc3_covariance)) == pytest.approx(hand.hc3_std_errors, rel=1e-9)


def test_interval_of_the_mean_is_that_of_a_fit_about_the_point():
    fit = fit_form(EQ5, INPUTS, OUTPUTS, NOISY)
    low, high = fit.interval([100.0, 64.0], [300.0, 4096.0])
    for place, (i, o) in enumerate([(100.0, 300.0), (64.0, 4096.0)]):
        # With every other term measured from the point, the constant is e there.
        about = EQ5.design_matrix(INPUTS, OUTPUTS) - EQ5.design_matrix([i], [o])
        about[:, 0] = 1
        scale = np.linalg.norm(about, axis=0)
        inverse = np.linalg.inv((about / scale).T @ (about / scale))
        half = stats.t.ppf(0.975, 43) * fit.sigma * np.sqrt(inverse[0, 0]) / scale[0]
        assert (high - low)[place] / 2 == pytest.approx(half, rel=1e-8)
        assert (high + low)[place] / 2 == pytest.approx(fit.energy_per_token_j([i], [o])[0])


def test_eq5_over_eq4_is_the_f_test_of_both_fits_and_holm_counts_the_models(noisy):
    quality = fit_forms(noisy).quality
    assert quality.loc[quality["form"] != "memory_flops", "f_over_eq4"].isna().all()
    eq5 = quality[quality["form"] == "memory_flops"].set_index("model")
    for model, rows in noisy.groupby("model", sort=False):
        columns = ("input_tokens", "output_tokens", "energy_per_token_j")
        cells = [rows[name].to_numpy(float) for name in columns]
        small, large = (ByHand(each, "equal", *cells) for each in (EQ4, EQ5))
        f_value = (small.rss - large.rss) / (large.rss / large.df)
        assert eq5.at[model, "f_over_eq4"] == pytest.approx(f_value, rel=1e-9, abs=1e-9)
        assert eq5.at[model, "f_p_value"] == pytest.approx(stats.f.sf(f_value, 1, 43), rel=1e-9)
    p_values = eq5["f_p_value"].sort_values()
    holm = (p_values * np.arange(13, 0, -1)).cummax().clip(upper=1)
    assert eq5["f_p_value_holm"].to_dict() == pytest.approx(holm.to_dict())


def test_rows_repeated_add_no_evidence():
    once = fit_form(EQ5, INPUTS, OUTPUTS, NOISY)
    thrice = fit_form(EQ5, np.tile(INPUTS, 3), np.tile(OUTPUTS, 3), np.tile(NOISY, 3))
    assert thrice.std_errors == pytest.approx(once.std_errors)
    assert (thrice.observations, thrice.df) == (147, 43)
    # No spread, no test: F would be of rounding
    assert thrice.pure_error == pytest.approx(0, abs=1e-15)
    assert np.isnan(thrice.lack_of_fit_f)
    assert np.isnan(once.pure_error)


@pytest.mark.parametrize("weights", ["equal", "relative"])
def test_lack_of_fit_is_the_analysis_of_variance_of_unequal_repeats(weights):
    rng = np.random.default_rng(8)
    repeats = rng.integers(1, 5, len(EXACT))
    inputs, outputs = np.repeat(INPUTS, repeats), np.repeat(OUTPUTS, repeats)
    rows = np.repeat(EXACT, repeats) * (1 + 0.02 * rng.standard_normal(repeats.sum()))
    fit = fit_form(EQ4, inputs, outputs, rows, weights=weights)
    cells = np.repeat(np.arange(len(EXACT)), repeats)
    means = np.array([rows[cells == cell].mean() for cell in range(len(EXACT))])
    root = 1 / means[cells] if weights == "relative" else np.ones_like(rows)
    pure = root**2 @ (rows - means[cells]) ** 2
    x = EQ4.design_matrix(inputs, outputs)
    x = x / x.max(axis=0) * root[:, None]
    left = rows * root - x @ np.linalg.lstsq(x, rows * root, rcond=None)[0]
    pure_df, missed_df = len(rows) - 49, 49 - 5
    f_value = (left @ left - pure) / missed_df / (pure / pure_df)
    assert fit.pure_error == pytest.approx(np.sqrt(pure / pure_df))
    assert fit.lack_of_fit_f == pytest.approx(f_value)
    assert fit.lack_of_fit_p == pytest.approx(stats.f.sf(f_value, missed_df, pure_df))


def test_lack_of_fit_finds_the_term_that_a_form_lacks_and_nothing_in_the_whole_form():
    rng = np.random.default_rng(8)
    rows = np.tile(EXACT, 3) * (1 + 0.02 * rng.standard_normal(3 * len(EXACT)))
    inputs, outputs = np.tile(INPUTS, 3), np.tile(OUTPUTS, 3)
    lacks, whole = (
        fit_form(each, inputs, outputs, rows, weights="relative") for each in (EQ4, EQ5)
    )
    assert lacks.lack_of_fit_p < 1e-6
    assert whole.lack_of_fit_p > 0.05
    assert whole.pure_error == pytest.approx(0.02, rel=0.15)


@settings(max_examples=settings().max_examples // 2)
@given(
    weights=st.sampled_from(["equal", "relative"]),
    exponent=st.integers(-9, 9),
    seed=st.integers(0, 99),
)
def test_units_scale_and_order_changes_nothing(weights, exponent, seed):
    order = np.random.default_rng(seed).permutation(2 * len(NOISY))
    inputs, outputs = np.tile(INPUTS, 2), np.tile(OUTPUTS, 2)
    energies = np.concatenate([NOISY, EXACT])
    fit = fit_form(EQ5, inputs, outputs, energies, weights=weights)
    other = fit_form(EQ5, inputs[order], outputs[order], energies[order], weights=weights)
    assert other.values.tolist() == fit.values.tolist()
    assert other.worst == fit.worst
    scaled = fit_form(EQ5, inputs, outputs, energies * 10.0**exponent, weights=weights)
    assert scaled.values == pytest.approx(fit.values * 10.0**exponent, rel=1e-9)
    assert scaled.p_values == pytest.approx(fit.p_values, rel=1e-9)
    assert scaled.leave_one_cell_out_percent == pytest.approx(fit.leave_one_cell_out_percent)
    assert scaled.lack_of_fit_f == pytest.approx(fit.lack_of_fit_f)


@settings(max_examples=settings().max_examples // 2)
@given(st.lists(st.floats(0.1, 10), min_size=6, max_size=6))
def test_relative_weights_give_back_any_noiseless_surface(factors):
    truth = TRUTH * factors
    exact = EQ5.energy_per_token_j(truth, INPUTS, OUTPUTS)
    fit = fit_form(EQ5, INPUTS, OUTPUTS, exact, weights="relative")
    assert fit.values == pytest.approx(truth, rel=1e-8)
    assert fit.mape_percent == pytest.approx(0, abs=1e-9)
