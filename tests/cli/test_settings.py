"""The command `settings`, in one process: what it prints and draws, and what it refuses."""

import json

import pytest

from sweetspot.ask.predict import predict
from sweetspot.cli import main

LLAMA = ["settings", "--model", "llama-3.1-8b", "--gpu", "h200-sxm", "--requests", "16"]


def test_every_setting_is_answered_as_predict_does(capsys):
    """A token is cheapest at a lower limit and clock than the full ones; prompts pay with speed."""
    assert main([*LLAMA, "--engine", "vllm", "--lengths", "2048+16", "64+256", "--json"]) == 0
    prompts, decode = json.loads(capsys.readouterr().out)
    question = ("llama-3.1-8b", "h200-sxm", 2048, 16, 16)
    assert prompts["by_limit"][-1] == predict(*question, engine="vllm").values()
    first = prompts["by_limit"][0]
    assert first == predict(*question, engine="vllm", power_limit_w=210).values()
    assert prompts["by_clock"][0]["clock_mhz"] == 495
    for swept in (prompts, decode):
        for curve in (swept["by_limit"], swept["by_clock"]):
            energies = [answer["energy_per_token_j"] for answer in curve]
            assert min(energies) < 0.9 * energies[-1]
    slower = [
        swept["by_clock"][len(swept["by_clock"]) // 2]["throughput_tokens_per_s"]
        / swept["by_clock"][-1]["throughput_tokens_per_s"]
        for swept in (prompts, decode)
    ]
    assert slower[0] < 0.8 < 0.95 < slower[1]


def test_one_workload_is_named_as_for_other_questions(capsys):
    assert main([*LLAMA, "--lengths", "512+32"]) == 0
    by_lengths = capsys.readouterr().out
    assert main([*LLAMA, "--input", "512", "--output", "32"]) == 0
    assert capsys.readouterr().out == by_lengths


def test_answer_marks_the_least_energy_and_says_that_nothing_was_measured(capsys, tmp_path):
    stem = tmp_path / "new" / "settings"
    assert main([*LLAMA, "--lengths", "512+32", "--figure", str(stem)]) == 0
    out = capsys.readouterr().out
    assert "512 + 32 tokens\n" in out
    assert out.count("  least energy\n") == 2
    assert "simulated; engine: tensorrt-llm; constants: h200-sxm" in out
    assert "note: no measurement stands behind settings other than the full limit" in out
    assert stem.with_suffix(".png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--lengths", "512"], "--lengths must be like 512+256, not '512'"),
        (["--input", "8"], "--input-tokens and --output-tokens go together; name both"),
        (["--input", "8", "--output", "8", "--lengths", "8+8"], "leave it out, or the other two"),
        (["--lengths", "0+8"], "input_tokens must be a positive integer, not 0"),
        (["--gpu", "h101"], "unknown GPU 'h101'"),
    ],
)
def test_bad_question_is_answered_in_one_line(capsys, options, message):
    assert main([*LLAMA, *options]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err
