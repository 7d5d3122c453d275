"""Whole runs: the trace holds all energy, tokens are complete, and directions are right."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweetspot.catalog import catalog_entry, gpu, model_ids
from sweetspot.config import Limits, Traits
from sweetspot.errors import EngineError
from sweetspot.metering.trace import window_energy_j
from sweetspot.simulator.constants.calibration_file import load_calibration
from sweetspot.simulator.cost.roofline import cost
from sweetspot.simulator.cost.work import work
from sweetspot.simulator.deployment.deployment import deploy
from sweetspot.simulator.deployment.memory import free_bytes
from sweetspot.simulator.deployment.shard import shard
from sweetspot.simulator.run import Sent, simulate, simulate_benchmark, simulate_each
from sweetspot.simulator.schedule.identical import Schedule, schedule

H100 = gpu("h100-sxm")
CONSTANTS = load_calibration(H100).constants
LLAMA = catalog_entry("llama-3.2-1b").architecture
GEMMA = catalog_entry("gemma-2-2b").architecture

models = st.sampled_from(model_ids()).map(lambda model: catalog_entry(model).architecture)
sizes = {
    "requests": st.integers(1, 300),
    "input_tokens": st.integers(1, 4096),
    "output_tokens": st.integers(1, 1000),
}


def deployed(model=LLAMA, board=H100, constants=CONSTANTS, traits=None, **limits):
    found = deploy(model, board, limits=Limits(**limits), traits=traits)
    return found.with_constants(constants)


def run_of(requests, input_tokens, output_tokens, **deployment):
    return simulate(
        deployed(**deployment),
        requests=requests,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
    )


@given(**sizes, model=models)
def test_trace_integrates_to_the_sum_of_its_parts(requests, input_tokens, output_tokens, model):
    found = run_of(requests, input_tokens, output_tokens, model=model, max_batch_size=256)
    plan = schedule(
        requests=requests,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        limits=deployed(model, max_batch_size=256).bounds,
    )
    parts = cost(work(model, plan), H100, CONSTANTS)
    assert found.energy_j == pytest.approx(parts.energy_j.sum(), rel=1e-9)
    assert found.duration_s == pytest.approx(parts.duration_s.sum(), rel=1e-9)
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
    assert (found.trace.power_w >= CONSTANTS.board.active_power_w * (1 - 1e-9)).all()


@pytest.mark.parametrize("gpus", [1, 2])
def test_benchmark_ends_after_the_work(gpus):
    """Each board draws the same in a window's end, in which it runs nothing."""
    numbers = {"requests": 3, "input_tokens": 64, "output_tokens": 8}
    deployment = deployed(tensor_parallel=gpus)
    work_alone, found = (f(deployment, **numbers) for f in (simulate, simulate_benchmark))
    end = CONSTANTS.engine
    end_j = gpus * end.run_overhead_s * end.run_overhead_w
    assert end_j > 0
    assert found.duration_s == pytest.approx(work_alone.duration_s + end.run_overhead_s)
    assert found.energy_j == pytest.approx(work_alone.energy_j + end_j)
    none = deployment.with_constants(CONSTANTS.having(run_overhead_s=0.0))
    assert simulate_benchmark(none, **numbers).energy_j == pytest.approx(work_alone.energy_j)


def test_cell_of_the_papers_grid_is_complete():
    found = run_of(1000, 512, 256)
    assert found.output_tokens == 1000 * 256
    assert found.max_concurrency == 1000 + 24  # the engine's 1024: 768 tokens each fit the cache


@given(**sizes, model=models)
def test_one_request_more_takes_more(requests, input_tokens, output_tokens, model):
    less, more = (
        run_of(n, input_tokens, output_tokens, model=model, max_batch_size=64)
        for n in (requests, requests + 1)
    )
    assert more.energy_j > less.energy_j
    assert more.duration_s > less.duration_s


