"""What single kernels reach on a GPU: shares of its peaks, overheads, ceilings; held by no fit.

The numbers are in kernels.json beside this module; `sweetspot kernels --out` makes that file from
the published tables, and docs/kernels.md says how well the laws that they are of meet these:

- GEMM: t0 + (compute^n + memory^n)^(1/n), compute = FLOPs / (flop_efficiency * peak FLOP/s),
  memory = (weight bytes + gemm_passes * bytes in and out) / (bandwidth_efficiency * peak B/s)
- attention of decode: t0 + pairs + cache, pairs = sequences * KV heads * seconds each,
  cache = KV bytes / (kv_bandwidth_efficiency * peak B/s), times wide_head_penalty for heads of 256;
  in FP8 at least elements / ceiling
- attention of a prompt of I tokens: t0 + the time of (I + 1) / 2 + prompt_start_pairs pairs a token
  and query head + prompt_kv_bytes of each key's and value's elements / peak B/s
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from sweetspot.catalog.gpus import KERNELS_OF, Gpu

FILE = "kernels.json"
TENSORRT_LLM = "tensorrt-llm"


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelConstants:
    """What kernels of one engine reach on one GPU; shares are of the data sheet's dense peaks.

    The simulator reads none of those in `BESIDE`: a fit to single kernels is wrong without them.

    Attributes:
        measured_on: the GPU whose tables these are, by its id.
        stands_in: why they stand for another GPU, and how far they may be off; empty for that GPU.
        engine: the engine whose kernels they are.
        flop_efficiency: share of peak FLOP/s of large GEMMs, in short runs (clocks up).
        bandwidth_efficiency: share of peak bandwidth of GEMMs that memory holds up.
        overlap_norm: n; 1 adds compute and memory time, infinity hides the shorter one.
        gemm_passes: how often a GEMM's inputs and outputs pass the memory bus.
        gemm_overhead_s: what a GEMM takes at least.
        fp8_share: FP8 GEMMs' share of peak FP8 FLOP/s over `flop_efficiency`; None without FP8.
        fp8_quantize_s: what quantising a GEMM's input takes at least, in kernels of its own.
        fp8_quantize_bytes: bytes that this moves per element of the input.
        kv_bandwidth_efficiency: share of peak bandwidth of attention of decode.
        wide_head_penalty: how much longer a byte takes with heads of 256.
        decode_overhead_s: what attention of decode takes at least, cache read from memory.
        decode_small_overhead_s: the same of caches below 1 MB, which lie in the L2 cache.
        decode_pair_s: per sequence and KV head, 16 bits, several queries per KV head.
        decode_pair_unshared_s: the same with one query per KV head.
        decode_pair_fp8_s: the same in FP8.
        fp8_kv_elements_per_s: ceiling of attention of an FP8 cache with shared KV heads; None
            where memory is slower than any that shows.
        fp8_kv_elements_unshared_per_s: the same with one query per KV head.
        fp8_kv_elements_wide_per_s: the same with heads of 256.
        prompt_efficiency: share of peak 16-bit FLOP/s (causal FLOPs) of attention of long prompts,
            by head size (64, 128, 256).
        fp8_prompt_efficiency: the same with an FP8 cache, of the 16-bit peak too; empty without.
        prompt_start_pairs: pairs of a query and a key that take as long as what a token of a prompt
            takes beside its pairs, for each query head.
        prompt_kv_bytes: what an element of a prompt's keys and values takes beside, writing it to
            the cache included, as bytes at peak bandwidth.
        fp8_prompt_kv_bytes: the same with an FP8 cache.
        prompt_overhead_s: what attention of a prompt takes at least.
    """

    measured_on: str
    stands_in: str
    engine: str
    flop_efficiency: float
    bandwidth_efficiency: float
    overlap_norm: float
    gemm_passes: float
    gemm_overhead_s: float
    fp8_share: float | None
    fp8_quantize_s: float | None
    fp8_quantize_bytes: float | None
    kv_bandwidth_efficiency: float
    wide_head_penalty: float
    decode_overhead_s: float
    decode_small_overhead_s: float
    decode_pair_s: float
    decode_pair_unshared_s: float
    decode_pair_fp8_s: float | None
    fp8_kv_elements_per_s: float | None
    fp8_kv_elements_unshared_per_s: float | None
    fp8_kv_elements_wide_per_s: float | None
    prompt_efficiency: Mapping[int, float]
    fp8_prompt_efficiency: Mapping[int, float]
    prompt_start_pairs: float
    prompt_kv_bytes: float
    fp8_prompt_kv_bytes: float | None
    prompt_overhead_s: float

    def decode_pair_of(self, *, shared: bool, fp8: bool) -> float:
        """Return the seconds per sequence and KV head; `shared` by several queries."""
        if fp8 and self.decode_pair_fp8_s is not None:
            return self.decode_pair_fp8_s
        return self.decode_pair_s if shared else self.decode_pair_unshared_s

    def fp8_kv_ceiling_of(self, *, shared: bool, wide: bool) -> float:
        """Return the elements of an FP8 cache that a kernel reads per s; infinite without limit."""
        either = self.fp8_kv_elements_per_s if shared else self.fp8_kv_elements_unshared_per_s
        ceilings = (either, self.fp8_kv_elements_wide_per_s if wide else None)
        return min((each for each in ceilings if each is not None), default=math.inf)

    def prompt_efficiency_of(self, head_dim: int, *, fp8: bool = False) -> float:
        """Return `prompt_efficiency` of heads of any size: that of the nearest one, by ratio."""
        by_size = self.fp8_prompt_efficiency if fp8 else self.prompt_efficiency
        return by_size[min(by_size, key=lambda size: max(size / head_dim, head_dim / size))]


@dataclass(frozen=True, slots=True)
class _Family:
    """Boards of the catalog whose ids begin alike, and whose tables stand for them."""

    begins: tuple[str, ...]
    measured_on: str
    why: str


_CHIP = "the chip of its tables; GEMMs within some 10 %"
_FAMILIES = (
    _Family(("a100",), "a100-80gb", _CHIP),
    _Family(("h100", "gh200"), "h100-sxm", _CHIP),
    _Family(("h200",), "h200-sxm", _CHIP),
    _Family(("b200", "b300", "gb200"), "b200", "its architecture; GEMMs within some 15 %"),
    _Family(
        ("l4", "l40", "l40s", "rtx"),
        "a100-80gb",
        "no tables of Ada, whose kernels are of the A100's kind; FP8 is the H100's; a guess, GEMMs"
        " may be 20 % off",
    ),
    _Family(
        ("v100",), "a100-80gb", "no tables, an older architecture; a guess, GEMMs may be 20 % off"
    ),
)
_UNKNOWN = _Family(
    (),
    KERNELS_OF,
    "nothing is known of it; a guess, GEMMs may be 20 % off",
)
_FP8_OF = KERNELS_OF  # where a board has FP8, but the one whose tables stand for it has none


# What laws of single kernels have, and the simulator holds elsewhere: docs/kernels.md says where.
BESIDE = (
    "gemm_overhead_s",
    "fp8_quantize_s",
    "fp8_quantize_bytes",
    "decode_overhead_s",
    "decode_small_overhead_s",
    "prompt_kv_bytes",
    "fp8_prompt_kv_bytes",
    "prompt_overhead_s",
)


def kernel_constants(gpu: Gpu, engine: str = TENSORRT_LLM) -> KernelConstants:
    """Return what kernels reach on a GPU, or on the one whose tables stand for it.

    For a board of one's own that is who its file names: what the file is called decides nothing.
    Engines without tables of their own have vLLM's kernels (FlashAttention, cuBLAS).
    """
    engine = engine if engine == TENSORRT_LLM else "vllm"
    gpu_id = gpu.kernels_of or gpu.id
    measured_on, why = gpu_id, ""
    if gpu_id not in _tables():
        start = gpu_id.split("-")[0]
        family = next((each for each in _FAMILIES if start in each.begins), _UNKNOWN)
        measured_on, why = family.measured_on, family.why
    if gpu.kernels_of:
        why = "; ".join((f"taken to have the kernels of {gpu_id}", *filter(None, [why])))
    return _constants(measured_on, engine, why, has_fp8=gpu.fp8_flops is not None)


def families() -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield how ids of boards without tables begin, whose stand for them, and why."""
    for each in (*_FAMILIES, _UNKNOWN):
        yield each.begins, each.measured_on, each.why


def _constants(measured_on: str, engine: str, why: str, *, has_fp8: bool) -> KernelConstants:
    def values(board: str) -> dict[str, Any]:
        found = _tables()[board]
        return {**found["board"], **found["engines"][engine]}

    found = values(measured_on)
    if has_fp8 and found["fp8_share"] is None:
        found |= {name: value for name, value in values(_FP8_OF).items() if "fp8" in name}
    for name in ("prompt_efficiency", "fp8_prompt_efficiency"):
        found[name] = {int(size): share for size, share in found[name].items()}
    return KernelConstants(measured_on=measured_on, stands_in=why, engine=engine, **found)


@lru_cache(maxsize=1)
def _tables() -> dict[str, Any]:
    """Return the file: by GPU what is the board's, and by engine what is its kernels'."""
    text = Path(__file__).with_name(FILE).read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)["gpus"]
    return found
