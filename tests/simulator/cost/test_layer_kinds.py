"""Work of experts, latent attention and states, against counts of each of their matrices."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.catalog import architecture_from_config, gpu
from sweetspot.simulator.constants.constants import stated_on
from sweetspot.simulator.constants.kernels import kernel_constants
from sweetspot.simulator.cost import scan
from sweetspot.simulator.cost.attention import decode_seconds_per_flop, kv_seconds_per_byte
from sweetspot.simulator.cost.roofline import cost
from sweetspot.simulator.cost.work import untouched_bytes, work
from sweetspot.simulator.deployment.shard import as_shard, possible, shard
from sweetspot.simulator.schedule.identical import Schedule

TABLE = yaml.load(
    (Path(__file__).parents[2] / "catalog/published_models.yaml").read_text(encoding="utf-8"),
    yaml.CSafeLoader,
)


def published(model):
    return architecture_from_config(TABLE[model]["config"], model.rsplit("/", 1)[-1].lower())


V2_LITE = published("deepseek-ai/DeepSeek-V2-Lite")
MIXTRAL = published("mistralai/Mixtral-8x7B-v0.1")
GPT_OSS = published("openai/gpt-oss-20b")
SUPER = published("nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8")
GRANITE = published("ibm-granite/granite-4.0-h-small")
ALL = {
    model: shape
    for model in TABLE
    if (shape := published(model)).experts or shape.latent or shape.state
}


def iteration(**counts):
    """Return a plan of one iteration with these counts and no other."""
    all_counts = dict.fromkeys(Schedule.__dataclass_fields__, 0) | {"iterations": 1} | counts
    return Schedule(**{name: np.array([value]) for name, value in all_counts.items()})


def of_token(shape):
    """Return the work that a second token adds, in expectation, beside the first."""
    one, two = (work(shape, iteration(prompt_tokens=n)) for n in (1, 2))
    return (two.gemm_flops - one.gemm_flops).item()


def matrices(*shapes):
    """Return the FLOPs of a token's products with matrices of these shapes."""
    return 2 * sum(rows * columns for rows, columns in shapes)


def test_linear_layers_of_deepseek_v2_lite_layer_by_layer():
    """Its paper (arXiv 2405.04434), appendix B: latent vectors, two shared experts, six of 64."""
    attention = [(2048, 16 * 192), (2048, 512 + 64), (512, 16 * (128 + 128)), (16 * 128, 2048)]
    dense = [(2048, 10944), (2048, 10944), (10944, 2048)]
    experts = [(2048, 64)] + 3 * (6 + 2) * [(2048, 1408)]
    flops = 27 * matrices(*attention) + matrices(*dense) + 26 * matrices(*experts)
    assert of_token(V2_LITE) == flops


def test_linear_layers_of_mixtral_layer_by_layer():
    attention = [(4096, 4096), (4096, 1024), (4096, 1024), (4096, 4096)]
    experts = [(4096, 8)] + 3 * 2 * [(4096, 14336)]
    assert of_token(MIXTRAL) == 32 * matrices(*attention, *experts)


def test_linear_layers_of_nemotron_super_layer_by_layer():
    """40 Mamba-2 layers, 8 of attention, 40 of experts that are 1024 wide where tokens are 4096."""
    inner, groups = 128 * 64, 8 * 128
    mamba = [(4096, inner), (4096, inner + 2 * groups), (4096, 128), (inner, 4096)]
    attention = [(4096, 32 * 128), (4096, 2 * 2 * 128), (32 * 128, 4096)]
    experts = [(4096, 512), (4096, 1024), (1024, 4096), (4096, 5376), (5376, 4096)]
    experts += 22 * [(1024, 2688), (2688, 1024)]
    flops = 40 * matrices(*mamba) + 8 * matrices(*attention) + 40 * matrices(*experts)
    assert of_token(SUPER) == flops


def test_latent_attention_is_expanded_for_prompts_and_absorbed_in_decode():
    prompt = work(V2_LITE, iteration(prompt_tokens=1, prompt_pairs=1000, prompt_context=1000))
    assert prompt.prompt_flops == 1000 * 27 * 16 * (2 * 192 + 2 * 128)
    assert prompt.prompt_bytes == (1000 + 2) * 27 * (512 + 64) * 2
    decode = work(V2_LITE, iteration(decodes=3, decode_context=900))
    assert decode.decode_flops == 900 * 27 * 16 * (2 * (512 + 64) + 2 * 512)
    assert decode.kv_bytes == (900 + 3) * 27 * (512 + 64) * 2
    assert decode.kv_bytes_growth == 3 * 27 * (512 + 64) * 2
    assert decode.queries_per_kv_head == 16  # one vector serves all heads
    assert decode.wide_heads == 0


V3 = published("deepseek-ai/DeepSeek-V3")


