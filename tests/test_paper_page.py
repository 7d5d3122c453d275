"""docs/paper.md: what its example prints, and the forms and slips that it names."""

import re

import shown

from sweetspot.analysis.counting import Shape, coefficients
from sweetspot.config import Experiment
from sweetspot.engines.simulated import SimulatorEngine
from sweetspot.measure.cells_table import write_cells
from sweetspot.measure.measure import measure_block
from sweetspot.plan.plan import plan

PAGE = shown.read("docs/paper.md")


def test_example_prints_what_is_shown(tmp_path, monkeypatch):
    """Its cells are those of `make paper` of the one model that it shows."""
    experiment = Experiment(engine="simulator", models=["opt-6.7b"], sweeps={"grid": {}})
    (block,) = plan(experiment).blocks
    measure_block(block, SimulatorEngine(), tmp_path / "records", tmp_path / "block.jsonl")
    cells = tmp_path / "results" / "paper-simulated" / "cells.csv"
    write_cells(experiment, [tmp_path / "block.jsonl"], cells)
    monkeypatch.chdir(tmp_path)
    shown.play("\n".join(shown.blocks("python", PAGE)))


def test_table_of_counts_is_what_is_counted():
    shape = Shape(layers=3, hidden=10, heads=2)
    values = {"L": shape.layers, "d": shape.hidden, "h": shape.heads}
    rows = re.findall(r"^\| (alpha\d) \|[^|]*\|([^|]*)\|([^|]*)\|([^|]*)\|$", PAGE, re.MULTILINE)
    printed = {name: tuple(_value(cell.strip(), values) for cell in cells) for name, *cells in rows}
    assert printed == {name: tuple(work) for name, work in coefficients(shape).items()}


def _value(formula, values):
    """Return what a formula such as 24Ld² + L(21d + h) is worth; an empty one nothing."""
    if not formula:
        return 0
    spelled = formula.replace("²", "**2")
    spelled = re.sub(r"(?<=[\dLdh])(?=[Ldh(])(?<!\*\*2(?=\())", "*", spelled)
    return eval(spelled, {"__builtins__": {}}, values)  # noqa: S307  # our own page
