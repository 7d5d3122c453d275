"""Attention of prompts: long ones' share of peak, and why short ones are slow."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sweetspot.catalog import gpu
from sweetspot.simulator.calibration.kernels.law import LawFit, Values, column, fit_law, rows_of
from sweetspot.simulator.constants.kernels import TENSORRT_LLM
from sweetspot.simulator.cost.work import FloatArray

HEAD_SIZES = (64, 128, 256)
KINDS = ("16-bit", "vllm fp8", f"{TENSORRT_LLM} fp8")
"""Of kernels with a share of peak of their own; in 16 bits the engines are alike."""


KV_KINDS = ("vllm 16-bit", "vllm fp8", f"{TENSORRT_LLM} 16-bit", f"{TENSORRT_LLM} fp8")
"""Of kernels that write keys and values to the cache in their own way."""


@dataclass(frozen=True, eq=False, slots=True)
class Prompts:
    """Calls on one GPU; arrays of shape (rows,).

    `kinds` are the places of kernels' kinds in `KINDS`, `token_flops` FLOPs of a pair in all heads
    of all sequences times the tokens of one, `pairs` keys that a token sees on average, and
    `kv_elements` all keys and values.
    """

    rows: pd.DataFrame
    measured_s: FloatArray
    token_flops: FloatArray
    pairs: FloatArray
    kv_elements: FloatArray
    head_dim: FloatArray
    kinds: npt.NDArray[np.int64]
    kv_kinds: npt.NDArray[np.int64]
    tensorrt_llm: npt.NDArray[np.bool_]
    peak_flops: float
    peak_bytes_per_s: float

    def time_s(self, v: Values) -> FloatArray:
        """Return the law's times."""
        share = np.zeros_like(self.pairs)
        for kind, name in enumerate(KINDS):
            for size in HEAD_SIZES:
                here = (self.kinds == kind) & (self.head_dim == size)
                share[here] = v.get(f"{name} {size}", np.nan)
        start_pairs = self._by_engine(v, "start_pairs")
        computed_s = self.token_flops * (self.pairs + start_pairs) / (share * self.peak_flops)
        kv_bytes = np.zeros_like(self.pairs)
        for kind, name in enumerate(KV_KINDS):
            kv_bytes[self.kv_kinds == kind] = v.get(f"{name} kv_bytes", np.nan)
        kv_s = self.kv_elements * kv_bytes / self.peak_bytes_per_s
        return self._by_engine(v, "overhead_s") + computed_s + kv_s

    def _by_engine(self, v: Values, name: str) -> FloatArray:
        return np.where(self.tensorrt_llm, v[f"{TENSORRT_LLM} {name}"], v[f"vllm {name}"])


def prompts_of(table: pd.DataFrame, gpu_id: str) -> Prompts:
    """Return the rows of a GPU that the fit uses."""
    return prompts(rows_of(table, gpu_id), gpu_id)


def prompts(rows: pd.DataFrame, gpu_id: str) -> Prompts:
    """Return the work of these rows, all of one GPU."""
    batch, heads, kv_heads, head_dim, tokens = (
        column(rows, name) for name in ("batch", "heads", "kv_heads", "head_dim", "input_tokens")
    )
    fp8 = (rows["kv_cache"] == "fp8").to_numpy()
    tensorrt_llm = (rows["engine"] == TENSORRT_LLM).to_numpy()
    return Prompts(
        rows=rows,
        measured_s=column(rows, "latency_us") * 1e-6,
        # one query against one key and value: 2 + 2 FLOPs an element
        token_flops=4 * batch * heads * head_dim * tokens,
        pairs=(tokens + 1) / 2,
        kv_elements=2 * batch * kv_heads * head_dim * tokens,
        head_dim=head_dim,
        kinds=np.where(fp8, np.where(tensorrt_llm, 2, 1), 0),
        kv_kinds=2 * tensorrt_llm + fp8,
        tensorrt_llm=tensorrt_llm,
        peak_flops=gpu(gpu_id).fp16_flops,
        peak_bytes_per_s=gpu(gpu_id).bandwidth_bytes_per_s,
    )


def fit_prompts(found: Prompts) -> LawFit:
    """Return the law of a GPU, both engines together."""
    start: dict[str, float] = {}
    for engine in ("vllm", TENSORRT_LLM):
        start |= {f"{engine} overhead_s": 1.5e-5, f"{engine} start_pairs": 500.0}
    for kind in range(len(KINDS)):
        for size in HEAD_SIZES:
            if ((found.kinds == kind) & (found.head_dim == size)).any():
                start[f"{KINDS[kind]} {size}"] = 0.6
    for kind, name in enumerate(KV_KINDS):
        if (found.kv_kinds == kind).any():
            start[f"{name} kv_bytes"] = 8.0
    return fit_law(found.time_s, found.measured_s, start)


def shares(values: Values, kind: str) -> dict[int, float]:
    """Return the shares of peak of a kind of kernels by head size, as far as there are tables."""
    return {s: values[f"{kind} {s}"] for s in HEAD_SIZES if f"{kind} {s}" in values}
