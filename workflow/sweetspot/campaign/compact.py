"""The small folder that a campaign leaves: all that is needed to work with it, and to check it."""

import csv
import gzip
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sweetspot.campaign.campaign import Campaign
from sweetspot.campaign.logbook import Call
from sweetspot.campaign.sensor.square_wave import FACTS, SAMPLES
from sweetspot.catalog import located
from sweetspot.config import Experiment, parse_experiment
from sweetspot.errors import InputError
from sweetspot.files import remove_unfinished, write_bytes_atomic, write_text_atomic
from sweetspot.measure.manifest import Listed, listed_as
from sweetspot.measure.provenance import package_versions, provenance
from sweetspot.measure.record import CellRecord, trace_path
from sweetspot.metering.samples import FloatArray
from sweetspot.metering.trace import PowerTrace, cumulative_energy_j, read_trace
from sweetspot.reading import path_inside, read_as
from sweetspot.schema.writing import json_text

RECORDS, TRACES, MANIFEST = "records.jsonl", "traces.csv.gz", "manifest.json"
SENSOR = (FACTS, SAMPLES)
PACKAGES = ("numpy", "pyyaml", "nvidia-ml-py")
GPU_FACTS = ("gpu_name", "gpu_uuid", "driver", "power_limit_w")

# The file of all traces
TRACE_HEADER = ("cell", "start_s", "end_s", "mean_power_w")
MAX_TRACES_BYTES = 5_000_000
BUCKETS_S = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The file manifest.json.

    Attributes:
        requests: by block, the N that was chosen.
        adaptive: by block, why its adaptive design stopped; nothing of other designs.
        cells: how many cells have which status.
        gpus: the boards that were measured on, with driver and power limit.
        own: by how the experiment names a board or a model that the catalog lacks, where its file
            lies in this folder.
        traces: columns of the traces' file, and the width of its buckets.
        time_s: where the time of all calls went, as `Call` has it of each.
    """

    schema_version: Literal[1] = 1
    simulated: bool
    experiment: dict[str, Any]
    requests: dict[str, int]
    adaptive: dict[str, str] = field(default_factory=dict)
    cells: dict[str, int]
    calls: list[Call]
    gpus: list[dict[str, str]]
    provenance: dict[str, str]
    packages: dict[str, str]
    traces: dict[str, str | float]
    time_s: dict[str, float] = field(default_factory=dict)
    own: dict[str, str] = field(default_factory=dict)
    files: dict[str, Listed]


@dataclass(frozen=True, eq=False, slots=True)
class CellTrace:
    """A cell's power, on a clock that is 0 s where its measured window begins."""

    cell: str
    trace: PowerTrace


