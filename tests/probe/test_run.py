"""Probing for real: torch's kernels on the CPU, under the real meter on a fake board."""

import json
import logging
import sys
from dataclasses import replace

import own_board
import pytest
from planted_probe import probed_board

from sweetspot.cli import main
from sweetspot.errors import MeterError
from sweetspot.metering.sampler import NvmlMeter
from sweetspot.metering.trace import read_trace
from sweetspot.probe import run
from sweetspot.probe.probed import read_probed
from sweetspot.probe.steps import steps


@pytest.fixture
def one_of_each_kind(monkeypatch):
    """Fewer steps: the first of each kind, and of each that is compiled or in FP8."""
    whole = steps()
    first = {(step.kind, step.compiled, step.precision): step for step in reversed(whole)}
    chosen = tuple(step for step in whole if step in first.values())
    monkeypatch.setattr(run, "steps", lambda: chosen)
    return chosen


def probe(folder, *words):
    return main(["probe", "--out", str(folder), "--device", "cpu", "--seconds", "0.3", *words])


@pytest.mark.slow(reason="PyTorch")
def test_each_kernel_leaves_power_and_samples_and_a_second_call_only_what_is_missing(
    fake_nvml, tmp_path, torch_python, one_of_each_kind, capsys
):
    fake_nvml({"low": 300, "update_s": 0.02})
    assert probe(tmp_path / "p", "--python", torch_python) == 0
    probed = read_probed(tmp_path / "p")
    assert [each.id for each in probed.steps] == [step.id for step in one_of_each_kind]
    assert probed.gpu == "h100-sxm"
    assert probed.on_cpu
    assert probed.facts["device"] == "cpu"
    assert probed.facts["gpu_uuid"] == "GPU-0"
    for each in probed.steps:
        assert each.power_w == pytest.approx(300, rel=0.02), each
        assert each.duration_s >= 0.3
        assert (each.passes > 0) == (each.kind != "cold")
        trace, _ = read_trace(tmp_path / "p" / "samples" / f"{each.id}.csv.gz")
        assert trace.t_s[0] < each.start_s
        assert each.start_s + each.duration_s <= trace.t_s[-1]
    content = json.loads((tmp_path / "p" / "probe.json").read_text())
    lost = content["steps"].pop(0)  # which needs no torch again
    (tmp_path / "p" / "probe.json").write_text(json.dumps(content))
    assert probe(tmp_path / "p", "--python", torch_python) == 0
    again = read_probed(tmp_path / "p")
    assert [each.id for each in again.steps[-1:]] == [lost["id"]]
    assert again.steps[:-1] == [each for each in probed.steps if each.id != lost["id"]]
    out = str(tmp_path / "b.json")
    assert main(["calibrate", "--probe", str(tmp_path / "p"), "--board-out", out]) == 2
    assert "ran on a CPU to try the path" in capsys.readouterr().err


def test_page_is_left_to_a_machine_that_has_what_it_needs(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, "run_probe", lambda *_: probed_board(noise=0.01))
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.delitem(sys.modules, "sweetspot.probe.page", raising=False)
    assert probe(tmp_path) == 0
    assert (
        f"`sweetspot campaign-report {tmp_path} --out REPORT` shows it" in capsys.readouterr().out
    )


def test_board_that_the_catalog_lacks_is_probed_by_its_file_and_known_without_it(
    fake_nvml, tmp_path, one_of_each_kind, capsys, caplog
):
    caplog.set_level(logging.INFO)
    fake_nvml({"name": "NVIDIA_Foo_9000", "low": 300, "update_s": 0.02})
    own, folder = tmp_path / "my-gpu.yaml", tmp_path / "p"
    own.write_text(own_board.TEXT)
    torchless = ("--python", sys.executable)  # enough for the board without a program
    assert probe(folder, *torchless) == 2
    assert "'NVIDIA Foo 9000'; describe it in a file, and name that: --gpu my-gpu.yaml" in (
        capsys.readouterr().err
    )
    assert not (folder / "probe.json").exists()
    assert probe(folder, *torchless, "--gpu", str(own)) == 2
    assert "torch is not installed" in capsys.readouterr().err
    own.unlink()
    probed = read_probed(folder)
    assert [each.id for each in probed.steps] == ["cold"]
    assert (probed.gpu, probed.board.bandwidth_bytes_per_s) == ("my-gpu", 2e12)
    probe(folder, "--minutes", "0.01")  # it goes on, and has no time
    assert "11 of 12 steps found no time" in caplog.text
    assert read_probed(folder) == probed


@pytest.mark.parametrize("action", ["start", "stop"])
def test_meter_that_fails_fails_its_step_and_the_next_is_measured(
    fake_nvml, tmp_path, one_of_each_kind, monkeypatch, action
):
    fake_nvml({"low": 300, "update_s": 0.02})
    cold = one_of_each_kind[0]
    monkeypatch.setattr(run, "steps", lambda: (cold, replace(cold, id="colder")))
    do, left = getattr(NvmlMeter, action), ["power sampling broke off:\n GPU is lost"]

    def fail_once(meter):
        done = do(meter)
        if left:
            if action == "start":
                meter.stop()
            raise MeterError(left.pop())
        return done

    monkeypatch.setattr(NvmlMeter, action, fail_once)
    asked = run.Asked(minutes=1, seconds=0.1)
    first, second = run.run_probe(tmp_path, asked).steps
    assert (first.status, first.reason) == ("failed", "power sampling broke off: GPU is lost")
    assert (second.id, second.power_w) == ("colder", pytest.approx(300))  # if valid, or not
    again = run.run_probe(tmp_path, replace(asked, again=True))
    assert {each.id: each.power_w for each in again.steps} == pytest.approx(
        {"cold": 300, "colder": 300}
    )


def test_another_board_another_python_or_no_time_is_one_line(
    fake_nvml, tmp_path, one_of_each_kind, capsys
):
    fake_nvml({"low": 300, "update_s": 0.02})
    assert probe(tmp_path / "p", "--gpu", "h200") == 2
    assert "'NVIDIA H100 80GB HBM3', not h200-sxm ('NVIDIA H200')" in capsys.readouterr().err
    assert probe(tmp_path / "p", "--python", sys.executable) == 2
    assert "torch is not installed" in capsys.readouterr().err
    # the board without a program was measured before that
    assert [each.id for each in read_probed(tmp_path / "p").steps] == ["cold"]
    assert probe(tmp_path / "q", "--minutes", "0.01") == 2
    assert "no step could be measured: there was no time" in capsys.readouterr().err
    fake_nvml({"low": 300, "update_s": 0.02, "uuid": "GPU-other"})
    assert probe(tmp_path / "p", "--minutes", "0.01") == 2
    assert "is a probe of another board" in capsys.readouterr().err
