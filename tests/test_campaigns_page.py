"""docs/campaigns.md: its commands, from a bare node to a board's file and a sweet spot.

The engine and its power are the simulator's, on a clock that nobody waits for; all else is real.
"""

import html
import json
import logging
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import shown
import tiny
from planted_probe import probed_board

from sweetspot.campaign import probing, run, whole
from sweetspot.campaign.compact import PACKAGES, experiment_of, read_manifest
from sweetspot.campaign.file import parse_campaign
from sweetspot.campaign.report import results
from sweetspot.campaign.report.beside_simulator import simulated_beside
from sweetspot.catalog import load_model
from sweetspot.engines.base import Run
from sweetspot.errors import EngineError, InputError, MeterError
from sweetspot.metering.meter import Readings
from sweetspot.metering.samples import CHANNELS, Samples
from sweetspot.metering.trace import PowerTrace
from sweetspot.simulator.accuracy.measured import read_measured
from sweetspot.simulator.calibration import fit
from sweetspot.simulator.constants.calibration_file import load_calibration
from sweetspot.simulator.run import Sent, in_benchmark, simulate_each

PAGE = shown.read("docs/campaigns.md")
COMMANDS = shown.commands(PAGE)
PARTS = ("plain", "compiled")
LOAD_S, WARM_UP_S, AFTER_S, CLOSE_S, IDLE_W = 28.0, 0.2, 0.3, 3.0, 115.0


def command_of(words):
    """Return the one command of the page that begins so, and measures."""
    begun = [each for each in COMMANDS if each.startswith(f"sweetspot {words}")]
    (command,) = [each for each in begun if not each.endswith("--dry-run")]
    return command


@pytest.fixture
def node(fake_nvml, tmp_path, monkeypatch):
    """A working folder on a node with an H200, as a clone of the repository has it."""
    fake_nvml({"name": "NVIDIA_H200"})
    (tmp_path / "clone").mkdir()
    monkeypatch.chdir(tmp_path / "clone")
    (tmp_path / "clone" / "campaign.yaml").write_text(shown.read("campaign.yaml"))


@pytest.mark.usefixtures("node")
def test_dry_run_prints_what_is_shown(capsys):
    command = next(each for each in COMMANDS if each.endswith("--dry-run"))
    said, page = (
        re.sub(r"of \d+ steps", "of all steps", text)
        for text in (shown.said(command, capsys), COMMANDS[command])
    )
    assert said == page


def test_page_names_the_packages_that_a_node_needs():
    assert all(f"`{package}`" in PAGE for package in PACKAGES)


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s

    def sleep(self, seconds):
        self.now_s += seconds


class PlayedEngine:
    """An engine, its session and its meter: cells take the time and power of the simulator's."""

    name, version, simulated = "vllm", "0.24.0", False

    def __init__(self, block, clock, chance):
        self.block, self.clock, self.chance, self.meter = block, clock, chance, self

    def load(self, settings):
        self.clock.sleep(LOAD_S)
        return self

    def close(self):
        self.clock.sleep(CLOSE_S)

    def start(self, spool=None, observe=None):
        self.watts = [(self.clock(), IDLE_W)]

    def stop(self):
        edges = [*self.watts, (self.clock(), IDLE_W)]
        t_s = np.repeat([at_s for at_s, _ in edges], 2)[1:-1]
        power_w = np.repeat([watts for _, watts in edges[:-1]], 2)
        channels = dict.fromkeys(CHANNELS, np.full(t_s.size, np.nan))
        seen = {"t_s": t_s, "power_instant_w": power_w, "temperature_c": 50 + 0 * t_s}
        samples = Samples(**(channels | seen))
        return Readings(trace=PowerTrace(t_s, power_w), samples=samples)

    def run(self, cell):
        self.clock.sleep(WARM_UP_S)
        deployment = self.block.settings.deployment
        (one,) = simulate_each(
            deployment, [Sent(cell.requests, cell.input_tokens, cell.output_tokens)]
        )
        whole_run = in_benchmark(deployment, one)
        metering = self.block.settings.metering
        passes = max(1, int(np.ceil(metering.min_window_s / whole_run.duration_s)))
        start_s = self.clock()
        noise = np.exp(0.01 * self.chance.standard_normal())
        self.watts.append((start_s, noise * whole_run.energy_j / whole_run.duration_s))
        self.clock.sleep(passes * whole_run.duration_s)
        end_s = self.clock()
        self.watts.append((end_s, IDLE_W))
        self.clock.sleep(AFTER_S)
        return Run(
            start_s=start_s,
            end_s=end_s,
            requests=passes * cell.requests,
            input_tokens=passes * cell.requests * cell.input_tokens,
            output_tokens=passes * cell.total_output_tokens,
            passes=passes,
            facts={"gpu_name": "NVIDIA H200", "gpu_uuid": "GPU-0", "driver": "0.fake"},
        )


