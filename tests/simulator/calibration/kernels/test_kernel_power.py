"""What metered kernels draw: plausible joules, and clocks that fall at the power limit."""

import pytest

from sweetspot.catalog import gpu
from sweetspot.simulator.calibration.kernels.power import FLOOR_W, joules, long_run
from sweetspot.simulator.constants.kernels import kernel_constants


def test_byte_of_an_fp8_cache_costs_more_where_its_kernel_takes_longer():
    found = {(each.gpu, each.kernels): each.quartiles for each in joules()}
    for several in ("one query per KV head", "several"):
        in_16_bits, in_fp8 = (
            found["h200-sxm", f"attention of decode, {name}, {several}"][1]
            for name in ("16 bits", "FP8")
        )
        assert 50 < in_16_bits < 1.1 * in_16_bits < in_fp8 < 250


def test_large_gemms_hold_the_board_at_its_limit():
    for each in joules():
        if each.kernels.startswith("GEMM, m ≥"):
            assert each.at_limit > 0.6
            assert each.unit == "FLOP"
            assert 0.3 < each.quartiles[0] < each.quartiles[2] < 1


@pytest.mark.parametrize("gpu_id", FLOOR_W)
def test_long_runs_reach_less_than_short_ones(gpu_id):
    share = long_run(gpu_id).values["flop_efficiency"]
    assert share < 0.95 * kernel_constants(gpu(gpu_id)).flop_efficiency
