"""Fits beside what statsmodels says of the same cells (`statsmodels_numbers.py`)."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweetspot.analysis.fit import fit
from sweetspot.analysis.least_squares import fit_form
from sweetspot.energy_models import form

SAID = json.loads(Path(__file__).with_name("statsmodels.json").read_text(encoding="utf-8"))
CELLS = {name: np.array(values, dtype=float) for name, values in SAID["cells"].items()}


@pytest.mark.parametrize("form_id", ["flops", "memory_flops"])
@pytest.mark.parametrize("weights", ["equal", "relative"])
def test_every_number_is_that_of_statsmodels(weights, form_id):
    fitted = fit_form(form(form_id), *CELLS.values(), weights=weights)
    (low,), (high,) = fitted.interval([300.0], [700.0])
    found = {"mean_interval": [low, high], "vif": fitted.vif[1:]}
    expected = {
        name: value
        for name, value in SAID["fits"][f"{weights} {form_id}"].items()
        if name not in ("f_over_eq4", "f_p_value")
    }
    assert len(expected) == (15 if weights == "equal" else 12)
    for name, value in expected.items():
        ours = found[name] if name in found else getattr(fitted, name)
        np.testing.assert_allclose(ours, value, rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("weights", ["equal", "relative"])
def test_eq5_over_eq4_is_that_of_statsmodels(weights):
    quality = fit(pd.DataFrame(SAID["cells"]), weights=weights).forms.set_index("form")
    expected = SAID["fits"][f"{weights} memory_flops"]
    for name in ("f_over_eq4", "f_p_value"):
        assert quality.at["memory_flops", name] == pytest.approx(expected[name], rel=1e-9)
