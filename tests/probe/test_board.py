"""Constants of a board from a probe: planted ones are found, within their intervals."""

import json
from dataclasses import replace

import pytest
from planted_probe import PLANTED, TRUTH, probed_board, took

import sweetspot
from sweetspot.cli import main
from sweetspot.errors import InputError
from sweetspot.probe.board import FITTED, board_of_probe, power_w
from sweetspot.probe.steps import steps
from sweetspot.simulator.constants.constants import METADATA
from sweetspot.simulator.cost.clocks import waiting_power_w


def test_planted_constants_are_found():
    found = board_of_probe(probed_board(noise=0.0))
    assert found.error_percent < 0.5
    assert found.at_bound == ()
    for name in ("idle_power_w", "active_power_w", "byte_energy_j", "kv_byte_energy_j"):
        assert getattr(found.constants, name) == pytest.approx(PLANTED[name], rel=0.03), name
    assert found.constants.flop_energy_j == pytest.approx(PLANTED["flop_energy_j"], rel=0.06)
    assert set(found.intervals) == set(found.fitted)
    for name, (low, high) in found.intervals.items():
        assert METADATA[name]["low"] <= low < getattr(found.constants, name) < high, name
    assert found.intervals["on_die_share"][1] == METADATA["on_die_share"]["high"]


def test_intervals_of_noisy_probes_hold_the_planted_constants():
    held, count = 0, 0
    for seed in range(12):
        found = board_of_probe(probed_board(noise=0.02, seed=seed))
        for name in FITTED:
            low, high = found.intervals[name]
            held += low <= getattr(TRUTH, name) <= high
            count += 1
    assert held / count > 0.85


def test_intervals_of_few_steps_that_scatter_more_than_assumed_hold_the_planted_constants():
    held = dict.fromkeys(FITTED, 0)
    for seed in range(40):
        probed = probed_board(noise=0.05, seed=seed)
        found = board_of_probe(replace(probed, steps=probed.steps[:14]))
        for name in FITTED:
            low, high = found.intervals[name]
            held[name] += low <= getattr(TRUTH, name) <= high
    assert len(found.steps) == 11
    assert min(held.values()) / 40 >= 0.9, held


def test_zeros_and_steps_that_are_not_ok_have_no_say():
    probed = probed_board(noise=0.0)
    spoilt = [
        replace(each, energy_j=10 * each.energy_j)
        if each.data == "zeros"
        else replace(each, status="invalid", energy_j=10 * each.energy_j)
        if each.id == "read"
        else each
        for each in probed.steps
    ]
    found, expected = board_of_probe(replace(probed, steps=spoilt)), board_of_probe(probed)
    assert found.constants.flop_energy_j == pytest.approx(
        expected.constants.flop_energy_j, rel=0.01
    )
    assert "read" not in found.steps


def test_power_of_a_waiting_board_is_the_simulators():
    (tick,) = [took(step) for step in steps() if step.kind == "tick"]
    assert power_w(tick, TRUTH) == pytest.approx(waiting_power_w(TRUTH, 1.0))


def test_probe_of_a_cpu_or_of_too_few_steps_is_refused():
    probed = probed_board(noise=0.0)
    with pytest.raises(InputError, match="ran on a CPU"):
        board_of_probe(replace(probed, on_cpu=True))
    with pytest.raises(InputError, match=r"4 valid steps of .* give it more minutes"):
        board_of_probe(replace(probed, steps=probed.steps[:6]))


def test_board_of_ones_own_is_fitted_without_its_file(tmp_path, capsys):
    probed = probed_board(noise=0.01)
    own = replace(probed.board, id="my-gpu", name="my-gpu", kernels_of="h100-sxm")
    replace(probed, gpu=own.id, described=own).write(tmp_path)
    out = tmp_path / "my-board.json"
    assert main(["calibrate", "--probe", str(tmp_path), "--board-out", str(out)]) == 0
    assert "my-gpu, own measurements, fitted to" in capsys.readouterr().out
    assert json.loads(out.read_text())["board"]["gpu"] == "my-gpu"


def test_command_writes_a_board_that_predict_takes(tmp_path, capsys):
    probed_board(noise=0.01).write(tmp_path)
    out = tmp_path / "my-h200.json"
    assert main(["calibrate", "--probe", str(tmp_path), "--board-out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "h200-sxm, own measurements, fitted to" in said
    assert "flop_energy_j" in said
    assert ", 95 %)" in said
    answer = sweetspot.predict("llama-3.1-8b", "h200-sxm", 512, 256, engine="vllm", calibration=out)
    assert answer.calibration.startswith("h200-sxm, own measurements")
    assert main(["calibrate", "--probe", str(tmp_path), "--out", str(out)]) == 2
    assert "only --board-out" in capsys.readouterr().err
    assert main(["calibrate", "--probe", str(tmp_path / "no"), "--board-out", str(out)]) == 2
    assert "holds no probe.json" in capsys.readouterr().err
