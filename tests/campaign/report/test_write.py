"""The report, from cells that a simulator gave and that say so, and from odd ones."""

import csv
import html
import json
import re
import shutil
import time
from dataclasses import fields, replace

import pytest

from sweetspot.campaign.blocks import measure_blocks
from sweetspot.campaign.campaign import Campaign
from sweetspot.campaign.compact import write_compact
from sweetspot.campaign.logbook import Call, open_logbook
from sweetspot.campaign.report.write import write_report
from sweetspot.campaign.sensor.facts import SensorFacts
from sweetspot.campaign.slot import Progress
from sweetspot.campaign.time_box import TimeBox
from sweetspot.config import parse_experiment
from sweetspot.engines.simulated import SimulatorEngine
from sweetspot.errors import EngineError, InputError
from sweetspot.figures import canvas
from sweetspot.measure.cells_table import HEADER
from sweetspot.probe.probed import Probed
from sweetspot.reading import size_and_sha256

LENGTHS = [64, 512, 2048]
FACTS = [field.name for field in fields(SensorFacts)]
WAVE = {"wave": 0, "seconds": 15.0, "counter_j": 101.0, "instant_j": 100.0, "average_j": None}
SENSOR = {
    "facts": dict.fromkeys(FACTS) | {"counter_period_s": 0.1, "energies": [WAVE]},
    "sampler_cpu_share": 0.02,
}
STARTED = "2026-01-01T00:00:00+00:00"


def page_in(folder):
    """Return the page as text: rows as lines of cells between bars, headings with two signs."""
    text = (folder / "report.html").read_text(encoding="utf-8").partition("<header>")[2]
    text = re.sub(r"<t[dh][^>]*>", "| ", re.sub(r"</t[dh]>", " ", text))
    text = re.sub(r"<h2>", "## ", re.sub(r'<img [^>]*alt="([^"]*)">', r"picture: \1", text))
    return html.unescape(re.sub(r"<[^>]+>", "", text)).replace("\u00a0", " ")


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class OnlyCentresOfOpt(SimulatorEngine):
    """A simulator that fails on all of OPT but the centre of the grid."""

    def load(self, settings):
        session = super().load(settings)
        simulate = session.run

        def run(cell):
            if cell.model == "opt-1.3b" and (cell.input_tokens, cell.output_tokens) != (512, 512):
                raise EngineError(f"no room for {cell.output_tokens} tokens | at all")
            return simulate(cell)

        session.run = run
        return session


