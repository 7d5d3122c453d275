"""The config.json of a model without weights: today's spelling of the published one."""

import json
from dataclasses import replace

import pytest

from sweetspot.catalog import architecture_from_config, load_model, model_ids
from sweetspot.catalog.packaged import read_packaged
from sweetspot.engines.weights.random_model import random_model_config, random_model_folder
from sweetspot.errors import InputError

TINY = {
    "model_type": "llama",
    "vocab_size": 320,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "max_position_embeddings": 128,
}


@pytest.mark.parametrize("model_id", model_ids())
def test_catalog_model_keeps_its_shape_and_gets_positions_for_all(model_id, tmp_path):
    planned = load_model(model_id)
    folder = random_model_folder(model_id, planned, 8192, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    longest = max(8192, planned.max_positions)
    assert architecture_from_config(config, model_id) == replace(planned, max_positions=longest)


def test_falcon_is_spelt_as_transformers_reads_it_today():
    old = read_packaged("models.yaml")["falcon-rw-7b"]["config"]
    new = random_model_config(old, load_model("falcon-rw-7b"), 8192)
    assert (new["model_type"], new["architectures"]) == ("falcon", ["FalconForCausalLM"])
    assert (new["num_hidden_layers"], new["num_attention_heads"]) == (36, 64)
    assert (new["new_decoder_architecture"], new["alibi"]) == (False, True)
    assert not {"n_layer", "n_head"} & set(new)


def test_large_old_falcon_keeps_its_decoder():
    old = {"model_type": "RefinedWeb", "hidden_size": 64, "n_layer": 2, "n_head": 4, "n_head_kv": 2}
    new = random_model_config(old, load_model(old), 128)
    assert (new["num_kv_heads"], new["new_decoder_architecture"]) == (2, True)
    assert load_model(new).kv_heads == load_model(old).kv_heads == 2


def test_multimodal_gemma_3_becomes_its_language_model():
    text = {"hidden_size": 64, "num_hidden_layers": 2, "vocab_size": 320}
    published = {"architectures": ["Gemma3ForConditionalGeneration"], "text_config": text}
    config = random_model_config(published, load_model(published), 8192)
    assert config["model_type"] == "gemma3_text"
    assert config["architectures"] == ["Gemma3ForCausalLM"]
    assert config["hidden_size"] == 64


def test_type_is_said_where_the_file_names_only_its_class():
    published = {"architectures": ["LlamaForCausalLM"]} | TINY
    del published["model_type"]
    config = random_model_config(published, load_model(published), 64)
    assert (config["model_type"], config["max_position_embeddings"]) == ("llama", 128)


def test_gpt_j_has_another_word_for_positions():
    published = {"model_type": "gptj", "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 128}
    config = random_model_config(published, load_model(published), 256)
    assert config["n_positions"] == 256


@pytest.mark.parametrize("name", ["config.json", "mine.json"])
def test_model_of_a_path_is_its_file(tmp_path, name):
    path = tmp_path / "mine" / name
    path.parent.mkdir()
    path.write_text(json.dumps(TINY | {"rope_theta": 5e5}))
    reference = str(path.parent if name == "config.json" else path)
    folder = random_model_folder(reference, load_model(reference), 64, tmp_path / "workspace")
    config = json.loads((folder / "config.json").read_text())
    assert config == TINY | {"rope_theta": 5e5, "architectures": ["LlamaForCausalLM"]}


def test_file_that_has_changed_since_planning_is_refused(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(TINY))
    planned = load_model(path)
    path.write_text(json.dumps(TINY | {"hidden_size": 128}))
    with pytest.raises(InputError, match="is no longer the model that was planned"):
        random_model_folder(str(path), planned, 64, tmp_path)
