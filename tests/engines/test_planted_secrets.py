"""Secrets of the environment are in nothing that a run leaves, prints or is started with."""

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
from tiny_broker import TinyBroker

from sweetspot.catalog.packaged import read_packaged
from sweetspot.cli import main

SNAKEFILE = Path(__file__).parents[2] / "Snakefile"
SIMULATED = {
    "run": "simulated",
    "engine": "simulator",
    "models": ["llama-3.2-1b"],
    "sweeps": {"one": {"input_tokens": [64], "output_tokens": [64], "requests": [10]}},
}
MEASURED = {
    "run": "measured",
    "models": ["opt-1.3b"],
    "sweeps": {"two": {"input_tokens": [16], "output_tokens": [8, 16], "requests": [4]}},
    "limits": {"max_seq_len": 64, "max_batch_size": 32, "max_num_tokens": 128},
    "dataset": {"vocab_size": 1000, "eos_id": 2},
    "measure": {"interval_s": 0.02, "min_window_s": 0, "idle_s": 0},
}


@contextmanager
def command_lines():
    """Collect the command lines of all processes of this machine that are seen meanwhile."""
    seen, ended = set(), Event()

    def look():
        while not ended.wait(0.05):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    seen.add((process / "cmdline").read_bytes())
                except OSError:  # it has ended
                    continue

    looking = Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        ended.set()
        looking.join()


@pytest.mark.slow(reason="three starts of Snakemake")
def test_secrets_stay_where_they_are(
    planted_in, tensorrt_llm, fake_nvml, tmp_path, monkeypatch, capsys
):
    """Also where an engine prints all that it has, and where it says so as it fails.

    Samples are sent to a broker that takes the password, and to a store that is not there.
    """
    fake_nvml({})
    broker = TinyBroker()
    login = {"user": "me", "password_env": "MQTT_PASSWORD"}
    urls = (f"mqtt://127.0.0.1:{broker.port}", "influx+http://127.0.0.1:9/power")
    telemetry = {"sinks": [login | {"url": url} for url in urls]}
    monkeypatch.setenv("FAULT", "tell all@n4_i16_o16")
    folder = tmp_path / "project"
    checkpoint = folder / "checkpoints/facebook/opt-1.3b"
    checkpoint.mkdir(parents=True)
    config = read_packaged("models.yaml")["opt-1.3b"]["config"]
    (checkpoint / "config.json").write_text(json.dumps(config))
    (checkpoint / "model.safetensors").touch()
    node = {"python": sys.executable, "opt_examples": str(tensorrt_llm.opt_examples)}
    node["telemetry"] = telemetry

    def snakemake(experiment, *targets):
        configuration = folder / f"{experiment['run']}.json"
        configuration.write_text(json.dumps(experiment | {"node": node}))
        options = ("--snakefile", SNAKEFILE, "--cores", "2", "--configfile", configuration)
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", *targets, *options],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    with command_lines() as seen:
        said = snakemake(SIMULATED) + snakemake(MEASURED, "results/measured/cells.csv")
    broker.close()
    assert set(broker.logins) == {("me", "s3cr3t-mqtt-x9R2")}
    (notes,) = folder.glob("results/measured/logs/telemetry/**/*.jsonl")
    taken, refused = map(json.loads, notes.read_text().splitlines())
    # the end waits for two seconds, in which a busy machine may not get to it
    assert taken["samples"] == refused["samples"] >= taken["acknowledged"] > 0
    assert (refused["acknowledged"], refused["reason"]) == (0, "Connection refused")
    assert main(["crate", str(folder / "results/simulated")]) == 0
    said += capsys.readouterr().out
    records = [
        json.loads(path.read_text()) for path in folder.glob("results/measured/records/**/*.json")
    ]
    assert {record["status"]: record["reason"].partition(" (")[0] for record in records} == {
        "ok": "",
        "failed": "trtllm-bench failed with exit code 1: error: None None",
    }
    logs = [path.read_text() for path in folder.glob("results/measured/engine/**/*.log")]
    assert any("FAULT" in log for log in logs)  # it told
    for of in (b"--node", b"guard.py"):  # a job, and the engine under its guard
        assert any(of in line for line in seen)
    assert [line for line in seen if b"s3cr3t" in line] == []
    assert "s3cr3t" not in said
    assert planted_in(folder) == []
