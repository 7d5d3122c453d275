"""GPUs: data-sheet facts and the relations between them."""

import pytest

from sweetspot.catalog import gpu, gpu_ids
from sweetspot.errors import InputError


def test_gpus_are_the_seven_that_are_promised():
    assert gpu_ids() == (
        "h100-sxm",
        "h100-pcie",
        "h200-sxm",
        "a100-40gb",
        "a100-80gb",
        "l40s",
        "b200",
    )


def test_h100_sxm_has_its_data_sheets_numbers():
    h100 = gpu("h100-sxm")
    assert h100.memory_bytes == 81559 * 1024**2
    assert h100.bandwidth_bytes_per_s == pytest.approx(3.35e12)
    assert h100.fp16_flops == pytest.approx(989.4e12)
    assert h100.fp8_flops == pytest.approx(1978.9e12)
    assert h100.power_limit_w == 700
    assert h100.nvml_name == "NVIDIA H100 80GB HBM3"


@pytest.mark.parametrize("gpu_id", gpu_ids())
def test_units_and_relations_hold_for_every_gpu(gpu_id):
    board = gpu(gpu_id)
    assert board.id == gpu_id
    assert board.nvml_name.startswith("NVIDIA ")
    assert "data sheet" in board.source
    assert 30 * 2**30 < board.memory_bytes < 200 * 2**30
    # Dense: no board here does more than 2.25 PFLOP/s, nor draws more than 3 W for a TFLOP/s.
    assert 300e12 < board.fp16_flops <= 2250e12
    assert 0.2 < board.power_limit_w / (board.fp16_flops / 1e12) < 1.5
    assert 100 < board.fp16_flops / board.bandwidth_bytes_per_s < 500
    if board.fp8_flops is not None:
        assert board.fp8_flops == pytest.approx(2 * board.fp16_flops, rel=0.02)


def test_a100_has_no_fp8():
    assert gpu("a100-40gb").fp8_flops is None
    assert gpu("a100-80gb").fp8_flops is None


def test_nvml_names_tell_the_gpus_apart():
    names = [gpu(gpu_id).nvml_name for gpu_id in gpu_ids()]
    clashes = [(a, b) for a in names for b in names if a is not b and a.startswith(b)]
    assert clashes == []


@pytest.mark.parametrize(
    ("name", "gpu_id"),
    [
        ("H100", "h100-sxm"),
        ("h200", "h200-sxm"),
        ("H100 SXM", "h100-sxm"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("A100-SXM4-40GB", "a100-40gb"),  # as drivers before R510 say it
        *((gpu(gpu_id).nvml_name, gpu_id) for gpu_id in gpu_ids()),
    ],
)
def test_name_that_is_of_one_board_means_it(name, gpu_id):
    assert gpu(name).id == gpu_id


def test_name_of_several_boards_is_refused_with_all_of_them():
    with pytest.raises(InputError, match="'a100' can be 'a100-40gb' or 'a100-80gb'; name one"):
        gpu("a100")


@pytest.mark.parametrize("name", ["l40", "h20", "NVIDIA H200 NVL", "NVIDIA H100 NVL", "NVIDIA", ""])
def test_board_that_is_not_in_the_catalog_is_never_taken_for_another(name):
    with pytest.raises(InputError, match=f"unknown GPU {name!r}"):
        gpu(name)


def test_unknown_gpu_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="unknown GPU 'h100-sxn'; did you mean 'h100-sxm'"):
        gpu("h100-sxn")
    with pytest.raises(InputError, match="unknown GPU 'H100 80GB'; known: h100-pcie, h100-sxm"):
        gpu("H100 80GB")  # not an A100 of 80 GB


def test_links_are_those_of_the_data_sheets():
    """The rate in one direction: half of what a sheet prints."""
    assert gpu("h100-sxm").link_bytes_per_s == gpu("h200-sxm").link_bytes_per_s == 450e9
    assert gpu("a100-80gb").link_bytes_per_s == 300e9
    assert gpu("b200").link_bytes_per_s == 900e9
    assert gpu("l40s").nvlink_bytes_per_s is None
    assert gpu("l40s").link_bytes_per_s == 32e9
    assert gpu("h100-pcie").link_bytes_per_s == 64e9
