"""What is deployed: its part, what bounds its batch, its words, and what cannot be served."""

from dataclasses import replace

import pytest

from sweetspot.catalog import catalog_entry, gpu
from sweetspot.catalog.quantization import FP8_WEIGHTS
from sweetspot.config import Limits, Precision, Traits, parse_section
from sweetspot.errors import InputError
from sweetspot.simulator.constants.calibration_file import load_calibration
from sweetspot.simulator.deployment.cuda_graphs import NO_GRAPHS, cuda_graphs
from sweetspot.simulator.deployment.deployment import (
    Deployment,
    asked_limits,
    deploy,
)
from sweetspot.simulator.deployment.windows import NO_WINDOWS

LLAMA = catalog_entry("llama-3.1-8b").architecture
LARGE = replace(LLAMA, id="llama-70b", layers=80, hidden=8192, heads=64, ffn=28672)
FP8 = Precision(weights="fp8", kv_cache="fp8")
VLLM = Traits(sliding_windows=True, cuda_graphs="vllm")


def test_names_and_what_they_name_are_one_deployment(board):
    named = deploy("llama-3.1-8b", "h100-sxm")
    assert deploy(LLAMA, board) == named
    assert (named.model, named.gpu, named.limits) == (LLAMA, board, Limits())
    assert named.calibration == load_calibration(board)


def test_bounds_are_those_of_limits_and_memory(board):
    limits = Limits(max_batch_size=48, max_num_tokens=512, tokens_per_block=64)
    bounds = deploy(LLAMA, board, limits=limits).bounds
    assert (bounds.max_batch_size, bounds.max_num_tokens, bounds.tokens_per_block) == (48, 512, 64)
    cache_bytes = bounds.kv_blocks * 64 * LLAMA.kv_bytes_per_token
    assert 0 < cache_bytes < board.memory_bytes - LLAMA.weight_bytes
    assert (bounds.graphs, bounds.windows) == (NO_GRAPHS, NO_WINDOWS)
    half = replace(limits, kv_cache_memory_fraction=0.45)
    assert abs(bounds.kv_blocks - 2 * deploy(LLAMA, board, limits=half).bounds.kv_blocks) <= 1


@pytest.mark.parametrize("engine", ["none", "vllm", "tensorrt-llm"])
def test_graphs_are_those_of_the_batch_limit(board, engine):
    limits = Limits(max_batch_size=48)
    bounds = deploy(LLAMA, board, limits=limits, traits=Traits(cuda_graphs=engine)).bounds
    assert bounds.graphs == cuda_graphs(engine, 48, 8192)
    assert replace(bounds, graphs=NO_GRAPHS) == deploy(LLAMA, board, limits=limits).bounds


def test_windows_are_those_of_a_model_that_has_any(board):
    gemma = deploy("gemma-2-2b", board, traits=VLLM)
    assert gemma.bounds.windows.tokens == 4096
    assert gemma.traits == VLLM
    llama = deploy(LLAMA, board, traits=VLLM)
    assert llama.bounds.windows == NO_WINDOWS
    assert llama.traits == Traits(cuda_graphs="vllm")  # as if nobody had asked for windows
    assert deploy("gemma-2-2b", board).bounds.windows == NO_WINDOWS


def test_words_say_what_is_other_than_the_papers():
    assert deploy(LLAMA, "h100-sxm").words == ""
    limits = Limits(tensor_parallel=2)
    found = deploy("gemma-2-9b", "h100-sxm", limits=limits, precision=FP8, traits=VLLM)
    assert found.words == (
        "2 GPUs, FP8 weights, FP8 KV cache, sliding windows, CUDA graphs of vLLM"
    )


def test_words_of_what_was_chosen_leave_out_what_the_checkpoint_is():
    """Cells of a quantized model and of another rest on the same constants."""
    model = replace(LLAMA, quantization=FP8_WEIGHTS)
    found = deploy(model, "h100-sxm", precision=Precision(kv_cache="fp8"))
    assert (found.words, found.chosen) == ("FP8 weights, FP8 KV cache", "FP8 KV cache")
    assert deploy(model, "h100-sxm").chosen == ""
    assert deploy(LLAMA, "h100-sxm", precision=FP8).chosen == "FP8 weights, FP8 KV cache"


def test_other_constants_change_nothing_else(constants):
    found = deploy(LLAMA, "h100-sxm")
    other = found.with_constants(constants.having(run_overhead_s=0.0))
    assert other.constants.engine.run_overhead_s == 0
    assert other.with_constants(constants) == found
    assert other.bounds == found.bounds


def test_large_model_fits_two_boards_in_fp8_and_not_one_in_16_bits(board):
    two = Limits(tensor_parallel=2)
    bounds = deploy(LARGE, board, limits=two, precision=FP8).bounds
    assert bounds.kv_blocks * bounds.tokens_per_block > 100_000
    with pytest.raises(InputError, match="llama-70b does not fit h100-sxm: its weights take 141"):
        deploy(LARGE, board)
    with pytest.raises(InputError, match="does not fit any of 2 x a100-40gb: its weights take 70"):
        deploy(LARGE, "a100-40gb", limits=two)


def test_kv_cache_of_all_boards_holds_as_many_tokens_as_one(board):
    """Two boards share the heads, so that a token needs half as much on each."""
    one, two = (
        deploy(LLAMA, board, limits=Limits(tensor_parallel=gpus)).bounds.kv_blocks
        for gpus in (1, 2)
    )
    assert two > 2 * one  # twice the memory for the same weights


@pytest.mark.parametrize(
    ("precision", "what"),
    [(FP8, "weights"), (Precision(weights="fp8"), "weights"), (Precision(kv_cache="fp8"), "kv")],
)
def test_gpu_without_fp8_refuses_it(precision, what):
    with pytest.raises(InputError, match=f"a100-80gb has no FP8 .*: set {what}"):
        deploy(LLAMA, "a100-80gb", precision=precision)


def test_it_is_refused_when_it_is_made_and_not_when_it_is_used(board):
    plain = deploy(LLAMA, board)
    small = replace(board, memory_bytes=LLAMA.weight_bytes)
    with pytest.raises(InputError, match="does not fit"):
        replace(plain, gpu=small)
    with pytest.raises(InputError, match="cannot be shared by tensor_parallel 3 GPUs"):
        Deployment(
            model=LLAMA,
            gpu=gpu("h100-sxm"),
            calibration=plain.calibration,
            limits=Limits(tensor_parallel=3),
        )


def test_limits_asked_for_have_the_defaults_of_what_is_left_out():
    short = catalog_entry("opt-1.3b").architecture
    assert asked_limits(short, max_batch_size=None, tokens_per_block=None) == Limits()
    assert asked_limits(short, max_batch_size=10_000).max_num_tokens == 10_000
    assert asked_limits(short, max_batch_size=64).max_num_tokens == 8192
    assert asked_limits(LLAMA).max_seq_len == LLAMA.max_positions == 131072
    assert asked_limits(LLAMA, max_seq_len=100).max_seq_len == 100


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        (Limits, {"tensor_parallel": 16}, "tensor_parallel must be an integer from 1 to 8, not 16"),
        (Traits, {"cuda_graphs": "on"}, "cuda_graphs must be 'none', 'vllm' or 'tensorrt-llm'"),
        (Precision, {"weights": None}, "weights must be 'model' or 'fp8', not None"),
    ],
)
def test_value_that_cannot_be_is_refused_by_name(section, values, message):
    with pytest.raises(InputError, match=message):
        parse_section(section, values)
