"""A model by catalog id, by file, by folder or as a dictionary; and what is refused."""

import json
import os
import re

import pytest

from sweetspot.catalog import architecture_from_config, catalog_entry, load_model
from sweetspot.catalog.packaged import read_packaged
from sweetspot.errors import InputError

TINY = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}


def write_config(folder, config, name="config.json"):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(config if isinstance(config, str) else json.dumps(config), encoding="utf-8")
    return path


def test_catalog_id_is_the_catalogs_architecture():
    assert load_model("opt-6.7b") is catalog_entry("opt-6.7b").architecture


@pytest.mark.parametrize("as_type", [str, lambda path: path], ids=["str", "path"])
def test_file_and_folder_are_the_same_model_named_after_the_folder(tmp_path, as_type):
    path = write_config(tmp_path / "My Model_v2", TINY)
    expected = architecture_from_config(TINY, "my-model-v2")
    assert load_model(as_type(path)) == expected
    assert load_model(as_type(path.parent)) == expected


def test_file_of_another_name_is_named_after_itself(tmp_path):
    assert load_model(write_config(tmp_path / "models", TINY, "Tiny.json")).id == "tiny"


def test_folder_that_one_stands_in_has_its_name_all_the_same(tmp_path, monkeypatch):
    write_config(tmp_path / "here", TINY)
    monkeypatch.chdir(tmp_path / "here")
    assert {load_model(path).id for path in ("config.json", ".", "../here/")} == {"here"}


def test_folders_of_models_that_began_as_the_same_have_their_own_names(tmp_path):
    for name in ("base", "mine"):
        path = write_config(tmp_path / name, {**TINY, "_name_or_path": "meta-llama/Llama-3.1-8B"})
        assert load_model(path.parent).id == name


CACHED = "models--my-org--My-Model"


@pytest.mark.parametrize(
    "place", ["", "snapshots/new", "snapshots/new/config.json"], ids=["model", "snapshot", "file"]
)
def test_model_in_the_hubs_cache_is_called_as_on_the_hub(tmp_path, place):
    write_config(tmp_path / CACHED / "snapshots" / "new", TINY)
    found = load_model(tmp_path / CACHED / place)
    assert (found.id, found.layers) == ("my-org-my-model", 2)


def test_model_in_the_hubs_cache_is_that_of_its_main_branch_else_the_newest(tmp_path):
    snapshots = tmp_path / CACHED / "snapshots"
    for age, (commit, layers) in enumerate([("b", 2), ("a", 3), ("c", 4)]):
        write_config(snapshots / commit, {**TINY, "num_hidden_layers": layers})
        os.utime(snapshots / commit, (1000 - age, 1000 - age))
    (snapshots / "not-whole").mkdir()
    assert load_model(tmp_path / CACHED).layers == 2
    for ref, layers in (("a", 3), ("gone", 2)):
        write_config(tmp_path / CACHED / "refs", f"{ref}\n", "main")
        assert load_model(tmp_path / CACHED).layers == layers


def test_model_in_the_hubs_cache_without_snapshots_is_refused(tmp_path):
    (tmp_path / CACHED / "snapshots").mkdir(parents=True)
    with pytest.raises(InputError, match=rf"{CACHED}: no config\.json in this folder"):
        load_model(tmp_path / CACHED)


def test_catalogs_model_in_the_hubs_cache_is_the_catalogs(tmp_path):
    config = read_packaged("models.yaml")["llama-3.2-1b"]["config"]
    folder = tmp_path / "models--meta-llama--Llama-3.2-1B" / "snapshots" / "4e20de36"
    write_config(folder, config)
    assert load_model(folder) == catalog_entry("llama-3.2-1b").architecture


def test_ids_are_safe_in_paths(tmp_path):
    for name in ("..a..", "-rf", "a b/../c", "Ünïcode 1"):
        model_id = load_model({**TINY, "_name_or_path": name}).id
        assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*", model_id)


def test_dictionary_is_read_as_a_file_is():
    assert load_model(TINY) == architecture_from_config(TINY, "model")
    assert load_model({**TINY, "_name_or_path": "a/b"}).id == "b"


def test_catalog_id_is_never_lent_to_another_architecture(tmp_path):
    assert load_model(write_config(tmp_path / "opt-1.3b", TINY)).id == "local-opt-1.3b"


def test_same_architecture_under_the_same_name_is_the_catalogs(tmp_path):
    config = {
        "_name_or_path": "facebook/opt-1.3b",
        "model_type": "opt",
        "hidden_size": 2048,
        "num_hidden_layers": 24,
        "num_attention_heads": 32,
        "ffn_dim": 8192,
    }
    assert load_model(config) == catalog_entry("opt-1.3b").architecture


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "hf_quant_config.json",
            {"quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}},
            "FP8 weights, FP8 KV cache",
        ),
        ("quantize_config.json", {"bits": 4, "group_size": 128}, "GPTQ weights (4.12 bits)"),
        ("quant_config.json", {"w_bit": 4, "q_group_size": 128}, "AWQ weights (4.16 bits)"),
    ],
)
def test_files_beside_config_json_say_how_it_is_quantized(tmp_path, name, content, words):
    path = write_config(tmp_path / "mine", TINY)
    write_config(tmp_path / "mine", content, name)
    for model in (path, path.parent):
        assert load_model(model).quantization.words == words
    other = write_config(tmp_path / "mine", TINY, "other.json")
    assert load_model(other).quantization is None


