"""Blocks in parts: who measures what, never what is measured."""

from itertools import chain

import pytest

from sweetspot.config import parse_experiment
from sweetspot.plan.busy import busy_s
from sweetspot.plan.job import runtime_min
from sweetspot.plan.plan import plan
from sweetspot.plan.split import (
    SHARE_BLOCKS,
    SHARE_CELLS,
    as_found,
    parts_of_any_size,
    shares,
    split,
)


def blocks_of(**changes):
    sweep = {"input_tokens": [64, 4096], "output_tokens": [256, 4096], "requests": [1000]}
    experiment = {"engine": "vllm", "models": ["llama-3.1-8b"], "sweeps": {"grid": sweep}}
    return plan(parse_experiment(experiment | changes)).blocks


def asked_min(block):
    return runtime_min(block, len(block.cells), busy_s(block, block.cells))


def test_split_leaves_what_is_short_enough_whole():
    (whole,) = blocks_of()
    assert split([whole], asked_min(whole)) == [whole]


def test_split_goes_as_far_as_it_must_and_no_further():
    (whole,) = blocks_of()
    few, many = blocks_of(measure={"block": "input"})
    assert asked_min(few) < asked_min(many)
    parts = split([whole], asked_min(few))
    assert parts[0] == few
    assert [part.id for part in parts[1:]] == [f"{many.id}_o{o}_r0" for o in (256, 4096)]
    assert tuple(chain.from_iterable(part.cells for part in parts)) == whole.cells


@pytest.mark.parametrize("limit_min", [0, 20, 40])
def test_key_and_job_of_a_cell_are_found_however_blocks_are_split(limit_min):
    (whole,) = blocks_of()
    known = {part.id: part for part in parts_of_any_size(whole)}
    for part in split([whole], limit_min):
        assert known[part.id] == part
        assert [part.key(cell) for cell in part.cells] == [whole.key(cell) for cell in part.cells]


def test_jobs_of_a_run_are_found_by_what_they_left():
    (whole,) = blocks_of()
    assert as_found(whole, lambda _: False) == [whole]
    for limit_min in (0, 20, 40):
        jobs = split([whole], limit_min)
        assert as_found(whole, jobs.__contains__) == jobs
        if len(jobs) > 1:  # one that left nothing is missed
            assert jobs[0] in as_found(whole, jobs[1:].__contains__)


def test_cell_that_takes_longer_than_a_job_may_stays_one():
    (whole,) = blocks_of()
    assert [len(part.cells) for part in split([whole], 1)] == [1] * 4


@pytest.mark.parametrize("size", ["model", "input", "cell"])
def test_shares_hold_each_block_once_and_no_more_than_a_job_may(size):
    blocks = plan(parse_experiment({"engine": "simulator", "measure": {"block": size}})).blocks
    found = shares(blocks)
    assert [block for share in found for block in share] == list(blocks)
    for share in found:
        assert len(share) <= SHARE_BLOCKS
        assert sum(len(block.cells) for block in share[:-1]) < SHARE_CELLS
    for share in found[:-1]:
        full = sum(len(block.cells) for block in share) >= SHARE_CELLS
        assert full or len(share) == SHARE_BLOCKS
