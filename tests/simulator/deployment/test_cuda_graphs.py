"""Which sizes engines capture, what is padded to them, and what it costs."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.catalog import catalog_entry, gpu, model_ids
from sweetspot.simulator.constants.calibration_file import load_calibration
from sweetspot.simulator.cost.roofline import cost
from sweetspot.simulator.cost.work import Work, padded_rows, work
from sweetspot.simulator.deployment.cuda_graphs import NO_GRAPHS, cuda_graphs
from sweetspot.simulator.deployment.scheduler_limits import SchedulerLimits
from sweetspot.simulator.deployment.shard import shard
from sweetspot.simulator.schedule.identical import schedule

H100 = gpu("h100-sxm")
CONSTANTS = load_calibration(H100).constants
LLAMA = catalog_entry("llama-3.1-8b").architecture
# What is computed for padded rows: linear layers, norms and sums over GPUs; of TensorRT-LLM the
# output head and what GPUs gather of it, too.
PADDED = {
    "norm_elements",
    "gemm_flops",
    "gemm_bytes",
    "elementwise_bytes",
    "message_bytes",
}
WITH_HEAD = {"logit_flops", "gather_bytes"}

engines = st.sampled_from(["vllm", "tensorrt-llm"])
models = st.sampled_from(model_ids()).map(lambda model: catalog_entry(model).architecture)


def graphs_of(engine, batch=1024, tokens=8192):
    return cuda_graphs(engine, batch, tokens)


def plan_of(requests, input_tokens=64, output_tokens=8, tokens=8192):
    limits = SchedulerLimits(
        max_batch_size=1024, max_num_tokens=tokens, kv_blocks=10**6, tokens_per_block=32
    )
    return schedule(
        requests=requests, input_tokens=input_tokens, output_tokens=output_tokens, limits=limits
    )


def padded(graphs, *tokens, prompt_tokens=0):
    counts = np.array(tokens, dtype=np.float64)
    return padded_rows(graphs, counts, np.full(counts.shape, float(prompt_tokens))).tolist()


def test_sizes_of_vllm_are_its_own():
    """Up to twice the batch limit, to 512 and to max_num_tokens, which is a size of its own."""
    sizes = graphs_of("vllm").sizes
    assert sizes == (1, 2, 4, *range(8, 256, 8), *range(256, 513, 16))
    assert graphs_of("vllm", 100).sizes == (1, 2, 4, *range(8, 201, 8))
    assert graphs_of("vllm", 3).sizes == (1, 2, 4)
    assert graphs_of("vllm", 100, 150).sizes == (1, 2, 4, *range(8, 145, 8), 150)


def test_sizes_of_tensorrt_llm_are_its_own():
    """Multiples of 8 up to 128, powers of two, and always the batch limit itself."""
    small = (1, 2, 4, *range(8, 129, 8))
    assert graphs_of("tensorrt-llm").sizes == (*small, 256, 512, 1024)
    assert graphs_of("tensorrt-llm", 1000).sizes == (*small, 256, 512, 1000)
    assert graphs_of("tensorrt-llm", 100).sizes == (*(n for n in small if n < 100), 100)
    assert graphs_of("tensorrt-llm", 1).sizes == (1,)


def test_batch_is_padded_to_the_next_size_and_not_beyond_the_largest():
    assert padded(graphs_of("vllm"), 0, 1, 3, 5, 8, 257, 512, 513) == [
        *(0, 1, 4, 8, 8, 272, 512, 513)
    ]
    assert padded(graphs_of("tensorrt-llm"), 0, 3, 129, 513, 1024, 1025) == [
        *(0, 4, 256, 1024, 1024, 1025)
    ]
    assert padded(NO_GRAPHS, 3, 5) == [3, 5]


def test_only_vllm_replays_steps_with_prompts():
    assert padded(graphs_of("vllm"), 65, 600, prompt_tokens=64) == [72, 600]
    assert padded(graphs_of("tensorrt-llm"), 65, 600, prompt_tokens=64) == [65, 600]


@given(engines, models, st.integers(1, 700), st.sampled_from([1, 2]))
def test_graph_pads_what_it_holds_and_nothing_else(engine, model, requests, gpus):
    part, plan = shard(model, gpus), plan_of(requests, output_tokens=3)
    plain, found = work(part, plan), work(part, plan, graphs_of(engine))
    held = PADDED | (WITH_HEAD if engine == "tensorrt-llm" else set())
    for field in fields(Work):
        before, after = getattr(plain, field.name), getattr(found, field.name)
        if field.name in held:
            assert (after >= before).all()
        else:
            np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("engine", ["vllm", "tensorrt-llm"])
def test_rows_of_a_padded_step_by_hand(engine):
    """Five requests decode as eight."""
    plan = plan_of(5, output_tokens=3)
    plain, found = work(LLAMA, plan), work(LLAMA, plan, graphs_of(engine))
    assert plan.decodes.tolist() == [0, 5]
    for name in ("gemm_flops", "gemm_bytes", "elementwise_bytes"):
        assert getattr(found, name)[1] == pytest.approx(8 / 5 * getattr(plain, name)[1])
    of_head = 8 / 5 if engine == "tensorrt-llm" else 1
    assert found.logit_flops[1] == pytest.approx(of_head * plain.logit_flops[1])
    assert found.logit_flops[0] == plain.logit_flops[0]


@given(engines, models, st.integers(1, 1024), st.integers(1, 600), st.integers(1, 40))
def test_padding_never_makes_a_step_cheaper(engine, model, requests, prompt, answer):
    plan = plan_of(requests, prompt, answer)
    plain = cost(work(model, plan), H100, CONSTANTS)
    found = cost(work(model, plan, graphs_of(engine)), H100, CONSTANTS)
    assert (found.duration_s >= plain.duration_s * (1 - 1e-12)).all()
    assert (found.energy_j >= plain.energy_j * (1 - 1e-12)).all()


@pytest.mark.parametrize("engine", ["vllm", "tensorrt-llm"])
def test_padding_is_nothing_at_captured_sizes_and_something_between(engine):
    graphs = graphs_of(engine)
    for size in graphs.sizes:
        plan = plan_of(size, input_tokens=1024, output_tokens=5)  # with prompts: 1024 and more
        plain, found = (cost(work(LLAMA, plan, g), H100, CONSTANTS) for g in (NO_GRAPHS, graphs))
        only_decode = (plan.prompt_tokens == 0) & (plan.decodes == size)
        assert found.energy_j[only_decode].tolist() == plain.energy_j[only_decode].tolist()
    between = plan_of(9)
    plain, found = (cost(work(LLAMA, between, g), H100, CONSTANTS) for g in (NO_GRAPHS, graphs))
    assert found.energy_j[-1] > plain.energy_j[-1]


def test_larger_batch_limit_captures_no_less():
    for engine in ("vllm", "tensorrt-llm"):
        limits = [1, 7, 64, 100, 256, 300, 1024]
        largest = [graphs_of(engine, batch).sizes[-1] for batch in limits]
        assert largest == sorted(largest)
