"""Laws of kernels: planted numbers are found again, and the tables' are what ships."""

import json
from importlib import resources

import numpy as np
import pytest

from sweetspot.published import kernels
from sweetspot.simulator.calibration.kernels.decode import (
    LEFT_OUT,
    decodes,
    decodes_of,
    fit_decodes,
)
from sweetspot.simulator.calibration.kernels.fit import GPUS, constants_file, fit_board
from sweetspot.simulator.calibration.kernels.gemm import (
    FP8_START,
    START,
    fit_fp8,
    fit_gemms,
    gemms_of,
    profile,
)
from sweetspot.simulator.calibration.kernels.law import fit_law
from sweetspot.simulator.calibration.kernels.prompt import fit_prompts, prompts_of


@pytest.fixture(scope="module")
def fits():
    return {gpu_id: fit_board(gpu_id) for gpu_id in GPUS}


def with_times(table, seconds):
    """Return a table with these times instead of the measured ones."""
    return table.assign(latency_us=1e6 * seconds)


def test_law_is_found_in_spite_of_kernels_that_are_far_off():
    rng = np.random.default_rng(0)
    work = np.geomspace(1, 1e4, 200)
    times = (3e-6 + work * 1e-9) * np.exp(rng.normal(0, 0.02, 200))
    times[::20] *= 5
    fit = fit_law(
        lambda v: v["least_s"] + work * v["each_s"], times, {"least_s": 1e-6, "each_s": 1e-8}
    )
    assert fit.values == pytest.approx({"least_s": 3e-6, "each_s": 1e-9}, rel=0.02)


def test_gemm_constants_that_were_planted_are_found():
    planted = {**START, "overlap_norm": 1.7, "flop_efficiency": 0.7, "gemm_overhead_s": 6e-6}
    table = kernels.gemms()
    found = gemms_of(table, "h100-sxm", "bfloat16")
    own = gemms_of(with_times(found.rows, found.time_s(planted)), "h100-sxm", "bfloat16")
    assert fit_gemms(own).values == pytest.approx(planted, rel=1e-3)


def test_fp8_constants_that_were_planted_are_found():
    planted = {**FP8_START, "fp8_share": 0.8, "fp8_quantize_bytes": 5.0}
    found = gemms_of(kernels.gemms(), "h100-sxm", "fp8")
    times = found.quantized_time_s({**START, **planted})
    own = gemms_of(with_times(found.rows, times), "h100-sxm", "fp8")
    assert fit_fp8(own, START).values == pytest.approx(planted, rel=1e-3)


def test_decode_and_prompt_constants_that_were_planted_are_found(fits):
    decode, prompt = fits["h200-sxm"].decode.values, fits["b200"].prompt.values
    found = decodes_of(kernels.decode_attention(), "h200-sxm")
    own = decodes_of(with_times(found.rows, found.time_s(decode)), "h200-sxm")
    assert fit_decodes(own).values == pytest.approx(decode, rel=1e-3)
    prompts = prompts_of(kernels.prompt_attention(), "b200")
    own = prompts_of(with_times(prompts.rows, prompts.time_s(prompt)), "b200")
    assert fit_prompts(own).values == pytest.approx(prompt, rel=1e-3)


def test_tables_give_the_constants_that_ship(fits):
    shipped = resources.files("sweetspot.simulator.constants") / "kernels.json"
    made = constants_file(fits)
    assert flat(made) == pytest.approx(
        flat(json.loads(shipped.read_text(encoding="utf-8"))), rel=2e-3, nan_ok=True
    ), "run `make kernels`"


def flat(value, name=""):
    """Return the numbers of nested mappings by their path; None is NaN, texts are left out."""
    if isinstance(value, dict):
        return {k: v for key, each in value.items() for k, v in flat(each, f"{name}/{key}").items()}
    if isinstance(value, str):
        return {}
    return {name: np.nan if value is None else value}


@pytest.mark.parametrize("gpu_id", GPUS)
def test_errors_are_those_that_laws_this_simple_have(fits, gpu_id):
    fit = fits[gpu_id]
    assert fit.gemm.mean_percent < 10
    assert fit.decode.mean_percent < 9.5
    assert fit.prompt.mean_percent < 12
    assert fit.fp8 is None or fit.fp8.mean_percent < 6.5


def test_exponent_is_lower_on_ampere_than_on_hopper(fits):
    best = {
        gpu_id: min(profile(fits[gpu_id].gemms), key=lambda each: each[1].cost)[0]
        for gpu_id in ("a100-80gb", "h100-sxm", "h200-sxm")
    }
    assert best["a100-80gb"] < 2.5 < min(best["h100-sxm"], best["h200-sxm"])


def test_fp8_cache_is_not_read_twice_as_fast_where_the_kernel_limits_it(fits):
    """Ceilings of two boards agree, whose memory differs by 43 %."""
    h100, h200 = (fits[gpu_id].decode.values for gpu_id in ("h100-sxm", "h200-sxm"))
    for name in ("vllm_elements", "vllm_wide_elements", "unshared_elements"):
        assert h100[name] == pytest.approx(h200[name], rel=0.12)
    rate = h200["kv_bandwidth_efficiency"] * fits["h200-sxm"].decodes.peak_bytes_per_s / 2
    assert h200["vllm_elements"] < 1.4 * rate
    assert h200["vllm_wide_elements"] < rate / h200["wide_head_penalty"]


def test_table_that_was_left_out_beats_its_memory():
    table = kernels.decode_attention()
    best = {}
    for gpu_id, engine in {tuple(each) for each in table[["gpu", "engine"]].to_numpy()}:
        rows = table[(table["gpu"] == gpu_id) & (table["engine"] == engine)]
        found = decodes(rows.reset_index(drop=True), gpu_id)
        share = found.moved_bytes / found.measured_s / found.peak_bytes_per_s
        best[gpu_id, engine] = share.max()
    assert {name for name, share in best.items() if share > 0.95} == LEFT_OUT