TWO_ENGINES = {
    "engines": ["transformers", "vllm"],
    "gpu": "h200-sxm",
    "models": ["llama-3.2-1b"],
    "sweeps": {
        "grid": {"input_tokens": [64, 512], "output_tokens": [64, 256], "requests": [32]},
    },
    "measure": {"idle_s": 0, "min_window_s": 6},
    "vllm": {"weights": "random"},
    "transformers": {"weights": "random"},
}


@pytest.fixture
def played(node, monkeypatch):
    """Let campaigns of this node pass on a clock."""
    clock, chance = Clock(), np.random.default_rng(14)

    def probe(folder, asked):
        clock.sleep(60 * asked.minutes)
        found = probed_board(noise=0.01)
        folder.mkdir(parents=True)
        found.write(folder)
        return found

    def no_sensor(*_):
        clock.sleep(50)
        raise MeterError("no wave")

    for module in (probing, run, whole):
        monkeypatch.setattr(module, "monotonic", clock)
    seconds = SimpleNamespace(sleep=clock.sleep, monotonic=clock)
    monkeypatch.setattr("sweetspot.measure.measure.time", seconds)
    monkeypatch.setattr(run, "require_node", lambda *_: None)
    monkeypatch.setattr(run, "engines_here", lambda *_: lambda b, _: PlayedEngine(b, clock, chance))
    monkeypatch.setattr(run, "dataset_writer", lambda *_: lambda _: None)
    monkeypatch.setattr(probing, "run_probe", probe)
    monkeypatch.setattr(run, "look_at_sensor", no_sensor)
    monkeypatch.setattr("os.fsync", lambda _: None)
    return clock


@pytest.mark.slow(reason="a whole campaign with its report and fits, some 100 cells")
def test_commands_lead_to_a_boards_file_and_a_sweet_spot(played, capsys, caplog, monkeypatch):
    monkeypatch.setattr(fit, "OTHER_STARTS", 0)  # which find the same
    monkeypatch.setattr(results, "_write_figures", lambda *_: [])  # tried elsewhere
    begun_s, minutes = played(), 25
    with caplog.at_level(logging.INFO):
        shown.said(command_of("campaign campaign.yaml --minutes 25 --out campaigns/mine"), capsys)
    assert abs(played() - begun_s - 60 * minutes) < 0.03 * 60 * minutes
    parts = {part: read_manifest(Path("campaigns/mine", part, "compact")) for part in PARTS}
    times = [manifest.time_s for manifest in parts.values()]
    assert sum(time_s["elapsed"] for time_s in times) == pytest.approx(60 * minutes, rel=0.03)
    assert all(set(manifest.cells) >= {"ok"} for manifest in parts.values())
    assert all(manifest.cells["failed"] == 0 for manifest in parts.values())
    assert not any(manifest.cells["invalid"] for manifest in parts.values())

    said = shown.said(command_of("calibrate --probe"), capsys)
    assert re.search(r"byte_energy_j .* J/B \(.* to .*, 95 %\)", said)
    assert json.loads(Path("my-board.json").read_text())["board"]
    with caplog.at_level(logging.INFO):
        shown.said(command_of("calibrate --cells"), capsys)
    assert "opt-2.7b is held out (`holdout`), not fitted to; mean errors: energy" in caplog.text
    said = shown.said(command_of("predict"), capsys)
    assert "constants: h200-sxm-own (own measurements)" in said
    assert "sweet_spot_output_tokens" in said

    shown.said(command_of("campaign-report"), capsys)
    pages = [Path("results/mine", part, "report.html").read_text() for part in PARTS]
    assert all("inside measured windows" in page for page in pages)
    assert "inside the probe's windows" in html.unescape(pages[0])
    assert all("Joules of NVIDIA H200" in page for page in pages)
    found = shown.said(command_of("fit"), capsys)
    assert "95 % (delta)" in found
    assert "opt-2.7b" not in found


