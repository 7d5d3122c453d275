"""A call from its file to its data: the real worker on a CPU beside the real meter on a fake board.

What runs on a CPU while a GPU is metered is invalid, and said to be: no cell here is a result.
"""

import json
import logging
import os
import re
import signal
import subprocess
import sys
import time

import pytest
import tiny
import yaml
from tiny_broker import TinyBroker

from sweetspot.campaign.compact import read_manifest
from sweetspot.campaign.sensor.square_wave import PROGRAM
from sweetspot.cli import main
from sweetspot.errors import MeterError
from sweetspot.measure.record import read_block


@pytest.fixture
def broker():
    broker = TinyBroker()
    yield broker
    broker.close()


@pytest.fixture
def campaign(tmp_path, fake_nvml, torch_python, broker):
    """Write a campaign that a CPU can run, on a machine with a fake H100; return its command."""
    fake_nvml({"low": 300})
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "config.json").write_text(json.dumps(tiny.LLAMA))
    config = {
        "run": "cpu",
        "engine": "transformers",
        "models": [str(tmp_path / "tiny")],
        "sweeps": {"grid": {"input_tokens": [8, 16], "output_tokens": [4, 8], "requests": [4, 2]}},
        "limits": {"max_seq_len": 64, "max_batch_size": 4, "max_num_tokens": 64},
        "transformers": {"weights": "random", "device": "cpu", "warmup": 1},
        "measure": {"interval_s": 0.02, "min_window_s": 0.2, "idle_s": 0.1},
        "node": {
            "python": torch_python,
            "telemetry": {"sinks": [{"url": f"mqtt://127.0.0.1:{broker.port}"}]},
        },
    }
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(config))
    return [
        *("campaign", str(tmp_path / "campaign.yaml"), "--minutes", "5"),
        *("--out", str(tmp_path / "out")),
    ]


@pytest.mark.slow(reason="PyTorch, in a campaign that is interrupted")
def test_campaign_is_interrupted_gone_on_with_done_and_reported(
    campaign, broker, tmp_path, caplog, capsys, monkeypatch
):
    data = tmp_path / "out" / "compact"
    command = [sys.executable, "-m", "sweetspot", *campaign, "--skip-sensor"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        first = next(line for line in process.stderr if line.startswith("cell "))
        process.send_signal(signal.SIGSTOP)  # that it has cells left when it is ended
        try:
            assert main(campaign) == 2
            assert f"another command (process {process.pid} on " in capsys.readouterr().err
        finally:
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGCONT)
        rest = process.stderr.read()
    assert process.returncode == 130, first + rest
    assert re.match(r"cell invalid tiny/b4/n2/i8_o4/r0: .* \(1, about \d+ (s|min) left\)", first)
    begun = read_manifest(data)
    assert begun.calls[-1].ended == "interrupted"
    assert 1 <= sum(begun.cells.values()) < 5

    def no_sensor(*_):
        raise MeterError("no such sensor")

    monkeypatch.setattr("sweetspot.campaign.run.look_at_sensor", no_sensor)
    with caplog.at_level(logging.INFO):
        assert main(campaign) == 0
    assert "the power sensor was not looked at: no such sensor" in caplog.text
    manifest = read_manifest(data)
    records = read_block(data / "records.jsonl")
    # both grids would fit: the larger N is taken, whose centre comes after that of the smaller
    assert manifest.requests == {"tiny/b4": 4}
    assert sorted(record.requests for record in records) == [2, 4, 4, 4, 4]
    assert {(record.status, record.reason) for record in records} == {
        ("invalid", "the model ran on the CPU while the GPU was metered")
    }
    assert all(r.mean_power_w == pytest.approx(300, rel=0.02) for r in records)
    random = "N(0, 0.02), norms 1, seed 420"
    assert {r.remarks.partition(";")[0] for r in records} == {f"random weights: {random}"}
    assert {r.provenance["weights"] for r in records} == {f"random: {random}"}
    # the same again finds nothing to do, and loads nothing
    log = next((tmp_path / "out" / "engine").rglob("*GPU-0.log"))
    before = log.stat().st_mtime_ns
    assert main(campaign) == 0
    assert log.stat().st_mtime_ns == before
    done = read_manifest(data).calls
    assert [call.measured for call in done[1:]] == [5 - sum(begun.cells.values()), 0]
    assert {call.ended for call in done[1:]} == {"all cells are measured"}
    to = f"telemetry to mqtt://127.0.0.1:{broker.port}: "
    said = [
        re.match(rf"{to}(\d+) samples, (\d+) acknowledged", line)
        for call in json.loads((tmp_path / "out/campaign.json").read_text())["calls"]
        for line in call["telemetry"]
    ]
    assert len(said) == 3  # also of the call that was ended by a signal, and of that of no cell
    assert [int(each[1]) > 0 for each in said] == [True, True, False]
    sent = sum(topic.endswith("/GPU-0/t_s") for topic, _ in broker.messages)
    assert 0 < sum(int(each[2]) for each in said) <= sent
    assert main(["campaign-report", str(tmp_path / "out"), "--out", str(tmp_path / "report")]) == 0
    page = (tmp_path / "report" / "report.html").read_text()
    assert "the model ran on the CPU while the GPU was metered</td><td>5</td>" in page
    assert "None of 5 cells has a number" in page
    assert "none of the 4 cells has status ok" in page
    went = read_manifest(data).time_s
    assert went["windows"] == pytest.approx(sum(r.window_s for r in records))
    assert went["loads"] > 0
    assert went["windows"] + went["idle"] + went["beside"] + went["loads"] < went["elapsed"]
    assert f"inside measured windows</td><td>{went['windows'] / 60:.1f}</td>" in page


@pytest.mark.slow(reason="PyTorch")
def test_square_wave_says_when_it_works(torch_python):
    waves = ["--wave", "0.2", "0.3", "2", "--wave", "0.1", "0.1", "1"]
    before_s = time.monotonic()
    done = subprocess.run(
        [torch_python, str(PROGRAM), "--device", "cpu", "--size", "64", *waves],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    device, *edges = map(json.loads, done.stdout.splitlines())
    assert device["device"] == "cpu"
    assert [edge["wave"] for edge in edges] == [0, 0, 1]
    for edge, seconds in zip(edges, (0.2, 0.2, 0.1), strict=True):
        assert before_s < edge["on"] < edge["off"] < time.monotonic()
        assert edge["off"] - edge["on"] >= seconds
    assert edges[1]["on"] - edges[0]["on"] >= 0.5
