"""Which layers have experts, family by family, and how many; and what is refused."""

import pytest

from sweetspot.catalog import architecture_from_config
from sweetspot.errors import InputError

SIZES = {"hidden_size": 64, "num_hidden_layers": 12, "num_attention_heads": 8}


def read(model_type, **config):
    config = {"num_key_value_heads": 8, **SIZES, **config}
    return architecture_from_config({"model_type": model_type, **config}, "tiny").experts


@pytest.mark.parametrize(
    ("model_type", "config", "layers"),
    [
        ("mixtral", {}, 12),
        ("qwen3_moe", {}, 12),
        ("qwen3_moe", {"decoder_sparse_step": 2}, 6),
        ("qwen3_moe", {"decoder_sparse_step": 2, "mlp_only_layers": [0, 1, 2, 3]}, 4),
        ("deepseek_v3", {}, 9),
        ("deepseek_v3", {"first_k_dense_replace": 1, "moe_layer_freq": 1}, 11),
        ("deepseek_v3", {"mlp_layer_types": ["dense"] * 2 + ["sparse"] * 10}, 10),
        ("llama4_text", {}, 12),
        ("llama4_text", {"interleave_moe_layer_step": 2}, 6),
        ("llama4_text", {"interleave_moe_layer_step": 2, "moe_layers": [1, 5, 9]}, 3),
        ("ernie4_5_moe", {}, 11),
        ("ernie4_5_moe", {"moe_layer_start_index": 3, "moe_layer_end_index": 8}, 6),
        ("ernie4_5_moe", {"moe_layer_interval": 2, "moe_layer_end_index": -1}, 6),
        ("afmoe", {"num_dense_layers": 2}, 10),
    ],
)
def test_layers_with_experts_are_those_that_the_family_says(model_type, config, layers):
    assert read(model_type, **config).layers == layers


@pytest.mark.parametrize(
    ("model_type", "config", "ffn", "shared_ffn"),
    [
        ("mixtral", {"intermediate_size": 96}, 96, 0),
        ("qwen2_moe", {}, 1408, 5632),
        ("qwen2_moe", {"shared_expert_intermediate_size": 0}, 1408, 0),
        ("deepseek_v3", {"moe_intermediate_size": 32, "n_shared_experts": 3}, 32, 96),
        ("deepseek_v3", {"n_shared_experts": None}, 2048, 0),
        ("llama4_text", {"intermediate_size": 80}, 80, 80),
        ("granitemoeshared", {"shared_intermediate_size": 48}, 11008, 48),
    ],
)
def test_width_of_experts_and_of_the_shared_ones(model_type, config, ffn, shared_ffn):
    found = read(model_type, **config)
    assert (found.ffn, found.shared_ffn) == (ffn, shared_ffn)


def test_number_of_experts_and_of_those_a_token_takes():
    found = read("gpt_oss", num_local_experts=32, experts_per_token=3)
    assert (found.count, found.per_token) == (32, 3)


@pytest.mark.parametrize(("model_type", "key"), [("dots1", "n_routed_experts")])
def test_model_without_experts_is_dense(model_type, key):
    assert read(model_type, **{key: None}) is None
    assert read(model_type, **{key: 0}) is None


@pytest.mark.parametrize(
    ("model_type", "config", "message"),
    [
        ("mixtral", {"num_experts_per_tok": 9}, "'num_experts_per_tok' 9 is more than the 8 exp"),
        ("mixtral", {"num_local_experts": -1}, "'num_local_experts' must be"),
        ("mixtral", {"num_local_experts": True}, "'num_local_experts' must be"),
        ("deepseek_v2", {"num_experts_per_tok": None}, "'num_experts_per_tok' must be"),
        ("deepseek_v3", {"moe_layer_freq": 2}, "'moe_layer_freq' must be 1, not 2"),
        ("deepseek_v3", {"mlp_layer_types": ["dense"]}, "'mlp_layer_types' must list"),
        ("qwen3_moe", {"mlp_only_layers": [12]}, "must list layers from 0 to 11"),
        ("qwen3_moe", {"mlp_only_layers": 3}, "must list layers from 0 to 11"),
        ("qwen3_moe", {"decoder_sparse_step": 0}, "'decoder_sparse_step' must be"),
        ("llama", {"num_local_experts": 8}, "'num_local_experts' is set: models of this type"),
        ("qwen2", {"n_routed_experts": 8}, "'n_routed_experts' is set"),
        ("mixtral", {"kv_lora_rank": 8}, "'kv_lora_rank' is set"),
        ("deepseek_v3", {"index_topk": 2048}, "'index_topk' is set"),
        ("deepseek_v3", {"kv_lora_rank": None}, "'kv_lora_rank' must be"),
    ],
)
def test_what_is_not_understood_is_refused_in_one_line(model_type, config, message):
    with pytest.raises(InputError, match=message) as caught:
        read(model_type, **config)
    assert "\n" not in str(caught.value)
