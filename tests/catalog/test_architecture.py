"""Sizes of an architecture: closed forms, and the published parameter counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.catalog import Architecture, architecture_from_config, catalog_entry

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


# Models outside the catalog whose counts are published.
@pytest.mark.parametrize(
    ("config", "published"),
    [
        ({"model_type": "gptj", "n_embd": 4096, "n_layer": 28, "n_head": 16}, 6_050_882_784),
        (
            {
                "model_type": "falcon",
                "hidden_size": 4544,
                "num_hidden_layers": 32,
                "num_attention_heads": 71,
            },
            6_921_720_704,
        ),
        (
            {
                "model_type": "mistral",
                "hidden_size": 4096,
                "num_hidden_layers": 32,
                "num_attention_heads": 32,
            },
            7_241_732_096,
        ),
        (
            {
                "model_type": "phi3",
                "hidden_size": 3072,
                "num_hidden_layers": 32,
                "num_attention_heads": 32,
            },
            3_821_079_552,
        ),
    ],
    ids=["gpt-j-6b", "falcon-7b", "mistral-7b-v0.1", "phi-3-mini-4k"],
)
def test_parameters_match_published_counts_outside_the_catalog(config, published):
    assert architecture_from_config(config, "x").parameters == pytest.approx(published, rel=1e-3)


def test_kv_bytes_of_llama_8b_are_128_kib_a_token():
    assert catalog_entry("llama-3.1-8b").architecture.kv_bytes_per_token == 128 * 1024


def test_attention_biases_are_counted_where_they_are():
    shape = {
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
    plain = Architecture(**shape).parameters
    assert plain == 2 * (2 * 8 * (12 + 6) + 3 * 8 * 16) + 10 * 8
    assert Architecture(**shape, attention_bias=True).parameters - plain == 2 * (12 + 6 + 6)
    assert Architecture(**shape, attention_output_bias=True).parameters - plain == 2 * 8
    assert Architecture(**shape, mlp_bias=True).parameters - plain == 2 * (16 + 16 + 8)
    learned = Architecture(**{**shape, "positions": "learned"})
    assert learned.parameters - plain == (5 + 2) * 8
    untied = Architecture(**{**shape, "tied_embeddings": False})
    assert untied.parameters - plain == 10 * 8


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