@given(**sizes, model=models, longer=st.integers(1, 1000))
def test_longer_output_takes_more(requests, input_tokens, output_tokens, model, longer):
    less, more = (
        run_of(requests, input_tokens, o, model=model, max_batch_size=64)
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
    if name != "power_limit_w":  # a lower one may save energy
        assert slow.energy_j >= fast.energy_j * (1 - 3e-3)


def test_clock_and_host_are_shares_of_the_iterations_time():
    """A run at the limit, a locked one, and one paced by a host that works ahead."""
    at_limit = run_of(300, 1024, 64)
    assert 0.5 < at_limit.clock_share < 0.95
    quiet = CONSTANTS.having(request_energy_j=0.0)
    locked = run_of(300, 64, 64, board=replace(H100, clock_share=0.5), constants=quiet)
    assert locked.clock_share == pytest.approx(0.5)
    waits = run_of(4, 64, 64, constants=CONSTANTS.having(step_overhead_s=5e-3))
    assert waits.host_bound_share == pytest.approx(
        64 * (5e-3 + 4 * CONSTANTS.engine.sequence_overhead_s) / waits.duration_s
    )
    ahead = CONSTANTS.having(host_ahead=1.0, step_overhead_s=5e-3, sequence_overhead_s=0.0)
    paced = run_of(4, 64, 64, constants=ahead)
    assert paced.duration_s == pytest.approx(64 * 5e-3)
    assert 0.3 < paced.host_bound_share < 1
    assert run_of(300, 1024, 64, constants=CONSTANTS.having(host_ahead=1.0)).host_bound_share == 0


WINDOWS = Traits(sliding_windows=True)


def sliding(window, layers=13):
    """Return Gemma 2 2B, 26 layers, with such windows."""
    return replace(GEMMA, sliding_window=window, sliding_layers=layers)


@given(**sizes, window=st.integers(1, 6000), layers=st.integers(1, 26))
def test_windows_never_cost_more_than_full_attention(
    requests, input_tokens, output_tokens, window, layers
):
    """Everything else alike: with the same requests in flight, so that the cache is large."""
    large = {"board": replace(H100, memory_bytes=10**13), "max_batch_size": 64}
    model = sliding(window, layers)
    full = run_of(requests, input_tokens, output_tokens, model=model, **large)
    found = run_of(requests, input_tokens, output_tokens, model=model, traits=WINDOWS, **large)
    assert found.energy_j <= full.energy_j * (1 + 1e-12)
    assert found.duration_s <= full.duration_s * (1 + 1e-12)
    if window >= input_tokens + output_tokens:
        assert found.energy_j == pytest.approx(full.energy_j, rel=1e-12)
        assert found.iterations == full.iterations
    if input_tokens > window:
        assert found.energy_j < full.energy_j


def test_windows_let_more_requests_in_flight():
    model = catalog_entry("gemma-2-9b").architecture
    full, windows = (deployed(model, traits=traits).bounds for traits in (None, WINDOWS))
    assert full.kv_blocks == windows.kv_blocks
    assert full.max_concurrency(4096) == windows.max_concurrency(4096)
    # half of the layers keep 4096 of 8192 tokens: three quarters of the cache
    at_most = full.kv_blocks / 256
    assert full.max_concurrency(8192) == int(at_most)
    assert windows.max_concurrency(8192) == int(at_most / 0.75)


def test_run_with_windows_is_that_of_single_iterations():
    """Its energy, in closed form, is the sum over all iterations of what `cost` says of each."""
    deployment = deployed(sliding(300), traits=WINDOWS, max_num_tokens=256, max_batch_size=128)
    numbers = {"requests": 40, "input_tokens": 280, "output_tokens": 90}
    found = simulate(deployment, **numbers)
    plan = schedule(**numbers, limits=deployment.bounds)
    steps = plan.iterations
    place = np.concatenate([np.arange(n) for n in steps])
    each = {f.name: np.repeat(getattr(plan, f.name), steps) for f in fields(Schedule)}
    each["decode_context"] = each["decode_context"] + place * each["decodes"]
    each["sliding_context"] = each["sliding_context"] + place * each["sliding_decodes"]
    each["iterations"] = np.ones(steps.sum(), dtype=np.int64)
    energy_j = cost(work(deployment.part, Schedule(**each)), H100, CONSTANTS).energy_j.sum()
    assert found.energy_j == pytest.approx(energy_j, rel=1e-9)


@pytest.mark.parametrize("engine", ["vllm", "tensorrt-llm"])
def test_graphs_pad_a_run(engine):
    padded = run_of(130, 64, 256, traits=Traits(cuda_graphs=engine))
    plain = run_of(130, 64, 256)
    assert padded.energy_j > plain.energy_j
    assert padded.duration_s > plain.duration_s
    assert padded.iterations == plain.iterations


def test_smaller_batch_is_less_efficient():
    energies = [run_of(500, 64, 256, max_batch_size=batch).energy_j for batch in (8, 32, 128, 500)]
    assert energies == sorted(energies, reverse=True)


def test_request_beyond_the_cache_is_an_engine_error_that_says_how_much_fits():
    """A board whose memory has room for four blocks of 64 tokens, and a bit."""
    limits = {"max_batch_size": 8, "tokens_per_block": 64, "kv_cache_memory_fraction": 1}
    free = free_bytes(shard(LLAMA), H100, Limits().max_num_tokens, 8)
    spare = free - 4.5 * 64 * LLAMA.kv_bytes_per_token
    board = replace(H100, memory_bytes=H100.memory_bytes - int(spare))
    with pytest.raises(EngineError, match=r"200 \+ 100 tokens does not fit .* \(256 tokens\)"):
        run_of(1, 200, 100, board=board, **limits)
    assert run_of(1, 200, 56, board=board, **limits).max_concurrency == 1


@pytest.mark.parametrize("together", [1, 100, 10**6])
@pytest.mark.parametrize("board", ["h100-sxm", "l40s"])
def test_runs_that_are_costed_together_are_those_of_each_alone(monkeypatch, board, together):
    monkeypatch.setattr("sweetspot.simulator.run.TOGETHER", together)
    # the third cannot be: the cache holds no such request
    sent = [Sent(300, 64, 100), Sent(1, 1, 1), Sent(1, 10**7, 1), Sent(40, 900, 700)]
    deployment = deploy(LLAMA, gpu(board))
    found = list(simulate_each(deployment, sent))
    assert found.pop(2) is None
    with pytest.raises(EngineError, match="does not fit"):
        simulate(deployment, **sent.pop(2)._asdict())
    for run, alone in zip(
        found, (simulate(deployment, **each._asdict()) for each in sent), strict=True
    ):
        for name in ("t_s", "power_w"):
            np.testing.assert_array_equal(getattr(run.trace, name), getattr(alone.trace, name))
        for f in fields(run)[1:]:
            assert getattr(run, f.name) == getattr(alone, f.name)
