"""Which models fit; of others what is missing, in words that add up, and what would fit."""

import re
from dataclasses import replace

import pytest

from sweetspot.catalog import catalog_entry
from sweetspot.catalog.parts import StateLayers
from sweetspot.catalog.quantization import Quantization
from sweetspot.config import Limits, Precision
from sweetspot.errors import InputError
from sweetspot.simulator.deployment.deployment import deploy
from sweetspot.simulator.deployment.memory import RUNTIME_BYTES, activation_bytes, free_bytes

LLAMA = catalog_entry("llama-3.1-8b").architecture
LARGE = replace(LLAMA, id="large", layers=80, hidden=8192, heads=64, ffn=28672)
HUGE = replace(LLAMA, id="huge", layers=126, hidden=16384, heads=128, ffn=53248)


def refused(model, board, **others):
    with pytest.raises(InputError) as error:
        deploy(model, board, **others)
    return str(error.value)


def amounts_gb(said):
    """Return weights, what is beside them, the board's memory and what is missing."""
    found = [float(each) for each in re.findall(r"([\d.e-]+) GB", said)]
    assert len(found) == 4, said
    return found


def test_what_is_missing_adds_up(board):
    said = refused(HUGE, board)
    weights, beside, memory, missing = amounts_gb(said)
    assert weights == pytest.approx(HUGE.weight_bytes / 1e9, abs=0.05)
    needed = activation_bytes(HUGE, 8192, 1024) + RUNTIME_BYTES
    assert beside == pytest.approx(needed / 1e9, abs=0.05)
    assert memory == pytest.approx(board.memory_bytes / 1e9, abs=0.05)
    assert missing == pytest.approx(weights + beside - memory, abs=0.2)


def test_few_bytes_have_digits_that_count(board):
    said = refused(LLAMA, replace(board, id="tiny", memory_bytes=12_582_912))
    assert "and the board has 0.013 GB" in said
    assert "; choose a smaller model or a GPU with more memory" in said


def test_what_is_offered_fits_and_less_does_not(board):
    said = refused(LARGE, board)
    assert "; tensor_parallel 2 (--tp 2) or weights in FP8 (--weights fp8) fits, or" in said
    deploy(LARGE, board, limits=Limits(tensor_parallel=2))
    deploy(LARGE, board, precision=Precision(weights="fp8"))

    said = refused(HUGE, board)
    assert "; weights in FP8 (--weights fp8 --tp 8) fits, or choose a smaller" in said
    fp8 = Precision(weights="fp8")
    deploy(HUGE, board, limits=Limits(tensor_parallel=8), precision=fp8)
    refused(HUGE, board, limits=Limits(tensor_parallel=4), precision=fp8)
    assert "tensor_parallel" not in refused(HUGE, board, limits=Limits(tensor_parallel=8))


def test_nothing_is_offered_that_a_board_has_not_or_that_is_so_already():
    said = refused(LARGE, "a100-80gb")
    assert "tensor_parallel 2 (--tp 2) fits" in said
    assert "FP8" not in said
    said = refused(HUGE, "l4", precision=Precision(weights="fp8"))
    assert "; choose a smaller model or a GPU with more memory" in said


def test_limits_are_offered_where_weights_leave_room(board):
    small = replace(board, memory_bytes=LLAMA.weight_bytes + 2 * RUNTIME_BYTES)
    assert "a lower max_batch_size or max_num_tokens fits" in refused(LLAMA, small)
    deploy(LLAMA, small, limits=Limits(max_batch_size=1, max_num_tokens=64))
    smaller = replace(board, memory_bytes=LLAMA.weight_bytes)
    assert "a lower max" not in refused(LLAMA, smaller)


def test_quantized_checkpoint_is_offered_no_fp8(board):
    four_bits = Quantization(name="AWQ weights", attention_bits=4.25, ffn_bits=4.5)
    said = refused(replace(LARGE, quantization=four_bits), replace(board, memory_bytes=30 * 10**9))
    assert "large does not fit" in said
    assert "FP8" not in said


def test_states_are_named_where_there_are_any(board):
    state = StateLayers(layers=36, heads=128, head_dim=64, state=128, groups=1, kernel=4, chunk=256)
    assert "activations, states and runtime " in refused(replace(LLAMA, state=state), board)


def test_last_byte_decides(board):
    full = replace(board, memory_bytes=board.memory_bytes - free_bytes(LLAMA, board, 8192, 1024))
    assert "does not fit" in refused(LLAMA, full)
    deploy(LLAMA, replace(full, memory_bytes=full.memory_bytes + 1))
