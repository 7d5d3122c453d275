"""What a token moves: layers by hand, and at least what lies between the matrices."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from sweetspot.catalog import architecture_from_config
from sweetspot.simulator.cost.traffic import feed_forward_traffic, mixer_traffic

TABLE = yaml.load(
    (Path(__file__).parents[2] / "catalog/published_models.yaml").read_text(encoding="utf-8"),
    yaml.CSafeLoader,
)


def published(model):
    return architecture_from_config(TABLE[model]["config"], "x")


MIXTRAL = published("mistralai/Mixtral-8x7B-v0.1")
LLAMA = published("meta-llama/Meta-Llama-3.1-8B")
V2_LITE = published("deepseek-ai/DeepSeek-V2-Lite")


@pytest.mark.parametrize("model", TABLE)
def test_matrices_move_at_least_what_the_layers_before_and_after_them_hold(model):
    shape = published(model)
    mixers, ffns = mixer_traffic(shape), feed_forward_traffic(shape)
    layers = shape.ffn_layers + shape.expert_layers
    for moved, count in ((mixers, shape.attention_layers + shape.state_layers), (ffns, layers)):
        assert min(moved.inputs, moved.outputs) >= count * shape.hidden
        assert moved.elementwise >= 4 * count * shape.hidden


def test_traffic_of_a_layer_of_experts_by_hand():
    """Mixtral: router, and two experts of gate, up and down, whose inputs are copied."""
    moved = feed_forward_traffic(
        replace(MIXTRAL, layers=1, experts=replace(MIXTRAL.experts, layers=1))
    )
    assert moved.inputs == 4096 + 2 * (4096 + 14336)
    assert moved.outputs == 8 + 2 * (2 * 14336 + 4096)
    assert moved.elementwise == 4 * 4096 + 2 * 3 * 14336 + 2 * (1 + 2) * 4096


def test_traffic_of_a_dense_layer_by_hand():
    """Llama 3.1 8B: Q, K and V of 4096 and 1024 each, of which Q and K are rotated; gate and up."""
    one = replace(LLAMA, layers=1)
    mixer, ffn = mixer_traffic(one), feed_forward_traffic(one)
    assert mixer == (4096 + 4096, 4096 + 2 * 1024 + 4096, 4 * 4096 + 2 * (4096 + 1024))
    assert ffn == (4096 + 14336, 2 * 14336 + 4096, 4 * 4096 + 3 * 14336)


def test_traffic_of_latent_attention_by_hand():
    """DeepSeek-V2-Lite: 16 queries of 192, a latent vector of 512 and a rotated key of 64."""
    moved = mixer_traffic(replace(V2_LITE, layers=1, experts=None))
    assert moved.inputs == 2048 + 512 + 16 * 128
    assert moved.outputs == 16 * 192 + (512 + 64) + 16 * (128 + 128) + 2048
    assert moved.elementwise == 4 * 2048 + 2 * (512 + 17 * 64)
