"""What tests of several subjects share: boards, constants, and a small experiment."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from sweetspot.catalog import Gpu, gpu
from sweetspot.config import Experiment
from sweetspot.simulator.calibration import load_calibration, shipped_calibrations
from sweetspot.simulator.constants import Constants

LLAMA_70B = {
    "model_type": "llama",
    "vocab_size": 128256,
    "hidden_size": 8192,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "intermediate_size": 28672,
    "max_position_embeddings": 131072,
    "tie_word_embeddings": False,
}

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


@pytest.fixture(scope="session")
def write_model() -> Callable[..., str]:
    """Return a function that writes Llama 3 70B's config.json, with changes, into a folder."""

    def write(folder: Path, **changes: Any) -> str:
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps(LLAMA_70B | changes), encoding="utf-8")
        return str(folder)

    return write


@pytest.fixture(scope="session")
def write_calibration() -> Callable[..., dict[str, str]]:
    """Return a function that writes the shipped calibration with other constants into a folder.

    It answers what `simulator` in a configuration then holds.
    """

    def write(folder: Path, **constants: float) -> dict[str, str]:
        data = shipped_calibrations()["h100-sxm"].model_dump(mode="json")
        data["constants"] |= constants
        path = folder / "calibration.json"
        path.write_text(json.dumps(data), encoding="utf-8")
        return {"calibration": str(path)}

    return write
