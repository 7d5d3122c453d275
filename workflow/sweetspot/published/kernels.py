"""NVIDIA's measured tables of single kernels: GEMMs, attention of decode, attention of prompts.

Source, units and what was left out of them are in README.md beside the files.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def gemms() -> pd.DataFrame:
    """Return (m, k) times (k, n) products: `latency_us`, and `power_w` where it was metered."""
    return _read("kernels_gemm.csv")


def decode_attention() -> pd.DataFrame:
    """Return attention of one new token a sequence over `cached_tokens`, as `gemms` does."""
    return _read("kernels_decode_attention.csv")


def prompt_attention() -> pd.DataFrame:
    """Return causal attention of whole prompts of `input_tokens`, as `gemms` does."""
    return _read("kernels_prompt_attention.csv")


def power_h200() -> pd.DataFrame:
    """Return percentiles of an H200's power in kernels of a kind, over more rows than `gemms`."""
    return _read("kernels_power_h200.csv")


def _read(name: str) -> pd.DataFrame:
    import pandas as pd

    with files("sweetspot.published").joinpath(name).open(encoding="utf-8") as file:
        return pd.read_csv(file)
