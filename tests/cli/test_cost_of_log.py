"""`sweetspot cost`: its text and its JSON are the answer of Python; progress on a terminal."""

import json

import pytest

import sweetspot
from sweetspot.cli import loads, main

MODEL = ["--model", "llama-3.1-8b", "--gpu", "h100-sxm"]


@pytest.fixture
def log(tmp_path):
    """Four hours of requests without dates, with a key of prefixes."""
    path = tmp_path / "log.jsonl"
    path.write_text(
        "".join(
            json.dumps(
                {"timestamp": 1000 * t, "input_length": 90, "output_length": 9, "hash_ids": [1]}
            )
            + "\n"
            for t in range(0, 4 * 3600, 600)
        )
    )
    return path


def test_json_is_the_python_answer(capsys, log):
    assert main(["cost", str(log), *MODEL, "--price-per-kwh", "0.3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    expected = sweetspot.cost(log, "llama-3.1-8b", "h100-sxm", price_per_kwh=0.3)
    assert found["total"] == expected.total
    assert found["hours"] == list(expected.hours)
    assert found["rates"] == {"price_per_kwh": 0.3, "gco2_per_kwh": None, "pue": None}
    assert found["load"]["idle_share"] == expected.load.served.idle_share
    assert "hash_ids not modelled" in " ".join(found["log"])


def test_simulate_reads_the_same_log(capsys, log):
    assert main(["simulate", str(log), *MODEL, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["energy_j"] == sweetspot.cost(log, "llama-3.1-8b", "h100-sxm").total["energy_j"]
    assert "hash_ids not modelled" in " ".join(found["log"])


def test_long_log_is_cut_short_and_says_so(capsys, log, monkeypatch):
    monkeypatch.setattr("sweetspot.cli.cost._MOST_HOURS", 2)
    assert main(["cost", str(log), *MODEL]) == 0
    assert "and 2 hours more, which --json has" in capsys.readouterr().out


def test_figure_is_drawn_and_told_in_words(capsys, log, tmp_path):
    assert main(["cost", str(log), *MODEL, "--figure", str(tmp_path / "new" / "load")]) == 0
    assert "in all" in capsys.readouterr().out
    written = {path.name for path in (tmp_path / "new").iterdir()}
    assert written == {"load.png", "load.pdf", "load.alt.txt"}
    alt = " ".join((tmp_path / "new" / "load.alt.txt").read_text(encoding="utf-8").split())
    assert "over 3.83 hours. Power is 126 W on average, from" in alt
    assert "simulated" in alt


def test_progress_says_how_much_is_read(capsys, log, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr(loads, "PROGRESS_EVERY_S", 0.0)
    monkeypatch.setattr("sweetspot.ask.log.read.WINDOW", 2)
    assert main(["cost", str(log), *MODEL]) == 0
    err = capsys.readouterr().err
    assert "requests have ended, 100 % of the log is read" in err
    assert err.endswith("\r\x1b[K")


def test_unknown_columns_are_one_line(capsys, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("when,a,b\n0,1,2\n")
    assert main(["cost", str(path), *MODEL]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no column for input_tokens and output_tokens; found: when, a, b; accepted" in line
    assert "--columns input_tokens=COLUMN output_tokens=COLUMN" in line
    assert main(["cost", str(path), *MODEL, "--columns", "input_tokens=a", "output_tokens=b"]) == 0
