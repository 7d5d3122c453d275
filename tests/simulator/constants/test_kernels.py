"""What kernels reach on a GPU, and who stands in for one without tables."""

import math
import subprocess
import sys

import pytest

from sweetspot.catalog import gpu_ids
from sweetspot.simulator.calibration.kernels.fit import GPUS
from sweetspot.simulator.constants.kernels import (
    families,
    kernel_constants,
)


@pytest.mark.parametrize("gpu_id", GPUS)
def test_measured_gpu_has_its_own_numbers(gpu_id):
    found = kernel_constants(gpu_id)
    assert (found.measured_on, found.stands_in) == (gpu_id, "")
    shares = (
        *(found.flop_efficiency, found.bandwidth_efficiency, found.kv_bandwidth_efficiency),
        *found.prompt_efficiency.values(),
    )
    assert all(0.3 < share < 1 for share in shares)


@pytest.mark.parametrize("gpu_id", gpu_ids())
def test_every_gpu_of_the_catalog_has_a_family(gpu_id):
    found = kernel_constants(gpu_id)
    if gpu_id not in GPUS:
        *known, (_, _, unknown) = families()
        assert found.stands_in in {why for _, _, why in known} - {unknown}


def test_unknown_gpu_is_taken_for_an_h100_and_says_so():
    found = kernel_constants("my-gpu")
    assert found.measured_on == "h100-sxm"
    assert "a guess" in found.stands_in


def test_ada_has_kernels_of_the_a100_and_fp8_of_the_h100():
    found, a100, h100 = (kernel_constants(gpu) for gpu in ("l40s", "a100-80gb", "h100-sxm"))
    assert found.overlap_norm == a100.overlap_norm < h100.overlap_norm
    assert found.fp8_share == h100.fp8_share
    assert a100.fp8_share is None
    assert not a100.fp8_prompt_efficiency


def test_engine_without_tables_has_vllms_kernels():
    found, vllm = (kernel_constants("h200-sxm", name) for name in ("transformers", "vllm"))
    assert found == vllm != kernel_constants("h200-sxm")


def test_kernels_differ_by_sharing_and_head_size_where_the_engine_has_several():
    own, vllm = (kernel_constants("h200-sxm", name) for name in ("tensorrt-llm", "vllm"))
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
    found = kernel_constants("h100-sxm")
    assert found.prompt_efficiency_of(80) == found.prompt_efficiency[64]
    assert found.prompt_efficiency_of(96) == found.prompt_efficiency[128]
    assert found.prompt_efficiency_of(256, fp8=True) == found.fp8_prompt_efficiency[256]


def test_reading_loads_neither_numpy_nor_scipy():
    code = (
        "import sys; from sweetspot.simulator.constants.kernels import kernel_constants as k\n"
        "k('h200-sxm'); print({'numpy', 'scipy', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
