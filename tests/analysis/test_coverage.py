"""Of 500 draws about known surfaces the 95 % intervals hold the truth in 92 to 98 %."""

import numpy as np
import pandas as pd
import pytest

from sweetspot import published
from sweetspot.analysis.fits import fit_forms
from sweetspot.analysis.sweet_spots import sweet_spot
from sweetspot.energy_models import form, sweet_spot_output_tokens

DRAWS = 500
EQ5 = form("memory_flops")
TERMS = [term.name for term in EQ5.terms]
INPUTS, OUTPUTS = np.array([(i, o) for i in published.GRID for o in published.GRID]).T
# Each surface of Table 5 in turn
TRUTHS = published.table5()[TERMS].to_numpy()[np.arange(DRAWS) % 13]
EXACT = np.array([EQ5.energy_per_token_j(truth, INPUTS, OUTPUTS) for truth in TRUTHS])

pytestmark = pytest.mark.slow(reason="hundreds of fits")


def cells_of(energies):
    count = energies.size
    return pd.DataFrame(
        {
            "cell": [f"c{cell}" for cell in range(count)],
            "model": np.repeat([f"m{draw}" for draw in range(DRAWS)], len(INPUTS)),
            "engine": "engine",
            "gpu": "gpu",
            "status": "ok",
            "simulated": False,
            "requests": 1000,
            "max_batch_size": 1024,
            "input_tokens": np.tile(INPUTS, DRAWS),
            "output_tokens": np.tile(OUTPUTS, DRAWS),
            "energy_per_token_j": energies.ravel(),
        }
    )


@pytest.fixture(scope="module", params=["relative", "equal"])
def fits(request):
    """Fit draws of the noise that each kind of weights is right for."""
    scale = {"relative": 0.02 * EXACT, "equal": 1e-3 * EXACT.mean(axis=1, keepdims=True)}
    noise = np.random.default_rng(2602).standard_normal(EXACT.shape)
    return fit_forms(cells_of(EXACT + scale[request.param] * noise), [EQ5], weights=request.param)


def assert_covers(low, high, truth):
    share = np.mean((low <= truth) & (truth <= high), axis=0)
    assert np.all((share >= 0.92) & (share <= 0.98)), share


def test_coefficients_are_covered(fits):
    def of(column):
        return fits.coefficients[column].to_numpy().reshape(DRAWS, len(TERMS))

    assert_covers(of("low"), of("high"), TRUTHS)
    half = of("hc3_std_error") * 2.0167  # Student's t, 43 degrees of freedom
    assert_covers(of("value") - half, of("value") + half, TRUTHS)


@pytest.mark.parametrize("input_tokens", [64, 512, 4096])
def test_sweet_spots_are_covered(fits, input_tokens):
    spots = sweet_spot(fits, input_tokens)
    truth = [sweet_spot_output_tokens(each, input_tokens) for each in TRUTHS.tolist()]
    assert_covers(spots["estimated_low"], spots["estimated_high"], truth)
    assert_covers(spots["fieller_low"], spots["fieller_high"], truth)


def test_energies_are_covered_between_the_cells(fits):
    bounds = [fit.interval([100], [300]) for fit in fits.of_form("memory_flops").values()]
    truth = [EQ5.energy_per_token_j(each, [100], [300]) for each in TRUTHS]
    low, high = np.array(bounds).transpose(1, 0, 2)
    assert_covers(low, high, truth)
