"""Commands that people ask, in one process: predict, models."""

import json
import subprocess
import sys
from dataclasses import asdict, fields

import pytest

from sweetspot.ask.predict import Prediction, predict
from sweetspot.catalog import gpu, gpu_ids, load_model, model_ids
from sweetspot.cli import main

QUESTION = [
    "predict",
    "--model",
    "llama-3.1-8b",
    "--gpu",
    "h100-sxm",
    "--input",
    "512",
    "--output",
    "256",
]


def refused(capsys, *arguments):
    """Return the one line that a command with bad input prints."""
    assert main(list(arguments)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("sweetspot: error: ")
    assert err.count("\n") == 1
    return err


def test_answer_names_every_promised_number_with_its_unit(capsys):
    assert main(QUESTION) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for line in (
        "energy_per_token_j",
        "tokens_per_j",
        "throughput_tokens_per_s",
        "duration_s",
        "mean_power_w",
        "mean_clock_mhz",
        "host_bound_share",
        "max_concurrency",
    ):
        assert line in out
    assert "simulated; engine: tensorrt-llm; constants: h100-sxm, published numbers + " in out
    assert "sweet_spot" not in out
    assert "note:" not in out
    assert "1000 requests of 512 input and 256 output tokens" in out
    assert "beyond the context" not in out


def test_json_is_the_python_answer(capsys):
    numbers = ["--requests", "20", "--max-batch-size", "8", "--json"]
    assert main([*QUESTION, *numbers]) == 0
    found = json.loads(capsys.readouterr().out)
    expected = predict("llama-3.1-8b", "h100-sxm", 512, 256, 20, 8)
    assert found == expected.values()
    assert set(found) == {f.name for f in fields(Prediction)} - {"workload"}


def test_sweet_spot_is_looked_for_where_it_is_asked_for(capsys):
    question = [*QUESTION, "--requests", "20", "--max-seq-len", "2048", "--sweet-spot"]
    assert main(question) == 0
    out = capsys.readouterr().out
    assert main([*question, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    spot = predict("llama-3.1-8b", "h100-sxm", 512, 256, 20, max_seq_len=2048).sweet_spot
    said = {name: found[f"sweet_spot_{name}"] for name in (*asdict(spot), "notes")}
    assert said == json.loads(json.dumps(asdict(spot) | {"notes": spot.notes}))
    assert found["sweet_spot_tokens_per_j"] >= found["tokens_per_j"]
    assert f"recommended: {spot.range2_low} to {spot.range2_high} are within 2 %" in out
    assert f"{spot.eq6_tokens:>12.0f}  output tokens by Eq. 6" in out
    assert [line for line in out.splitlines() if line.startswith("note: ")] == [
        f"note: {note}" for note in spot.notes
    ]


def test_engine_and_settings_of_the_board_are_asked_and_said(capsys):
    asked = ["--engine", "vllm", "--power-limit", "500", "--clock", "1500", "--requests", "20"]
    assert main([*QUESTION, *asked]) == 0
    out = capsys.readouterr().out
    assert "  CUDA graphs of vLLM, power limit 500 W, clock 1500 MHz\n" in out
    assert "simulated; engine: vllm 0.24.0; constants: h100-sxm, published numbers + vllm, " in out
    assert "note: no measurement stands behind power limit 500 W, clock 1500 MHz: " in out


def test_deployment_is_asked_and_said(capsys):
    deployment = ["--tp", "2", "--weights", "fp8", "--kv-cache", "fp8", "--requests", "20"]
    deployment += ["--cuda-graphs", "vllm"]
    assert main([*QUESTION, *deployment]) == 0
    out = capsys.readouterr().out
    assert "  2 GPUs, FP8 weights, FP8 KV cache, CUDA graphs of vLLM\n" in out
    assert "note: energy and power are those of all GPUs" in out


def test_price_of_windows_that_are_ignored_is_said(capsys):
    question = ["predict", "--model", "gemma-2-2b", "--gpu", "h100-sxm", "--requests", "100"]
    question += ["--input", "6000", "--output", "512"]
    price = predict("gemma-2-2b", "h100-sxm", 6000, 512, 100).energy_per_token_in_windows_j
    assert main(question) == 0
    said = f"sliding windows; with --sliding-windows it is {price:.4g} J per output token"
    assert said in capsys.readouterr().out
    assert main([*question, "--sliding-windows"]) == 0
    assert "note:" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "bound", "said"),
    [
        ("", "KV cache", ", by the KV cache: max_batch_size 1024 never binds"),
        ("--max-batch-size 64", "max_batch_size", ", by max_batch_size"),
        ("--engine transformers", "max_num_tokens", ", by max_num_tokens"),
        ("--requests 20", "requests", "; no more are sent"),
    ],
)
def test_what_bounds_the_batch_is_said(capsys, options, bound, said):
    assert main([*QUESTION, *options.split()]) == 0
    assert f"  requests in flight at most{said}\n" in capsys.readouterr().out
    assert main([*QUESTION, *options.split(), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bounded_by"] == bound


def test_every_limit_of_the_engine_can_be_asked_for(capsys):
    """A small cache holds fewer requests; other sections' keys are options alike."""
    question = [*QUESTION, "--requests", "20", "--json"]
    limits = ["--kv-cache-memory-fraction", "0.02", "--tokens-per-block", "64"]
    limits += ["--max-num-tokens", "2048", "--max-seq-len", "2048"]
    answers = []
    for options in ([], limits):
        assert main([*question, *options]) == 0
        answers.append(json.loads(capsys.readouterr().out))
    plain, bounded = answers
    assert bounded["max_concurrency"] < plain["max_concurrency"] / 10
    assert (plain["max_seq_len"], bounded["max_seq_len"]) == (131072, 2048)
    assert bounded["duration_s"] > plain["duration_s"]


def test_windows_are_said_where_the_model_has_any(capsys):
    numbers = [
        "--gpu",
        "h100-sxm",
        "--input",
        "6000",
        "--output",
        "64",
        "--requests",
        "20",
        "--sliding-windows",
    ]
    for model, said in (("gemma-2-2b", True), ("llama-3.1-8b", False)):
        assert main(["predict", "--model", model, *numbers]) == 0
        assert ("  sliding windows\n" in capsys.readouterr().out) == said


def test_cell_beyond_the_context_is_said(capsys):
    question = "predict --model opt-1.3b --gpu h100-sxm --input 2048 --output 64 --requests 2"
    assert main(question.split()) == 0
    assert "I + O is beyond the context this model was published for" in capsys.readouterr().out


def test_model_may_be_a_path(capsys, write_model, tmp_path):
    model = write_model(tmp_path / "mine", num_hidden_layers=2)
    question = ["predict", "--model", model, "--gpu", "l40s", "--input", "64", "--output", "8"]
    assert main([*question, "--requests", "3"]) == 0
    assert capsys.readouterr().out.startswith("mine on l40s: 3 requests")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--model", "lama-3.1-8b"), "unknown model 'lama-3.1-8b'; did you mean 'llama-3.1-8b'?"),
        (("--model", "./nowhere"), "'./nowhere': no such file or folder"),
        (("--gpu", "h101"), "unknown GPU 'h101'; did you mean"),
        (("--gpu", "a100"), "GPU 'a100' can be 'a100-40gb', 'a100-80gb',"),
        (("--input", "0"), "input_tokens must be a positive integer, not 0"),
        (("--output", "-5"), "output_tokens must be a positive integer, not -5"),
        (("--requests", "0"), "requests must be a positive integer, not 0"),
        (("--max-batch-size", "0"), "max_batch_size must be a positive integer, not 0"),
        (("--input", "8000"), "input_tokens 8000 + output_tokens 256 = 8256"),
        (("--tp", "3"), "model llama-3.1-8b cannot be shared by tensor_parallel 3 GPUs"),
        (("--weights", "fp4"), "weights must be 'model' or 'fp8', not 'fp4'"),
        (
            ("--cuda-graphs", "sglang"),
            "cuda_graphs must be 'none', 'vllm' or 'tensorrt-llm', not 'sglang'",
        ),
        (("--kv-cache", "fp8", "--gpu", "a100-40gb"), "a100-40gb has no FP8"),
        (("--max-num-tokens", "9"), "max_num_tokens 9 is smaller than max_batch_size 1024"),
        (("--max-seq-len", "700"), "= 768 is more than max_seq_len 700; shorten one or raise"),
        (("--kv-cache-memory-fraction", "1.5"), "kv_cache_memory_fraction must be at most 1"),
        (("--engine", "tensorrt"), "unknown engine 'tensorrt'; did you mean 'tensorrt-llm'?"),
        (("--power-limit", "701"), "power_limit_w must be at most the 700 W of h100-sxm's data"),
        (("--power-limit", "126"), "power_limit_w must be above 128, not 126: h100-sxm draws"),
        (("--power-limit", "nan"), "power_limit_w must be more than 0, not nan"),
        (("--clock", "197"), "clock_mhz must be from 198 to 1980 MHz, the clocks of h100-sxm"),
        (("--clock", "1981"), "clock_mhz must be from 198 to 1980 MHz, the clocks of h100-sxm"),
        (("--calibration", "nowhere.json"), "cannot read calibration nowhere.json"),
    ],
)
def test_bad_question_is_answered_in_one_line(capsys, change, message):
    question = [*QUESTION, *change]
    if change[0] == "--input":
        question += ["--model", "opt-1.3b"]  # short context
    assert message in refused(capsys, *question)


def test_corrupt_config_is_answered_in_one_line(capsys, tmp_path):
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    assert "config.json is not valid JSON" in refused(capsys, *QUESTION, "--model", str(tmp_path))


def test_catalog_is_listed_whole(capsys):
    assert main(["models"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == ["models", *model_ids(), "GPUs", *gpu_ids()]
    boards = lines.index(["GPUs"])
    for model_id, *_, hub_id in lines[1:boards]:
        assert load_model(hub_id) is load_model(model_id)
    for gpu_id, *words in lines[boards + 1 :]:
        assert gpu(" ".join(words[words.index("W") + 1 :])).id == gpu_id


def test_predict_loads_neither_other_commands_nor_the_experiment():
    """What a question takes to start is mostly what it loads."""
    code = f"import sys; from sweetspot.cli import main; main({QUESTION}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1].split()
    assert "sweetspot.config.sections" in loaded
    unneeded = {"sweetspot.config.experiment", "sweetspot.cli.steps", "sweetspot.cli.simulate"}
    assert not unneeded & set(loaded)
