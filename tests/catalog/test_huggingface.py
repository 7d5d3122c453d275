"""Every family from a small config.json, and every refusal."""

import math

import pytest

from sweetspot.catalog import architecture_from_config
from sweetspot.errors import InputError

SIZES = {"hidden_size": 64, "num_hidden_layers": 12, "num_attention_heads": 8}
LLAMA = {"model_type": "llama", **SIZES}


def read(**config):
    return architecture_from_config(config, "tiny")


def test_llama_defaults_are_those_of_its_config_class():
    shape = read(**LLAMA)
    assert (shape.id, shape.layers, shape.hidden, shape.heads) == ("tiny", 12, 64, 8)
    assert (shape.kv_heads, shape.head_dim, shape.ffn, shape.vocab) == (8, 8, 11008, 32000)
    assert (shape.max_positions, shape.tied_embeddings) == (2048, False)
    assert (shape.gated_ffn, shape.positions, shape.dtype) == (True, "rope", "float16")
    assert (shape.attention_bias, shape.attention_output_bias, shape.mlp_bias) == (False,) * 3
    assert shape.sliding_layers == 0


def test_llama_with_explicit_head_dim_and_biases():
    shape = read(**LLAMA, head_dim=20, num_key_value_heads=2, attention_bias=True, mlp_bias=True)
    assert (shape.query_size, shape.kv_size) == (160, 40)
    assert shape.attention_bias
    assert shape.attention_output_bias
    assert shape.mlp_bias


def test_null_means_unset_where_the_family_says_so():
    shape = read(**LLAMA, head_dim=None, num_key_value_heads=None)
    assert (shape.head_dim, shape.kv_heads) == (8, 8)


def test_model_is_known_by_its_class_where_the_type_is_left_out():
    assert read(architectures=["LlamaForCausalLM"], **SIZES) == read(**LLAMA)


@pytest.mark.parametrize(
    ("window", "expected"), [({}, (4096, 12)), ({"sliding_window": None}, (None, 0))]
)
def test_mistral_slides_everywhere_unless_told_not_to(window, expected):
    shape = read(model_type="mistral", **SIZES, **window)
    assert (shape.sliding_window, shape.sliding_layers) == expected
    assert (shape.kv_heads, shape.ffn, shape.max_positions) == (8, 14336, 131072)


def test_phi3_slides_everywhere_if_it_has_a_window():
    assert read(model_type="phi3", **SIZES).sliding_layers == 0
    shape = read(model_type="phi3", **SIZES, sliding_window=2047)
    assert (shape.sliding_window, shape.sliding_layers) == (2047, 12)
    assert (shape.kv_heads, shape.ffn, shape.vocab, shape.max_positions) == (8, 8192, 32064, 4096)


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({"sliding_window": 100}, (None, 0)),
        ({"use_sliding_window": True, "sliding_window": 100, "max_window_layers": 5}, (100, 7)),
        ({"use_sliding_window": True, "sliding_window": 100, "max_window_layers": 0}, (100, 12)),
        ({"use_sliding_window": True, "sliding_window": 100}, (None, 0)),  # 28 full layers
        ({"use_sliding_window": True, "sliding_window": None, "max_window_layers": 5}, (None, 0)),
        (
            {
                "use_sliding_window": True,
                "sliding_window": 100,
                "layer_types": ["full_attention"] * 10 + ["sliding_attention"] * 2,
            },
            (100, 2),
        ),
    ],
)
@pytest.mark.parametrize("model_type", ["qwen2", "qwen3"])
def test_qwen_slides_in_its_last_layers_if_it_says_so(model_type, extra, expected):
    shape = read(model_type=model_type, **SIZES, num_key_value_heads=4, **extra)
    assert (shape.sliding_window, shape.sliding_layers) == expected


def test_qwen2_has_qkv_biases_whatever_the_file_says():
    shape = read(model_type="qwen2", **SIZES, num_key_value_heads=2, attention_bias=True)
    assert shape.attention_bias
    assert not shape.attention_output_bias


def test_qwen3_has_heads_of_128_and_no_biases():
    shape = read(model_type="qwen3", **SIZES, num_key_value_heads=2)
    assert (shape.head_dim, shape.query_size, shape.attention_bias) == (128, 1024, False)


def test_gemma_1_has_heads_of_256_and_tied_embeddings():
    shape = read(model_type="gemma", **SIZES, num_key_value_heads=1)
    assert (shape.head_dim, shape.kv_heads, shape.tied_embeddings) == (256, 1, True)
    assert (shape.vocab, shape.ffn, shape.sliding_layers) == (256000, 24576, 0)


