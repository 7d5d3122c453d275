"""Which layers of hybrids attend and which have a state; and what is refused."""

import pytest

from sweetspot.catalog import architecture_from_config
from sweetspot.errors import InputError

SIZES = {
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
}


def read(model_type, **config):
    return architecture_from_config({"model_type": model_type, **SIZES, **config}, "tiny")


def kinds(shape):
    """Return how many layers attend, have a state, a feed-forward layer, and experts."""
    layers = (shape.attention_layers, shape.state_layers, shape.ffn_layers, shape.expert_layers)
    return dict(zip(("attention", "state", "ffn", "experts"), layers, strict=True))


def test_granite_attends_where_its_list_says_and_has_experts_everywhere():
    listed = ["mamba", "attention", "mamba", "mamba"]
    found = kinds(read("granitemoehybrid", layer_types=listed))
    assert found == {"attention": 1, "state": 3, "ffn": 0, "experts": 4}
    dense = read("granitemoehybrid", layer_types=listed, num_local_experts=0)
    assert kinds(dense) == {"attention": 1, "state": 3, "ffn": 4, "experts": 0}
    assert dense.ffn == 1024  # the shared expert's width
    plain = read("granitemoehybrid", layer_types=["attention"] * 4)
    assert (plain.state, plain.attention_layers) == (None, 4)


def test_bamba_attends_in_listed_layers_and_falcon_in_all():
    bamba = kinds(read("bamba", attn_layer_indices=[1, 3]))
    assert bamba == {"attention": 2, "state": 2, "ffn": 4, "experts": 0}
    falcon = read("falcon_h1", mamba_d_ssm=512)
    assert kinds(falcon) == {"attention": 4, "state": 4, "ffn": 4, "experts": 0}
    assert falcon.state.inner == 512


@pytest.mark.parametrize(
    "layers",
    [
        {"hybrid_override_pattern": "M*-E"},
        {"layers_block_type": ["mamba", "attention", "mlp", "moe"]},
    ],
)
def test_nemotron_has_one_part_a_layer(layers):
    experts = {
        "n_routed_experts": 8,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 32,
        "moe_latent_size": 16,
        "moe_shared_expert_intermediate_size": 48,
    }
    shape = read("nemotron_h", **layers, **experts)
    assert kinds(shape) == {"attention": 1, "state": 1, "ffn": 1, "experts": 1}
    assert (shape.experts.width, shape.experts.shared_ffn) == (16, 48)
    assert (shape.gated_ffn, shape.positions) == (False, "none")


def test_nemotron_may_say_how_many_layers_it_has_by_listing_them():
    listed = {"layers_block_type": ["mamba", "attention"] * 3}
    sizes = {key: value for key, value in SIZES.items() if key != "num_hidden_layers"}
    config = {"model_type": "nemotron_h", **sizes, **listed}
    assert architecture_from_config(config, "tiny").layers == 6


def test_qwen_attends_in_every_fourth_layer_with_a_gate():
    shape = read("qwen3_5_text")
    assert kinds(shape) == {"attention": 1, "state": 3, "ffn": 4, "experts": 0}
    assert shape.gated_attention
    assert shape.state.delta_rule
    assert not shape.state.float32
    assert read("qwen3_5_text", mamba_ssm_dtype="float32").state.float32
    listed = read("qwen3_5_text", layer_types=["full_attention"] * 3 + ["linear_attention"])
    assert kinds(listed)["state"] == 1


@pytest.mark.parametrize(
    ("model_type", "config", "message"),
    [
        ("granitemoehybrid", {}, "'layer_types' must say of each of the 4 layers"),
        ("granitemoehybrid", {"layer_types": ["mamba"] * 3}, "must say of each of the 4 layers"),
        ("granitemoehybrid", {"layer_types": ["rwkv"] * 4}, "'layer_types' has 'rwkv'; known"),
        ("nemotron_h", {"hybrid_override_pattern": "MMM?"}, "'hybrid_override_pattern' has '?"),
        ("bamba", {"attn_layer_indices": [4]}, "must list layers from 0 to 3"),
        ("bamba", {"attn_layer_indices": [1], "mamba_n_heads": 7}, "128 is not divisible by"),
        ("bamba", {"attn_layer_indices": [1], "mamba_d_head": 3}, "'mamba_d_head' must be"),
        ("nemotron_h", {"hybrid_override_pattern": "M-M-"}, "no layer attends"),
        ("llama", {"mamba_d_state": 16}, "'mamba_d_state' is set"),
        ("qwen3", {"linear_num_value_heads": 16}, "'linear_num_value_heads' is set"),
    ],
)
def test_what_is_not_understood_is_refused_in_one_line(model_type, config, message):
    with pytest.raises(InputError, match=message) as caught:
        read(model_type, **config)
    assert "\n" not in str(caught.value)
