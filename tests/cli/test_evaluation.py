"""The command `evaluate`, in one process: what it prints of each test, and what it refuses."""

import json
import re
import sys
from pathlib import Path

import pytest

from sweetspot.cli import main
from sweetspot.cli.evaluation import _EXAMPLES
from sweetspot.simulator.accuracy.checks import TESTS, name_of
from sweetspot.simulator.accuracy.evaluation import Figure, Row
from sweetspot.simulator.calibration.fit import Identifiability
from sweetspot.simulator.constants.calibration_file import Search, Starts

DATA = Path(__file__).parents[2] / "data" / "h200-vllm"
QUICK = ("throughput-from-data-sheet", "energy-from-data-sheet")


def refused(capsys, *arguments):
    """Return the one line that bad input prints."""
    assert main(["evaluate", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


def test_answer_has_figure_target_level_and_what_was_seen(capsys):
    assert main(["evaluate", "--only", *QUICK]) == 0
    out, err = capsys.readouterr()
    assert err == ""  # no terminal, no progress
    first, about, figure, *_, last = out.splitlines()
    assert first.startswith("throughput-from-data-sheet: throughput of Llama 3.1 8B")
    seen = "  prediction; constants: data sheet, fitted to or chosen in view of: "
    assert about.startswith(f"{seen}step_overhead_s, ")
    assert f"{seen}nothing" in out
    assert re.search(r"% +at most \d+ % +met$", figure)
    assert "no target" in out
    assert last == "targets: all met"


def test_intervals_without_measured_cells_are_refused(capsys, tmp_path):
    said = refused(capsys, "--intervals", str(tmp_path / "intervals.json"))
    assert "name a folder with --measured" in said


def test_error_of_a_fit_is_never_shown_as_a_prediction(capsys, monkeypatch):
    """What the row of a real fit holds: tests/simulator/accuracy/test_checks.py."""
    row = Row(
        *("a fit", "published numbers", ("surfaces", "throughput"), False, (Figure("mean", 2.0),)),
        identifiability=Identifiability(3e5, {"flop_efficiency": 0.5}, ("active_power_w",)),
        searches=(Search(converged=True, ended="converged", evaluations=70),),
        starts=Starts(count=5, converged=5, cost_percent=0.0, prediction_percent=0.03),
    )
    evaluate = "sweetspot.simulator.accuracy.checks.evaluate"
    monkeypatch.setattr(evaluate, lambda *_: iter([("one", row)]))
    assert main(["evaluate", "--json"]) == 0
    (test,) = json.loads(capsys.readouterr().out)["tests"]
    assert test["evidence"] == "error of a fit, no evidence"
    assert test["seen"] == ["surfaces", "throughput"]
    assert test["identifiability"]["at_bound"] == ["active_power_w"]
    assert [search["ended"] for search in test["searches"]] == ["converged"]
    assert test["starts"]["count"] == 5
    assert main(["evaluate"]) == 0
    out = capsys.readouterr().out
    assert "error of a fit, no evidence" in out
    assert "prediction;" not in out


def test_measured_cells_are_tests_as_well(capsys):
    assert main(["evaluate", "--measured", str(DATA), "--only", "measured-h200-vllm"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("measured-h200-vllm: 42 cells measured with vllm-uncompiled on h200-sxm")
    assert "  prediction; constants: " in out
    assert "throughput, gemma-2-2b" in out


def test_folder_that_holds_no_cells_is_refused(capsys, tmp_path):
    assert "holds no records.jsonl" in refused(capsys, "--measured", str(tmp_path))


def test_missed_target_is_said(capsys, monkeypatch):
    row = Row("a test", "data sheet", (), True, (Figure("mean", 11.0, at_most=10.0),))
    monkeypatch.setattr(
        "sweetspot.simulator.accuracy.checks.evaluate", lambda *_: iter([("one", row)])
    )
    assert main(["evaluate"]) == 0
    out = capsys.readouterr().out
    assert "NOT MET" in out
    assert out.endswith("targets: missed by one\n")
    assert main(["evaluate", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["met"] is False


def test_fit_that_did_not_converge_is_said(capsys, monkeypatch):
    searches = (Search(True, "converged", 60), Search(False, "stopped after 3 steps", 4))
    row = Row("a test", "own measurements", (), True, (Figure("mean", 1.0),), searches=searches)
    monkeypatch.setattr(
        "sweetspot.simulator.accuracy.checks.evaluate", lambda *_: iter([("one", row)])
    )
    assert main(["evaluate"]) == 0
    assert "  1 of 2 fits did not converge: stopped after 3 steps\n" in capsys.readouterr().out


def test_terminal_is_told_which_test_runs(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main(["evaluate", "--only", QUICK[0], "--json"]) == 0
    out, err = capsys.readouterr()
    assert f"{QUICK[0]} ..." in err
    assert err.endswith("\r\x1b[K")  # nothing stays
    assert json.loads(out)["met"] is True


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--only", "leave-one-out"), "unknown test 'leave-one-out'; did you mean"),
        (("--only", QUICK[0], "--page", "page.md"), "a page holds all tests"),
        (("--page", "/dev/null/page.md"), "cannot write"),
    ],
)
def test_bad_question_is_answered_in_one_line_before_any_fit(
    capsys, monkeypatch, arguments, message
):
    for module in (
        "evaluation.fit_from_several",
        "checks.fit_from_several",
        "checks.fit_constants",
    ):
        fit = f"sweetspot.simulator.accuracy.{module}"
        monkeypatch.setattr(fit, lambda *_, **__: pytest.fail("fitted first"))
    assert message in refused(capsys, *arguments)


def test_help_names_every_test():
    listed = _EXAMPLES.partition("tests:")[2].partition("\n\n")[0].replace(",", " ").split()
    assert listed == [name_of(test) for test in TESTS]
