"""How long a context is, by the scalings that config.json files state; and what is refused."""

import pytest

from sweetspot.catalog import architecture_from_config
from sweetspot.errors import InputError

LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 32768,
}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}


def positions(**config):
    return architecture_from_config({**LLAMA, **config}, "tiny").max_positions


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (None, 32768),
        ({}, 32768),
        (YARN, 131072),
        ({"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096}, 163840),
        ({"rope_type": "yarn", "factor": 2.0}, 65536),
        ({"rope_type": "linear", "factor": 4.0}, 131072),
        ({"rope_type": "dynamic", "factor": 2.0}, 65536),
        ({"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192}, 32768),
        ({"rope_type": "longrope", "factor": 32.0, "short_factor": [1.0]}, 32768),
        ({"type": "mrope", "mrope_section": [16, 24, 24]}, 32768),
        ({"rope_type": "default", "rope_theta": 1e6}, 32768),
        ({"rope_type": "yarn", "factor": None}, 32768),
    ],
)
@pytest.mark.parametrize("key", ["rope_scaling", "rope_parameters"])
def test_scaled_rotations_reach_as_far_as_engines_take_them_to(key, stated, expected):
    assert positions(**{key: stated}) == expected


def test_every_kind_of_layers_may_have_its_own_rotations():
    kinds = {"full_attention": YARN, "sliding_attention": {"rope_type": "default"}}
    assert positions(rope_parameters=kinds) == 131072


def test_context_of_gemma_3_counts_its_scaling_already():
    config = {"model_type": "gemma3_text", "rope_scaling": {"rope_type": "linear", "factor": 8.0}}
    assert positions(**config) == 32768


def test_learned_positions_are_as_many_as_there_are():
    config = {"model_type": "opt", "ffn_dim": 128, "rope_scaling": YARN}
    assert positions(**config) == 32768


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ("yarn", "'rope_scaling' must hold keys, not 'yarn'"),
        ({"rope_type": ["yarn"], "factor": 2}, "'rope_type' must be a name, not"),
        ({"rope_type": "yarn", "factor": "4"}, "'factor' must be a number, not '4'"),
        ({"rope_type": "yarn", "factor": 10**400}, "'factor' must be a number, not 1000"),
        ({**YARN, "original_max_position_embeddings": 1e308}, "a context of 1e.308 times"),
        ({**YARN, "original_max_position_embeddings": True}, "'original_max_position_embeddings'"),
        (
            {"rope_type": "linear", "factor": 0},
            "a context of 32768 times 'factor' 0 makes no sense",
        ),
        (
            {"rope_type": "linear", "factor": 1e9},
            "a context of 32768 times 'factor' 1e.09 makes no",
        ),
    ],
)
def test_scaling_that_cannot_be_is_refused(stated, message):
    with pytest.raises(InputError, match=message):
        positions(rope_scaling=stated)