@pytest.fixture(scope="module", autouse=True)
def _no_pdf():
    """Spare figures their PDFs, half of their time, which tests/test_figures.py has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canvas.FigureCanvasPdf, "print_pdf", lambda *_, **__: None)
        yield


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """A campaign of two models on the simulator, of which one fails for the most part."""
    folder = tmp_path_factory.mktemp("simulated")
    config = {
        "run": "simulated",
        "engine": "simulator",
        "gpu": "h200-sxm",
        "models": ["llama-3.2-1b", "opt-1.3b"],
        "sweeps": {
            "grid": {"input_tokens": LENGTHS, "output_tokens": LENGTHS, "requests": [1000, 50]}
        },
        "measure": {"idle_s": 0},
        "figures": {"dpi": 72},
    }
    experiment = parse_experiment(config)
    campaign = Campaign(
        folder=folder,
        experiment=experiment,
        logbook=open_logbook(folder / "campaign.json", experiment),
        engine_of=lambda *_: OnlyCentresOfOpt(),
        prepare=lambda _: None,
    )
    campaign.logbook.calls.append(Call(started_utc=STARTED, ended_utc=STARTED, minutes=9))
    campaign.logbook.requests["opt-1.3b/b1024"] = 50  # as if there had been less time for it
    now_s = time.monotonic()
    measure_blocks(campaign, TimeBox(now_s + 90_000, lambda: now_s), Progress())
    write_report(write_compact(campaign), folder / "report")
    return folder / "report"


def test_cells_csv_has_the_columns_of_a_run_and_every_cell(simulated):
    rows = rows_of(simulated / "cells.csv")
    assert tuple(rows[0]) == HEADER
    assert {row["simulated"] for row in rows} == {"True"}
    assert {row["sweeps"] for row in rows} == {"grid"}
    # both grids, and the centre that showed which N fits
    assert len({row["cell"] for row in rows}) == len(rows) == 9 + 9 + 1


def test_models_of_different_n_are_apart(simulated):
    for requests, model in ((1000, "llama-3.2-1b"), (50, "opt-1.3b")):
        cells = rows_of(simulated / f"n{requests}" / "cells.csv")
        assert {(row["model"], row["requests"]) for row in cells} == {(model, str(requests))}
        assert len(cells) == 9


def test_whole_grid_gives_fits_tables_and_figures(simulated):
    folder = simulated / "n1000"
    assert {row["status"] for row in rows_of(folder / "fits" / "quality.csv")} == {"ok"}
    assert "Table 3" in {row["where"] for row in rows_of(folder / "comparison.csv")}
    assert (folder / "tables" / "table5_coefficients.md").exists()
    for name in ("figure2_output_length", "figure3_heatmap", "figure3_surface"):
        assert (folder / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_grid_with_too_few_cells_gives_what_it_can(simulated):
    folder = simulated / "n50"
    assert not (folder / "fits").exists()
    assert not (folder / "figures").exists()
    assert (folder / "tables" / "table2_models.csv").exists()
    assert "There are no fits: too few cells to fit" in page_in(simulated)


def test_page_says_what_was_measured_and_what_differs(simulated):
    page = page_in(simulated)
    assert "Energy of 2 models on H200 SXM, simulated\nSIMULATED: no GPU ran" in page
    assert "| Llama 3.2 (1B) | 1024 | grid | 1000 | 9 | 0 | 0 | 0 " in page
    assert "| OPT (1.3B) | 1024 | grid | 50 | 1 | 8 | 0 | 0 " in page
    assert "| failed | no room for 2048 tokens | at all | 3 " in page
    assert "GPU: h200-sxm; the paper: NVIDIA H100 80 GB" in page
    assert "Requests: N = 1000 for llama-3.2-1b/b1024, 50 for opt-1.3b/b1024" in page
    assert page.index("Figure 2: ") < page.index("## What was simulated")
    assert page.count("picture: ") == len(list((simulated / "n1000/figures").glob("*.png")))
    assert "The power sensor\nIt was not looked at." in page


def test_numbers_of_the_page_are_those_of_the_files(simulated):
    page = page_in(simulated)
    (extreme,) = rows_of(simulated / "n1000" / "fits" / "extremes.csv")
    best = float(extreme["best_tokens_per_j"])
    spread = float(extreme["best_over_worst"])
    assert f"| Llama 3.2 (1B) | 9 | {best:.4g} | {spread:.3g} " in page
    errors = {
        row["form"]: float(row["mape_percent"])
        for row in rows_of(simulated / "n1000" / "fits" / "quality.csv")
    }
    # the paper's Table 3 in brackets
    assert f"| {errors['flops']:.2f} (2.95) | {errors['memory_flops']:.2f} (1.56) " in page


@pytest.fixture(scope="module")
def measured(set_up_in, tmp_path_factory):
    """The data of a campaign that had time for a part of its grid; only to be read."""
    folder = tmp_path_factory.mktemp("measured")
    case = set_up_in(folder, vllm={"weights": "random"}, figures={"dpi": 72})
    case.campaign.logbook.calls.append(Call(started_utc=STARTED, ended_utc=STARTED, minutes=9))
    measure_blocks(case.campaign, case.box(7), Progress())
    (case.campaign.folder / "sensor.json").write_text(json.dumps(SENSOR))
    return write_compact(case.campaign)


@pytest.fixture(scope="module")
def reported(measured):
    """The report of these data; only to be read."""
    write_report(measured, measured.parent / "report")
    return measured.parent / "report"


@pytest.fixture
def no_figures(monkeypatch):
    """Spare the figures, which are nearly all of a report's time."""
    monkeypatch.setattr("sweetspot.campaign.report.results._write_figures", lambda *_: [])
    monkeypatch.setattr("sweetspot.campaign.report.write.write_beside", lambda *_: [])


@pytest.fixture
def spoilt(measured, tmp_path):
    """A copy of the data, to be changed."""
    return shutil.copytree(measured, tmp_path / "data")


