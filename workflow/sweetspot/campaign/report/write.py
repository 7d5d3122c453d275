"""From a campaign's data to cells.csv, tables, figures and a page that says what they are worth."""

import logging
from pathlib import Path
from typing import Any

from sweetspot.campaign.compact import RECORDS, read_manifest
from sweetspot.campaign.design import design
from sweetspot.campaign.report.batch import write_batch
from sweetspot.campaign.report.beside_simulator import write_beside
from sweetspot.campaign.report.results import write_load
from sweetspot.campaign.report.tables import chosen_requests, grid_records
from sweetspot.campaign.report.text import report_text
from sweetspot.cells.read import read_cells
from sweetspot.config import parse_experiment
from sweetspot.errors import InputError
from sweetspot.files import write_text_atomic
from sweetspot.measure.cells_table import write_table
from sweetspot.measure.record import read_block
from sweetspot.reading import as_mapping, read_json

log = logging.getLogger(__name__)


def write_report(data: Path, out: Path) -> None:
    """Write report.md and cells.csv, and for each chosen N a folder with all that it gives.

    Models of different N are not one grid: each N has its own fits, tables and figures. Beside
    them there is the batch form of all loads, where the cells carry it.

    Raises:
        InputError: the data are not what their manifest says, or hold no cell.
    """
    manifest = read_manifest(data)
    records = read_block(data / RECORDS)
    if not records:
        raise InputError(f"{data} has no cells: nothing was measured yet")
    experiment = parse_experiment(manifest.experiment, str(data))
    planned = design(experiment)
    write_table(
        ((record, planned.sweeps.get(record.cell, ())) for record in records), out / "cells.csv"
    )
    chosen = chosen_requests(manifest, planned, records)
    grids = grid_records(chosen, planned, records)
    loads = {}
    for requests in sorted({record.requests for record in grids}, reverse=True):
        folder = out / f"n{requests}"
        of_load = [record for record in grids if record.requests == requests]
        loads[folder] = write_load(
            of_load, planned.grid_sweep, experiment.models, experiment.figures, folder
        )
    cells = read_cells(out / "cells.csv")
    batch = write_batch(cells, experiment.limits.max_num_tokens, out)
    beside = "" if manifest.simulated else write_beside(data, experiment.figures, out)
    text = report_text(
        *(manifest, planned, chosen, records, cells, loads, batch, _sensor(data), beside, out)
    )
    write_text_atomic(out / "report.md", text)
    log.info("%s: %d cells", out / "report.md", len(records))


def _sensor(data: Path) -> dict[str, Any] | None:
    """Return what was found of the power sensor; None where it was not looked at."""
    path = data / "sensor.json"
    if not path.exists():
        return None
    return as_mapping(read_json(path, "sensor facts"), str(path))
