"""A campaign's file: what its parts are, and what is refused of it."""

import pytest

from sweetspot.campaign.file import parse_campaign
from sweetspot.errors import InputError

BASE = {
    "engine": "vllm",
    "gpu": "h200-sxm",
    "models": ["llama-3.2-1b", "opt-2.7b"],
    "vllm": {"weights": "random", "warmup": 1},
}


def test_file_without_parts_is_one_experiment_in_the_folder_itself():
    file = parse_campaign(BASE, "file")
    assert list(file.parts) == [""]
    assert file.probe_minutes == 0


def test_each_engine_is_a_part_of_its_own():
    file = parse_campaign(BASE | {"engines": ["vllm", "transformers"], "probe": 4}, "file")
    assert {name: each.engine for name, each in file.parts.items()} == {
        "vllm": "vllm",
        "transformers": "transformers",
    }
    assert file.probe_minutes == 4


def test_parts_change_sections_key_by_key_and_sweeps_whole():
    one = {"input_tokens": [64], "output_tokens": [64], "requests": [8]}
    parts = {
        "plain": {"vllm": {"compilation": "none"}},
        "other": {"models": ["llama-3.2-1b"], "sweeps": {"one": one}},
    }
    file = parse_campaign(BASE | {"parts": parts, "holdout": ["opt-2.7b"]}, "file")
    plain, other = file.parts.values()
    assert (plain.vllm.compilation, plain.vllm.warmup) == ("none", 1)
    assert (other.vllm.compilation, list(other.sweeps)) == ("default", ["one"])
    assert (plain.holdout, other.holdout) == (["opt-2.7b"], [])
    assert file.on("h100-sxm").gpu == "h100-sxm"


def test_engine_that_is_asked_for_is_that_of_all_parts():
    file = parse_campaign(BASE | {"parts": {"a": {}, "b": {}}}, "file", "transformers")
    assert [each.engine for each in file.parts.values()] == ["transformers"] * 2


@pytest.mark.parametrize("engine", ["vllm", "deepspeed"])
def test_engine_that_is_asked_for_is_the_only_one_of_several(engine):
    file = parse_campaign(BASE | {"engines": ["vllm", "transformers"]}, "file", engine)
    assert {name: each.engine for name, each in file.parts.items()} == {engine: engine}


def test_gpu_of_one_part_is_that_of_all():
    base = {name: value for name, value in BASE.items() if name != "gpu"}
    file = parse_campaign(base | {"parts": {"a": {}, "b": {"gpu": "h200-sxm"}}}, "file")
    assert (file.gpu, file.names_gpu) == ("h200-sxm", True)
    assert not parse_campaign(base | {"parts": {"a": {}}}, "file").names_gpu


@pytest.mark.parametrize("of_parts", [{}, {"gpu": "h200-sxm"}])
@pytest.mark.parametrize("of_file", [{}, {"gpu": "h200-sxm"}])
def test_gpu_that_is_asked_for_is_that_of_all_parts_whatever_the_file_says(of_file, of_parts):
    base = {name: value for name, value in BASE.items() if name != "gpu"} | of_file
    file = parse_campaign(base | {"parts": {"a": {}, "b": of_parts}}, "file", gpu="h100")
    assert {each.gpu for each in file.parts.values()} == {"h100-sxm"}
    assert file.names_gpu


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"engines": []}, "engines must be a list of different ones"),
        ({"engines": ["vllm", "vllm"]}, "engines must be a list of different ones"),
        ({"engines": ["vllm"], "parts": {"a": {}}}, "do not go together"),
        ({"parts": {}}, "parts is empty"),
        ({"parts": {"a": {"probe": 8}}}, "parts.a: `probe` belongs to the file"),
        ({"parts": {"../a": {}}}, "cannot be called"),
        ({"parts": {"probe": {}}}, "cannot be called"),
        ({"parts": {"a": 3}}, "must be a mapping"),
        ({"parts": {"a": {"gpu": "h200-sxm"}, "b": {"gpu": "h100-sxm"}}}, "several GPUs"),
        ({"parts": {"a": {"gpus": 2}}}, r"parts\.a.*gpus"),
        ({"probe": -1}, "probe must be from 0 to 60 minutes"),
        ({"probe": True}, "probe must be"),
        ({"probe": "long"}, "probe must be"),
        ({"holdout": ["gemma-2-2b"]}, "holdout names gemma-2-2b"),
        ({"holdout": "opt-2.7b"}, "holdout must be a list of models, not 'opt-2.7b'"),
        (
            {"holdout": ["opt-2.7"], "parts": {"a": {"models": ["opt-2.7b"]}}},
            "holdout names opt-2.7, which no part measures",
        ),
    ],
)
def test_file_that_means_nothing_is_refused_in_one_line(changes, message):
    with pytest.raises(InputError, match=message) as caught:
        parse_campaign(BASE | changes, "file")
    assert "\n" not in str(caught.value)