def test_measured_cells_are_said_to_be_measured(reported):
    page = page_in(reported)
    assert "Figure 3, flat: the same in numbers" in page
    assert "Figure 3: the shape" not in page  # of a grid with holes there is no surface
    assert "Board: NVIDIA H200" in page
    assert "Engine: vLLM 0.24.0." in page
    assert "SIMULATED" not in page
    assert "By ±5 %, which is what boards' sensors are good to (each cell was measured" in page
    assert "## Beside the simulator\nConstants: h200-sxm, published numbers + vllm" in page
    assert "Weights: drawn at random" in page
    (ok,) = re.findall(r"\| Llama 3\.2 \(1B\) \| 1024 \| grid \| \d+ \| (\d+) \| 0 \| 0 \| ", page)
    assert 9 < int(ok) < 25
    assert re.search(r"\| cells with energy by integration \| \d+ ", page)
    assert "| the energy counter moves every | 0.1 s " in page
    assert "| the average power is a mean over | not known " in page
    assert "| wave 0, 15 s: counter over instant power | +1.00% " in page


def test_probe_of_another_board_is_not_on_the_page(measured, no_figures, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(
        "sweetspot.campaign.report.write.probe_parts", lambda probed, *_: shown.append(probed) or []
    )
    own = Probed(gpu="h200-sxm", measured_utc=STARTED, facts={"gpu_uuid": "GPU-0"})
    other = replace(own, facts={"gpu_uuid": "GPU-9"})
    write_report(measured, tmp_path / "first", probes=[other])
    assert shown == []
    write_report(measured, tmp_path / "second", probes=[other, own])
    assert shown == [own]


def test_sensor_facts_of_another_kind_are_refused(spoilt, no_figures, tmp_path):
    (spoilt / "sensor.json").write_text("{}")
    manifest = json.loads((spoilt / "manifest.json").read_text())
    size, sha256 = size_and_sha256(spoilt / "sensor.json")
    manifest["files"]["sensor.json"] = {"bytes": size, "sha256": sha256}
    (spoilt / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"^sensor\.json is not what a campaign writes"):
        write_report(spoilt, tmp_path / "report")


def test_cells_stand_beside_the_simulator_s(reported):
    """The engine of these cells takes 3 times the simulator's time, at 300 W."""
    page = page_in(reported)
    section = page[page.index("## Beside the simulator") : page.index("## Energy")]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if "| Llama" in line]
    cells = rows_of(reported / "cells.csv")
    assert len(rows) == len(cells)
    for row, cell in zip(rows, cells, strict=True):
        assert row[1:4] == [cell["requests"], cell["input_tokens"], cell["output_tokens"]]
        assert float(row[4]) == pytest.approx(float(cell["tokens_per_j"]), rel=1e-3)
        # the tail that calibrations hold is not part of a measured window
        assert float(row[9].rstrip(" %")) >= 199
        power_w = float(row[11])
        of_times = float(row[8]) / float(row[7])
        assert power_w / float(row[10]) == pytest.approx(
            of_times * float(row[4]) / float(row[5]), rel=0.01
        )


def test_cells_of_further_sweeps_are_told_apart_from_the_grid(set_up, no_figures, tmp_path):
    grid = {"input_tokens": [64, 512], "output_tokens": [64, 512], "requests": [50]}
    batch = {"input_tokens": [512], "output_tokens": [512], "requests": [8, 50, 128]}
    faults = {(128, 512, 512): EngineError("lost")}
    case = set_up(sweeps={"grid": grid, "batch": batch}, faults=faults, figures={"dpi": 72})
    case.campaign.logbook.calls.append(Call(started_utc=STARTED, ended_utc=STARTED, minutes=90))
    measure_blocks(case.campaign, case.box(90), Progress())
    write_report(write_compact(case.campaign), tmp_path)
    page = page_in(tmp_path)
    assert "| Llama 3.2 (1B) | 1024 | grid | 50 | 4 | 0 | 0 | 0 " in page
    assert "| Llama 3.2 (1B) | 1024 | batch | 8, 50, 128 | 2 | 1 | 0 | 0 " in page
    sweeps = {row["requests"]: row["sweeps"] for row in rows_of(tmp_path / "cells.csv")}
    assert (sweeps["8"], sweeps["128"]) == ("batch", "batch")
    assert len(rows_of(tmp_path / "n50" / "cells.csv")) == 4


def test_report_refuses_data_that_are_not_what_their_manifest_says(spoilt, tmp_path):
    (spoilt / "records.jsonl").write_text("")
    with pytest.raises(InputError, match="is not the file"):
        write_report(spoilt, tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_report_of_no_cells_says_so(set_up, tmp_path):
    data = write_compact(set_up().campaign)
    with pytest.raises(InputError, match="nothing was measured yet"):
        write_report(data, tmp_path / "report")
