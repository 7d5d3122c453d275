"""What is left for the KV cache, and which models do not fit."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.catalog import catalog_entry, gpu, gpu_ids, model_ids
from sweetspot.catalog.parts import Experts, StateLayers
from sweetspot.simulator.deployment.memory import (
    RUNTIME_BYTES,
    activation_bytes,
    free_bytes,
    kv_cache_blocks,
)

LLAMA = catalog_entry("llama-3.1-8b").architecture


def blocks(architecture, board, *, fraction=0.9, batch=1024, unit=64):
    return kv_cache_blocks(
        architecture,
        board,
        max_num_tokens=8192,
        max_batch_size=batch,
        memory_fraction=fraction,
        tokens_per_block=unit,
    )


def test_memory_is_the_sum_of_its_parts(board):
    activations = activation_bytes(LLAMA, 8192, 1024)
    free = free_bytes(LLAMA, board, 8192, 1024)
    assert free + activations + LLAMA.weight_bytes + RUNTIME_BYTES == board.memory_bytes


def test_activations_by_hand():
    # residual, normed, attention and FFN output 4 x 4096; Q 4096, K and V 2 x 1024; 2 x 14336
    per_token = (4 * 4096 + 4096 + 2 * 1024 + 2 * 14336) * 2
    assert activation_bytes(LLAMA, 100, 0) == 100 * per_token
    assert activation_bytes(LLAMA, 0, 10) == 10 * 128256 * 12  # three FP32 copies of the logits


@pytest.mark.parametrize("model_id", model_ids())
def test_blocks_fill_their_share_and_no_more(board, model_id):
    architecture = catalog_entry(model_id).architecture
    found = blocks(architecture, board)
    share = 0.9 * free_bytes(architecture, board, 8192, 1024)
    block_bytes = 64 * architecture.kv_bytes_per_token
    assert found * block_bytes <= share < (found + 1) * block_bytes


@given(
    low=st.floats(0.05, 1),
    high=st.floats(0.05, 1),
    small=st.integers(1, 64),
    gpu_id=st.sampled_from(gpu_ids()),
)
def test_more_share_or_smaller_batches_never_shrink_the_cache(low, high, small, gpu_id):
    board = gpu(gpu_id)
    low, high = sorted((low, high))
    assert blocks(LLAMA, board, fraction=low) <= blocks(LLAMA, board, fraction=high)
    assert blocks(LLAMA, board, batch=1024) <= blocks(LLAMA, board, batch=small)


def test_model_without_room_has_no_blocks(board):
    assert blocks(LLAMA, replace(board, memory_bytes=LLAMA.weight_bytes)) == 0


def test_states_lie_there_for_a_full_batch(board):
    """TensorRT-LLM lays them out before any request comes."""
    state = StateLayers(layers=3, heads=8, head_dim=64, state=128, groups=1, kernel=4, chunk=256)
    hybrid = replace(LLAMA, state=state)
    of_sequence = 3 * 2 * (8 * 64 * 128 + (8 * 64 + 2 * 128) * 3)
    weights = hybrid.weight_bytes - LLAMA.weight_bytes
    fewer = free_bytes(LLAMA, board, 8192, 1024) - free_bytes(hybrid, board, 8192, 1024)
    assert fewer == weights + 1024 * of_sequence


def test_activations_of_experts_are_a_tokens_in_each_that_it_is_sent_to():
    experts = Experts(layers=32, count=8, per_token=2, ffn=14336, shared_ffn=1000)
    per_token = (4 * 4096 + 4096 + 2 * 1024 + 2 * (2 * 4096 + 2 * 14336) + 2 * 1000) * 2
    assert activation_bytes(replace(LLAMA, experts=experts), 100, 0) == 100 * per_token
