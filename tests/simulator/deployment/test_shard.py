"""Parts of a model: what is split and what is not, memory, and what is refused."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.catalog import architecture_from_config, catalog_entry, gpu, gpu_ids, model_ids
from sweetspot.catalog.packaged import read_packaged
from sweetspot.catalog.quantization import FP8_WEIGHTS, Quantization
from sweetspot.config import Limits, Precision
from sweetspot.errors import InputError
from sweetspot.simulator.cost.traffic import fp8_input_bytes
from sweetspot.simulator.cost.work import Work, work
from sweetspot.simulator.deployment.deployment import deploy
from sweetspot.simulator.deployment.memory import free_bytes
from sweetspot.simulator.deployment.scheduler_limits import SchedulerLimits
from sweetspot.simulator.deployment.shard import Shard, as_shard, possible, shard
from sweetspot.simulator.deployment.windows import NO_WINDOWS
from sweetspot.simulator.run import simulate
from sweetspot.simulator.schedule.identical import schedule

FP8 = Precision(weights="fp8", kv_cache="fp8")
LLAMA = catalog_entry("llama-3.1-8b").architecture
GPT_OSS = {  # of openai/gpt-oss-20b
    "model_type": "gpt_oss",
    "hidden_size": 2880,
    "num_hidden_layers": 24,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "intermediate_size": 2880,
    "vocab_size": 201088,
    "num_local_experts": 32,
    "num_experts_per_tok": 4,
    "attention_bias": True,
    "torch_dtype": "bfloat16",
}
# its vocabulary is not a multiple of anything: shares of it are rounded up
LARGE = replace(LLAMA, id="llama-70b", layers=80, hidden=8192, heads=64, ffn=28672, vocab=128_257)
SPLIT = (
    *("gemm_flops", "weight_bytes", "prompt_flops", "decode_flops", "decode_flops_growth"),
    *("prompt_bytes", "kv_bytes", "kv_bytes_growth"),
)
WHOLE = ("iterations", "layers", "sequences", "prompts_finished", "logits")

architectures = st.sampled_from([*model_ids(), "llama-70b"]).map(
    lambda model: LARGE if model == "llama-70b" else catalog_entry(model).architecture
)
precisions = st.builds(
    Precision, weights=st.sampled_from(["model", "fp8"]), kv_cache=st.sampled_from(["model", "fp8"])
)
plans = st.builds(
    schedule,
    requests=st.integers(1, 40),
    input_tokens=st.integers(1, 3000),
    output_tokens=st.integers(1, 60),
    limits=st.builds(
        SchedulerLimits,
        max_batch_size=st.integers(1, 64),
        max_num_tokens=st.just(8192),
        kv_blocks=st.integers(100, 10_000),
        tokens_per_block=st.just(32),
    ),
)


@given(architecture=architectures, plan=plans, precision=precisions, data=st.data())
def test_parts_together_do_the_work_of_the_whole(architecture, plan, precision, data):
    gpus = data.draw(st.sampled_from(possible(architecture)))
    copies = max(1, gpus // architecture.kv_heads)  # of each KV head, and of what projects to it
    held = replace(architecture, kv_heads=copies * architecture.kv_heads)
    whole = work(shard(held, 1, precision), plan)
    part = work(shard(architecture, gpus, precision), plan)
    for name in SPLIT:
        np.testing.assert_allclose(gpus * getattr(part, name), getattr(whole, name), rtol=1e-13)
    for name in WHOLE:
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name))
    padding = gpus * -(-architecture.vocab // gpus) / architecture.vocab
    np.testing.assert_allclose(gpus * part.logit_flops, padding * whole.logit_flops, rtol=1e-13)
    assert (part.gemm_bytes <= whole.gemm_bytes).all()


@given(architecture=architectures, plan=plans)
def test_whole_model_on_one_gpu_is_the_architecture_itself(architecture, plan):
    plain, part = work(architecture, plan), work(shard(architecture), plan)
    for field in fields(Work):
        np.testing.assert_array_equal(getattr(plain, field.name), getattr(part, field.name))
    only = as_shard(architecture)
    assert only.weight_bytes == architecture.weight_bytes
    assert only.kv_bytes_per_token == architecture.kv_bytes_per_token
    assert not plain.all_reduces.any()
    assert not plain.message_bytes.any()
    assert not plain.fp8_gemms.any()
    size = architecture.bytes_per_element
    assert (plain.weight_bytes == architecture.linear_weights * size).all()


def test_windows_are_forgotten_unless_the_engine_honours_them():
    for model in model_ids():
        architecture = catalog_entry(model).architecture
        for gpus in possible(architecture):
            ignored = shard(architecture, gpus, FP8)
            kept = shard(architecture, gpus, FP8, sliding_windows=True)
            assert (ignored.sliding_window, ignored.sliding_layers) == (None, 0)
            assert ignored.windows == NO_WINDOWS
            assert kept.sliding_window == architecture.sliding_window
            assert kept.windows.sliding_layers == architecture.sliding_layers
            assert (kept.windows == NO_WINDOWS) == (architecture.sliding_layers == 0)
            assert replace(kept, sliding_window=None, sliding_layers=0) == ignored


def test_fp8_halves_layers_and_cache_and_nothing_else():
    part = shard(LLAMA, 1, FP8)
    assert part.weight_bytes == LLAMA.weight_bytes - LLAMA.linear_weights
    embeddings = 2 * LLAMA.vocab * LLAMA.hidden
    assert part.weight_bytes == LLAMA.linear_weights + 2 * embeddings
    assert 2 * part.kv_bytes_per_token == LLAMA.kv_bytes_per_token
    assert shard(LLAMA, 1, Precision(kv_cache="fp8")).weight_bytes == LLAMA.weight_bytes
    assert shard(LLAMA, 1, Precision(weights="fp8")).kv_bytes_per_token == LLAMA.kv_bytes_per_token


AWQ = Quantization(name="AWQ weights", attention_bits=4.25, ffn_bits=4.5, head_bits=8)


def test_quantized_weights_take_their_bits_and_compute_in_16():
    """Of the Llama, attention, FFN and head; embeddings keep 16 bits."""
    part = shard(replace(LLAMA, quantization=AWQ))
    table = LLAMA.vocab * LLAMA.hidden
    layer = LLAMA.attention_weights * 4.25 + LLAMA.ffn_weights * 4.5
    assert part.gemm_weight_bytes == LLAMA.layers * layer / 8
    assert part.weight_bytes == part.gemm_weight_bytes + 3 * table
    assert (part.fp8_gemms, fp8_input_bytes(part), part.fp8_attention) == (0, 0, False)
    assert part.kv_bytes_per_token == LLAMA.kv_bytes_per_token
    tied = shard(replace(LLAMA, tied_embeddings=True, quantization=AWQ))
    assert part.weight_bytes - tied.weight_bytes == 2 * table


@pytest.mark.parametrize(
    ("model", "quantization", "published_gb"),
    [
        (
            "llama-3.1-8b",
            {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True},
            5.73,  # hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4
        ),
        (
            "llama-3.1-8b",
            {"quant_method": "modelopt", "quant_algo": "FP8", "exclude_modules": ["lm_head"]},
            9.08,  # nvidia/Llama-3.1-8B-Instruct-FP8
        ),
        ("gpt-oss-20b", {"quant_method": "mxfp4"}, 13.76),  # openai/gpt-oss-20b
    ],
)
def test_weights_take_what_the_files_of_published_checkpoints_take(
    model, quantization, published_gb
):
    config = GPT_OSS if model == "gpt-oss-20b" else read_packaged("models.yaml")[model]["config"]
    found = architecture_from_config(config | {"quantization_config": quantization}, model)
    assert shard(found).weight_bytes / 1e9 == pytest.approx(published_gb, rel=2e-3)


def test_fp8_checkpoint_is_the_option_fp8():
    stored = replace(FP8_WEIGHTS, fp8_kv_cache=True)
    asked_for = shard(LLAMA, 2, FP8)
    for precision in (Precision(), Precision(weights="fp8"), FP8):
        assert shard(replace(LLAMA, quantization=stored), 2, precision) == asked_for


def test_layers_that_keep_16_bits_compute_in_them():
    """Attention in 16 bits and half of the FFN in FP8, as the first and last layers may be."""
    half = Quantization(name="FP8 weights", ffn_bits=12, fp8_ffn=0.5)
    part = shard(replace(LLAMA, quantization=half))
    assert part.fp8_gemms == LLAMA.feed_forward_weights / 2 / LLAMA.linear_weights
    assert fp8_input_bytes(part) == LLAMA.layers * (LLAMA.hidden + LLAMA.ffn) / 2


def test_fp8_of_weights_that_are_quantized_otherwise_is_refused():
    with pytest.raises(InputError, match="is quantized, AWQ weights: set weights to 'model'"):
        shard(replace(LLAMA, quantization=AWQ), 1, FP8)


def test_fp8_work_by_hand():
    plan = schedule(
        requests=4,
        input_tokens=100,
        output_tokens=2,
        limits=SchedulerLimits(
            max_batch_size=4, max_num_tokens=8192, kv_blocks=1000, tokens_per_block=32
        ),
    )
    whole, part = work(LLAMA, plan), work(shard(LLAMA, 1, FP8), plan)
    np.testing.assert_array_equal(part.gemm_flops, whole.gemm_flops)
    np.testing.assert_array_equal(2 * part.weight_bytes, whole.weight_bytes)
    np.testing.assert_array_equal(2 * part.kv_bytes, whole.kv_bytes)
    np.testing.assert_array_equal(part.logit_weight_bytes, whole.logit_weight_bytes)
    # inputs of QKV and FFN 4096 each, of the output projection 4096, of the down projection 14336
    saved = np.array([400, 4]) * 32 * (3 * 4096 + 14336)
    np.testing.assert_array_equal(whole.gemm_bytes - part.gemm_bytes, saved)
    np.testing.assert_array_equal(whole.elementwise_bytes - part.elementwise_bytes, saved)


@pytest.mark.parametrize(("weights", "kv_cache"), [("fp8", "model"), ("model", "fp8")])
def test_prompt_attention_is_fp8_where_both_are(weights, kv_cache):
    assert shard(LLAMA, 1, FP8).fp8_attention
    assert not shard(LLAMA, 1, Precision(weights=weights, kv_cache=kv_cache)).fp8_attention


@given(architecture=architectures, precision=precisions, data=st.data())
def test_more_gpus_leave_more_memory_on_each(architecture, precision, data):
    board = gpu(data.draw(st.sampled_from(gpu_ids())))
    free = [
        free_bytes(shard(architecture, gpus, precision), board, 8192, 1024)
        for gpus in possible(architecture)
    ]
    assert free == sorted(free)
    fp8 = free_bytes(shard(architecture, 1, FP8), board, 8192, 1024)
    assert fp8 > free_bytes(architecture, board, 8192, 1024)


@pytest.mark.parametrize(
    ("change", "gpus", "message"),
    [
        ({}, 3, "its 32 attention heads cannot be split evenly; possible are 1, 2, 4, 8"),
        ({"heads": 12, "kv_heads": 2}, 3, "its 2 KV heads cannot be split evenly"),
        ({"ffn": 14340}, 8, "its 14340 FFN columns cannot be split evenly; possible are 1, 2, 4"),
    ],
)
def test_model_that_cannot_be_split_is_refused_with_what_can(change, gpus, message):
    with pytest.raises(InputError, match=r"model llama-3\.1-8b cannot be shared by") as caught:
        shard(replace(LLAMA, **change), gpus)
    assert message in str(caught.value)


@pytest.mark.parametrize(("gpus", "entries"), [(1, 128_257), (2, 64_129), (4, 32_065)])
def test_share_of_an_odd_vocabulary_is_rounded_up(gpus, entries):
    """Padded to fit, as TensorRT-LLM does: no entry is lost."""
    assert shard(LARGE, gpus).vocab == entries


def test_few_kv_heads_lie_on_several_gpus_each():
    part = shard(catalog_entry("qwen2-1.5b").architecture, 4)
    assert (part.heads, part.kv_heads) == (3, 1)


def run_of(architecture, board, gpus=1, precision=None, **sizes):
    deployment = deploy(
        architecture, board, limits=Limits(tensor_parallel=gpus), precision=precision
    )
    return simulate(deployment, **sizes)


@pytest.mark.parametrize("model_id", ["llama-3.1-8b", "gemma-2-9b"])
def test_more_gpus_are_quicker_and_dearer(model_id, board):
    architecture = catalog_entry(model_id).architecture
    sizes = {"requests": 300, "input_tokens": 128, "output_tokens": 128}
    runs = [run_of(architecture, board, n, **sizes) for n in possible(architecture)]
    durations_s = [run.duration_s for run in runs]
    energies_j = [run.energy_j for run in runs]
    assert durations_s == sorted(durations_s, reverse=True)
    assert energies_j == sorted(energies_j)


def test_eight_gpus_gain_a_small_model_nothing_over_four(board):
    """Its steps are shorter than what the GPUs wait for one another."""
    sizes = {"requests": 300, "input_tokens": 128, "output_tokens": 128}
    four, eight = (
        run_of(catalog_entry("llama-3.2-1b").architecture, board, n, **sizes) for n in (4, 8)
    )
    assert four.duration_s < eight.duration_s < 1.1 * four.duration_s
    assert eight.energy_j > 1.5 * four.energy_j


@given(
    architecture=st.sampled_from(model_ids()).map(lambda m: catalog_entry(m).architecture),
    requests=st.integers(1, 200),
    input_tokens=st.integers(1, 2000),
    output_tokens=st.integers(1, 300),
    first=precisions,
)
def test_fp8_is_neither_slower_nor_dearer(
    architecture, requests, input_tokens, output_tokens, first
):
    board = gpu("h100-sxm")
    sizes = {"requests": requests, "input_tokens": input_tokens, "output_tokens": output_tokens}
    whole = run_of(architecture, board, 1, first, **sizes)
    fp8 = run_of(architecture, board, 1, FP8, **sizes)
    assert fp8.duration_s <= whole.duration_s * (1 + 1e-9)
    assert fp8.energy_j <= whole.energy_j * (1 + 1e-9)


def test_power_of_all_boards_is_within_their_limits(board, constants):
    found = run_of(LARGE, board, 4, requests=64, input_tokens=900, output_tokens=60)
    assert found.trace.power_w.max() <= 4 * board.power_limit_w
    assert found.trace.power_w.min() >= 4 * constants.board.active_power_w


def test_part_is_told_from_the_whole():
    assert isinstance(shard(LLAMA, 2), Shard)
    assert as_shard(part := shard(LLAMA, 2)) is part