def test_file_that_says_nothing_leaves_it_to_config_json(tmp_path):
    path = write_config(tmp_path, {**TINY, "quantization_config": {"quant_method": "fp8"}})
    write_config(tmp_path, {"quantization": {"quant_algo": None}}, "hf_quant_config.json")
    assert load_model(path).quantization.words == "FP8 weights"


def test_layers_of_mixed_precision_may_stand_in_a_file_of_their_own(tmp_path):
    """As TensorRT-LLM has it: what it says comes before what hf_quant_config.json says."""
    mixed = {"quant_algo": "MIXED_PRECISION", "kv_cache_quant_algo": "FP8"}
    down = {f"model.layers.{n}.mlp.down_proj": {"quant_algo": "FP8"} for n in range(2)}
    path = write_config(tmp_path / "mine", TINY)
    write_config(tmp_path / "mine", {"quantization": mixed}, "hf_quant_config.json")
    write_config(tmp_path / "mine", mixed | {"quantized_layers": down}, "quant_cfg.json")
    found = load_model(path).quantization
    assert (found.attention_bits, found.fp8_ffn, found.fp8_kv_cache) == (16, 1 / 3, True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "file .*hf_quant_config.json is not valid JSON"),
        (
            "[1]",
            "config.json: 'hf_quant_config.json': 'hf_quant_config.json' must hold keys, not .1",
        ),
        ({"quantization": {"quant_algo": "NVFP4"}}, "'hf_quant_config.json': quant_algo NVFP4"),
    ],
)
def test_file_beside_config_json_that_cannot_be_read_is_refused(tmp_path, content, message):
    write_config(tmp_path, content, "hf_quant_config.json")
    with pytest.raises(InputError, match=message):
        load_model(write_config(tmp_path, TINY))


def test_byte_order_mark_is_not_an_obstacle(tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(TINY).encode())
    assert load_model(path).layers == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not valid JSON"),
        ('{"model_type": "llama", ', "is not valid JSON"),
        ("[1, 2]", "must be a mapping of keys to values, not .1, 2"),
        ("3", "must be a mapping of keys to values, not 3"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"hidden_size": ' + "9" * 5000 + "}", "is not valid JSON"),
        ('{"model_type": "llama", "hidden_size": NaN}', "'hidden_size' must be a positive integer"),
        ('{"model_type": "mamba"}', "cannot read a model of type 'mamba'"),
    ],
    ids=["empty", "truncated", "list", "number", "deep", "huge-number", "nan", "unreadable"],
)
def test_bad_file_is_refused_in_one_line_with_its_path(tmp_path, text, message):
    path = write_config(tmp_path, text)
    with pytest.raises(
        InputError, match=rf"^(model config )?{re.escape(str(path))}:? {message}"
    ) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


def test_binary_file_is_refused_with_its_path(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match="not valid JSON"):
        load_model(path)


def test_checkpoint_given_by_mistake_is_not_read(tmp_path):
    path = tmp_path / "model.bin"
    with path.open("wb") as file:
        file.truncate(11 * 2**20)  # sparse: takes no room
    with pytest.raises(InputError, match=r"too large for a config\.json"):
        load_model(path)


def test_folder_without_config_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no config\.json in this folder"):
        load_model(tmp_path)


def test_bad_dictionary_is_refused():
    with pytest.raises(InputError, match=r"^model config: 'hidden_size' is missing"):
        load_model({"model_type": "llama"})


@pytest.mark.parametrize("name", ["no/such/folder", "nowhere.json", "x" * 300 + "/config.json"])
def test_path_that_does_not_exist_is_refused(name):
    with pytest.raises(InputError, match="no such file or folder"):
        load_model(name)


@pytest.mark.parametrize("name", ["llama-3.2-1B", "gpt-17", "", "~nobody-of-that-name", "a\0b"])
def test_unknown_model_is_refused_with_both_ways_out(name):
    with pytest.raises(InputError, match=r"unknown model .* known: .* config\.json works too"):
        load_model(name)


@pytest.mark.parametrize("name", ["meta-llama/Llama-3.2-1B", "meta-llama/llama-3.2-1b"])
def test_name_on_the_hub_is_the_catalogs_model(name, tmp_path, monkeypatch):
    write_config(tmp_path / name, TINY)
    monkeypatch.chdir(tmp_path)
    assert load_model(name) is catalog_entry("llama-3.2-1b").architecture
    assert load_model(f"./{name}").layers == 2


@pytest.mark.parametrize("name", ["Llama 3.2 (1B)", "llama 3.2 1b", " Llama  3.2 (1b)"])
def test_name_as_tables_print_it_is_the_catalogs_model(name):
    assert load_model(name) is catalog_entry("llama-3.2-1b").architecture


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b"),
        ("google/gemma-2-2b-it", "gemma-2-2b"),
    ],
)
def test_tuned_model_of_the_hub_is_refused_with_the_catalogs_of_its_shape(name, base):
    with pytest.raises(InputError, match=rf"if it is that model tuned: name {base}\)"):
        load_model(name)
    with pytest.raises(InputError) as other:
        load_model("my-org/other-Instruct")
    assert "tuned" not in str(other.value)
