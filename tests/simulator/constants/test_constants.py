"""Bounds and sources of the constants, and their transfer to another GPU's data sheet."""

from dataclasses import asdict, fields, replace

import pytest

from sweetspot.catalog import gpu, gpu_ids
from sweetspot.simulator.constants.constants import Constants, at_bound, stated_constants, transfer

MIDDLE = Constants(
    **{f.name: (f.metadata["low"] + f.metadata["high"]) / 2 for f in fields(Constants)}
)


@pytest.mark.parametrize("constant", fields(Constants), ids=lambda f: f.name)
def test_constant_has_bounds_unit_and_source(constant):
    assert 0 <= constant.metadata["low"] < constant.metadata["high"]
    assert constant.metadata["unit"]
    assert len(constant.metadata["source"]) > 10


def test_shipped_constants_are_within_the_bounds(constants):
    for f in fields(Constants):
        assert f.metadata["low"] <= getattr(constants, f.name) <= f.metadata["high"], f.name


@pytest.mark.parametrize("constant", fields(Constants), ids=lambda f: f.name)
def test_stated_value_is_within_the_bounds(constant):
    low, high = constant.metadata["low"], constant.metadata["high"]
    assert low <= getattr(stated_constants(), constant.name) <= high


def test_held_constants_are_never_named():
    low = replace(MIDDLE, run_overhead_s=0.0, run_overhead_w=100.0)
    assert at_bound(low) == []


def test_only_constants_near_a_bound_are_named():
    low, high = (Constants.__dataclass_fields__["logit_bytes"].metadata[k] for k in ("low", "high"))
    assert at_bound(MIDDLE) == []
    assert at_bound(replace(MIDDLE, logit_bytes=low)) == ["logit_bytes"]
    assert at_bound(replace(MIDDLE, logit_bytes=high - 0.005 * (high - low))) == ["logit_bytes"]
    assert at_bound(replace(MIDDLE, logit_bytes=high - 0.02 * (high - low))) == []
    both = replace(MIDDLE, active_power_w=120.0, step_overhead_s=0.0)
    assert at_bound(both) == ["step_overhead_s", "active_power_w"]


def test_transfer_to_the_same_board_changes_nothing(board, constants):
    assert transfer(constants, board, board) == constants


@pytest.mark.parametrize("gpu_id", gpu_ids())
def test_transfer_keeps_the_share_of_the_limit_that_each_load_draws(gpu_id, board, constants):
    target = gpu(gpu_id)
    found = transfer(constants, board, target)
    for loads in (
        lambda c, g: c.active_power_w / g.power_limit_w,
        lambda c, g: c.run_overhead_w / g.power_limit_w,
        lambda c, g: c.request_energy_j / g.power_limit_w,
        lambda c, g: c.flop_energy_j * g.fp16_flops / g.power_limit_w,
        lambda c, g: c.byte_energy_j * g.bandwidth_bytes_per_s / g.power_limit_w,
        lambda c, g: c.kv_byte_energy_j * g.bandwidth_bytes_per_s / g.power_limit_w,
    ):
        assert loads(found, target) == pytest.approx(loads(constants, board), rel=1e-12)
    scaled = {n for n, v in asdict(found).items() if v != getattr(constants, n)}
    assert {n for n in scaled if not n.endswith(("_w", "_energy_j"))} == set()


def test_transfer_there_and_back_is_the_start(board, constants):
    other = gpu("a100-40gb")
    back = transfer(transfer(constants, board, other), other, board)
    assert asdict(back) == pytest.approx(asdict(constants), rel=1e-12)
