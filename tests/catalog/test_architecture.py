"""Sizes of an architecture: closed forms, and the published parameter counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.catalog import Architecture, architecture_from_config, catalog_entry
from sweetspot.catalog.parts import Experts, LatentAttention, StateLayers

# Published counts (safetensors metadata on the models' pages), and the shape of their
# normalisations: vectors in a layer and outside, numbers per element (LayerNorm has a bias).
PUBLISHED = {
    "llama-3.2-1b": (1_235_814_400, 2, 1, 1),
    "llama-3.2-3b": (3_212_749_824, 2, 1, 1),
    "llama-3.1-8b": (8_030_261_248, 2, 1, 1),
    "qwen2-1.5b": (1_543_714_304, 2, 1, 1),
    "qwen2-7b": (7_615_616_512, 2, 1, 1),
    "gemma-2-2b": (2_614_341_888, 4, 1, 1),
    "gemma-2-9b": (9_241_705_984, 4, 1, 1),
    "opt-1.3b": (1_315_758_080, 2, 1, 2),
}


@pytest.mark.parametrize("model", PUBLISHED)
def test_parameters_and_norms_make_the_published_count_exactly(model):
    published, in_layer, outside, numbers = PUBLISHED[model]
    shape = catalog_entry(model).architecture
    norms = (in_layer * shape.layers + outside) * shape.hidden * numbers
    assert shape.parameters + norms == published


@pytest.mark.parametrize("model", PUBLISHED)
def test_parameters_miss_less_than_a_thousandth(model):
    assert catalog_entry(model).architecture.parameters == pytest.approx(
        PUBLISHED[model][0], rel=1e-3
    )


# Rounded counts: safetensors of 4.97 + 1.99 GB in bfloat16; 8055 million; OPT paper, Table 1;
# the name of the checkpoint.
@pytest.mark.parametrize(
    ("model", "published", "rel"),
    [
        ("granite-3b", 6.96e9 / 2, 2e-3),
        ("granite-8b", 8.055e9, 2e-4),
        ("opt-2.7b", 2.65e9, 2e-3),
        ("opt-6.7b", 6.66e9, 2e-3),
        ("falcon-rw-7b", 7.5e9, 5e-3),
    ],
)
def test_parameters_match_rounded_published_counts(model, published, rel):
    assert catalog_entry(model).architecture.parameters == pytest.approx(published, rel=rel)


def test_kv_bytes_of_llama_8b_are_128_kib_a_token():
    assert catalog_entry("llama-3.1-8b").architecture.kv_bytes_per_token == 128 * 1024


TINY = {
    "id": "x",
    "layers": 2,
    "hidden": 8,
    "heads": 4,
    "kv_heads": 2,
    "head_dim": 3,
    "ffn": 16,
    "gated_ffn": True,
    "vocab": 10,
    "tied_embeddings": True,
    "max_positions": 5,
    "positions": "rope",
}


def added(**change):
    """Return the parameters that a change adds to the tiny model."""
    return Architecture(**{**TINY, **change}).parameters - Architecture(**TINY).parameters


def test_biases_positions_and_head_are_counted_where_they_are():
    assert Architecture(**TINY).parameters == 2 * (2 * 8 * (12 + 6) + 3 * 8 * 16) + 10 * 8
    assert added(attention_bias=True) == 2 * (12 + 6 + 6)
    assert added(attention_output_bias=True) == 2 * 8
    assert added(mlp_bias=True) == 2 * (16 + 16 + 8)
    assert added(positions="learned") == (5 + 2) * 8
    assert added(positions="absolute") == 5 * 8
    assert added(tied_embeddings=False) == 10 * 8
    assert added(gated_attention=True) == 2 * 8 * 12


def test_experts_replace_the_feed_forward_layer_where_they_are():
    experts = Experts(layers=1, count=5, per_token=2, ffn=4, shared_ffn=7)
    one = 3 * 8 * 4
    assert added(experts=experts) == 8 * 5 + 5 * one + 3 * 8 * 7 - 3 * 8 * 16
    shape = Architecture(**TINY, experts=experts)
    assert shape.routed_weights == 5 * one
    assert shape.linear_weights - shape.token_weights == (5 - 2) * one
    assert (shape.ffn_layers, shape.expert_layers) == (1, 1)
    biased = Architecture(**TINY, experts=experts, mlp_bias=True)
    assert biased.parameters - shape.parameters == (16 + 16 + 8) + 5 * (4 + 4 + 8 + 1)
    narrow = Experts(layers=1, count=5, per_token=2, ffn=4, width=6)
    assert added(experts=narrow) == 8 * 5 + 5 * 3 * 6 * 4 + 2 * 8 * 6 - 3 * 8 * 16


def test_latent_attention_projects_down_and_up():
    latent = LatentAttention(query_rank=7, rank=6, rope_dim=1, value_dim=5)
    shape = Architecture(**TINY, latent=latent)
    down, up = 8 * 7 + 8 * (6 + 1), 7 * 4 * 3 + 6 * 4 * (2 + 5)
    assert shape.attention_weights == down + up + 4 * 5 * 8
    assert shape.cached_elements == 2 * (6 + 1)
    direct = LatentAttention(query_rank=None, rank=6, rope_dim=1, value_dim=5)
    assert shape.attention_weights - Architecture(**TINY, latent=direct).attention_weights == (
        8 * 7 + 7 * 12 - 8 * 12
    )


def test_state_layers_stand_beside_attention_or_in_its_place():
    mamba = StateLayers(layers=1, heads=4, head_dim=5, state=6, groups=2, kernel=3, chunk=8)
    assert (mamba.inner, mamba.convolved, mamba.projected) == (20, 20 + 24, 20 + 44 + 4)
    both = 8 * (68 + 20) + 44 * (3 + 1) + 3 * 4
    assert added(state=mamba) == both
    assert added(state=mamba, without_attention=1) == both - 2 * 8 * (12 + 6)
    assert added(without_ffn=1) == -3 * 8 * 16
    shape = Architecture(**TINY, state=mamba, without_attention=1)
    assert shape.cached_elements == 1 * 2 * 6
    assert shape.state_bytes == 2 * (20 * 6 + 44 * 2)


@st.composite
def llama_configs(draw):
    kv_heads = draw(st.integers(1, 16))
    heads = kv_heads * draw(st.integers(1, 8))
    head_dim = draw(st.integers(1, 256))
    return {
        "model_type": "llama",
        "hidden_size": heads * head_dim,
        "num_hidden_layers": draw(st.integers(1, 128)),
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "intermediate_size": draw(st.integers(1, 65536)),
        "vocab_size": draw(st.integers(1, 300_000)),
        "tie_word_embeddings": draw(st.booleans()),
        "attention_bias": draw(st.booleans()),
        "mlp_bias": draw(st.booleans()),
        "torch_dtype": draw(st.sampled_from(["float16", "bfloat16", "float32"])),
    }


@given(llama_configs())
def test_sizes_of_any_llama_follow_their_closed_forms(config):
    shape = architecture_from_config(config, "x")
    head_dim = config["hidden_size"] // config["num_attention_heads"]
    assert shape.kv_bytes_per_token == (
        2 * config["num_hidden_layers"] * config["num_key_value_heads"] * head_dim * 2
    )
    assert shape.query_size == shape.hidden
    assert shape.weight_bytes == 2 * shape.parameters
    assert shape.parameters > shape.linear_weights > 0
