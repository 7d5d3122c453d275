"""The page of a probe, of a planted board and of a CPU."""

from dataclasses import replace

import pytest
from planted_probe import probed_board

from sweetspot.cli import main
from sweetspot.config import FigureStyle
from sweetspot.probe.board import board_of_probe
from sweetspot.probe.page import probe_parts
from sweetspot.report.html import Exhibit


@pytest.fixture(scope="module")
def probed():
    return probed_board(noise=0.01)


def exhibits(parts):
    return {part.title: part.content for part in parts if isinstance(part, Exhibit)}


def test_page_has_constants_figures_and_step_times(probed, tmp_path):
    shown = exhibits(probe_parts(probed, tmp_path, FigureStyle()))
    joules = shown["Joules of NVIDIA H200 SXM (141 GB)"]
    found = board_of_probe(probed)
    low, high = (f"{1e12 * end:.3g}" for end in found.intervals["flop_energy_j"])
    assert f"{1e12 * found.constants.flop_energy_j:.3g}" in joules
    assert f"{low} to {high}" in joules
    assert "power with no program, in W" in joules
    assert {path.name for path in tmp_path.iterdir()} >= {"probe_roofline.png", "probe_power.pdf"}
    assert "of the peak" in shown["Roofline"]
    (times,) = (content for title, content in shown.items() if title.startswith("Time of"))
    assert times.count("<tr>") == 1 + 8  # five batches and three depths more
    assert all(step.id in shown["Every step"] for step in probed.steps)


def test_page_of_a_cpu_gives_no_constants_and_is_stamped(probed, tmp_path):
    parts = probe_parts(replace(probed, on_cpu=True), tmp_path, FigureStyle())
    text = "".join(part for part in parts if isinstance(part, str))
    assert "no number counts" in text
    assert "No constants" in text
    assert "Joules" not in "".join(exhibits(parts))


def test_probe_of_idle_steps_alone_has_no_figures(probed, tmp_path):
    parts = probe_parts(replace(probed, steps=probed.steps[:3]), tmp_path, FigureStyle())
    assert set(exhibits(parts)) == {"Every step"}
    assert not list(tmp_path.iterdir())


def test_command_makes_the_page_of_a_probe_s_folder(probed, tmp_path):
    probed.write(tmp_path / "p")
    assert main(["campaign-report", str(tmp_path / "p"), "--out", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "NVIDIA H200 SXM (141 GB), kernel by kernel" in page
