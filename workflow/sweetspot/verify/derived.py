"""Fits, comparison and tables, made once more from the cells.csv that is there."""

import tempfile
from pathlib import Path

from sweetspot.analysis.run_files import analyse, write_comparison
from sweetspot.config import Experiment
from sweetspot.errors import InputError
from sweetspot.outputs import TABLE_OF_MODELS, can_fit, can_fit_all, tables_of
from sweetspot.plan.plan import Plan
from sweetspot.tables import make_table, write_table
from sweetspot.verify.check import Check, differing_files

STAGES = {
    "fits/ from cells.csv": "fits/*",
    "comparison.csv from cells.csv": "comparison.csv",
    "tables/ from cells.csv": "tables/*",
}


def check_derived(experiment: Experiment, planned: Plan, folder: Path) -> list[Check]:
    """Check what derives from cells.csv, file by file, against what it gives today."""
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary)
        try:
            _derive(experiment, planned, folder / "cells.csv", made)
        except InputError as error:
            return [Check("what derives from cells.csv", 0, "files", (f"cells.csv: {error}",))]
        checks = []
        for what, pattern in STAGES.items():
            names = sorted(path.relative_to(made).as_posix() for path in made.glob(pattern))
            compared = [differing_files(folder / name, made / name, name) for name in names]
            rounded = sum(by_rounding for _, by_rounding in compared)
            note = f"{rounded} of them to rounding only: other packages or another processor made"
            if names:
                differences = tuple(each for found, _ in compared for each in found)
                checks.append(
                    Check(what, len(names), "files", differences, note if rounded else "")
                )
        return checks


def _derive(experiment: Experiment, planned: Plan, cells_csv: Path, out: Path) -> None:
    """Write fits, comparison and tables as the workflow's steps do."""
    cells = list(planned.cells)
    if can_fit(cells):
        analyse(
            cells_csv,
            out / "fits",
            weights=experiment.analysis.weights,
            max_num_tokens=experiment.limits.max_num_tokens,
        )
    if can_fit_all(cells):
        write_comparison(cells_csv, out / "fits", out / "comparison.csv")
    models = list(dict.fromkeys(block.model_reference for block in planned.blocks))
    for name in tables_of(cells):
        table = make_table(
            name,
            models=models if name == TABLE_OF_MODELS else (),
            fits=out / "fits",
            comparison=out / "comparison.csv",
        )
        write_table(table, out / "tables" / name)
