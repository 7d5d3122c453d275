"""What a checkpoint says of itself, and whether that is what a measurement needs."""

import json

import pytest

from sweetspot.engines.weights.checkpoint import folders_of, is_opt, require_dtype
from sweetspot.errors import InputError


@pytest.fixture
def checkpoint(tmp_path):
    """Return a function that writes a config.json and returns its folder."""

    def write(**config):
        (tmp_path / "config.json").write_text(json.dumps(config))
        return tmp_path

    return write


@pytest.mark.parametrize("key", ["torch_dtype", "dtype"])
def test_type_may_stand_under_either_name(checkpoint, key):
    require_dtype(checkpoint(**{key: "bfloat16"}), "bfloat16")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"torch_dtype": "float32"}, "has torch_dtype float32; set torch_dtype in its config.json"),
        ({"dtype": "float16"}, "has torch_dtype float16; .* to bfloat16"),
        ({}, "states no torch_dtype"),
    ],
)
def test_other_type_is_refused_with_what_to_set(checkpoint, config, words):
    with pytest.raises(InputError, match=words):
        require_dtype(checkpoint(**config), "bfloat16")


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_config_that_holds_nothing_is_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match=r"config\.json"):
        require_dtype(tmp_path, "float16")


def test_opt_is_known_by_its_config_not_by_its_name(checkpoint):
    assert is_opt(checkpoint(model_type="opt"))
    assert is_opt(checkpoint(architectures=["OPTForCausalLM"]))
    assert not is_opt(checkpoint(model_type="llama", _name_or_path="facebook/opt-1.3b"))


def test_folders_of_a_checkpoint_are_its_own_and_those_its_links_lead_to(tmp_path):
    blobs, checkpoint = tmp_path / "blobs", tmp_path / "snapshot"  # as in Hugging Face's cache
    blobs.mkdir()
    checkpoint.mkdir()
    for name in ("config.json", "model.safetensors"):
        (blobs / name).touch()
        (checkpoint / name).symlink_to(blobs / name)
    (checkpoint / "tokenizer.json").touch()
    assert folders_of(checkpoint) == (checkpoint, blobs)
