"""Held-out errors in closed form are those of fitting again without the cells."""

import numpy as np
import pytest

from sweetspot import published
from sweetspot.analysis.least_squares import fit_form
from sweetspot.energy_models import form

LENGTHS = np.array([(i, o) for i in published.GRID for o in published.GRID], dtype=float)
INPUTS, OUTPUTS = LENGTHS.T
EQ5 = form("memory_flops")


@pytest.fixture(scope="module")
def energies(noisy):
    return noisy.loc[noisy["model"] == "falcon-rw-7b", "energy_per_token_j"].to_numpy(float)


def errors_percent(form_id, weights, energies, axis):
    """Fit again for each value of the axis, without its cells; errors of those, in order."""
    found = np.empty_like(energies)
    for value in np.unique(axis):
        out = axis == value
        rest = fit_form(form(form_id), INPUTS[~out], OUTPUTS[~out], energies[~out], weights=weights)
        predicted = rest.energy_per_token_j(INPUTS[out], OUTPUTS[out])
        found[out] = np.abs(predicted / energies[out] - 1) * 100
    return found


@pytest.mark.parametrize("weights", ["equal", "relative"])
@pytest.mark.parametrize("form_id", ["baseline4", "memory_flops"])
def test_errors_are_those_of_fits_without_the_cells(energies, form_id, weights):
    fit = fit_form(form(form_id), INPUTS, OUTPUTS, energies, weights=weights)
    single = errors_percent(form_id, weights, energies, np.arange(49))
    assert fit.held_out_percent == pytest.approx(single, rel=1e-7)
    assert fit.leave_one_cell_out_percent == pytest.approx(single.mean(), rel=1e-9)
    place = int(single.argmax())
    assert fit.worst == (
        f"{INPUTS[place]:.0f}/{OUTPUTS[place]:.0f}",
        pytest.approx(single[place], rel=1e-9),
    )
    by_input = errors_percent(form_id, weights, energies, INPUTS).mean()
    assert fit.leave_one_input_out_percent == pytest.approx(by_input, rel=1e-9)
    by_output = errors_percent(form_id, weights, energies, OUTPUTS).mean()
    assert fit.leave_one_output_out_percent == pytest.approx(by_output, rel=1e-9)


def test_lengths_that_a_form_needs_cannot_be_left_out(energies):
    kept = np.isin(INPUTS, published.GRID[:3])
    fit = fit_form(EQ5, INPUTS[kept], OUTPUTS[kept], energies[kept])
    assert np.isnan(fit.leave_one_input_out_percent)
    assert np.isfinite([fit.leave_one_cell_out_percent, fit.leave_one_output_out_percent]).all()


def test_cell_that_alone_carries_a_term_cannot_be_left_out(energies):
    kept = (OUTPUTS == 64) | ((INPUTS == 64) & (OUTPUTS == 128))
    fit = fit_form(form("baseline2"), INPUTS[kept], OUTPUTS[kept], energies[kept])
    assert fit.leverage.max() == pytest.approx(1)
    assert np.isnan(fit.leave_one_cell_out_percent)
    assert np.isnan(fit.hc3_std_errors).all()
    assert fit.worst[0] == "64/64"