def write_compact(campaign: Campaign) -> Path:
    """Write the folder `compact` of a campaign from its records, and return it.

    Raises:
        InputError: it cannot be written.
    """
    out = campaign.folder / "compact"
    remove_unfinished(out)
    records = [record for block in campaign.blocks for record in campaign.measured(block)]
    lines = "".join(f"{json_text(record)}\n" for record in records)
    write_text_atomic(out / RECORDS, lines)
    content, bucket_s = pack_traces(_traces(campaign))
    write_bytes_atomic(out / TRACES, content)
    for name in SENSOR:
        if (campaign.folder / name).is_file():
            write_bytes_atomic(out / name, (campaign.folder / name).read_bytes())
    places, own = campaign.own_files
    for name, described in own.items():
        write_bytes_atomic(out / name, described)
    names = [name for name in (RECORDS, TRACES, *SENSOR, *own) if (out / name).is_file()]
    statuses = [record.status for record in records]
    manifest = Manifest(
        simulated=any(record.simulated for record in records),
        experiment=campaign.logbook.experiment,
        requests=campaign.logbook.requests,
        adaptive=campaign.logbook.adaptive,
        cells={status: statuses.count(status) for status in ("ok", "failed", "invalid")},
        calls=campaign.logbook.calls,
        gpus=_gpus(records),
        provenance=provenance(),
        packages=package_versions(PACKAGES),
        traces={"columns": ",".join(TRACE_HEADER), "bucket_s": bucket_s},
        time_s=_time_s(campaign.logbook.calls),
        own=places,
        files={name: listed_as(out / name) for name in names},
    )
    write_text_atomic(out / MANIFEST, json_text(manifest, indent=1) + "\n")
    return out


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a compact folder, after checking every file against it.

    Raises:
        InputError: there is none, or a file is missing, elsewhere, or not the one that it lists.
    """
    path = folder / MANIFEST
    manifest = read_as(Manifest, path, "manifest", f"is {folder} a campaign's data?")
    for name, listed in manifest.files.items():
        found = listed_as(path_inside(folder, name, "file"))
        if found != listed:
            raise InputError(
                f"{folder / name} is not the file that {path} lists: it has {found.bytes} bytes"
                f" and SHA-256 {found.sha256[:12]}..., not {listed.bytes} and"
                f" {listed.sha256[:12]}...; take the folder as the campaign left it"
            )
    return manifest


def experiment_of(manifest: Manifest, folder: Path) -> Experiment:
    """Return the experiment of a compact folder, wherever that is read.

    Raises:
        InputError: it is none, or one of its models is of a folder that is not here.
    """
    stated = located(manifest.experiment, manifest.own, folder)
    return parse_experiment(stated, f"the experiment of {folder / MANIFEST}")


def _traces(campaign: Campaign) -> list[CellTrace]:
    """Return the traces of all cells that ran, each on the clock of its window."""
    found = []
    for block in campaign.blocks:
        cells = {cell.id: cell for cell in block.cells}
        for record in campaign.measured(block):
            start_s = record.window_start_s
            if start_s is None:  # of a folder that an earlier version began
                start_s = campaign.logbook.window_start_s.get(record.cell)
            if record.window_s is not None and start_s is not None:
                path = trace_path(campaign.records, cells[record.cell], record.key)
                trace, _ = read_trace(path)
                shifted = PowerTrace(trace.t_s - start_s, trace.power_w)
                found.append(CellTrace(record.cell, shifted))
    return found


def thinned(trace: PowerTrace, bucket_s: float) -> tuple[FloatArray, FloatArray]:
    """Return the edges of buckets, in s, and the mean power in each, in W.

    A bucket reaches from one sample to the first that is `bucket_s` or more later: so its mean
    times its length is exactly the energy that the trace has there. With 0 s there is one for each
    two neighbours.
    """
    edges = [0]
    for place, at_s in enumerate(trace.t_s):
        if at_s > trace.t_s[edges[-1]] and at_s - trace.t_s[edges[-1]] >= bucket_s:
            edges.append(place)
    if edges[-1] != trace.t_s.size - 1 and trace.t_s[-1] > trace.t_s[edges[-1]]:
        edges.append(trace.t_s.size - 1)
    energy_j = cumulative_energy_j(trace.t_s, trace.power_w)
    edges_s = trace.t_s[edges]
    return edges_s, np.diff(energy_j[edges]) / np.diff(edges_s)


def pack_traces(
    traces: Iterable[CellTrace], *, max_bytes: int = MAX_TRACES_BYTES
) -> tuple[bytes, float]:
    """Return all traces as gzip CSV of TRACE_HEADER, and the bucket's width in s that it took.

    The narrowest of BUCKETS_S is taken with which the file has at most `max_bytes`.
    """
    traces = list(traces)
    for bucket_s in BUCKETS_S:
        content = gzip.compress(_table(traces, bucket_s).encode(), mtime=0)
        if len(content) <= max_bytes:
            break
    return content, bucket_s


def _table(traces: list[CellTrace], bucket_s: float) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(TRACE_HEADER)
    for each in traces:
        edges_s, power_w = thinned(each.trace, bucket_s)
        for start_s, end_s, watts in zip(edges_s, edges_s[1:], power_w, strict=False):
            table.writerow((each.cell, f"{start_s:.4f}", f"{end_s:.4f}", f"{watts:.2f}"))
    return text.getvalue()


def _time_s(calls: Iterable[Call]) -> dict[str, float]:
    """Return where the time of all calls went."""
    total = Call(started_utc="", minutes=0)
    for call in calls:
        for on, seconds in call.time_s.items():
            total.spent(on, seconds)
    return total.time_s


def _gpus(records: list[CellRecord]) -> list[dict[str, str]]:
    """Return the boards of the records, each once."""
    boards = [
        {name: record.provenance[name] for name in GPU_FACTS if name in record.provenance}
        for record in records
    ]
    return [board for place, board in enumerate(boards) if board and board not in boards[:place]]