@pytest.mark.parametrize("gpu_id", ["h100-sxm", "h200-sxm", "a100-80gb"])
@pytest.mark.parametrize(("model", "heads"), [(V3, 128), (V2_LITE, 16)], ids=["128", "16 heads"])
def test_latent_attention_takes_what_is_longer_its_flops_or_its_cache(gpu_id, model, heads):
    """128 heads x (576 + 512) x 2 FLOPs against 576 x 2 bytes for each token in the cache."""
    board = gpu(gpu_id)
    k = kernel_constants(gpu(gpu_id))
    few, many = (
        cost(
            work(model, iteration(decodes=8, decode_context=context)),
            replace(board, power_limit_w=1e9),
            stated_on(board),
        ).duration_s.item()
        for context in (8_000, 8_008_000)
    )
    computed_s = heads * (576 + 512) * 2 / (board.fp16_flops * k.prompt_efficiency[256])
    read_s = 576 * 2 / (board.bandwidth_bytes_per_s * k.kv_bandwidth_efficiency)
    tokens = 8_000_000 * model.layers
    assert (many - few) / tokens == pytest.approx(max(computed_s, read_s), rel=1e-9)
    assert (computed_s > read_s) == (heads == 128)


@given(
    st.sampled_from([shape for shape in ALL.values() if not shape.latent]),
    st.sampled_from(["h100-sxm", "a100-80gb", "b200", "l4", "v100"]),
)
def test_other_attention_waits_for_memory(shape, gpu_id):
    board, k = gpu(gpu_id), kernel_constants(gpu(gpu_id))
    done = work(shape, iteration(decodes=8, decode_context=8000))
    assert decode_seconds_per_flop(done, board, k, kv_seconds_per_byte(done, board, k)) == 0


def test_states_are_read_and_written_by_every_sequence_and_grow_by_nothing():
    state_bytes = 36 * (128 * 64 * 128 + (128 * 64 + 2 * 128) * 3) * 2
    assert GRANITE.state_bytes == state_bytes
    cached = 4 * 2 * 8 * 128 * 2
    decode = work(GRANITE, iteration(decodes=5, decode_context=700))
    assert decode.kv_bytes == (700 + 5) * cached + 5 * 2 * state_bytes
    assert decode.kv_bytes_growth == 5 * cached
    assert decode.decode_flops == 4 * 700 * 4 * 4096 + 5 * scan.decode_flops(GRANITE.state)
    prompt = work(GRANITE, iteration(prompt_tokens=10, prompts=2))
    assert prompt.prompt_bytes == 10 * 2 * cached + 2 * 2 * state_bytes + (
        10 * scan.prompt_bytes(GRANITE.state)
    )


def weights_read(shape, tokens):
    return work(shape, iteration(prompt_tokens=tokens)).weight_bytes.item()


@pytest.mark.parametrize("model", ALL)
def test_one_token_reads_what_it_is_multiplied_with(model):
    shape = ALL[model]
    assert weights_read(shape, 1) == pytest.approx(2 * shape.token_weights, rel=1e-12)


@given(st.sampled_from(sorted(ALL)), st.integers(0, 5000), st.integers(1, 5000))
def test_weights_read_rise_with_tokens_and_never_pass_all(model, tokens, more):
    few, many = (weights_read(ALL[model], n) for n in (tokens, tokens + more))
    assert 0 < few <= many <= 2 * ALL[model].linear_weights


@pytest.mark.parametrize("tokens", [1, 2, 7, 40])
@pytest.mark.parametrize("shape", [MIXTRAL, GPT_OSS, V2_LITE], ids=lambda shape: shape.id)
def test_experts_touched_are_those_that_drawn_tokens_touch(shape, tokens):
    """Each token draws its experts without putting back, as top-k does."""
    rng, e = np.random.default_rng(0), shape.experts
    draws = rng.random((4000, tokens, e.count)).argsort(axis=2)[:, :, : e.per_token]
    drawn = np.mean([np.unique(layer).size for layer in draws])
    missed = untouched_bytes(as_shard(shape), np.array([float(tokens)])).item()
    touched = e.count * (1 - missed / as_shard(shape).routed_weight_bytes)
    assert touched == pytest.approx(drawn, rel=0.01)


@pytest.mark.parametrize("model", ALL)
def test_parts_hold_the_whole_with_routers_and_latent_vectors_on_each(model):
    """KV heads and groups aside, of which several GPUs have the same where they are few."""
    shape = ALL[model]
    for gpus in possible(shape):
        whole = replace(shape, kv_heads=max(shape.kv_heads, gpus) if not shape.latent else 1)
        if shape.state:
            groups = max(shape.state.groups, gpus)
            whole = replace(whole, state=replace(shape.state, groups=groups))
        part, repeated = shard(shape, gpus), 0
        if e := shape.experts:
            repeated += e.layers * shape.hidden * (e.count + 2 * e.width)
        if latent := shape.latent:
            down = latent.cached + (latent.query_rank or 0)
            repeated += shape.attention_layers * shape.hidden * down
        assert gpus * part.linear_weights == whole.linear_weights + (gpus - 1) * repeated
        assert gpus * part.routed_weights == shape.routed_weights
        if shape.latent:  # each has the whole cache
            assert part.cached_elements == shape.cached_elements
