"""The command `advise`: what it prints, as JSON, and how it refuses."""

import json
import re
import sys

import pytest

from sweetspot.cli import main

ASKED = ["advise", "--model", "llama-3.2-1b", "--gpu", "h100-sxm"]


def test_json_has_every_number_that_is_printed(capsys):
    asked = [*ASKED, "--input", "600", "--output", "200", "--max-batch-size", "64"]
    assert main([*asked, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["models"]
    assert main(asked) == 0
    text = capsys.readouterr().out
    assert f"{found['energy_per_request_j']:.4g}" in text
    for row in found["curve"]:
        assert f"{row['energy_per_token_j']:.4g}" in text
    for lever in found["levers"]:
        assert lever["lever"] in text
        assert lever["why_not"] or f"{lever['energy_per_request_j']:.4g}" in text


def test_a_range_that_is_none_is_one_line_and_exit_code_2(capsys):
    assert main([*ASKED, "--input", "600", "--output-range", "5-9"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--output-range must be like 64:4096, not '5-9'" in error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cap-power", "900"], "must be at most the 700 W of h100-sxm's data sheet, and above 0"),
        (["--cap-power", "nan"], "above 0, not nan"),
    ],
)
def test_a_limit_that_cannot_be_tried_is_one_line_and_exit_code_2(capsys, words, said):
    assert main([*ASKED, "--input", "600", "--output", "200", *words]) == 2
    out, error = capsys.readouterr()
    assert (out, error.count("\n")) == ("", 1)
    assert said in error


def test_a_limit_that_is_given_twice_is_bad_usage(capsys):
    with pytest.raises(SystemExit) as ended:
        main([*ASKED, "--input", "600", "--cap-power", "400", "--cap-power", "500"])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "argument --cap-power: is given twice; give it once" in error


def test_large_numbers_are_printed_without_a_power_of_ten(capsys):
    assert main([*ASKED, "--input", "600", "--output", "200", "--truncate-input", "300"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"requests_per_day +\d{6,}  requests a day", out)
    assert "e+" not in out


@pytest.mark.parametrize(
    ("gpu", "lengths", "said"),
    [
        ("h100-sxm", ["--input", "131072"], "is more than the 131072 tokens"),
        ("h100-sxm", ["--input", "100", "--max-seq-len", "100"], "more than max_seq_len 100"),
        ("l4", ["--input", "100000"], "100000 + 1 tokens does not fit in the KV cache"),
        ("l4", ["--input", "9", "--output", "99999"], "9 + 99999 tokens does not fit in the KV"),
    ],
)
def test_a_request_that_nothing_holds_is_one_line_and_exit_code_2(capsys, gpu, lengths, said):
    assert main(["advise", "--model", "llama-3.1-8b", "--gpu", gpu, *lengths]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error


def test_without_cells_no_table_library_is_needed(monkeypatch, capsys):
    for module in ("pandas", "sweetspot.ask.advice.own_fit"):
        monkeypatch.setitem(sys.modules, module, None)
    asked = [*ASKED, "--input", "600", "--output", "20", "--limit-output", "10"]
    assert main(asked) == 0
    assert "limit outputs to 10" in capsys.readouterr().out
