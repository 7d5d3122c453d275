"""What statsmodels says of one table of cells, for test_statsmodels.py, which needs none of it.

python -m pip install statsmodels==0.15.0
python tests/analysis/statsmodels_numbers.py > tests/analysis/statsmodels.json
"""

import json

import numpy as np
import statsmodels
import statsmodels.api as sm
from statsmodels.stats.outliers_influence import variance_inflation_factor

GRID = (64, 128, 256, 512, 1024, 2048, 4096)
INPUTS, OUTPUTS = np.array([(i, o) for i in GRID for o in GRID], dtype=float).T
ALPHAS = (5e-3, 1e-7, 7e-6, 2.6e-3, 4e-6, 0.5)
AT = np.array([300.0]), np.array([700.0])


def design(terms, i, o):
    """Return the first terms of Eq. 5: all six are Eq. 5, five Eq. 4."""
    return np.column_stack([np.ones_like(i), i**2 / o, i, i / o, o, 1 / o])[:, :terms]


def numbers_of(found, scale, at):
    """Return what a fit of scaled terms says, in the terms' own units."""
    robust = found.get_robustcov_results("HC3", use_t=True)
    low, high = found.conf_int(0.05).T
    mean_low, mean_high = found.get_prediction(at / scale).conf_int(alpha=0.05)[0]
    numbers = {
        "values": found.params / scale,
        "std_errors": found.bse / scale,
        "hc3_std_errors": robust.bse / scale,
        "p_values": found.pvalues,
        "hc3_p_values": robust.pvalues,
        "low": low / scale,
        "high": high / scale,
        "sigma": np.sqrt(found.scale),
        "r_squared": found.rsquared,
        "aic": found.aic,
        "bic": found.bic,
        "mean_interval": [mean_low, mean_high],
    }
    if isinstance(found.model, sm.OLS):
        influence, columns = found.get_influence(), range(1, len(scale))
        numbers["leverage"] = influence.hat_matrix_diag
        numbers["cell_out"] = influence.resid_press
        numbers["vif"] = [variance_inflation_factor(found.model.exog, at) for at in columns]
    return {name: np.asarray(value).tolist() for name, value in numbers.items()}


def main():
    """Print them."""
    place = np.arange(len(INPUTS))
    wave = 1 + 0.02 * np.sin(1.7 * place + 0.3 * place**2)
    energies = design(6, INPUTS, OUTPUTS) @ ALPHAS * wave
    energies = np.array([float(f"{energy:.6g}") for energy in energies])
    fits = {}
    for weights in ("equal", "relative"):
        found = {}
        for form, terms in (("flops", 5), ("memory_flops", 6)):
            x = design(terms, INPUTS, OUTPUTS)
            scale = x.max(axis=0)
            model = (
                sm.OLS(energies, x / scale)
                if weights == "equal"
                else sm.WLS(energies, x / scale, weights=energies**-2)
            )
            found[form] = model.fit(method="qr")
            fits[f"{weights} {form}"] = numbers_of(found[form], scale, design(terms, *AT))
        f_value, p_value, _ = found["memory_flops"].compare_f_test(found["flops"])
        fits[f"{weights} memory_flops"] |= {"f_over_eq4": f_value, "f_p_value": p_value}
    cells = {
        "input_tokens": INPUTS.astype(int).tolist(),
        "output_tokens": OUTPUTS.astype(int).tolist(),
        "energy_per_token_j": energies.tolist(),
    }
    print(json.dumps({"statsmodels": statsmodels.__version__, "cells": cells, "fits": fits}))


if __name__ == "__main__":
    main()