@pytest.mark.parametrize(("layers", "sliding"), [(12, 6), (13, 7)])
def test_gemma_2_alternates_beginning_with_a_sliding_layer(layers, sliding):
    shape = read(model_type="gemma2", **{**SIZES, "num_hidden_layers": layers})
    assert (shape.sliding_window, shape.sliding_layers) == (4096, sliding)


@pytest.mark.parametrize(
    ("layers", "extra", "sliding"),
    [
        (26, {}, 22),
        (34, {"sliding_window_pattern": 6}, 29),
        (12, {"sliding_window_pattern": 4}, 9),
        (3, {"layer_types": ["sliding_attention", "full_attention", "full_attention"]}, 1),
    ],
)
def test_gemma_3_has_a_full_layer_now_and_then(layers, extra, sliding):
    config = {**SIZES, "num_hidden_layers": layers, "sliding_window": 512, **extra}
    shape = read(model_type="gemma3_text", **config)
    assert (shape.sliding_window, shape.sliding_layers) == (512, sliding)


def test_gemma_3_multimodal_is_read_as_its_language_model():
    # As Gemma 3 4B is published: what equals the default is left out of text_config.
    shape = read(
        architectures=["Gemma3ForConditionalGeneration"],
        model_type="gemma3",
        torch_dtype="bfloat16",
        vision_config={"hidden_size": 1152},
        text_config={
            "model_type": "gemma3_text",
            "hidden_size": 2560,
            "intermediate_size": 10240,
            "num_hidden_layers": 34,
            "sliding_window": 1024,
        },
    )
    assert (shape.hidden, shape.heads, shape.kv_heads, shape.head_dim) == (2560, 8, 4, 256)
    assert (shape.vocab, shape.dtype, shape.sliding_layers) == (262208, "bfloat16", 29)
    assert shape.parameters == pytest.approx(3.88e9, rel=1e-3)


TINY_TEXT = {"model_type": "llama", **SIZES, "vocab_size": 1000, "intermediate_size": 96}


@pytest.mark.parametrize("key", ["text_config", "llm_config", "language_config"])
def test_multimodal_file_is_read_as_its_language_model(key):
    whole = {"model_type": "any_vlm", "vision_config": {"hidden_size": 7}, key: TINY_TEXT}
    assert read(**whole) == read(**TINY_TEXT)
    assert read(**whole, tie_word_embeddings=True).tied_embeddings
    tied = {**TINY_TEXT, "tie_word_embeddings": False}
    assert not read(**{**whole, key: tied}, tie_word_embeddings=True).tied_embeddings
    assert read(**whole, torch_dtype="bfloat16").dtype == "bfloat16"


def test_nested_file_leaves_out_the_sizes_of_its_config_class():
    shape = read(model_type="llava", text_config={"max_position_embeddings": 4096})
    assert (shape.hidden, shape.layers, shape.heads, shape.vocab) == (4096, 32, 32, 32000)
    with pytest.raises(InputError, match="'hidden_size' is missing"):
        read(model_type="llama", max_position_embeddings=4096)


def test_older_qwen2_vl_has_its_language_model_beside_the_vision_tower():
    shape = read(model_type="qwen2_vl", **SIZES, vision_config={"depth": 32}, vocab_size=1000)
    assert (shape.layers, shape.hidden, shape.vocab) == (12, 64, 1000)
    assert shape.attention_bias


@pytest.mark.parametrize(
    ("model_type", "extra", "expected"),
    [
        ("cohere2", {}, (4096, 9)),
        ("olmo3", {"sliding_window": 100}, (100, 9)),
        ("exaone4", {"sliding_window_pattern": "LLLG"}, (4096, 9)),
        ("exaone4", {"sliding_window_pattern": "LG", "num_hidden_layers": 3}, (4096, 1)),
        ("exaone4", {"sliding_window": None, "sliding_window_pattern": None}, (None, 0)),
        ("afmoe", {"global_attn_every_n_layers": 3, "num_key_value_heads": 8}, (1024, 8)),
        ("gpt_oss", {}, (128, 6)),
        ("llama4_text", {}, (8192, 9)),
        ("llama4_text", {"attention_chunk_size": 64}, (64, 9)),
        ("ministral", {"layer_types": ["sliding_attention"] + ["full_attention"] * 11}, (4096, 1)),
        ("starcoder2", {"sliding_window": 64}, (64, 12)),
        ("starcoder2", {}, (None, 0)),
    ],
)
def test_layers_slide_as_their_family_says(model_type, extra, expected):
    shape = read(model_type=model_type, **{"num_key_value_heads": 4, **SIZES, **extra})
    assert (shape.sliding_window, shape.sliding_layers) == expected


