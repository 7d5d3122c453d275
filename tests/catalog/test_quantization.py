"""What checkpoints say of their quantization, method by method, by hand; and what is refused."""

import pytest

from sweetspot.catalog import architecture_from_config
from sweetspot.errors import InputError

# Attention weighs 4·64² a layer and the FFN 3·64·128 of it: 0.4 and 0.6.
TINY = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 128,
}
# The same with experts of 32 and shared ones of 48 in place of feed-forward layers.
MIXTURE = {
    "model_type": "qwen2_moe",
    "num_key_value_heads": 4,
    "num_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 48,
    "decoder_sparse_step": 1,
}
FLOAT8 = {"num_bits": 8, "type": "float"}


def read(stated, key="quantization_config", **config):
    return architecture_from_config({**TINY, **config, key: stated}, "tiny").quantization


def tensors(weights, inputs=None, **more):
    """Return a configuration of compressed-tensors with one group."""
    group = {"targets": ["Linear"], "weights": weights, "input_activations": inputs}
    return {"quant_method": "compressed-tensors", "config_groups": {"group_0": group}, **more}


def modelopt(**more):
    return {"quant_method": "modelopt", **more}


@pytest.mark.parametrize(
    ("stated", "bits", "name"),
    [
        (
            {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True},
            4 + 20 / 128,
            "AWQ weights (4.16 bits)",
        ),
        (
            {"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": True},
            4 + 16 / 128,
            "GPTQ weights (4.12 bits)",
        ),
        (
            {"quant_method": "gptq", "bits": 4, "group_size": 64, "sym": False},
            4 + 20 / 64,
            "GPTQ weights (4.31 bits)",
        ),
        ({"quant_method": "gptq", "bits": 8, "group_size": -1}, 8, "GPTQ weights"),
        (
            {"quant_method": "intel/auto-round", "bits": 2, "group_size": 128, "sym": True},
            2 + 16 / 128,
            "AutoRound weights (2.12 bits)",
        ),
        ({"load_in_4bit": True}, 4.5, "bitsandbytes weights (4.5 bits)"),
        (
            {
                "quant_method": "bitsandbytes",
                "load_in_4bit": True,
                "bnb_4bit_use_double_quant": True,
            },
            4 + 8 / 64 + 32 / 16384,
            "bitsandbytes weights (4.13 bits)",
        ),
        (
            {
                "quant_method": "hqq",
                "quant_config": {"weight_quant_params": {"nbits": 4, "group_size": 64}},
            },
            4.5,
            "HQQ weights (4.5 bits)",
        ),
        (
            tensors({"num_bits": 4, "strategy": "group", "group_size": 128}, ignore=["lm_head"]),
            4 + 16 / 128,
            "W4A16 weights (4.12 bits)",
        ),
        (
            tensors(
                {"num_bits": 4, "strategy": "group", "group_size": 128, "symmetric": False},
                ignore=["lm_head"],
            ),
            4 + 20 / 128,
            "W4A16 weights (4.16 bits)",
        ),
        (
            tensors(
                {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16},
                ignore=["lm_head"],
            ),
            4.5,
            "W4A16 weights (4.5 bits)",
        ),
        (modelopt(quant_algo="W4A16_AWQ", group_size=64), 4 + 16 / 64, "AWQ weights (4.25 bits)"),
        (modelopt(quant_algo="W8A16"), 8, "W8A16 weights"),
    ],
)
def test_weight_only_formats_hold_scales_and_zero_points_and_compute_in_16_bits(stated, bits, name):
    found = read(stated)
    assert (found.attention_bits, found.ffn_bits) == pytest.approx((bits, bits))
    assert (found.embedding_bits, found.head_bits, found.fp8_weights) == (16, 16, False)
    assert (found.name, found.words) == (name, name)


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"quant_method": "fp8", "activation_scheme": "static"}, "FP8 weights"),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "FP8 block weights"),
        ({"quant_method": "fbgemm_fp8", "modules_to_not_convert": ["lm_head"]}, "FP8 weights"),
        (tensors(FLOAT8, FLOAT8, ignore=["lm_head"]), "FP8 weights"),
        (
            tensors(FLOAT8, FLOAT8, ignore=["lm_head"], kv_cache_scheme=FLOAT8),
            "FP8 weights, FP8 KV cache",
        ),
        (modelopt(quant_algo="FP8", kv_cache_quant_algo="FP8"), "FP8 weights, FP8 KV cache"),
        (
            modelopt(quantization={"quant_algo": "FP8", "exclude_modules": ["lm_head"]}),
            "FP8 weights",
        ),
    ],
)
def test_fp8_checkpoints_are_the_option_fp8(stated, words):
    found = read(stated)
    assert (found.attention_bits, found.ffn_bits, found.head_bits) == (8, 8, 16)
    assert (found.fp8_attention, found.fp8_ffn) == (1, 1)
    assert found.words == words


