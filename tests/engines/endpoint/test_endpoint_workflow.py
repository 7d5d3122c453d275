"""A server that is a process of its own: in the workflow, and killed in a window."""

import csv
import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import openai_server
import pytest

ROOT = Path(__file__).parents[3]


@contextmanager
def process(fault="", fault_from=0):
    """Yield a server's URL and process."""
    words = [sys.executable, openai_server.__file__, fault, str(fault_from)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield server.stdout.readline().strip(), server.pid
        finally:
            server.kill()


def test_server_that_is_killed_in_the_window_costs_its_cells(measure_endpoint):
    # one request asks what it is, two warm up
    with process("killed", fault_from=3) as (url, pid):
        records = measure_endpoint(url, pid=pid, cells={"output_tokens": [8, 9]})
    assert [record.status for record in records] == ["failed", "failed"]
    assert "none of 4 requests was answered" in records[0].reason
    assert f"nothing answers at {url}" in records[1].reason


@pytest.mark.slow(reason="a measuring run of Snakemake")
def test_workflow_measures_a_server_of_another_process(tmp_path, fake_nvml):
    with process() as (url, pid):
        fake_nvml({}, {"pids": pid})
        experiment = {
            "run": "served",
            "engine": "endpoint",
            "models": ["llama-3.2-1b"],
            "endpoint": {"url": url},
            "sweeps": {"s": {"input_tokens": [16], "output_tokens": [8], "requests": [4]}},
            "measure": {"interval_s": 0.02, "min_window_s": 6, "idle_s": 0},
        }
        (tmp_path / "e.json").write_text(json.dumps(experiment))
        done = subprocess.run(
            [
                *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
                *("--directory", str(tmp_path), "--configfile", str(tmp_path / "e.json")),
                *("--cores", "1", "results/served/cells.csv"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            umask=0,
        )
    assert done.returncode == 0, done.stderr
    with (tmp_path / "results/served/cells.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["status"], row["reason"]) == ("ok", "")
    assert float(row["mean_power_w"]) == pytest.approx(300, rel=0.05)
    (record,) = (tmp_path / "results/served/records").rglob("*.json")
    assert json.loads(record.read_text())["provenance"]["gpu_uuid"] == "GPU-1"
