"""FLOPs in FP8: as many of 16 bits as take the same time and energy."""

from dataclasses import replace

import numpy as np
import pytest

from sweetspot.catalog import catalog_entry, gpu, gpu_ids
from sweetspot.config import Precision
from sweetspot.simulator.constants.kernels import kernel_constants
from sweetspot.simulator.cost.fp8 import gain, saved_share
from sweetspot.simulator.cost.roofline import cost
from sweetspot.simulator.cost.work import work
from sweetspot.simulator.deployment.shard import shard
from sweetspot.simulator.schedule.identical import Schedule

LLAMA = catalog_entry("llama-3.1-8b").architecture
FP8 = Precision(weights="fp8", kv_cache="fp8")


@pytest.mark.parametrize("gpu_id", gpu_ids())
def test_gain_is_more_than_one_and_no_more_than_the_data_sheet_says(gpu_id):
    board, kernels = gpu(gpu_id), kernel_constants(gpu(gpu_id))
    if board.fp8_flops is None:
        assert (gain(board, kernels), saved_share(board, kernels)) == (1, 0)
    else:
        assert 1.5 < gain(board, kernels) < board.fp8_flops / board.fp16_flops
        assert saved_share(board, kernels) == pytest.approx(1 - 1 / gain(board, kernels))


def test_gemms_are_as_much_faster_on_an_h100_as_measured():
    """1.6 times with cuBLAS 12.0, up to 1.75 times with 12.9 (NVIDIA developer blog)."""
    assert 1.6 <= gain(gpu("h100-sxm"), kernel_constants(gpu("h100-sxm"))) <= 1.85


def test_board_whose_kernels_have_no_fp8_gains_nothing():
    kernels = replace(kernel_constants(gpu("h100-sxm")), fp8_share=None)
    assert gain(gpu("h100-sxm"), kernels) == 1


def prompt_of(precision=None, **changes):
    """Return the work of an iteration of one long prompt."""
    counts = dict.fromkeys(Schedule.__dataclass_fields__, 0) | {
        "iterations": 1,
        "prompt_tokens": 4096,
        "prompt_pairs": 4096 * 4097 // 2,
        "prompts": 1,
    }
    plan = Schedule(**{name: np.array([value]) for name, value in counts.items()})
    return replace(work(shard(LLAMA, 1, precision), plan), **changes)


def test_gemms_in_fp8_compute_and_cost_as_that_many_fewer_flops(board, constants):
    """Beside the same work in which these FLOPs are left out of those of 16 bits."""
    limitless = replace(board, power_limit_w=1e9)
    in_fp8 = prompt_of(fp8_gemms=np.array([0.7]))
    share = 1 - 0.7 * saved_share(board, constants.kernels)
    fewer = prompt_of(gemm_flops=share * prompt_of().gemm_flops)
    found, expected = (cost(each, limitless, constants) for each in (in_fp8, fewer))
    assert found.duration_s == pytest.approx(expected.duration_s, rel=1e-12)
    assert found.energy_j == pytest.approx(expected.energy_j, rel=1e-12)
    assert found.duration_s < 0.8 * cost(prompt_of(), limitless, constants).duration_s


def test_attention_in_fp8_saves_energy_as_gemms_do_and_time_as_its_kernels_do(board, constants):
    limitless, k = replace(board, power_limit_w=1e9), constants.kernels
    plain, in_fp8 = prompt_of(), prompt_of(fp8_attention=np.array([1.0]))
    before, after = (cost(each, limitless, constants) for each in (plain, in_fp8))
    flops = plain.prompt_flops + k.prompt_start_pairs * plain.prompt_token_flops
    rates = [
        board.fp16_flops * each[128] for each in (k.prompt_efficiency, k.fp8_prompt_efficiency)
    ]
    saved_s = flops / rates[0] - flops / rates[1]
    assert before.duration_s - after.duration_s == pytest.approx(saved_s, rel=1e-9)
    saved_j = (
        constants.board.active_power_w * saved_s
        + saved_share(board, k) * constants.board.flop_energy_j * plain.prompt_flops
    )
    assert before.energy_j - after.energy_j == pytest.approx(saved_j, rel=1e-9)


def test_fp8_takes_less_time_and_energy_in_the_work_of_a_model(board, constants):
    plain, in_fp8 = (cost(prompt_of(p), board, constants) for p in (None, FP8))
    assert in_fp8.duration_s < 0.75 * plain.duration_s
    assert in_fp8.energy_j < 0.75 * plain.energy_j
