"""What describes boards and models of one's own, kept beside what was measured with them."""

import json

import own_board
import tiny

from sweetspot.catalog import gpu, load_model, located, own_files


def test_board_and_models_are_found_in_the_folder_that_keeps_them(tmp_path, monkeypatch):
    home, away = tmp_path / "home", tmp_path / "away"
    (home / "models" / "mine").mkdir(parents=True)
    monkeypatch.chdir(home)
    (home / "My GPU.yaml").write_text(own_board.TEXT)
    (home / "models" / "mine" / "config.json").write_text(json.dumps(tiny.LLAMA))
    quantized = {"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": True}
    (home / "models" / "mine" / "quantize_config.json").write_text(json.dumps(quantized))
    names = ["llama-3.2-1b", "models/mine"]
    places, files = own_files("My GPU.yaml", names)
    assert places == {"My GPU.yaml": "own/my-gpu.yaml", "models/mine": "own/mine"}
    board, model = gpu("My GPU.yaml"), load_model("models/mine")
    for place, content in files.items():
        (away / place).parent.mkdir(parents=True, exist_ok=True)
        (away / place).write_bytes(content)
    monkeypatch.chdir(away)
    stated = {
        "gpu": "My GPU.yaml",
        "models": names,
        "holdout": ["models/mine"],
        "sweeps": {"all": {}, "one": {"models": ["models/mine"], "requests": [8]}},
        "run": "models/mine",
    }
    found = located(stated, places, away)
    assert gpu(found["gpu"]) == board
    assert found["models"][0] == names[0]
    there = found["models"][1]
    assert load_model(there) == model
    assert (found["holdout"], found["sweeps"]["one"]["models"]) == ([there], [there])
    assert (found["sweeps"]["all"], found["run"]) == ({}, "models/mine")


def test_what_the_catalog_has_is_not_kept():
    assert own_files("h100-sxm", ["llama-3.2-1b", "meta-llama/Llama-3.1-8B"]) == ({}, {})
