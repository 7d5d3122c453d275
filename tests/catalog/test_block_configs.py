"""Models whose layers were pruned one by one: what is left of them; and what is refused."""

import pytest

from sweetspot.catalog import architecture_from_config
from sweetspot.errors import InputError

ATTENTION = {"n_heads_in_group": 4, "no_op": False, "window_length": None}
NOTHING = {"no_op": True}


def block(attention=ATTENTION, **ffn):
    return {"attention": attention, "ffn": ffn or {"ffn_mult": 6}}


def read(*blocks):
    config = {
        "model_type": "nemotron-nas",
        "hidden_size": 256,
        "num_attention_heads": 8,
        "num_hidden_layers": len(blocks),
        "block_configs": list(blocks),
    }
    return architecture_from_config(config, "tiny")


def test_parts_that_are_cut_take_no_weights():
    shape = read(block(), block(attention=NOTHING), block(no_op=True), block())
    assert (shape.layers, shape.attention_layers, shape.ffn_layers) == (4, 3, 3)
    assert (shape.kv_heads, shape.ffn) == (2, 1024)  # 2/3 of 6 hidden sizes
    assert shape.linear_weights == 3 * 2 * 256 * (256 + 64) + 3 * 3 * 256 * 1024


def test_feed_forward_layers_of_several_widths_have_their_mean():
    shape = read(block(), block(ffn_mult=1.5), block(ffn_mult=1.6))
    assert shape.ffn == round((1024 + 256 + 512) / 3 / 8) * 8  # widths are rounded up to 256


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([block(attention=ATTENTION | {"window_length": 8})], "'window_length' set"),
        ([block(ffn_mult=1, replace_with_linear=True)], "'replace_with_linear' set"),
        ([block(), block(attention=ATTENTION | {"n_heads_in_group": 2})], "attention of one"),
        ([block(attention=NOTHING)], "attention of one 'n_heads_in_group'"),
        ([block(ffn_mult=-1)], "'ffn_mult' of 'block_configs' must be positive, not -1"),
        ([{"attention": ATTENTION}], "has no 'ffn'"),
        ([7], "has no 'attention': 7"),
    ],
)
def test_what_is_not_understood_is_refused_in_one_line(blocks, message):
    with pytest.raises(InputError, match=message) as caught:
        read(*blocks)
    assert "\n" not in str(caught.value)


def test_blocks_of_other_models_are_refused():
    config = {
        "model_type": "llama",
        "hidden_size": 256,
        "num_attention_heads": 8,
        "num_hidden_layers": 1,
        "block_configs": [block()],
    }
    with pytest.raises(InputError, match="'block_configs' is set"):
        architecture_from_config(config, "tiny")
