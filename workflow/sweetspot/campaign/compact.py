"""The small folder that a campaign leaves: all that is needed to work with it, and to check it."""

import hashlib
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from sweetspot.campaign.campaign import Campaign
from sweetspot.campaign.logbook import Call
from sweetspot.campaign.traces import HEADER, CellTrace, pack_traces
from sweetspot.config.wording import first_error
from sweetspot.errors import InputError
from sweetspot.files import write_bytes_atomic, write_text_atomic
from sweetspot.measure.provenance import provenance
from sweetspot.measure.record import CellRecord, trace_path
from sweetspot.metering.trace import PowerTrace, read_trace

RECORDS, TRACES, MANIFEST = "records.jsonl", "traces.csv.gz", "manifest.json"
SENSOR = ("sensor.json", "sensor.csv.gz")
PACKAGES = ("numpy", "pydantic", "pyyaml", "nvidia-ml-py")
GPU_FACTS = ("gpu_name", "gpu_uuid", "driver", "power_limit_w")


class Listed(BaseModel):
    """A file of the folder."""

    model_config = ConfigDict(extra="forbid")

    bytes: int
    sha256: str


class Manifest(BaseModel):
    """The file manifest.json.

    Attributes:
        requests: by block, the N that was chosen.
        cells: how many cells have which status.
        gpus: the boards that were measured on, with driver and power limit.
        traces: columns of the traces' file, and the width of its buckets.
    """

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1] = 1
    simulated: bool
    experiment: dict[str, Any]
    requests: dict[str, int]
    cells: dict[str, int]
    calls: list[Call]
    gpus: list[dict[str, str]]
    provenance: dict[str, str]
    packages: dict[str, str]
    traces: dict[str, str | float]
    files: dict[str, Listed]


def write_compact(campaign: Campaign) -> Path:
    """Write the folder `compact` of a campaign from its records, and return it.

    Raises:
        InputError: it cannot be written.
    """
    out = campaign.folder / "compact"
    records = [record for block in campaign.blocks for record in campaign.measured(block)]
    lines = "".join(f"{record.model_dump_json()}\n" for record in records)
    write_text_atomic(out / RECORDS, lines)
    content, bucket_s = pack_traces(_traces(campaign))
    write_bytes_atomic(out / TRACES, content)
    for name in SENSOR:
        if (campaign.folder / name).is_file():
            write_bytes_atomic(out / name, (campaign.folder / name).read_bytes())
    names = [name for name in (RECORDS, TRACES, *SENSOR) if (out / name).is_file()]
    statuses = [record.status for record in records]
    manifest = Manifest(
        simulated=any(record.simulated for record in records),
        experiment=campaign.logbook.experiment,
        requests=campaign.logbook.requests,
        cells={status: statuses.count(status) for status in ("ok", "failed", "invalid")},
        calls=campaign.logbook.calls,
        gpus=_gpus(records),
        provenance=provenance(),
        packages={name: _version(name) for name in PACKAGES},
        traces={"columns": ",".join(HEADER), "bucket_s": bucket_s},
        files={name: _listed(out / name) for name in names},
    )
    write_text_atomic(out / MANIFEST, manifest.model_dump_json(indent=1) + "\n")
    return out


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a compact folder, after checking every file against it.

    Raises:
        InputError: there is none, or a file is missing or not the one that it lists.
    """
    path = folder / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except OSError as e:
        raise InputError(f"cannot read {path}: {e.strerror}; is {folder} a campaign's data?") from e
    except ValidationError as e:
        raise InputError(f"{path} is no manifest of a campaign: {first_error(e)}") from e
    for name, listed in manifest.files.items():
        try:
            found = _listed(folder / name)
        except OSError as e:
            raise InputError(f"{folder / name}, which {path} lists: {e.strerror}") from e
        if found != listed:
            raise InputError(
                f"{folder / name} is not the file that {path} lists: it has {found.bytes} bytes"
                f" and SHA-256 {found.sha256[:12]}..., not {listed.bytes} and"
                f" {listed.sha256[:12]}...; take the folder as the campaign left it"
            )
    return manifest


def _traces(campaign: Campaign) -> list[CellTrace]:
    """Return the traces of all cells that ran, each on the clock of its window."""
    found = []
    for block in campaign.blocks:
        cells = {cell.id: cell for cell in block.cells}
        for record in campaign.measured(block):
            start_s = campaign.logbook.window_start_s.get(record.cell)
            if record.window_s is not None and start_s is not None:
                path = trace_path(campaign.records, cells[record.cell], record.key)
                trace, _ = read_trace(path)
                shifted = PowerTrace(trace.t_s - start_s, trace.power_w)
                found.append(CellTrace(record.cell, shifted))
    return found


def _gpus(records: list[CellRecord]) -> list[dict[str, str]]:
    """Return the boards of the records, each once."""
    boards = [
        {name: record.provenance[name] for name in GPU_FACTS if name in record.provenance}
        for record in records
    ]
    return [board for place, board in enumerate(boards) if board and board not in boards[:place]]


def _version(package: str) -> str:
    """Return a package's version; "" where it was installed without saying."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _listed(path: Path) -> Listed:
    content = path.read_bytes()
    return Listed(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
