"""The paper's numbers, and the energy surfaces that its Table 5 defines.

Sources, units and the paper's slips are in README.md beside the files.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from sweetspot.cells.cell import Cell
from sweetspot.errors import unknown_name

if TYPE_CHECKING:
    import pandas as pd

GRID = (64, 128, 256, 512, 1024, 2048, 4096)
"""Input lengths and output lengths of the paper's grid, in tokens."""

REQUESTS = 1000
"""N of the paper's grid."""

MAX_BATCH_SIZE = 1024
"""The paper's engine limit of requests in flight, on its grid."""

SURFACE_SOURCE = "published surface (Table 5, Eq. 5)"
"""`energy_source` of cells that were not measured but are the paper's fit."""


_COUNTS = ("requests", "input_tokens", "output_tokens")


def table3() -> pd.DataFrame:
    """Return MAPE in %: one row a model, one column a form."""
    return _read("table3_mape_percent.csv")


def table4() -> pd.DataFrame:
    """Return for how many models each coefficient of Eq. 5 has which significance."""
    return _read("table4_significance_counts.csv")


def table5() -> pd.DataFrame:
    """Return alpha0..alpha5 of Eq. 5 and the sweet spots: one row a model."""
    return _read("table5_coefficients.csv")


def headline() -> pd.DataFrame:
    """Return what the paper's text states, one number a row; README.md says how to read it."""
    stated = _read("headline_figures.csv")
    return stated.assign(**{name: stated[name].fillna("") for name in ("relation", "note")})


def throughput() -> pd.DataFrame:
    """Return NVIDIA's published throughput of Llama 3.1 8B on one H100, in output tokens/s."""
    return _read("throughput_llama_3_1_8b.csv")


def throughput_serving() -> pd.DataFrame:
    """Return NVIDIA's published throughput of Llama 3.1 on other GPUs, and on several at once."""
    return _read("throughput_serving.csv")


def latency_serving() -> pd.DataFrame:
    """Return NVIDIA's published latencies of a served load, by clients that send at once."""
    return _read("latency_serving.csv")


def surface_cells(
    models: Iterable[str] | None = None,
    input_tokens: Iterable[int] = GRID,
    output_tokens: Iterable[int] = GRID,
) -> pd.DataFrame:
    """Return the cells that Eq. 5 gives with Table 5's coefficients: a fit, not data.

    The columns are those of cells.csv as far as a surface has them: durations, power and
    throughput are NaN. `models` are catalog ids; None means all 13.

    Raises:
        InputError: the paper has no coefficients for a model.
    """
    import numpy as np
    import pandas as pd

    from sweetspot.catalog import catalog_entry
    from sweetspot.energy_models import form

    coefficients = table5().set_index("model")
    lengths = [(i, o) for i in input_tokens for o in output_tokens]
    inputs, outputs = (np.array(axis) for axis in zip(*lengths, strict=True))
    frames = []
    for model in coefficients.index if models is None else models:
        if model not in coefficients.index:
            raise unknown_name("model of the paper", model, coefficients.index)
        eq5 = form("memory_flops")
        alphas = coefficients.loc[model, [term.name for term in eq5.terms]].to_numpy(float)
        energy_per_token_j = eq5.energy_per_token_j(alphas, inputs, outputs)
        context = catalog_entry(model).architecture.max_positions
        cells = [
            Cell(
                model=model,
                engine="tensorrt-llm",
                max_batch_size=MAX_BATCH_SIZE,
                requests=REQUESTS,
                input_tokens=i,
                output_tokens=o,
            )
            for i, o in lengths
        ]
        frames.append(
            pd.DataFrame(
                {
                    "cell": [cell.id for cell in cells],
                    "sweeps": "grid",
                    "model": model,
                    "engine": "tensorrt-llm",
                    "gpu": "h100-sxm",
                    "input_tokens": inputs,
                    "output_tokens": outputs,
                    "requests": REQUESTS,
                    "max_batch_size": MAX_BATCH_SIZE,
                    "repeat": 0,
                    "status": "ok",
                    "reason": "",
                    "simulated": False,
                    "energy_j": energy_per_token_j * [cell.total_output_tokens for cell in cells],
                    "duration_s": np.nan,
                    "energy_per_token_j": energy_per_token_j,
                    "tokens_per_j": 1 / energy_per_token_j,
                    "mean_power_w": np.nan,
                    "throughput_tokens_per_s": np.nan,
                    "energy_source": SURFACE_SOURCE,
                    "beyond_native_context": inputs + outputs > context,
                    "calibration": "",
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _read(name: str) -> pd.DataFrame:
    return _parsed(name).copy()


@cache
def _parsed(name: str) -> pd.DataFrame:
    import pandas as pd

    with files(__name__).joinpath(name).open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=dict.fromkeys(_COUNTS, "Int64"))
