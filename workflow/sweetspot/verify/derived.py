"""Fits, comparison, tables and page, made once more from the files that are there."""

import tempfile
from pathlib import Path

from sweetspot.analysis.run_files import analyse
from sweetspot.config import Experiment
from sweetspot.errors import InputError
from sweetspot.outputs import can_fit, can_fit_all, figures_of, tables_of
from sweetspot.plan.plan import Plan
from sweetspot.report.write import write_page
from sweetspot.tables import make_tables, write_table
from sweetspot.verify.check import Check, differing_files
from sweetspot.verify.records import block_file, blocks_of_jobs

PAGE = "report.html"

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


def check_page(experiment: Experiment, planned: Plan, folder: Path) -> Check:
    """Check that the page shows the cells, fits and figures that lie beside it."""
    what, cells = f"{PAGE} from what it shows", list(planned.cells)
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary) / PAGE
        try:
            write_page(
                folder,
                run=experiment.run,
                blocks=[folder / block_file(block) for block in blocks_of_jobs(planned, folder)],
                models=_models(planned),
                table_names=tables_of(cells),
                figure_names=figures_of(cells),
                out=made,
            )
        except InputError as error:
            return Check(what, 0, "files", (f"{PAGE}: {error}",))
        differences, _ = differing_files(folder / PAGE, made, PAGE)
    return Check(what, 1, "files", tuple(differences))


def _models(planned: Plan) -> list[str]:
    return list(dict.fromkeys(block.model_reference for block in planned.blocks))


def _derive(experiment: Experiment, planned: Plan, cells_csv: Path, out: Path) -> None:
    """Write fits, comparison and tables as the workflow's steps do."""
    cells = list(planned.cells)
    if can_fit(cells):
        analyse(
            cells_csv,
            out / "fits",
            weights=experiment.analysis.weights,
            max_num_tokens=experiment.limits.max_num_tokens,
            comparison=out / "comparison.csv" if can_fit_all(cells) else None,
        )
    for name, table in make_tables(
        tables_of(cells),
        models=_models(planned),
        fits=out / "fits",
        comparison=out / "comparison.csv",
    ):
        write_table(table, out / "tables" / name)
