"""The tables of step costs against `cost` itself, for every model of the catalog."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.catalog import model_ids
from sweetspot.config import Limits, Precision, Traits
from sweetspot.simulator.cost.clocks import waiting_power_w
from sweetspot.simulator.cost.roofline import cost
from sweetspot.simulator.cost.step_costs import StepCosts
from sweetspot.simulator.cost.work import work
from sweetspot.simulator.deployment.deployment import deploy
from sweetspot.simulator.schedule.identical import Schedule
from sweetspot.simulator.schedule.segments import Ran, Segment

LIMITS = Limits(max_batch_size=256, max_num_tokens=1024)
PUBLISHED = yaml.load(
    (Path(__file__).parents[2] / "catalog/published_models.yaml").read_text(encoding="utf-8"),
    yaml.CSafeLoader,
)
BOARDS = ("h100-sxm", "a100-80gb")
FP8 = Precision(weights="fp8", kv_cache="fp8")


def deployed(model, board="h100-sxm", limits=LIMITS, gpus=1, precision=None, **traits):
    limits = replace(limits, tensor_parallel=gpus)
    return deploy(model, board, limits=limits, precision=precision, traits=Traits(**traits))


def with_settings(model, engine="tensorrt-llm", board="h100-sxm", precision=None, **settings):
    """Return a deployment on a board that is set to other clocks or another limit."""
    found = deploy(model, board, limits=LIMITS, engine=engine, precision=precision)
    return replace(found, gpu=replace(found.gpu, **settings))


DEPLOYED = {(model, board): deployed(model, board) for model in model_ids() for board in BOARDS} | {
    "4 GPUs, FP8": deployed("llama-3.1-8b", gpus=4, precision=FP8),
    "windows, 2 GPUs, FP8": deployed("gemma-2-9b", gpus=2, precision=FP8, sliding_windows=True),
    "windows, graphs": deployed("gemma-2-2b", sliding_windows=True, cuda_graphs="vllm"),
    "graphs of vLLM": deployed("llama-3.2-1b", "l40s", cuda_graphs="vllm"),
    "graphs of TensorRT-LLM": deployed("llama-3.2-1b", "h200-sxm", cuda_graphs="tensorrt-llm"),
    "4 GPUs, FP8, graphs": deployed(
        *("llama-3.1-8b", "h200-sxm"), gpus=4, precision=FP8, cuda_graphs="tensorrt-llm"
    ),
    "experts, windows": deployed(
        PUBLISHED["openai/gpt-oss-20b"]["config"], sliding_windows=True, cuda_graphs="vllm"
    ),
    "experts, latent attention, FP8": deployed(
        PUBLISHED["deepseek-ai/DeepSeek-V2-Lite"]["config"], precision=FP8
    ),
    "experts, states": deployed(PUBLISHED["ibm-granite/granite-4.0-h-tiny"]["config"]),
    "experts, states, 2 GPUs": deployed(
        PUBLISHED["Qwen/Qwen3.5-35B-A3B"]["config"], "h200-sxm", gpus=2
    ),
}
DEPLOYED |= {
    "low limit": with_settings("llama-3.1-8b", power_limit_w=400.0),
    "lowest clock": with_settings("gemma-2-2b", power_limit_w=220.0),
    "locked": with_settings("llama-3.1-8b", clock_share=0.6),
    "locked, low limit": with_settings("opt-2.7b", clock_share=0.8, power_limit_w=350.0),
    "host ahead": with_settings("llama-3.2-1b", "vllm"),
    "host ahead, low limit": with_settings("llama-3.2-1b", "vllm", power_limit_w=300.0),
    "host ahead, locked": with_settings("gemma-2-2b", "vllm", clock_share=0.6),
    "uncompiled": with_settings("gemma-2-9b", "vllm-uncompiled", "h200-sxm"),
    "vLLM, FP8, low limit": with_settings(
        *("llama-3.1-8b", "vllm", "h200-sxm"), FP8, power_limit_w=300.0
    ),
    "vLLM, experts": with_settings(
        PUBLISHED["openai/gpt-oss-20b"]["config"], "vllm", power_limit_w=350.0
    ),
}
PLAIN = ("llama-3.1-8b", "h100-sxm")
KEYS = sorted(DEPLOYED, key=str)
CLOCKS = {key: StepCosts.of(deployment) for key, deployment in DEPLOYED.items()}


def costed(deployment, segment, iterations):
    """Return what `cost` says of a segment: duration, energy, clocks and waits for the host."""
    counts = segment._asdict() | {"iterations": iterations}
    del counts["wake_s"]
    plan = Schedule(**{name: np.array([value]) for name, value in counts.items()})
    done = work(deployment.part, plan, deployment.bounds.graphs)
    found = cost(done, deployment.gpu, deployment.constants)
    return Ran(
        iterations,
        found.duration_s.item(),
        deployment.part.gpus * found.energy_j.item(),
        found.full_clock_s.item(),
        found.host_s.item(),
    )


def alike(expected):
    return pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(
    st.sampled_from(KEYS),
    st.integers(1, 256),
    st.integers(0, 8000),
    st.integers(1, 4000),
    st.data(),
)
def test_decode_costs_what_cost_says(key, decodes, context, iterations, data):
    segment = Segment(
        iterations,
        float("inf"),
        decodes,
        decodes * context,
        sliding_context=data.draw(st.integers(0, decodes * context)),
        sliding_decodes=data.draw(st.integers(0, decodes)),
    )
    assert CLOCKS[key].run(segment, 0.0) == alike(costed(DEPLOYED[key], segment, iterations))


@given(st.sampled_from(KEYS), st.data())
def test_iteration_with_prompts_costs_what_cost_says(key, data):
    prompts = data.draw(st.integers(1, 100))
    decodes = data.draw(st.integers(0, 256 - prompts))
    tokens = data.draw(st.integers(prompts, 1024 - decodes))
    context = decodes * data.draw(st.integers(0, 8000))
    pairs, earlier = data.draw(st.integers(tokens, tokens * 4000)), data.draw(st.integers(0, 8000))
    segment = Segment(
        *(1, float("inf"), decodes, context, tokens, pairs, earlier, prompts),
        prompts_finished=data.draw(st.integers(0, prompts)),
        sliding_context=data.draw(st.integers(0, context)),
        sliding_decodes=data.draw(st.integers(0, decodes)),
        sliding_pairs=data.draw(st.integers(tokens, pairs)),
        sliding_prompt_context=data.draw(st.integers(0, earlier)),
    )
    assert CLOCKS[key].run(segment, 0.0) == alike(costed(DEPLOYED[key], segment, 1))


@given(
    st.sampled_from([PLAIN, "low limit", "host ahead, low limit"]),
    st.integers(1, 256),
    st.integers(0, 5000),
    st.floats(1e-6, 20),
    st.integers(1, 3000),
)
def test_decode_ends_with_the_iteration_in_which_the_wake_comes(
    key, decodes, context, wait_s, most
):
    segment = Segment(most, 3.0 + wait_s, decodes, decodes * context)
    ran = CLOCKS[key].run(segment, 3.0)
    assert ran == alike(costed(DEPLOYED[key], segment, ran.iterations))
    if ran.iterations < most:
        assert ran.duration_s >= wait_s * (1 - 1e-9)
    if ran.iterations > 1:
        before = costed(DEPLOYED[key], segment, ran.iterations - 1)
        assert before.duration_s <= wait_s * (1 + 1e-9)


@pytest.mark.parametrize("key", [PLAIN, "locked", "4 GPUs, FP8"])
def test_wait_draws_waiting_power_on_every_board(key):
    deployment = DEPLOYED[key]
    share = deployment.gpu.clock_share
    waiting_w = deployment.part.gpus * waiting_power_w(deployment.constants.board, share)
    ran = CLOCKS[key].run(Segment(0, 7.5), 5.0)
    assert ran == alike((0, 2.5, 2.5 * waiting_w, share * 2.5, 0.0))


@pytest.mark.parametrize(
    ("limits", "segment"),
    [
        (Limits(max_batch_size=64, max_num_tokens=64), (63, 6300, 1, 1, 0, 1, 1)),
        (Limits(), (1023, 10**6, 8192 - 1023, 10**7, 0, 1, 1)),
    ],
    ids=["a budget of just a batch", "the paper's limits"],
)
def test_fullest_iteration_within_the_limits_has_its_tables(limits, segment):
    deployment = deployed("llama-3.1-8b", limits=limits)
    fullest = Segment(1, float("inf"), *segment)
    assert StepCosts.of(deployment).run(fullest, 0.0) == alike(costed(deployment, fullest, 1))