def test_gpt_neo_slides_in_layers_that_it_calls_local():
    sizes = {"hidden_size": 64, "num_layers": 4, "num_heads": 8}
    shape = read(model_type="gpt_neo", **sizes, attention_types=[[["global", "local"], 2]])
    assert (shape.sliding_window, shape.sliding_layers, shape.positions) == (256, 2, "absolute")
    for wrong in ([[["global"], 3]], [[["near"], 4]], 7):
        with pytest.raises(InputError, match="'attention_types' must say of each of the 4"):
            read(model_type="gpt_neo", **sizes, attention_types=wrong)


def test_granite_reads_as_llama_does():
    assert read(model_type="granite", **SIZES, attention_bias=True) == read(
        **LLAMA, attention_bias=True
    )


def test_opt_is_plain_with_learned_positions_and_biases():
    shape = read(model_type="opt", **SIZES, ffn_dim=256, word_embed_proj_dim=64)
    assert (shape.positions, shape.gated_ffn, shape.ffn, shape.kv_heads) == (
        "learned",
        False,
        256,
        8,
    )
    assert (shape.vocab, shape.max_positions, shape.tied_embeddings) == (50272, 2048, True)
    assert shape.attention_bias
    assert shape.attention_output_bias
    assert shape.mlp_bias
    assert not read(model_type="opt", **SIZES, enable_bias=False).mlp_bias


@pytest.mark.parametrize(
    ("extra", "kv_heads"),
    [
        ({}, 1),
        ({"num_kv_heads": 8}, 1),
        ({"multi_query": False}, 8),
        ({"multi_query": False, "num_kv_heads": 8}, 8),
        ({"new_decoder_architecture": True, "num_kv_heads": 2}, 2),
        ({"new_decoder_architecture": True}, 8),
    ],
)
def test_falcon_shares_key_value_heads_as_its_variant_does(extra, kv_heads):
    shape = read(model_type="falcon", **SIZES, **extra)
    assert shape.kv_heads == kv_heads
    assert (shape.ffn, shape.gated_ffn, shape.positions) == (256, False, "rope")
    assert (shape.vocab, shape.max_positions, shape.tied_embeddings) == (65024, 2048, True)


def test_falcon_of_before_transformers_is_read_by_its_old_keys():
    old = {"hidden_size": 64, "n_layer": 3, "n_head": 8}
    shape = read(model_type="RefinedWebModel", **old, multi_query=False, alibi=True, bias=True)
    assert (shape.layers, shape.kv_heads, shape.positions) == (3, 8, "alibi")
    assert shape.attention_bias
    assert shape.attention_output_bias
    assert shape.mlp_bias
    assert read(model_type="RefinedWeb", **old, n_head_kv=4).kv_heads == 4


def test_gptj_has_biases_in_its_feed_forward_layer_only():
    shape = read(model_type="gptj", n_embd=64, n_layer=3, n_head=4, n_inner=None)
    assert (shape.layers, shape.ffn, shape.gated_ffn, shape.vocab) == (3, 256, False, 50400)
    assert (shape.mlp_bias, shape.attention_bias, shape.tied_embeddings) == (True, False, False)
    assert read(model_type="gptj", n_embd=64, n_layer=3, n_head=4, n_inner=100).ffn == 100


@pytest.mark.parametrize(
    ("stated", "engine"),
    [
        ({}, "float16"),
        ({"torch_dtype": None}, "float16"),
        ({"torch_dtype": "float32"}, "float16"),
        ({"torch_dtype": "float16"}, "float16"),
        ({"torch_dtype": "bfloat16"}, "bfloat16"),
        ({"dtype": "bfloat16"}, "bfloat16"),
    ],
)
def test_engine_dtype_follows_the_checkpoints(stated, engine):
    assert read(**LLAMA, **stated).dtype == engine


@pytest.mark.parametrize("value", [None, 0, -4, 2.0, "8", True, math.nan, math.inf, [8], 10**12])
@pytest.mark.parametrize(
    "key",
    [
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "vocab_size",
        "max_position_embeddings",
    ],
)
def test_size_that_is_not_a_positive_integer_is_refused_by_key(key, value):
    with pytest.raises(InputError, match=f"^'{key}' must be a positive integer[^\n]*$"):
        read(**{**LLAMA, key: value})


@pytest.mark.parametrize("key", ["hidden_size", "num_hidden_layers", "num_attention_heads"])
@pytest.mark.parametrize("model_type", ["llama", "mistral", "qwen2", "granite", "opt", "falcon"])
def test_missing_size_is_refused_by_key(model_type, key):
    config = {"model_type": model_type, **SIZES}
    del config[key]
    with pytest.raises(InputError, match=f"'{key}' is missing"):
        read(**config)


