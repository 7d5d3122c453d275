"""The probe of a campaign: what its time went on, however it ended."""

from dataclasses import replace

import pytest
from planted_probe import probed_board

from sweetspot.campaign import probing
from sweetspot.config import parse_experiment
from sweetspot.errors import EngineError

WINDOW_S = 5.0


@pytest.mark.parametrize("ends", [None, EngineError("the program died")])
def test_windows_are_in_the_account_as_far_as_a_probe_came(ends, tmp_path, monkeypatch, caplog):
    now_s = [100.0]
    whole = probed_board(noise=0.0)
    steps = [replace(step, duration_s=WINDOW_S) for step in whole.steps[:8]]

    def run_probe(folder, _):
        now_s[0] += 20.0
        there = probing.read_probed(folder)
        done = len(there.steps) if there else 0
        replace(whole, steps=steps[: done + 3]).write(folder)
        if ends:
            raise ends
        return probing.read_probed(folder)

    monkeypatch.setattr(probing, "run_probe", run_probe)
    monkeypatch.setattr(probing, "monotonic", lambda: now_s[0])
    experiment = parse_experiment({"engine": "vllm", "gpu": "h200-sxm"})
    for _ in range(2):  # the second call goes on with three others
        spent_s = probing.probe_board(experiment, tmp_path, 1)
        assert spent_s == {"probe_windows": 3 * WINDOW_S, "probe": 20.0 - 3 * WINDOW_S}
    assert ("the probe broke off: the program died" in caplog.text) == bool(ends)
