"""Attention of decode: bandwidth, what a sequence costs however short, and FP8's ceilings."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from sweetspot.catalog import gpu
from sweetspot.simulator.calibration.kernels.law import LawFit, Values, column, fit_law, rows_of
from sweetspot.simulator.constants.kernels import TENSORRT_LLM
from sweetspot.simulator.cost.work import FloatArray

BoolArray = npt.NDArray[np.bool_]
Combined = Literal["sum", "root of squares", "larger"]

# Caches that the L2 cache holds are read from there when a benchmark repeats its kernel, but not by
# a model, whose other layers come between. Sizes: NVIDIA's architecture whitepapers of A100 and
# H100 (the H200 is its chip); B200: what its driver reports.
L2_BYTES = {"a100-80gb": 40e6, "h100-sxm": 50e6, "h200-sxm": 50e6, "b200": 126e6}
# A cache this much larger is read from memory.
BEYOND_L2 = 1.2
# As many sequences times KV heads take long however small their cache is.
MANY_PAIRS = 2048
# Shorter ones, which no workload decodes at, take as long as these: tiles of tokens are read whole.
SHORTEST_TOKENS = 64
SMALL_CACHE_BYTES = 1e6
FEW_PAIRS = 256
WIDE_HEAD = 256
# A rate this near to what memory gives is no ceiling.
SEEN = 0.9

# The A100's caches come faster than its memory can give them, up to 1.6 times.
LEFT_OUT = {("a100-80gb", TENSORRT_LLM)}

START = {
    "kv_bandwidth_efficiency": 0.9,
    "wide_head_penalty": 1.05,
    "decode_overhead_s": 1.5e-5,
}
PAIRS = {"vllm_pair_s": 2e-8, "pair_s": 3e-8, "unshared_pair_s": 1e-8}
# Elements per second of an FP8 cache, whether memory or the kernel limits them.
RATES = dict.fromkeys(
    ("vllm_elements", "vllm_wide_elements", "shared_elements", "unshared_elements"), 3e12
)


@dataclass(frozen=True, eq=False, slots=True)
class Decodes:
    """Calls on one GPU; arrays of shape (rows,)."""

    rows: pd.DataFrame
    measured_s: FloatArray
    pairs: FloatArray
    moved_bytes: FloatArray
    elements: FloatArray
    fp8: BoolArray
    wide: BoolArray
    shared: BoolArray
    tensorrt_llm: BoolArray
    peak_bytes_per_s: float

    def time_s(self, v: Values, combined: Combined = "sum") -> FloatArray:
        """Return the law's times.

        The sum is what the simulator has: it grows in a straight line with the cache.
        """
        memory_s = self.moved_bytes / (v["kv_bandwidth_efficiency"] * self.peak_bytes_per_s)
        cache_s = memory_s * np.where(self.wide, v["wide_head_penalty"], 1.0)
        if self.fp8.any():
            vllm = np.where(self.wide, v["vllm_wide_elements"], v["vllm_elements"])
            trtllm = np.where(self.shared, v["shared_elements"], v["unshared_elements"])
            rate = np.where(self.tensorrt_llm, trtllm, vllm)
            cache_s = np.where(self.fp8, self.elements / rate, cache_s)
        # TensorRT-LLM's kernel of 16-bit caches with shared heads takes three times as long a pair
        slow = self.shared & ~self.fp8
        pair_s = np.full_like(self.pairs, v["vllm_pair_s"])
        if self.tensorrt_llm.any():
            trtllm_s = np.where(slow, v["pair_s"], v["unshared_pair_s"])
            pair_s = np.where(self.tensorrt_llm, trtllm_s, pair_s)
        pairs_s = self.pairs * pair_s
        if combined == "sum":
            both_s = pairs_s + cache_s
        elif combined == "larger":
            both_s = np.maximum(pairs_s, cache_s)
        else:
            both_s = np.hypot(pairs_s, cache_s)
        time_s: FloatArray = v["decode_overhead_s"] + both_s
        return time_s


def decodes_of(table: pd.DataFrame, gpu_id: str) -> Decodes:
    """Return the rows of a GPU that the fit uses: beyond the L2 cache, or many pairs."""
    rows = rows_of(table, gpu_id)
    found = decodes(rows, gpu_id)
    kept = (found.moved_bytes > BEYOND_L2 * L2_BYTES[gpu_id]) | (found.pairs >= MANY_PAIRS)
    kept &= column(rows, "cached_tokens") >= SHORTEST_TOKENS
    kept &= ~(found.tensorrt_llm & ((gpu_id, TENSORRT_LLM) in LEFT_OUT))
    return decodes(rows[kept].reset_index(drop=True), gpu_id)


def decodes(rows: pd.DataFrame, gpu_id: str) -> Decodes:
    """Return the work of these rows, all of one GPU."""
    batch, heads, kv_heads, head_dim, cached = (
        column(rows, name) for name in ("batch", "heads", "kv_heads", "head_dim", "cached_tokens")
    )
    fp8 = (rows["kv_cache"] == "fp8").to_numpy()
    elements = 2 * batch * (cached + 1) * kv_heads * head_dim
    return Decodes(
        rows=rows,
        measured_s=column(rows, "latency_us") * 1e-6,
        pairs=batch * kv_heads,
        # queries and outputs are in 16 bits
        moved_bytes=elements * np.where(fp8, 1, 2) + 4 * batch * heads * head_dim,
        elements=elements,
        fp8=fp8,
        wide=head_dim >= WIDE_HEAD,
        shared=heads > kv_heads,
        tensorrt_llm=(rows["engine"] == TENSORRT_LLM).to_numpy(),
        peak_bytes_per_s=gpu(gpu_id).bandwidth_bytes_per_s,
    )


def fit_decodes(found: Decodes, combined: Combined = "sum") -> LawFit:
    """Return the law of a GPU, both engines and both types of cache together.

    What a GPU has no rows for is not fitted.
    """
    start = {**START, **PAIRS}
    held: dict[str, float] = {}
    if not found.wide.any():
        held["wide_head_penalty"] = start.pop("wide_head_penalty")
    if not found.tensorrt_llm.any():
        del start["pair_s"], start["unshared_pair_s"]
    if found.fp8.any():
        start |= RATES
    fit = fit_law(lambda v: found.time_s({**held, **v}, combined), found.measured_s, start)
    return LawFit({**held, **fit.values}, fit.log_errors, fit.cost)


def ceiling(values: Values, name: str, peak_bytes_per_s: float) -> float | None:
    """Return a rate of FP8 in elements/s; None where it is memory's, or nothing is known."""
    if name not in values:
        return None
    memory = values["kv_bandwidth_efficiency"] * peak_bytes_per_s
    if name == "vllm_wide_elements":
        memory /= values["wide_head_penalty"]
    return values[name] if values[name] < SEEN * memory else None


def small_overhead_s(table: pd.DataFrame, gpu_id: str, engine: str) -> float:
    """Return the median time of small caches of few pairs, in 16 bits."""
    rows = rows_of(table[(table["engine"] == engine) & (table["kv_cache"] != "fp8")], gpu_id)
    found = decodes(rows, gpu_id)
    small = (found.moved_bytes < SMALL_CACHE_BYTES) & (found.pairs <= FEW_PAIRS)
    return float(np.median(found.measured_s[small]))
