"""A campaign at a server that already runs."""

import os
import re

import pytest
import yaml

from sweetspot.campaign.compact import read_manifest
from sweetspot.cli import main
from sweetspot.measure.record import read_block


@pytest.mark.usefixtures("untimed")
def test_campaign_measures_a_running_server(server, fake_nvml, tmp_path, capsys):
    fake_nvml({"pids": os.getpid()})
    config = {
        "engine": "endpoint",
        "models": ["llama-3.2-1b"],
        "endpoint": {"url": server.url},
        "sweeps": {"grid": {"input_tokens": [8, 16], "output_tokens": [4], "requests": [4, 2]}},
        "limits": {"max_batch_size": 4},
        "measure": {"interval_s": 0.02, "min_window_s": 0.5, "idle_s": 0},
    }
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(config))
    words = ["campaign", str(tmp_path / "campaign.yaml"), "--minutes", "9", "--skip-sensor"]
    words += ["--out", str(tmp_path / "out")]
    assert main([*words, "--dry-run"]) == 0
    assert re.search(r"grid, N = 4 .* 2 of 2 cells", capsys.readouterr().out)
    elsewhere = {"endpoint": {"url": "http://127.0.0.1:1"}}
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(config | elsewhere))
    assert main(words) == 2
    assert "nothing answers at http://127.0.0.1:1" in capsys.readouterr().err
    # the same campaign goes on wherever the server stands
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(config))
    assert main(words) == 0
    compact = tmp_path / "out" / "compact"
    assert read_manifest(compact).calls[-1].ended == "all cells are measured"
    records = read_block(compact / "records.jsonl")
    assert sorted((r.requests, r.input_tokens, r.status) for r in records) == [
        (2, 8, "ok"),
        (4, 8, "ok"),
        (4, 16, "ok"),
    ]
    assert {record.engine_version for record in records} == {"vLLM 0.32.0"}
