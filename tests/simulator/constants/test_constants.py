"""Bounds and sources of the constants, those of engines, and their transfer to another board."""

from dataclasses import asdict, replace

import pytest

from sweetspot.catalog import gpu, gpu_ids
from sweetspot.simulator.constants.calibration_file import shipped_boards, shipped_engines
from sweetspot.simulator.constants.constants import (
    BOARD,
    ENGINE,
    FITTED,
    METADATA,
    OTHER_BYTE_ENERGY_J,
    scales,
    stated_on,
    transfer,
)
from sweetspot.simulator.constants.kernels import kernel_constants

ENGINES = list(shipped_engines())


@pytest.mark.parametrize("name", METADATA)
def test_constant_has_bounds_unit_source_and_a_stated_value_between_them(name):
    meta = METADATA[name]
    assert 0 <= meta["low"] < meta["high"]
    assert meta["low"] <= meta["stated"] <= meta["high"]
    assert meta["unit"]
    assert len(meta["source"]) > 10


def test_names_of_boards_and_engines_differ_and_few_are_fitted():
    assert not set(BOARD) & set(ENGINE)
    assert {*BOARD, *ENGINE} == set(METADATA)
    assert len(FITTED) <= 10
    assert set(FITTED) & set(BOARD)
    assert set(FITTED) & set(ENGINE)


def test_shipped_boards_are_within_the_bounds_of_theirs():
    for gpu_id, found in shipped_boards().items():
        by = scales(gpu(gpu_id))
        for name, value in found.board.constants.items():
            meta, scale = METADATA[name], by.get(name, 1.0)
            assert scale * meta["low"] <= value <= scale * meta["high"], (gpu_id, name)


@pytest.mark.parametrize("engine", ENGINES)
def test_engine_has_stated_constants_of_its_own_and_kernels(board, engine):
    found, paper = stated_on(board, engine), stated_on(board)
    assert found.board == paper.board
    assert (found.engine == paper.engine) == (engine == "tensorrt-llm")
    assert found.kernels == kernel_constants(board, engine)


def test_stated_engines_differ_in_what_they_are_known_for(board):
    paper, vllm, uncompiled, eager = (
        stated_on(board, name).engine
        for name in ("tensorrt-llm", "vllm", "vllm-uncompiled", "transformers")
    )
    assert [e.host_ahead for e in (paper, vllm, uncompiled, eager)] == [0, 1, 1, 0]
    assert replace(uncompiled, unfused_norm_s=0.0, unfused_norm_bytes=0.0) == vllm
    assert eager.step_overhead_s > 10 * vllm.step_overhead_s > 100 * paper.step_overhead_s
    # a benchmark's end is the paper's protocol, not every engine's
    assert [e.run_overhead_s for e in (paper, vllm, uncompiled, eager)] == [1, 0, 0, 0]


def test_constant_is_found_and_changed_by_its_name(constants):
    found = constants.having(flop_energy_j=1e-12, logit_bytes=9.0)
    assert (found.of("flop_energy_j"), found.of("logit_bytes")) == (1e-12, 9.0)
    assert (found.board.flop_energy_j, found.engine.logit_bytes) == (1e-12, 9.0)
    of_both = [{**asdict(c.board), **asdict(c.engine)} for c in (constants, found)]
    changed = {name for name in METADATA if of_both[0][name] != of_both[1][name]}
    assert changed == {"flop_energy_j", "logit_bytes"}
    assert found.kernels is constants.kernels
    assert constants.having() == constants
    with pytest.raises(TypeError):
        constants.having(no_such_constant=1.0)


def test_transfer_to_the_reference_changes_nothing(board, constants):
    assert transfer(constants.board, board) == constants.board


@pytest.mark.parametrize("gpu_id", [each for each in gpu_ids() if each != "h100-sxm"])
def test_transfer_keeps_the_share_of_the_limit_that_each_load_draws(gpu_id, board, constants):
    target, before = gpu(gpu_id), constants.board
    found = transfer(before, target)
    for loads in (
        lambda c, g: c.idle_power_w / g.power_limit_w,
        lambda c, g: c.active_power_w / g.power_limit_w,
        lambda c, g: c.flop_energy_j * g.fp16_flops / g.power_limit_w,
    ):
        assert loads(found, target) == pytest.approx(loads(before, board), rel=1e-12)
    assert found.byte_energy_j == OTHER_BYTE_ENERGY_J
    moved = {"idle_power_w", "active_power_w", "flop_energy_j", "byte_energy_j"}
    kept = {name: getattr(before, name) for name in BOARD if name not in moved}
    assert {name: getattr(found, name) for name in kept} == kept


def test_settings_of_a_board_change_none_of_its_constants():
    board = gpu("a100-80gb")
    assert scales(board.set_to(power_limit_w=200, clock_mhz=900)) == scales(board)


@pytest.mark.parametrize("gpu_id", gpu_ids())
def test_stated_board_is_the_transferred_one(gpu_id, board):
    target = gpu(gpu_id)
    assert stated_on(target).board == transfer(stated_on(board).board, target)
    assert stated_on(target).board.active_power_w < target.power_limit_w / 3
