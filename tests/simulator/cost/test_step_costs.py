"""The tables of step costs against `cost` itself, for every model of the catalog."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.catalog import catalog_entry, gpu, model_ids
from sweetspot.config import Limits, Precision
from sweetspot.simulator.constants.calibration_file import load_calibration
from sweetspot.simulator.cost.roofline import cost
from sweetspot.simulator.cost.step_costs import StepCosts
from sweetspot.simulator.cost.work import work
from sweetspot.simulator.deployment.cuda_graphs import cuda_graphs
from sweetspot.simulator.deployment.scheduler_limits import SchedulerLimits
from sweetspot.simulator.deployment.shard import as_shard, shard
from sweetspot.simulator.run import scheduler_limits
from sweetspot.simulator.schedule.identical import Schedule
from sweetspot.simulator.schedule.segments import Segment

LIMITS = SchedulerLimits(
    max_batch_size=256, max_num_tokens=1024, kv_blocks=10**6, tokens_per_block=32
)
BOARDS = ("h100-sxm", "a100-80gb")


SHARED = ("llama-3.1-8b, 4 GPUs, FP8", "h100-sxm")
SLIDING = ("gemma-2-9b, windows, 2 GPUs, FP8", "h100-sxm")
PADDED = {
    ("gemma-2-2b, windows", "h100-sxm"): "vllm",
    ("llama-3.2-1b", "l40s"): "vllm",
    ("llama-3.2-1b", "h200-sxm"): "tensorrt-llm",
    ("llama-3.1-8b, 4 GPUs, FP8", "h200-sxm"): "tensorrt-llm",
}


def model_of(name):
    fp8 = Precision(weights="fp8", kv_cache="fp8")
    if name == SHARED[0]:
        return shard(catalog_entry("llama-3.1-8b").architecture, 4, fp8)
    if name == SLIDING[0]:
        return shard(catalog_entry("gemma-2-9b").architecture, 2, fp8, sliding_windows=True)
    if name.endswith(", windows"):
        model = catalog_entry(name.removesuffix(", windows")).architecture
        return shard(model, sliding_windows=True)
    return catalog_entry(name).architecture


def graphs_of(key):
    return cuda_graphs(PADDED.get(key, "none"), LIMITS.max_batch_size, LIMITS.max_num_tokens)


def clock_of(model, board_id, limits=LIMITS):
    board = gpu(board_id)
    return StepCosts(model, board, load_calibration(board).constants, limits)


CLOCKS = {
    (model, board_id): clock_of(catalog_entry(model).architecture, board_id)
    for model in model_ids()
    for board_id in BOARDS
} | {
    key: clock_of(model_of(key[0]), key[1], replace(LIMITS, graphs=graphs_of(key)))
    for key in (SHARED, SLIDING, *PADDED)
}


def costed(model, board_id, segment, iterations):
    """Return what `cost` says of a segment: duration and energy."""
    counts = segment._asdict() | {"iterations": iterations}
    del counts["wake_s"]
    plan = Schedule(**{name: np.array([value]) for name, value in counts.items()})
    board = gpu(board_id)
    part = model_of(model)
    done = work(part, plan, graphs_of((model, board_id)))
    found = cost(done, board, load_calibration(board).constants)
    return found.duration_s.item(), as_shard(part).gpus * found.energy_j.item()


@given(
    st.sampled_from(sorted(CLOCKS)),
    st.integers(1, 256),
    st.integers(1, 8000),
    st.integers(1, 4000),
    st.data(),
)
def test_decode_costs_what_cost_says(key, decodes, context, iterations, data):
    segment = Segment(
        iterations,
        float("inf"),
        decodes,
        decodes * context,
        sliding_context=data.draw(st.integers(decodes, decodes * context)),
        sliding_decodes=data.draw(st.integers(0, decodes)),
    )
    made, duration_s, energy_j = CLOCKS[key].run(segment, 0.0)
    assert made == iterations
    expected = costed(*key, segment, iterations)
    assert (duration_s, energy_j) == pytest.approx(expected, rel=1e-9)


@given(st.sampled_from(sorted(CLOCKS)), st.data())
def test_iteration_with_prompts_costs_what_cost_says(key, data):
    prompts = data.draw(st.integers(1, 100))
    decodes = data.draw(st.integers(0, 256 - prompts))
    tokens = data.draw(st.integers(prompts, 1024 - decodes))
    context = decodes * data.draw(st.integers(1, 8000))
    pairs, earlier = data.draw(st.integers(tokens, tokens * 4000)), data.draw(st.integers(0, 8000))
    segment = Segment(
        *(1, float("inf"), decodes, context, tokens, pairs, earlier, prompts),
        prompts_finished=data.draw(st.integers(0, prompts)),
        sliding_context=data.draw(st.integers(0, context)),
        sliding_decodes=data.draw(st.integers(0, decodes)),
        sliding_pairs=data.draw(st.integers(tokens, pairs)),
        sliding_prompt_context=data.draw(st.integers(0, earlier)),
    )
    _, duration_s, energy_j = CLOCKS[key].run(segment, 0.0)
    expected = costed(*key, segment, 1)
    assert (duration_s, energy_j) == pytest.approx(expected, rel=1e-9)


@given(st.integers(1, 256), st.integers(1, 5000), st.floats(1e-6, 20), st.integers(1, 3000))
def test_decode_ends_with_the_iteration_in_which_the_wake_comes(decodes, context, wait_s, most):
    clock = CLOCKS["llama-3.1-8b", "h100-sxm"]
    segment = Segment(most, 3.0 + wait_s, decodes, decodes * context)
    made, duration_s, energy_j = clock.run(segment, 3.0)
    expected = costed("llama-3.1-8b", "h100-sxm", segment, made)
    assert (duration_s, energy_j) == pytest.approx(expected, rel=1e-9)
    if made < most:
        assert duration_s >= wait_s * (1 - 1e-9)
    if made > 1:
        before_s, _ = costed("llama-3.1-8b", "h100-sxm", segment, made - 1)
        assert before_s <= wait_s * (1 + 1e-9)


def test_wait_draws_active_power(board, constants):
    clock = CLOCKS["llama-3.1-8b", "h100-sxm"]
    assert clock.run(Segment(0, 7.5), 5.0) == (0, 2.5, 2.5 * constants.active_power_w)


def test_budget_of_just_a_batch_has_tables(board, constants):
    limits = SchedulerLimits(
        max_batch_size=64, max_num_tokens=64, kv_blocks=9999, tokens_per_block=32
    )
    model = catalog_entry("opt-1.3b").architecture
    segment = Segment(1, float("inf"), 63, 6300, 1, 1, 0, 1, 1)
    _, duration_s, energy_j = clock_of(model, "h100-sxm", limits).run(segment, 0.0)
    expected = costed("opt-1.3b", "h100-sxm", segment, 1)
    assert (duration_s, energy_j) == pytest.approx(expected, rel=1e-9)


def test_limits_of_the_paper_are_within_the_tables(board, constants):
    model = catalog_entry("llama-3.1-8b").architecture
    bounds = scheduler_limits(model, board, Limits(), 1024)
    segment = Segment(1, float("inf"), 1023, 10**6, 8192 - 1023, 10**7, 0, 1, 1)
    _, duration_s, _ = StepCosts(model, board, constants, bounds).run(segment, 0.0)
    assert duration_s == pytest.approx(costed("llama-3.1-8b", "h100-sxm", segment, 1)[0])
