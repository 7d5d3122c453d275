"""All kernel fits, and the file of constants that they make."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sweetspot.catalog import gpu
from sweetspot.published import kernels
from sweetspot.simulator.calibration.kernels.decode import (
    LEFT_OUT,
    Decodes,
    ceiling,
    decodes_of,
    fit_decodes,
    small_overhead_s,
)
from sweetspot.simulator.calibration.kernels.gemm import Gemms, fit_fp8, fit_gemms, gemms_of
from sweetspot.simulator.calibration.kernels.law import LawFit
from sweetspot.simulator.calibration.kernels.prompt import (
    KINDS,
    Prompts,
    fit_prompts,
    prompts_of,
    shares,
)
from sweetspot.simulator.constants.kernels import TENSORRT_LLM

GPUS = ("a100-80gb", "h100-sxm", "h200-sxm", "b200")
"""The GPUs that have tables."""

ENGINES = (TENSORRT_LLM, "vllm")
# What the A100's tables do not have (heads of 64 and 256), this GPU's ratios give.
RATIOS_OF = "h100-sxm"
DIGITS = 4


@dataclass(frozen=True, eq=False, slots=True)
class BoardFit:
    """The fits of one GPU, each with the rows that it was made to; `fp8` None where it has none."""

    gpu: str
    gemms: Gemms
    gemm: LawFit
    fp8_gemms: Gemms | None
    fp8: LawFit | None
    decodes: Decodes
    decode: LawFit
    prompts: Prompts
    prompt: LawFit
    small_overhead_s: Mapping[str, float]


def fit_board(gpu_id: str) -> BoardFit:
    """Return all fits of one GPU."""
    gemm_table, decode_table = kernels.gemms(), kernels.decode_attention()
    gemms = gemms_of(gemm_table, gpu_id, "bfloat16")
    gemm = fit_gemms(gemms)
    fp8_gemms = fp8 = None
    if gpu(gpu_id).fp8_flops is not None:
        # vLLM's scatter twice as much, for shapes that its kernels were not tuned for
        own = gemm_table[gemm_table["engine"] == TENSORRT_LLM]
        fp8_gemms = gemms_of(own, gpu_id, "fp8")
        fp8 = fit_fp8(fp8_gemms, gemm.values)
    decodes = decodes_of(decode_table, gpu_id)
    prompts = prompts_of(kernels.prompt_attention(), gpu_id)
    return BoardFit(
        gpu_id,
        gemms,
        gemm,
        fp8_gemms,
        fp8,
        decodes,
        fit_decodes(decodes),
        prompts,
        fit_prompts(prompts),
        {engine: small_overhead_s(decode_table, gpu_id, engine) for engine in ENGINES},
    )


def constants_file(fits: Mapping[str, BoardFit]) -> dict[str, Any]:
    """Return what kernels.json holds, rounded to four digits."""
    ratios = fits[RATIOS_OF]
    return {
        "source": "`sweetspot kernels --out` from NVIDIA AIConfigurator's kernel tables",
        "gpus": {gpu_id: _rounded(_of_board(fit, ratios)) for gpu_id, fit in fits.items()},
    }


def _of_board(fit: BoardFit, ratios: BoardFit) -> dict[str, Any]:
    fp8 = fit.fp8.values if fit.fp8 else {}
    gemm, decode = fit.gemm.values, fit.decode.values
    wide = fit if fit.decodes.wide.any() else ratios
    return {
        "board": {
            **gemm,
            "fp8_share": fp8.get("fp8_share"),
            "fp8_quantize_s": fp8["fp8_overhead_s"] - gemm["gemm_overhead_s"] if fp8 else None,
            "fp8_quantize_bytes": fp8.get("fp8_quantize_bytes"),
            "kv_bandwidth_efficiency": decode["kv_bandwidth_efficiency"],
            "wide_head_penalty": wide.decode.values["wide_head_penalty"],
            "decode_overhead_s": decode["decode_overhead_s"],
            "prompt_efficiency": _filled(fit, ratios),
        },
        "engines": {engine: _of_engine(fit, engine) for engine in ENGINES},
    }


def _of_engine(fit: BoardFit, engine: str) -> dict[str, Any]:
    decode, prompt = fit.decode.values, fit.prompt.values
    own = engine == TENSORRT_LLM
    names = ("shared", "unshared", "shared") if own else ("vllm", "vllm", "vllm_wide")
    shared, unshared, wide = (
        ceiling(decode, f"{name}_elements", fit.decodes.peak_bytes_per_s) for name in names
    )
    # of the A100 there are only vLLM's
    of = engine if (fit.gpu, engine) not in LEFT_OUT else "vllm"
    pair_s = decode["pair_s" if of == TENSORRT_LLM else "vllm_pair_s"]
    unshared_pair_s = decode["unshared_pair_s" if of == TENSORRT_LLM else "vllm_pair_s"]
    return {
        "decode_small_overhead_s": fit.small_overhead_s[of],
        "decode_pair_s": pair_s,
        "decode_pair_unshared_s": unshared_pair_s,
        "decode_pair_fp8_s": unshared_pair_s if fit.fp8 else None,
        "fp8_kv_elements_per_s": shared,
        "fp8_kv_elements_unshared_per_s": unshared,
        "fp8_kv_elements_wide_per_s": wide,
        "fp8_prompt_efficiency": shares(prompt, KINDS[2 if own else 1]),
        "prompt_start_pairs": prompt[f"{engine} start_pairs"],
        "prompt_kv_bytes": prompt[f"{engine} 16-bit kv_bytes"],
        "fp8_prompt_kv_bytes": prompt.get(f"{engine} fp8 kv_bytes"),
        "prompt_overhead_s": prompt[f"{engine} overhead_s"],
    }


def _filled(fit: BoardFit, ratios: BoardFit) -> dict[int, float]:
    """Return shares of peak for all head sizes: those without tables by another GPU's ratios."""
    found, other = shares(fit.prompt.values, KINDS[0]), shares(ratios.prompt.values, KINDS[0])
    return {size: found.get(size, found[128] * other[size] / other[128]) for size in other}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
