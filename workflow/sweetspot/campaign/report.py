"""From a campaign's data to cells.csv, tables, figures and a page that says what they are worth."""

import json
import logging
from pathlib import Path
from typing import Any

from sweetspot.analysis.cells import read_cells
from sweetspot.campaign.compact import RECORDS, Manifest, read_manifest
from sweetspot.campaign.report_load import write_load
from sweetspot.campaign.report_tables import block_of, chosen_requests
from sweetspot.campaign.report_text import report_text
from sweetspot.cells_table import write_table
from sweetspot.config import parse_style
from sweetspot.errors import InputError
from sweetspot.files import write_text_atomic
from sweetspot.records import CellRecord, read_block

log = logging.getLogger(__name__)


def write_report(data: Path, out: Path) -> None:
    """Write report.md and cells.csv, and for each chosen N a folder with all that it gives.

    Models of different N are no one grid: each N has its own fits, tables and figures.

    Raises:
        InputError: the data are not what their manifest says, or hold no cell.
    """
    manifest = read_manifest(data)
    records = read_block(data / RECORDS)
    if not records:
        raise InputError(f"{data} has no cells: nothing was measured yet")
    style = parse_style(manifest.experiment["figures"], str(data))
    (sweep,) = manifest.experiment["sweeps"]
    write_table(((record, [sweep]) for record in records), out / "cells.csv")
    loads = {}
    for requests in sorted(set(chosen_requests(manifest, records).values()), reverse=True):
        folder = out / f"n{requests}"
        of_load = _of_load(manifest, records, requests)
        loads[folder] = write_load(of_load, sweep, manifest.experiment["models"], style, folder)
    cells = read_cells(out / "cells.csv")
    text = report_text(manifest, records, cells, loads, _sensor(data), out)
    write_text_atomic(out / "report.md", text)
    log.info("%s: %d cells", out / "report.md", len(records))


def _of_load(manifest: Manifest, records: list[CellRecord], requests: int) -> list[CellRecord]:
    """Return the cells of the blocks that have this N, without those that only helped choose it."""
    chosen = chosen_requests(manifest, records)
    return [r for r in records if r.requests == requests == chosen[block_of(r)]]


def _sensor(data: Path) -> dict[str, Any] | None:
    """Return what was found of the power sensor; None where it was not looked at."""
    path = data / "sensor.json"
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found
