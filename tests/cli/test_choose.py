"""`sweetspot choose`: its text and its JSON are the answer of Python; what cannot be, in a line."""

import json

import pytest

import sweetspot
from sweetspot.cli import loads, main

LOAD = ["--rate", "4", "--input", "800", "--output", "100", "--requests", "200"]
ONE = ["choose", "--models", "llama-3.1-8b", *LOAD]


def rows(text):
    """Return the candidates' lines, by number."""
    lines = [line.split() for line in text.splitlines() if line.startswith(" ")]
    return {int(words[0]): words for words in lines if words[0].isdecimal()}


def test_json_is_the_python_answer(capsys):
    words = ["--gpus", "h200", "l40s", "--replicas", "1", "2", "--tp", "1", "2", "--weights", "fp8"]
    words += ["--tpot-p95", "0.02", "--ttft-p95", "1", "--price-per-kwh", "0.3"]
    words += ["--max-power", "2000"]
    assert main([*ONE, *words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    expected = sweetspot.choose(
        "llama-3.1-8b",
        ["h200", "l40s"],
        rate_per_s=4,
        input_tokens=800,
        output_tokens=100,
        requests=200,
        replicas=[1, 2],
        tensor_parallel=[1, 2],
        weights="fp8",
        tpot_p95_s=0.02,
        ttft_p95_s=1,
        price_per_kwh=0.3,
        max_power_w=2000,
    )
    assert found["candidates"] == [each.values() for each in expected.candidates]
    assert len(found["candidates"]) == 8
    assert found["best"] == expected.best.number == 1
    assert found["front"] == [each.number for each in expected.front]
    assert found["targets"] == {
        "ttft_p95_s": 1,
        "tpot_p95_s": 0.02,
        "e2e_p95_s": None,
        "max_power_w": 2000,
    }
    assert (found["told_of"], found["simulated"]) == ("day", True)


def test_backlog_that_is_soon_gone_is_said(capsys):
    words = ["choose", "--models", "llama-3.1-8b", "--gpus", "h100-sxm", "--max-batch-size", "100"]
    words += ["--input", "512", "--output", "64"]
    assert main([*words, "--requests", "300"]) == 0
    assert "note: 1 served few times what is in flight" in capsys.readouterr().out
    assert main(words) == 0
    assert "served less than" not in capsys.readouterr().out


def test_what_becomes_of_each_is_said(capsys):
    words = ["--gpus", "h100-sxm", "v100", "--max-batch-size", "1", "64", "128"]
    assert main([*ONE, *words, "--weights", "model", "fp8", "--tpot-p95", "0.0065"]) == 0
    out = capsys.readouterr().out
    said = rows(out)
    assert said[1][-1] == "best"
    assert said[2][-2:] == ["as", "1"]
    assert "TPOT" in said[3]
    assert said[3][-1] == "over"
    assert "overload: 4 requests/s come, " in out
    assert "  no: v100-32gb has no FP8" in out
    assert len(said) == 12
    assert "note: max_batch_size never binds: 1 to 6\n" in out


def test_none_within_the_targets_is_said_with_the_nearest(capsys):
    assert main([*ONE, "--gpus", "l4", "l40s", "--tpot-p95", "0.005"]) == 0
    out = capsys.readouterr().out
    assert "none meets the targets; the nearest is 1: TPOT " in out
    assert "best" not in out


def test_load_that_none_can_serve_is_said(capsys):
    assert main([*ONE, "--max-batch-size", "1", "--requests", "400"]) == 0
    assert "none can serve this load; more boards can: --replicas auto" in capsys.readouterr().out


def test_load_beyond_what_auto_tries_says_how_many_it_needs(capsys):
    words = ["--rate", "1e6", "--max-batch-size", "4", "--requests", "100"]
    assert main([*ONE, *words, "--replicas", "auto"]) == 0
    out = capsys.readouterr().out
    assert "none can serve this load; auto tries 1024 replicas at most, and 1 needs " in out
    assert ": --replicas auto" not in out
    needed = out.partition("or more: --replicas ")[2].split()[0]
    assert int(needed) > 1024
    assert main([*ONE, *words, "--replicas", str(int(needed) // 2)]) == 0  # nor is auto told then
    assert ": --replicas auto" not in capsys.readouterr().out


def test_power_budget_is_said_with_what_is_within_it(capsys):
    words = ["--power-limit", "300", "700", "--replicas", "2", "--max-power", "640"]
    words += ["--requests", "100"]
    assert main([*ONE, *words]) == 0
    out = capsys.readouterr().out
    assert "; mean power of all boards 640 W at most\n" in out
    assert "limit W  J/request" in out
    said = rows(out)
    assert (said[1][1], said[1][-1]) == ("300", "best")
    assert said[2][1] == "700"
    assert "power " in out
    assert said[2][-1] == "over"
    assert "note: mean W is of all boards together; for moments each may draw" in out
    assert "the 640 W lie within the interval of mean W" in out
    assert main([*ONE, *words, "--power-limit", "700", "--max-power", "200"]) == 0
    out = capsys.readouterr().out
    assert "none meets the targets; the nearest is 1: power " in out
    assert main([*ONE, "--power-limit", "300"]) == 0
    out = capsys.readouterr().out
    assert "all: llama-3.1-8b, h100-sxm, max_batch_size 1024, power limit 300 W\n" in out
    assert "mean W is of all boards" not in out


def test_as_few_replicas_as_it_takes(capsys):
    assert main([*ONE, "--max-batch-size", "1", "--replicas", "auto", "--e2e-p95", "0.1"]) == 0
    assert "E2E " in (out := capsys.readouterr().out)
    assert "no number up to 1024 meets that" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--gpus", "a100-80gb", "v100", "--weights", "fp8"], "llama-3.1-8b on a100-80gb cannot"),
        (["--gpus", "h1000"], "unknown GPU 'h1000'"),
        (
            ["--replicas", "1", "auto"],
            "replicas must be a positive integer, or 'auto' alone, not 'auto'",
        ),
        (["--trace", "log.csv"], "a trace says what requests come; leave out lengths and rate"),
    ],
)
def test_what_cannot_be_asked_is_one_line(capsys, words, message):
    assert main([*ONE, *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_many_candidates_are_cut_short_and_say_so(capsys, monkeypatch):
    monkeypatch.setattr("sweetspot.cli.candidates._MOST_ROWS", 2)
    assert main(["choose", *LOAD[2:-1], "10"]) == 0
    out = capsys.readouterr().out
    assert len(rows(out)) == 2
    assert "and 11 candidates more, which --json has" in out


def test_figure_is_drawn_and_told_in_words(capsys, tmp_path):
    words = ["--gpus", "h100-sxm", "l40s", "--max-batch-size", "1", "64", "--e2e-p95", "2"]
    assert main([*ONE, *words, "--figure", str(tmp_path / "new" / "front")]) == 0
    written = {path.name for path in (tmp_path / "new").iterdir()}
    assert written == {"front.png", "front.pdf", "front.alt.txt"}
    alt = " ".join((tmp_path / "new" / "front.alt.txt").read_text(encoding="utf-8").split())
    assert "of 2 candidates, simulated. On the front: 1, Llama 3.1 (8B" in alt
    assert "1 candidate drawn hollow" in alt
    assert "Not drawn: 2 candidates, overloaded or impossible." in alt


def test_progress_says_which_candidate_it_is(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr(loads, "PROGRESS_EVERY_S", 0.0)
    assert main([*ONE, "--gpus", "h100-sxm", "l40s"]) == 0
    err = capsys.readouterr().err
    assert "candidate 2 of 2: llama-3.1-8b on l40s, 200 requests have ended" in err
    assert err.endswith("\r\x1b[K")


def test_doubts_of_a_number_are_warnings_not_notes(capsys):
    assert main([*ONE, "--pue", "120"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert any(line.startswith("Warning: a PUE of 120") for line in said)
