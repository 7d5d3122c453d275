"""FP8 and several GPUs against NVIDIA's published throughput, by what is stated."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd

from sweetspot import published
from sweetspot.catalog import Architecture, Gpu, catalog_entry, gpu
from sweetspot.config import Precision
from sweetspot.simulator.accuracy.evaluation import Evaluation, Figure, Row
from sweetspot.simulator.calibration.fit import Target
from sweetspot.simulator.calibration.layout import deployments_of, lay_out
from sweetspot.simulator.calibration.to_published import THROUGHPUT_LIMITS, THROUGHPUT_MODEL
from sweetspot.simulator.constants.constants import AFTER_THROUGHPUT, Constants, stated_on

FP8 = Precision(weights="fp8", kv_cache="fp8")
# Weights fill these boards but for a few GB. What batch and token limits NVIDIA's tuned engines had
# there is not known, and decides how many requests fit.
FULL_BOARDS = (("llama-3.1-70b", "h100-sxm", 1), ("llama-3.1-70b", "a100-80gb", 2))
# What constants of `cost/link.py` were fitted to: GPUs, and how many of them.
SEEN = {"l40s": (4,), "h200-sxm": (2, 4, 8)}
STATED_AFTER = f"{', '.join(AFTER_THROUGHPUT)}: chosen within what fits to such throughput gave"
LINKS_AFTER = "links: throughput on 4 L40S and on 2 to 8 H200, which are left out here"


def serving_models() -> dict[str, Architecture]:
    """Return the models of the tables. Source: config.json of meta-llama/Llama-3.1-{8,70,405}B."""
    small = catalog_entry(THROUGHPUT_MODEL).architecture
    middle = replace(small, id="llama-3.1-70b", layers=80, hidden=8192, heads=64, ffn=28672)
    large = replace(small, id="llama-3.1-405b", layers=126, hidden=16384, heads=128, ffn=53248)
    return {model.id: model for model in (small, middle, large)}


@lru_cache(maxsize=1)
def _serving() -> list[tuple[Gpu, Target, pd.DataFrame]]:
    """Return the tables' runs, those of a model, GPUs and a precision together, and their rows.

    Cells without a request count, of full boards, or with CUDA graphs off by mistake are left out.
    """
    cells = pd.concat([published.throughput(), published.throughput_serving()], ignore_index=True)
    cells = cells[cells["requests"].notna() & (cells["engine_version"] != "0.20.0-nograph")]
    models, found = serving_models(), []
    of_one_engine = ["model", "gpu", "tensor_parallel", "precision"]
    for _, group in cells.groupby(of_one_engine):
        model, gpu_id, gpus, precision = group[of_one_engine].iloc[0]
        if (model, gpu_id, gpus) in FULL_BOARDS:
            continue
        board = gpu(gpu_id)
        architecture = pd.Series([models[model]] * len(group), group.index, dtype=object)
        limits = replace(THROUGHPUT_LIMITS, tensor_parallel=int(gpus))
        stored = FP8 if precision == "fp8" else None
        served = deployments_of(group.assign(model=architecture), board, limits, stored)
        values = group["throughput_tokens_per_s"].to_numpy(np.float64)
        target = Target(model, lay_out(group, served), values, "throughput_tokens_per_s")
        found.append((board, target, group.assign(seen=gpus in SEEN.get(gpu_id, ()))))
    return found


def serving_errors(constants_on: Callable[[Gpu], Constants] = stated_on) -> pd.DataFrame:
    """Return simulated over published throughput of every cell, with constants as a GPU has them.

    Columns: those of the tables, `ratio`, and `seen` of those that a constant was fitted to.
    """
    frames = [
        rows.assign(ratio=target.ratios(board, constants_on(board)))
        for board, target, rows in _serving()
    ]
    return pd.concat(frames, ignore_index=True)


def fp8_throughput(e: Evaluation) -> Row:
    """FP8 throughput of Llama 3.1 8B on one GPU, release by release."""
    found = _predicted(serving_errors())
    chosen = found[(found["precision"] == "fp8") & (found["model"] == THROUGHPUT_MODEL)]
    parts = ["gpu", "engine_version"]
    return _row("FP8 throughput of Llama 3.1 8B, by what is stated", chosen, parts, 4.0, 6.0)


def shared_throughput(e: Evaluation) -> Row:
    """Throughput of Llama 3.1 70B and 405B on up to eight GPUs, FP8 (A100: FP16)."""
    found = _predicted(serving_errors())
    chosen = found[found["model"] != THROUGHPUT_MODEL]
    return _row(
        "throughput of Llama 3.1 70B and 405B on 1 to 8 GPUs, by what is stated",
        chosen,
        ["gpu", "tensor_parallel"],
        seen=(STATED_AFTER, LINKS_AFTER),
    )


def _predicted(found: pd.DataFrame) -> pd.DataFrame:
    return found[~found["seen"]]


def _row(
    test: str,
    found: pd.DataFrame,
    parts: list[str],
    mean: float | None = None,
    worst: float | None = None,
    seen: tuple[str, ...] = (STATED_AFTER,),
) -> Row:
    errors = 100 * (found["ratio"] - 1).abs()
    figures = [Figure("mean", round(float(errors.mean()), 3), at_most=mean)]
    for part, each in errors.groupby([found[name] for name in parts]):
        name = " x ".join(map(str, part))
        figures.append(Figure(name, round(float(each.mean()), 3), at_most=worst))
    return Row(test, "data sheet", seen, True, tuple(figures))
