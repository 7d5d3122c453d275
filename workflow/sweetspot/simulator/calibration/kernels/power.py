"""What kernels draw where their power was metered: joules a FLOP and a byte; no fit uses them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sweetspot.catalog import gpu
from sweetspot.published import kernels
from sweetspot.simulator.calibration.kernels.decode import BEYOND_L2, L2_BYTES, decodes
from sweetspot.simulator.calibration.kernels.gemm import fit_gemms, gemms
from sweetspot.simulator.calibration.kernels.law import LawFit, column
from sweetspot.simulator.calibration.kernels.prompt import prompts
from sweetspot.simulator.cost.work import FloatArray

# Power before any FLOP or byte, which is subtracted. H200: the median `idle_before_w` of
# data/h200-vllm (vLLM loaded, clocks up). B200: nobody measured it; the tables' lowest reading.
FLOOR_W = {"h200-sxm": 126.0, "b200": 252.0}
# Clocks are lowered there.
AT_LIMIT = 0.95
MANY_ROWS = 1024
FEW_ROWS = 4
LONG_TOKENS = 512
LARGE_FLOPS = 1e11

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Joules:
    """What kernels of a kind spend above `FLOOR_W`, in pJ per unit of work.

    Attributes:
        unit: of work, FLOP or B.
        rows: how many kernels.
        quartiles: of pJ per unit.
        at_limit: share of the kernels that hold the board at its power limit.
    """

    gpu: str
    kernels: str
    unit: str
    rows: int
    quartiles: tuple[float, float, float]
    at_limit: float


def joules() -> Iterator[Joules]:
    """Yield what was spent, by GPU and kind of kernel."""
    for gpu_id in FLOOR_W:
        yield from _of_gemms(gpu_id)
        yield from _of_decodes(gpu_id)
        yield from _of_prompts(gpu_id)


def long_run(gpu_id: str) -> LawFit:
    """Return the law of 16-bit GEMMs in the metered release, which ran them for long.

    Large ones hold the board at its power limit there, and clocks fall.
    """
    return fit_gemms(gemms(_metered(kernels.gemms(), gpu_id), gpu_id))


def _of_gemms(gpu_id: str) -> Iterator[Joules]:
    found = gemms(_metered(kernels.gemms(), gpu_id), gpu_id)
    m = column(found.rows, "m")
    large = m >= MANY_ROWS
    spent = _spent_pj(found.rows, gpu_id)
    yield _joules(gpu_id, f"GEMM, m ≥ {MANY_ROWS}", found.rows, large, spent / found.flops)
    moved_bytes = found.weight_bytes + found.moved_bytes
    few = (m <= FEW_ROWS) & (found.weight_bytes > BEYOND_L2 * L2_BYTES[gpu_id])
    yield _joules(gpu_id, f"GEMM, m ≤ {FEW_ROWS}", found.rows, few, spent / moved_bytes, "B")


def _of_decodes(gpu_id: str) -> Iterator[Joules]:
    found = decodes(_metered(kernels.decode_attention(), gpu_id), gpu_id)
    long = column(found.rows, "cached_tokens") >= LONG_TOKENS
    read = long & (found.moved_bytes > BEYOND_L2 * L2_BYTES[gpu_id])
    per_byte = _spent_pj(found.rows, gpu_id) / found.moved_bytes
    for fp8, type_name in ((False, "16 bits"), (True, "FP8")):
        for shared, name in ((False, "one query per KV head"), (True, "several")):
            kept = read & (found.fp8 == fp8) & (found.shared == shared)
            yield _joules(
                gpu_id, f"attention of decode, {type_name}, {name}", found.rows, kept, per_byte, "B"
            )


def _of_prompts(gpu_id: str) -> Iterator[Joules]:
    found = prompts(_metered(kernels.prompt_attention(), gpu_id), gpu_id)
    flops = found.token_flops * found.pairs
    large = (column(found.rows, "input_tokens") >= MANY_ROWS) & (flops > LARGE_FLOPS)
    per_flop = _spent_pj(found.rows, gpu_id) / flops
    for fp8, type_name in ((False, "16 bits"), (True, "FP8")):
        kept = large & ((found.kinds > 0) == fp8)
        name = f"attention of prompts, {type_name}, I ≥ {MANY_ROWS}"
        yield _joules(gpu_id, name, found.rows, kept, per_flop)


def _metered(table: pd.DataFrame, gpu_id: str) -> pd.DataFrame:
    kept = table[(table["gpu"] == gpu_id) & table["power_w"].notna()]
    return kept.reset_index(drop=True)


def _spent_pj(rows: pd.DataFrame, gpu_id: str) -> FloatArray:
    """Return what each call spends above the floor, in pJ."""
    return (column(rows, "power_w") - FLOOR_W[gpu_id]) * column(rows, "latency_us") * 1e6


def _joules(
    gpu_id: str, name: str, rows: pd.DataFrame, kept: Mask, pj: FloatArray, unit: str = "FLOP"
) -> Joules:
    low, middle, high = np.quantile(pj[kept], (0.25, 0.5, 0.75)).tolist()
    at_limit = column(rows, "power_w")[kept] >= AT_LIMIT * gpu(gpu_id).power_limit_w
    return Joules(gpu_id, name, unit, int(kept.sum()), (low, middle, high), float(at_limit.mean()))
