"""What a cluster's job asks for: more time than simulated, and memory for the weights."""

from dataclasses import replace

import pytest

from sweetspot.config import parse_experiment
from sweetspot.plan.busy import busy_s
from sweetspot.plan.job import JOB_S, LOAD_S, MARGIN, memory_mb, runtime_min
from sweetspot.plan.plan import plan


def block_of(**changes):
    sweep = {"input_tokens": [512], "output_tokens": [256, 4096], "requests": [1000]}
    experiment = {"models": ["llama-3.1-8b"], "sweeps": {"grid": sweep}} | changes
    (block,) = plan(parse_experiment(experiment)).blocks
    return block


def asked_min(block):
    return runtime_min(block, len(block.cells), busy_s(block, block.cells))


@pytest.mark.parametrize("engine", ["tensorrt-llm", "vllm", "transformers"])
def test_time_is_more_than_the_margin_of_busy_time(engine):
    block = block_of(engine=engine)
    assert asked_min(block) > MARGIN * busy_s(block, block.cells) / 60 + 10


def test_time_of_a_block_without_cells_to_measure_is_that_of_a_start():
    assert runtime_min(block_of(), 0, 0.0) < 60


def test_engine_that_is_loaded_for_every_cell_asks_for_every_load():
    block = block_of()
    once = replace(block, settings=replace(block.settings, options={"mode": "llm-api"}))
    assert asked_min(block) - asked_min(once) >= LOAD_S / 60


def test_engine_that_is_built_asks_for_the_build():
    once = block_of(tensorrt_llm={"mode": "llm-api"})
    busy = 100.0
    assert runtime_min(once, 1, busy) > runtime_min(block_of(engine="vllm"), 1, busy)


def test_memory_holds_the_weights_and_the_rest():
    block = block_of()
    weights_mb = block.settings.model.weight_bytes / 1e6
    assert 2 * weights_mb < memory_mb(block) < 3 * weights_mb + 16_000


def test_simulated_block_asks_for_little():
    block = block_of(engine="simulator")
    assert asked_min(block) == (JOB_S + 60) / 60  # two cells; no load of the model
    assert memory_mb(block) < 8000