def test_fp8_activations_may_meet_weights_of_four_bits():
    found = read(modelopt(quant_algo="W4A8_AWQ", group_size=128))
    assert (found.attention_bits, found.fp8_attention, found.fp8_ffn) == (4.125, 1, 1)


def test_mxfp4_is_of_experts_alone():
    """Of 4 layers: attention 4·64² each; 8 experts of 3·64·32, shared ones of 3·64·48, routers."""
    found = read({"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]}, **MIXTURE)
    assert (found.attention_bits, found.ffn_bits, found.expert_bits) == (16, 16, 4.25)
    weights = 4 * 64 * 64 + 8 * 3 * 64 * 32 + 3 * 64 * 48
    mean = 16 - 11.75 * 8 * 3 * 64 * 32 / weights
    assert found.name == f"MXFP4 weights ({mean:.3g} bits)"
    assert read({"quant_method": "mxfp4"}) is None


def test_kv_cache_alone_may_be_fp8():
    found = read(modelopt(quant_algo=None, kv_cache_quant_algo="FP8"))
    assert (found.weights, found.fp8_kv_cache, found.words) == (False, True, "FP8 KV cache")


@pytest.mark.parametrize("stated", [{}, None, modelopt(quant_algo=None), modelopt()])
def test_nothing_said_is_nothing_quantized(stated):
    assert read(stated) is None


def test_mlx_quantizes_embeddings_and_head_too_and_may_name_exceptions():
    stated = {"group_size": 64, "bits": 4, "model.layers.0.mlp.down_proj": {"bits": 8}}
    found = read(stated | {"lm_head": False}, key="quantization")
    assert found.attention_bits == found.embedding_bits == 4.5
    assert found.ffn_bits == pytest.approx(4.5 + 4 / 12)  # one of 12 matrices
    assert found.head_bits == 16
    assert read(stated, key="quantization", tie_word_embeddings=True).head_bits == 4.5


@pytest.mark.parametrize(
    ("kept", "attention", "ffn"),
    [
        (["lm_head", "model.embed_tokens", "model.norm"], 0, 0),
        (["self_attn"], 1, 0),
        (["re:.*self_attn.*"], 1, 0),
        (["model.layers.*.self_attn*"], 1, 0),
        (["re:.*self_attn\\.[qkvo]_proj$"], 1, 0),
        (["model.layers.0", "model.layers.3."], 1 / 2, 1 / 2),
        (["model.layers.0*"], 1 / 4, 1 / 4),
        (["model.language_model.layers.1.mlp"], 0, 1 / 4),
        ([f"model.layers.{n}.self_attn.qkv_proj" for n in range(4)], 3 / 4, 0),
        (["down_proj"], 0, 1 / 3),
        (["mlp.gate", "model.layers.0.mlp.gate"], 0, 0),  # a router, not gate_proj
        (["vision_tower.layers.0.self_attn.q_proj", "visual", "multi_modal_projector"], 0, 0),
    ],
)
def test_modules_that_are_kept_keep_16_bits(kept, attention, ffn):
    found = read({"quant_method": "fp8", "modules_to_not_convert": kept})
    assert (found.attention_bits, found.ffn_bits) == pytest.approx((8 + 8 * attention, 8 + 8 * ffn))
    assert (found.fp8_attention, found.fp8_ffn) == pytest.approx((1 - attention, 1 - ffn))


@pytest.mark.parametrize(
    ("kept", "attention", "ffn", "experts"),
    [
        (["self_attn", "mlp.gate", "shared_expert_gate"], 1, 0, 0),
        (["re:.*shared_expert.*", "re:.*mlp\\.(gate|up|down)_proj.*"], 0, 1, 0),
        (["model.layers.0.mlp.experts"], 0, 0, 1 / 4),
        (["re:.*experts\\.\\d+\\..*"], 0, 0, 1),
        ([f"model.layers.1.block_sparse_moe.experts.{n}.w2" for n in range(8)], 0, 0, 1 / 12),
        ([f"backbone.layers.{n}.mixer.experts.3.up_proj" for n in range(4)], 0, 0, 1 / 3),
        (["model.layers.2"], 1 / 4, 1 / 4, 1 / 4),
    ],
)
def test_experts_and_what_stands_beside_them_are_told_apart(kept, attention, ffn, experts):
    """Routers keep 16 bits."""
    found = read({"quant_method": "fp8", "modules_to_not_convert": kept}, **MIXTURE)
    shared, router = 3 * 64 * 48, 64 * 8
    common = (8 + 8 * ffn) * shared + 16 * router
    assert found.attention_bits == pytest.approx(8 + 8 * attention)
    assert found.ffn_bits == pytest.approx(common / (shared + router))
    assert found.expert_bits == pytest.approx(8 + 8 * experts)
    routed = 2 * 3 * 64 * 32  # of a token
    fp8 = (1 - ffn) * shared + (1 - experts) * routed
    assert found.fp8_ffn == pytest.approx(fp8 / (shared + router + routed))


def test_layers_that_have_no_attention_are_not_counted_as_kept():
    """Of NVIDIA's hybrids: 2 layers of states, 1 of attention and 3 of feed-forward, by number."""
    config = {
        "model_type": "nemotron_h",
        "hybrid_override_pattern": "M-M*--",
        "num_hidden_layers": 6,
        "num_key_value_heads": 4,
        "head_dim": 16,
        "mamba_num_heads": 4,
        "mamba_head_dim": 32,
        "ssm_state_size": 16,
        "n_groups": 1,
    }
    layers = {f"backbone.layers.{n}.mixer.in_proj": "FP8" for n in (0, 2)}
    layers |= {f"backbone.layers.{n}.mixer.out_proj": "FP8" for n in (0, 2)}
    layers |= {f"backbone.layers.3.mixer.{m}_proj": "FP8" for m in "qkvo"}
    layers |= {
        f"backbone.layers.{n}.mixer.{m}_proj": "W8A16" for n in (1, 4) for m in ("up", "down")
    }
    stated = {name: {"quant_algo": algorithm} for name, algorithm in layers.items()}
    found = read(modelopt(quant_algo="MIXED_PRECISION", quantized_layers=stated), **config)
    assert (found.attention_bits, found.fp8_attention) == (8, 1)
    assert (found.ffn_bits, found.fp8_ffn) == (pytest.approx(16 - 8 * 2 / 3), 0)


def test_head_is_quantized_where_its_method_does_so_and_nothing_keeps_it():
    weights = {"num_bits": 8}
    assert read(tensors(weights)).head_bits == 8
    assert read(tensors(weights), tie_word_embeddings=True).head_bits == 16
    for kept in ("lm_head", "re:.*lm_head", "*lm_head*"):
        assert read(tensors(weights, ignore=[kept])).head_bits == 16
    gptq = {"quant_method": "gptq", "bits": 4, "group_size": 128}
    assert read(gptq | {"lm_head": True}).head_bits == 4.125


def test_layers_of_mixed_precision_have_their_own_formats():
    layers = {
        f"model.layers.{n}.mlp.{m}_proj": "FP8" for n in (0, 1) for m in ("up", "gate", "down")
    }
    layers |= {
        f"model.layers.{n}.self_attn.{m}_proj": "W4A16_AWQ" for n in range(4) for m in "qkvo"
    }
    stated = {name: {"quant_algo": algorithm} for name, algorithm in layers.items()}
    found = read(modelopt(quant_algo="MIXED_PRECISION", quantized_layers=stated))
    assert (found.attention_bits, found.ffn_bits) == pytest.approx((4.125, 12))
    assert (found.fp8_attention, found.fp8_ffn) == pytest.approx((0, 0.5))
    assert found.name == "mixed weights (8.85 bits)"


def test_rules_of_gptq_change_or_keep_what_they_match():
    rules = {r"-:.*\.self_attn\..*": {}, r"+:model\.layers\.[01]\..*": {"bits": 8}}
    found = read({"quant_method": "gptq", "bits": 4, "group_size": 128, "dynamic": rules})
    assert (found.attention_bits, found.ffn_bits) == pytest.approx((16, 6.125))


def test_groups_of_compressed_tensors_may_target_modules():
    groups = {
        "a": {"targets": ["re:.*mlp.*"], "weights": {"num_bits": 4}},
        "b": {"targets": ["re:.*self_attn.*"], "weights": FLOAT8, "input_activations": FLOAT8},
    }
    found = read({"config_groups": groups})
    assert (found.attention_bits, found.ffn_bits) == (8, 4)
    assert (found.fp8_attention, found.fp8_ffn, found.head_bits) == (1, 0, 16)
    assert found.name == "W4A16 and FP8 weights (5.6 bits)"


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"quant_method": "aqlm"}, "quant_method 'aqlm' cannot be read; readable: awq, gptq"),
        ({"quant_method": 7}, "quant_method 7 cannot be read"),
        ({"nothing": 1}, "quant_method '' cannot be read"),
        ({"quant_method": "awq"}, "'bits' must be a number of bits, not None"),
        ({"quant_method": "awq", "bits": 4}, "'group_size' must be a positive integer or -1"),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "bitsandbytes in 8 bits"),
        (tensors({"num_bits": 8}, {"num_bits": 8, "type": "int"}), "W8A8 computes in INT8"),
        (
            tensors({"num_bits": 4, "type": "float"}, {"num_bits": 4, "type": "float"}),
            "W4A4 computes in FLOAT4, which cannot be simulated; use the FP8",
        ),
        (
            tensors(FLOAT8, sparsity_config={"format": "sparse-24-bitmask"}),
            "sparse weights .sparse-24-bitmask. cannot be simulated",
        ),
        (tensors(FLOAT8, ignore=["re:("]), "'re:.' is no regular expression"),
        (tensors(FLOAT8, ignore="lm_head"), "'ignore' must be a list of names, not 'lm_head'"),
        (
            modelopt(quant_algo="NVFP4"),
            "quant_algo NVFP4 computes in FP4, which cannot be simulated",
        ),
        (modelopt(quant_algo="W8A8_SQ_PER_CHANNEL"), "quant_algo W8A8_SQ_PER_CHANNEL computes in"),
        (modelopt(quant_algo="W3A16"), "quant_algo 'W3A16' cannot be read; what can: FP8, FP8_PER"),
        (modelopt(quant_algo="FP8", kv_cache_quant_algo="INT8"), "a KV cache in 'INT8' cannot be"),
        (
            modelopt(quant_algo="MIXED_PRECISION", quantized_layers={"lm_head": {"quant_algo": 4}}),
            "quant_algo '4' cannot be",
        ),
        (
            {"quant_method": "hqq", "quant_config": {"self_attn": {}}},
            "hqq with a format of its own",
        ),
        ({"bits": 4, "group_size": 32, "mode": "mxfp4"}, "mode 'mxfp4' of MLX cannot be read"),
        ([1], "'quantization_config' must hold keys, not .1."),
        (modelopt(quant_algo="MIXED_PRECISION"), "'quantized_layers' must hold keys, not None"),
    ],
)
def test_what_cannot_be_simulated_is_refused_by_name_in_one_line(stated, message):
    with pytest.raises(InputError, match=f"^'quantization_config': {message}") as caught:
        read(stated)
    assert "\n" not in str(caught.value)
