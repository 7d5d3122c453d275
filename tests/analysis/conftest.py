"""Cells that tests plant."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from sweetspot import published


@pytest.fixture(scope="session")
def surfaces() -> pd.DataFrame:
    return published.surface_cells()


@pytest.fixture(scope="session")
def noisy(surfaces: pd.DataFrame) -> pd.DataFrame:
    """Table 5's surfaces under 2 % noise, as if a simulator had made them."""
    rng = np.random.default_rng(2602)
    factor = 1 + 0.02 * rng.standard_normal(len(surfaces))
    return surfaces.assign(
        energy_per_token_j=surfaces["energy_per_token_j"] * factor,
        simulated=True,
        engine="simulator",
        energy_source="simulation",
        noise=0.02,
    )


@pytest.fixture
def plant() -> Callable[..., pd.DataFrame]:
    """Return a function that builds one model's cells with the energies given."""

    def build(model, lengths, energy_per_token_j, **columns):
        inputs, outputs = np.array(lengths).T
        base = {
            "cell": [f"{model}/i{i}_o{o}" for i, o in lengths],
            "model": model,
            "engine": "simulator",
            "gpu": "h100-sxm",
            "input_tokens": inputs,
            "output_tokens": outputs,
            "requests": 1000,
            "max_batch_size": 1024,
            "repeat": 0,
            "status": "ok",
            "reason": "",
            "simulated": True,
            "energy_per_token_j": energy_per_token_j,
            "energy_source": "simulation",
        }
        return pd.DataFrame({**base, **columns})

    return build