@pytest.mark.parametrize("key", ["n_embd", "n_layer", "n_head"])
def test_missing_size_of_gptj_is_refused_by_key(key):
    config = {"model_type": "gptj", "n_embd": 64, "n_layer": 3, "n_head": 4}
    del config[key]
    with pytest.raises(InputError, match=f"'{key}' is missing"):
        read(**config)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({**LLAMA, "head_dim": 0}, "'head_dim' must be a positive integer"),
        ({**LLAMA, "num_key_value_heads": 3}, "8 attention heads .* among 3 key-value heads"),
        ({**LLAMA, "num_key_value_heads": 16}, "among 16 key-value heads"),
        ({**LLAMA, "hidden_size": 65}, "hidden size 65 is not divisible by the 8"),
        ({**LLAMA, "tie_word_embeddings": None}, "'tie_word_embeddings' must be true or false"),
        ({**LLAMA, "attention_bias": 1}, "'attention_bias' must be true or false, not 1"),
        ({**LLAMA, "torch_dtype": "float64"}, "'torch_dtype' .* not 'float64'"),
        ({**LLAMA, "dtype": "int8"}, "'dtype' .* not 'int8'"),
        ({**LLAMA, "torch_dtype": ["float16"]}, "'torch_dtype' must be"),
        ({**LLAMA, "quantization_config": {"bits": 4}}, "'quantization_config': 'group_size' must"),
        (
            {"model_type": "gemma", **SIZES, "num_key_value_heads": 1, "head_dim": None},
            "'head_dim' must be",
        ),
        ({"model_type": "mistral", **SIZES, "sliding_window": -1}, "'sliding_window' must be"),
        ({"model_type": "gemma2", **SIZES, "layer_types": ["full_attention"]}, "each of the 12"),
        ({"model_type": "gemma2", **SIZES, "layer_types": "full"}, "each of the 12"),
        (
            {"model_type": "gemma3_text", **SIZES, "layer_types": ["linear_attention"] * 12},
            "'linear_attention'; known: sliding_attention, chunked_attention, full_attention",
        ),
        ({"model_type": "gemma3_text", **SIZES, "sliding_window_pattern": 0}, "sliding_window_pat"),
        (
            {"model_type": "qwen2", **SIZES, "use_sliding_window": True, "max_window_layers": -1},
            "'max_window_layers' must be",
        ),
        ({"model_type": "opt", **SIZES, "word_embed_proj_dim": 32}, "'word_embed_proj_dim' 32"),
        ({"model_type": "gemma3", "text_config": None}, "'text_config' must hold"),
        (
            {"model_type": "mistral3", "text_config": {"model_type": "bloom", "n_layer": 3}},
            "'hidden_size' is missing",
        ),
        (
            {"model_type": "gemma3", "quantization_config": {"bits": 4}, "text_config": SIZES},
            "'quantization_config': 'group_size' must",
        ),
        ({}, "neither 'model_type' nor 'architectures'"),
        ({"architectures": []}, "neither 'model_type' nor 'architectures'"),
        ({"model_type": 7}, "'model_type' must be a name, not 7"),
    ],
)
def test_bad_value_is_refused_in_one_line(config, message):
    with pytest.raises(InputError, match=message) as caught:
        read(**config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "bert"},
        {"model_type": "t5"},
        {"model_type": "mistral3_text"},
        {"architectures": ["T5ForConditionalGeneration"]},
    ],
    ids=str,
)
def test_unreadable_architecture_is_refused_with_what_can_be_read(config):
    with pytest.raises(InputError, match="cannot read a model of type") as caught:
        read(**config, **SIZES)
    message = str(caught.value)
    for family in ("Llama", "Mistral", "Qwen2", "Qwen3", "Gemma 3", "OPT", "Falcon", "Granite"):
        assert family in message
    assert "GPT-J" in message
    assert "Phi-3" in message


@pytest.mark.parametrize(
    ("model_type", "reason"),
    [
        ("jamba", "states of Mamba-1"),
        ("deepseek_v32", "tokens that an index chooses"),
        ("openelm", "layers that differ from one another"),
        ("mllama_text_model", "attention to what another model sees"),
    ],
)
def test_known_model_that_cannot_be_read_is_refused_with_the_reason(model_type, reason):
    with pytest.raises(InputError, match=f"^cannot read a model of type .*{reason}"):
        read(model_type="wrapper", text_config={"model_type": model_type, **SIZES})
