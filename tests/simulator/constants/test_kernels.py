"""What kernels reach on a GPU, and who stands in for one without tables."""

import math
import subprocess
import sys
from dataclasses import replace

import pytest

from sweetspot.catalog import gpu, gpu_ids
from sweetspot.simulator.calibration.kernels.fit import GPUS
from sweetspot.simulator.constants.kernels import (
    families,
    kernel_constants,
)


@pytest.mark.parametrize("gpu_id", GPUS)
def test_measured_gpu_has_its_own_numbers(gpu_id):
    found = kernel_constants(gpu(gpu_id))
    assert (found.measured_on, found.stands_in) == (gpu_id, "")
    shares = (
        *(found.flop_efficiency, found.bandwidth_efficiency, found.kv_bandwidth_efficiency),
        *found.prompt_efficiency.values(),
    )
    assert all(0.3 < share < 1 for share in shares)


@pytest.mark.parametrize("gpu_id", gpu_ids())
def test_every_gpu_of_the_catalog_has_a_family(gpu_id):
    found = kernel_constants(gpu(gpu_id))
    if gpu_id not in GPUS:
        *known, (_, _, unknown) = families()
        assert found.stands_in in {why for _, _, why in known} - {unknown}


def test_board_of_ones_own_has_the_kernels_that_its_file_names_whatever_it_is_called():
    """A file that was called a100-mine.yaml had other numbers than the same one as my-gpu.yaml."""
    mine = replace(gpu("a100-40gb"), id="my-gpu", kernels_of="h100-sxm")
    like_an_a100, like_an_l4 = (replace(mine, kernels_of=name) for name in ("a100-80gb", "l4"))
    found = kernel_constants(mine)
    assert found.measured_on == "h100-sxm"
    assert found.stands_in == "taken to have the kernels of h100-sxm"
    assert kernel_constants(replace(mine, id="a100-mine")) == found
    assert kernel_constants(like_an_a100).measured_on == "a100-80gb"
    assert "no tables of Ada" in kernel_constants(like_an_l4).stands_in


def test_board_with_fp8_has_the_h100s_where_the_tables_that_stand_for_it_have_none():
    mine = replace(gpu("l40s"), id="my-gpu", kernels_of="a100-80gb")
    assert kernel_constants(mine).fp8_share == kernel_constants(gpu("h100-sxm")).fp8_share
    assert kernel_constants(replace(mine, fp8_flops=None)).fp8_share is None


def test_ada_has_kernels_of_the_a100_and_fp8_of_the_h100():
    found, a100, h100 = (kernel_constants(gpu(name)) for name in ("l40s", "a100-80gb", "h100-sxm"))
    assert found.overlap_norm == a100.overlap_norm < h100.overlap_norm
    assert found.fp8_share == h100.fp8_share
    assert a100.fp8_share is None
    assert not a100.fp8_prompt_efficiency


def test_engine_without_tables_has_vllms_kernels():
    found, vllm = (kernel_constants(gpu("h200-sxm"), name) for name in ("transformers", "vllm"))
    assert found == vllm != kernel_constants(gpu("h200-sxm"))


def test_kernels_differ_by_sharing_and_head_size_where_the_engine_has_several():
    own, vllm = (kernel_constants(gpu("h200-sxm"), name) for name in ("tensorrt-llm", "vllm"))
    slow = own.decode_pair_of(shared=True, fp8=False)
    assert (
        slow
        > own.decode_pair_of(shared=False, fp8=False)
        == own.decode_pair_of(shared=True, fp8=True)
    )
    assert own.fp8_kv_ceiling_of(shared=True, wide=True) == math.inf
    assert own.fp8_kv_ceiling_of(shared=False, wide=True) == own.fp8_kv_elements_unshared_per_s
    assert vllm.fp8_kv_ceiling_of(shared=False, wide=True) == vllm.fp8_kv_elements_wide_per_s
    assert vllm.fp8_kv_ceiling_of(shared=True, wide=False) == vllm.fp8_kv_elements_per_s


def test_head_between_two_sizes_is_as_the_nearer_one():
    found = kernel_constants(gpu("h100-sxm"))
    assert found.prompt_efficiency_of(80) == found.prompt_efficiency[64]
    assert found.prompt_efficiency_of(96) == found.prompt_efficiency[128]
    assert found.prompt_efficiency_of(256, fp8=True) == found.fp8_prompt_efficiency[256]


def test_reading_loads_neither_numpy_nor_scipy():
    code = (
        "import sys; from sweetspot.simulator.constants.kernels import kernel_constants as k\n"
        "from sweetspot.catalog import gpu; k(gpu('h200-sxm'))\n"
        "print({'numpy', 'scipy', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
