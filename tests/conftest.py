"""What tests of several subjects share: boards, constants, and a small experiment."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings

from sweetspot.catalog import Gpu, gpu
from sweetspot.config import Experiment
from sweetspot.simulator.calibration import load_calibration
from sweetspot.simulator.constants import Constants

# A deadline would time the machine, not the code.
settings.register_profile("sweetspot", deadline=None)
settings.load_profile("sweetspot")


@pytest.fixture(scope="session")
def board() -> Gpu:
    return gpu("h100-sxm")


@pytest.fixture(scope="session")
def constants(board: Gpu) -> Constants:
    return load_calibration(board).constants


@pytest.fixture(scope="session")
def small_experiment() -> Callable[..., Experiment]:
    """Return a function that gives an experiment of one model and four cells, with changes."""

    def build(**changes: Any) -> Experiment:
        base: dict[str, Any] = {
            "run": "small",
            "engine": "simulator",
            "models": ["llama-3.2-1b"],
            "sweeps": {
                "grid": {"input_tokens": [64, 128], "output_tokens": [8, 16], "requests": [10]}
            },
        }
        return Experiment.model_validate(base | changes)

    return build
