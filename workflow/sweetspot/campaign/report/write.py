"""From a campaign's data to cells.csv, tables, figures and a page that says what they are worth."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from sweetspot.analysis.sweet_spots import SWEET_SPOTS
from sweetspot.campaign.compact import RECORDS, Manifest, experiment_of, read_manifest
from sweetspot.campaign.design import design
from sweetspot.campaign.report.batch import write_batch
from sweetspot.campaign.report.beside_campaigns import write_beside_campaigns
from sweetspot.campaign.report.beside_simulator import write_beside
from sweetspot.campaign.report.results import write_load
from sweetspot.campaign.report.sections import sections_of
from sweetspot.campaign.report.tables import chosen_requests, decided, grid_records
from sweetspot.catalog import load_model
from sweetspot.cells.read import read_cells
from sweetspot.errors import InputError
from sweetspot.files import write_text_atomic
from sweetspot.measure.cells_table import write_table
from sweetspot.measure.record import read_block
from sweetspot.probe.page import probe_parts
from sweetspot.probe.probed import Probed, read_probed
from sweetspot.reading import as_mapping, read_bytes, read_json
from sweetspot.report.results_page import OPENING_FIGURE, results_html

log = logging.getLogger(__name__)


def write_report(
    data: Path,
    out: Path,
    others: Mapping[str, Path] = MappingProxyType({}),
    probes: Sequence[Probed] = (),
) -> None:
    """Write report.html and cells.csv, and for each chosen N a folder with all that it gives.

    Models of different N are not one grid: each N has its own fits, tables and figures. Beside
    them there is the batch form of all loads, where the cells carry it.

    Args:
        data: of the campaign.
        out: folder of all that is written.
        others: data of other campaigns by their names, to stand beside this one.
        probes: boards, kernel by kernel; the first one of the campaign's board is on the page.

    Raises:
        InputError: the data are not what their manifest says, or hold no cell.
    """
    manifest = read_manifest(data)
    records = read_block(data / RECORDS)
    if not records:
        raise InputError(f"{data} has no cells: nothing was measured yet")
    experiment = experiment_of(manifest, data)
    planned = design(experiment)
    write_table(
        ((record, planned.sweeps.get(record.cell, ())) for record in records), out / "cells.csv"
    )
    chosen = chosen_requests(manifest, planned, records)
    unseen = {load_model(model).id for model in experiment.holdout}  # compared, not fitted to
    grids = [r for r in grid_records(chosen, planned, records) if r.model not in unseen]
    loads = []
    for requests in sorted({record.requests for record in grids}, reverse=True):
        of_load = [record for record in grids if record.requests == requests]
        folder = out / f"n{requests}"
        loads.append(
            write_load(of_load, planned.grid_sweep, experiment.models, experiment.figures, folder)
        )
    cells_csv = out / "cells.csv"
    cells = read_cells(cells_csv)
    batch = write_batch(cells[~cells["model"].isin(unseen)], experiment.limits.max_num_tokens, out)
    beside = [] if manifest.simulated else write_beside(data, experiment.figures, out)
    campaigns = write_beside_campaigns(data, others, experiment.figures, out)
    probed = next((each for each in probes if _is_of(each, manifest)), None)
    is_adaptive = experiment.measure.design == "adaptive"
    adaptive = decided(chosen, planned, records, experiment.adaptive) if is_adaptive else {}
    sections = sections_of(
        *(manifest, planned, chosen, adaptive, records, cells, loads, batch, _sensor(data), beside),
        campaigns,
        probe_parts(probed, out / "probe", experiment.figures) if probed else [],
    )
    pictures = loads[0].pictures if loads else []
    spots = [load.spots for load in loads if load.spots is not None]
    page = results_html(
        experiment.run,
        made={record.cell: record.provenance for record in records},
        cells=cells,
        csv=read_bytes(cells_csv, "cells"),
        spots=pd.concat(spots, ignore_index=True) if spots else pd.DataFrame(columns=SWEET_SPOTS),
        picture=next((each for each in pictures if each.name == OPENING_FIGURE), None),
        sections=sections,
    )
    write_text_atomic(out / "report.html", page)
    log.info("%s: %d cells", out / "report.html", len(records))


def probes_beside(data: Path) -> list[Probed]:
    """Return the probes in a campaign's folder and beside the part whose data these are."""
    places = (data, data / "probe", data.parent / "probe", data.parent.parent / "probe")
    return list(filter(None, map(read_probed, places)))


def _is_of(probed: Probed, manifest: Manifest) -> bool:
    """Return whether a probe is of a board that the campaign's cells were measured on."""
    return probed.facts.get("gpu_uuid") in {board.get("gpu_uuid") for board in manifest.gpus}


def _sensor(data: Path) -> dict[str, Any] | None:
    """Return what was found of the power sensor; None where it was not looked at."""
    path = data / "sensor.json"
    if not path.exists():
        return None
    return as_mapping(read_json(path, "sensor facts"), str(path))