def test_parts_that_fail_are_left_out_and_the_others_have_their_time(played, caplog, monkeypatch):
    file = parse_campaign(TWO_ENGINES, "file")

    def require_node(experiment, _):
        if experiment.engine == "transformers":
            raise EngineError("transformers is not installed")

    monkeypatch.setattr(run, "require_node", require_node)
    with caplog.at_level(logging.WARNING):
        whole.run_file(file, Path("campaigns/two"), minutes=5, sensor=False)
    assert "transformers is left out: transformers is not installed" in caplog.text
    assert read_manifest(Path("campaigns/two/vllm/compact")).cells["ok"] == 4
    assert not Path("campaigns/two/transformers").exists()
    without = replace(file, parts={"": file.parts["transformers"]})
    with pytest.raises(EngineError, match="transformers is not installed"):
        whole.run_file(without, Path("campaigns/none"), minutes=5, sensor=False)
    assert not Path("campaigns/none").exists()


def test_board_is_probed_though_the_first_part_cannot_be_measured(played, monkeypatch):
    config = TWO_ENGINES | {"probe": 1}

    def require_node(experiment, _):
        if experiment.engine == "transformers":
            raise InputError("transformers has no such model")

    monkeypatch.setattr(run, "require_node", require_node)
    file = parse_campaign(config, "file")
    whole.run_file(file, Path("campaigns/two"), minutes=5, sensor=False)
    (call,) = read_manifest(Path("campaigns/two/vllm/compact")).calls
    assert call.minutes == pytest.approx(5)
    assert call.time_s["probe"] + call.time_s["probe_windows"] == pytest.approx(60)
    assert Path("campaigns/two/probe/probe.json").is_file()


OWN_BOARD = """\
nvml_name: NVIDIA H200
memory_mib: 143771
bandwidth_gb_per_s: 3000
fp16_tflops: 700
fp8_tflops: null
power_limit_w: 500
nvlink_gb_per_s: null
pcie_gb_per_s: 64
max_clock_mhz: 1500
"""


def test_campaign_of_a_board_and_a_model_of_ones_own_is_read_without_their_files(
    played, tmp_path, monkeypatch
):
    Path("my-gpu.yaml").write_text(OWN_BOARD)
    Path("mine").mkdir()
    Path("mine", "config.json").write_text(json.dumps(tiny.LLAMA))
    sweeps = {
        "grid": {"models": ["llama-3.2-1b"], "input_tokens": [64, 128, 256, 512]}
        | {"output_tokens": [64, 128, 256], "requests": [32]},
        "unseen": {"models": ["./mine"], "input_tokens": [16], "output_tokens": [16]}
        | {"requests": [8]},
    }
    config = TWO_ENGINES | {"models": ["llama-3.2-1b", "./mine"], "holdout": ["./mine"]}
    config |= {"engines": ["vllm"], "sweeps": sweeps}
    config["limits"] = {"max_batch_size": 32}
    file = parse_campaign(config, "file", gpu="my-gpu.yaml")
    whole.run_file(file, Path("campaigns/own"), minutes=9, sensor=False)
    data = tmp_path / "elsewhere" / "data"
    shutil.copytree("campaigns/own/vllm/compact", data)
    monkeypatch.chdir(tmp_path / "elsewhere")
    experiment = experiment_of(read_manifest(data), data)
    assert [load_model(each).id for each in experiment.models] == ["llama-3.2-1b", "mine"]
    measured = read_measured(data)
    assert (measured.own.board.id, measured.own.board.max_clock_mhz) == ("my-gpu", 1500)
    assert measured.own.unseen.sum() == 1
    cells = simulated_beside(
        measured, load_calibration(measured.own.board, engine="vllm").constants
    )
    assert set(cells["model"]) == {"llama-3.2-1b", "mine"}


def test_all_parts_are_measured_again_on_demand_each_cell_once(played):
    file = parse_campaign(TWO_ENGINES, "file")
    folder = Path("campaigns/two")
    for remeasure in ("nothing", "all", "nothing"):
        whole.run_file(file, folder, minutes=20, sensor=False, remeasure=remeasure)
    for part in file.parts:
        calls = read_manifest(folder / part / "compact").calls
        assert [call.measured for call in calls] == [4, 4, 0]
