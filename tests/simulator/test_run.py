"""Whole runs: the trace holds all energy, tokens are complete, and directions are right."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweetspot.catalog import catalog_entry, gpu, model_ids
from sweetspot.config import Limits
from sweetspot.errors import EngineError, InputError
from sweetspot.metering.trace import window_energy_j
from sweetspot.simulator.constants.calibration_file import load_calibration
from sweetspot.simulator.cost.roofline import cost
from sweetspot.simulator.cost.work import work
from sweetspot.simulator.deployment.scheduler_limits import SchedulerLimits
from sweetspot.simulator.deployment.shard import shard
from sweetspot.simulator.run import scheduler_limits, simulate
from sweetspot.simulator.schedule.identical import Schedule, schedule

H100 = gpu("h100-sxm")
CONSTANTS = load_calibration(H100).constants
LLAMA = catalog_entry("llama-3.2-1b").architecture
BOUNDS = scheduler_limits(LLAMA, H100, Limits(), 1024)
GEMMA = catalog_entry("gemma-2-2b").architecture

models = st.sampled_from(model_ids()).map(lambda model: catalog_entry(model).architecture)
sizes = {
    "requests": st.integers(1, 300),
    "input_tokens": st.integers(1, 4096),
    "output_tokens": st.integers(1, 1000),
}


def run_of(
    requests,
    input_tokens,
    output_tokens,
    *,
    model=LLAMA,
    board=H100,
    bounds=BOUNDS,
    constants=CONSTANTS,
):
    return simulate(
        model,
        board,
        constants,
        bounds,
        requests=requests,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
    )


@given(**sizes, model=models)
def test_trace_integrates_to_the_sum_of_its_parts(requests, input_tokens, output_tokens, model):
    bounds = scheduler_limits(model, H100, Limits(), 256)
    found = run_of(requests, input_tokens, output_tokens, model=model, bounds=bounds)
    plan = schedule(
        requests=requests, input_tokens=input_tokens, output_tokens=output_tokens, limits=bounds
    )
    parts = cost(work(model, plan), H100, CONSTANTS)
    overhead_j = CONSTANTS.run_overhead_s * CONSTANTS.run_overhead_w
    assert found.energy_j == pytest.approx(parts.energy_j.sum() + overhead_j, rel=1e-9)
    assert found.duration_s == pytest.approx(
        parts.duration_s.sum() + CONSTANTS.run_overhead_s, rel=1e-9
    )
    assert found.output_tokens == requests * output_tokens
    assert found.iterations == plan.iterations.sum()


@given(**sizes, share=st.floats(0.01, 0.99))
@settings(max_examples=settings.default.max_examples // 2)
def test_windows_of_the_trace_conserve_energy(requests, input_tokens, output_tokens, share):
    found = run_of(requests, input_tokens, output_tokens)
    edge_s, end_s = share * found.duration_s, found.duration_s
    parts = window_energy_j(found.trace, 0, edge_s) + window_energy_j(found.trace, edge_s, end_s)
    assert parts == pytest.approx(found.energy_j, rel=1e-9)
    assert found.trace.t_s[0] == 0
    assert (found.trace.power_w <= H100.power_limit_w * (1 + 1e-9)).all()
    lowest_w = min(CONSTANTS.active_power_w, CONSTANTS.run_overhead_w)
    assert (found.trace.power_w >= lowest_w * (1 - 1e-9)).all()


def test_run_without_overhead_ends_with_its_last_iteration():
    found = run_of(3, 64, 8, constants=replace(CONSTANTS, run_overhead_s=0.0))
    whole = run_of(3, 64, 8)
    assert found.duration_s == pytest.approx(whole.duration_s - CONSTANTS.run_overhead_s)
    assert np.isfinite(found.energy_j)


def test_cell_of_the_papers_grid_is_complete():
    found = run_of(1000, 512, 256)
    assert found.output_tokens == 1000 * 256
    assert found.max_concurrency == 1000 + 24  # the engine's 1024: 768 tokens each fit the cache


@given(**sizes, model=models)
def test_one_request_more_takes_more(requests, input_tokens, output_tokens, model):
    bounds = scheduler_limits(model, H100, Limits(), 64)
    less, more = (
        run_of(n, input_tokens, output_tokens, model=model, bounds=bounds)
        for n in (requests, requests + 1)
    )
    assert more.energy_j > less.energy_j
    assert more.duration_s > less.duration_s


@given(**sizes, model=models, longer=st.integers(1, 1000))
def test_longer_output_takes_more(requests, input_tokens, output_tokens, model, longer):
    bounds = scheduler_limits(model, H100, Limits(), 64)
    less, more = (
        run_of(requests, input_tokens, o, model=model, bounds=bounds)
        for o in (output_tokens, output_tokens + longer)
    )
    assert more.energy_j > less.energy_j
    assert more.duration_s > less.duration_s


@pytest.mark.parametrize("name", ["bandwidth_bytes_per_s", "fp16_flops", "power_limit_w"])
@given(**sizes)
@settings(max_examples=settings.default.max_examples // 2)
def test_slower_board_takes_longer(name, requests, input_tokens, output_tokens):
    slower = replace(H100, **{name: getattr(H100, name) * 0.7})
    fast = run_of(requests, input_tokens, output_tokens)
    slow = run_of(requests, input_tokens, output_tokens, board=slower)
    assert slow.duration_s >= fast.duration_s * (1 - 1e-12)
    assert slow.energy_j >= fast.energy_j * (1 - 1e-12)


def sliding(window, layers=13):
    """Return Gemma 2 2B, 26 layers, with such windows, as a whole on one GPU."""
    return shard(replace(GEMMA, sliding_window=window, sliding_layers=layers), sliding_windows=True)


@given(**sizes, window=st.integers(1, 6000), layers=st.integers(1, 26))
def test_windows_never_cost_more_than_full_attention(
    requests, input_tokens, output_tokens, window, layers
):
    """Everything else alike: with the same requests in flight, so that the cache is large."""
    bounds = replace(scheduler_limits(GEMMA, H100, Limits(), 64), kv_blocks=10**6)
    model = sliding(window, layers)
    full = run_of(requests, input_tokens, output_tokens, model=GEMMA, bounds=bounds)
    windows = replace(bounds, windows=model.windows)
    found = run_of(requests, input_tokens, output_tokens, model=model, bounds=windows)
    assert found.energy_j <= full.energy_j * (1 + 1e-12)
    assert found.duration_s <= full.duration_s * (1 + 1e-12)
    if window >= input_tokens + output_tokens:
        assert found.energy_j == pytest.approx(full.energy_j, rel=1e-12)
        assert found.iterations == full.iterations
    if input_tokens > window:
        assert found.energy_j < full.energy_j


def test_windows_let_more_requests_in_flight():
    model = shard(catalog_entry("gemma-2-9b").architecture, sliding_windows=True)
    full, windows = (scheduler_limits(m, H100, Limits(), 1024) for m in (shard(model), model))
    assert full.kv_blocks == windows.kv_blocks
    assert full.max_concurrency(4096) == windows.max_concurrency(4096)
    # half of the layers keep 4096 of 8192 tokens: three quarters of the cache
    at_most = full.kv_blocks / 256
    assert full.max_concurrency(8192) == int(at_most)
    assert windows.max_concurrency(8192) == int(at_most / 0.75)


def test_run_with_windows_is_that_of_single_iterations():
    """Its energy, in closed form, is the sum over all iterations of what `cost` says of each."""
    model = sliding(300)
    bounds = scheduler_limits(model, H100, Limits(max_num_tokens=256, max_batch_size=128), 128)
    numbers = {"requests": 40, "input_tokens": 280, "output_tokens": 90}
    found = simulate(model, H100, CONSTANTS, bounds, **numbers)
    plan = schedule(**numbers, limits=bounds)
    steps = plan.iterations
    place = np.concatenate([np.arange(n) for n in steps])
    each = {f.name: np.repeat(getattr(plan, f.name), steps) for f in fields(Schedule)}
    each["decode_context"] = each["decode_context"] + place * each["decodes"]
    each["sliding_context"] = each["sliding_context"] + place * each["sliding_decodes"]
    each["iterations"] = np.ones(steps.sum(), dtype=np.int64)
    energy_j = cost(work(model, Schedule(**each)), H100, CONSTANTS).energy_j.sum()
    overhead_j = CONSTANTS.run_overhead_s * CONSTANTS.run_overhead_w
    assert found.energy_j == pytest.approx(energy_j + overhead_j, rel=1e-9)


@pytest.mark.parametrize("engine", ["vllm", "tensorrt-llm"])
def test_graphs_pad_a_run(engine):
    bounds = scheduler_limits(LLAMA, H100, Limits(), 1024, engine)
    padded, plain = run_of(130, 64, 256, bounds=bounds), run_of(130, 64, 256)
    assert padded.energy_j > plain.energy_j
    assert padded.duration_s > plain.duration_s
    assert padded.iterations == plain.iterations


def test_smaller_batch_is_less_efficient():
    energies = [
        run_of(500, 64, 256, bounds=replace(BOUNDS, max_batch_size=batch)).energy_j
        for batch in (8, 32, 128, 500)
    ]
    assert energies == sorted(energies, reverse=True)


def test_request_beyond_the_cache_is_an_engine_error_that_says_how_much_fits():
    bounds = SchedulerLimits(
        max_batch_size=8, max_num_tokens=8192, kv_blocks=4, tokens_per_block=64
    )
    with pytest.raises(EngineError, match=r"200 \+ 100 tokens does not fit .* \(256 tokens\)"):
        run_of(1, 200, 100, bounds=bounds)
    assert run_of(1, 200, 56, bounds=bounds).max_concurrency == 1


def test_limits_of_a_model_come_from_its_cache():
    model = catalog_entry("llama-3.1-8b").architecture
    bounds = scheduler_limits(model, H100, Limits(), 512)
    assert (bounds.max_batch_size, bounds.max_num_tokens) == (512, 8192)
    assert bounds.kv_blocks * bounds.tokens_per_block * model.kv_bytes_per_token < H100.memory_bytes
    with pytest.raises(InputError, match="does not fit"):
        scheduler_limits(model, replace(H100, memory_bytes=10**10), Limits(), 512)
