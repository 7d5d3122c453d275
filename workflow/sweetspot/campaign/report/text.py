"""The page of a campaign's report: what was measured, and what it is worth."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sweetspot import published
from sweetspot.campaign.compact import Manifest
from sweetspot.campaign.design import Design
from sweetspot.campaign.report.tables import (
    Rows,
    condition_rows,
    energy_rows,
    paper_rows,
    reason_rows,
    remark_rows,
    spot_rows,
    status_rows,
    time_rows,
)
from sweetspot.config import Limits
from sweetspot.errors import InputError
from sweetspot.markdown import table
from sweetspot.measure.record import CellRecord

PAPER_GPU, PAPER_ENGINE = "h100-sxm", "tensorrt-llm 0.21.0"
_FIT_HEADER = (
    *("Model", "Cells", "Best tokens/J", "Best over worst cell", "Most efficient cell"),
    *("MAPE % of Eq. 4", "MAPE % of Eq. 5"),
)
_SPOT_HEADER = (
    *("Model", "I", "Most efficient O", "tokens/J there", "O by Eq. 6", "Lengths O measured"),
)
_SENSOR_FACTS = (
    ("counter_period_s", "the energy counter moves every", "s"),
    ("instant_period_s", "the instantaneous power is renewed every", "s"),
    ("average_period_s", "the average power is renewed every", "s"),
    ("instant_delay_s", "half of a rise is seen after", "s"),
    ("average_window_s", "the average power is a mean over", "s"),
    ("average_delay_s", "and is shown later by", "s"),
    ("usage_is", "nvmlDeviceGetPowerUsage shows", ""),
    ("idle_w", "idle power, no program on the GPU", "W"),
    ("off_w", "power between the loads", "W"),
    ("on_w", "power under load", "W"),
    ("interval_s", "looked at every", "s"),
    ("largest_gap_s", "longest time between two looks", "s"),
)


def report_text(
    manifest: Manifest,
    planned: Design,
    chosen: Mapping[str, int],
    records: Sequence[CellRecord],
    cells: pd.DataFrame,
    loads: Mapping[Path, str],
    batch: Sequence[str],
    sensor: Mapping[str, Any] | None,
    beside: str,
    out: Path,
) -> str:
    """Return report.md.

    Args:
        manifest: of the data.
        planned: the cells that were to be measured.
        chosen: N of the grid, by block.
        records: those that were.
        cells: the same, as cells.csv has them.
        loads: the folders of each N, and what is missing there.
        batch: the tables of all loads at once; none where the cells do not carry them.
        sensor: what was found of it; None where it was not looked at.
        beside: what the simulator says of the cells; empty for simulated ones.
        out: folder of the page.
    """
    what = "**Simulated, not measured**" if manifest.simulated else "Measured"
    parts = [
        f"# Campaign `{manifest.experiment['run']}`",
        f"{what} on {_boards(manifest)} with {_engines(records)}, from"
        f" {manifest.calls[0].started_utc} to {manifest.calls[-1].ended_utc} in"
        f" {sum(call.minutes for call in manifest.calls):g} minutes of time given, by sweetspot"
        f" {manifest.provenance['sweetspot']} {manifest.provenance['git_commit'][:12]}.".rstrip(),
        "## What was measured",
        table(
            ("Block", "Sweep", "N", "ok", "failed", "invalid", "not measured"),
            status_rows(chosen, planned, records),
        ),
        f"N of `{planned.grid_sweep}` was chosen by the time there was; cells come most informative"
        " first.",
        "## What differs from the paper",
        "\n".join(f"- {line}" for line in differences(manifest, chosen, records)),
        *_results(loads, out),
        *batch,
        *(["## Beside the simulator", beside] if beside else []),
        "## Energy",
        table(("", "over the ok cells"), energy_rows(cells)),
        "Boards' sensors are good to about 5 %; what is compared here is of one board.",
        *_table("## Where the time went", ("", "min", "of it"), time_rows(manifest.time_s)),
        "## The board, over the cells",
        table(("", "range", "median"), condition_rows(cells)),
        "## The power sensor",
        _sensor(sensor),
        *_table("## Cells that are not ok", ("Status", "Reason", "Cells"), reason_rows(records)),
        *_table("## Remarks on cells that are ok", ("Remark", "Cells"), remark_rows(records)),
    ]
    return "\n\n".join(parts) + "\n"


def differences(
    manifest: Manifest, requests: Mapping[str, int], records: Sequence[CellRecord]
) -> list[str]:
    """Return in what the measurement is another than the paper's, a line each."""
    experiment = manifest.experiment
    section = experiment.get(experiment["engine"].replace("-", "_"), {})
    measure = experiment["measure"]
    limits = {
        name: value
        for name, value in experiment["limits"].items()
        if value != getattr(Limits(), name, None)
    }
    chosen = ", ".join(f"{n} for {block}" for block, n in requests.items())
    models = {record.model for record in records}
    lines = [
        f"GPU: {_boards(manifest)}; the paper: NVIDIA H100 80 GB"
        if experiment["gpu"] != PAPER_GPU
        else "",
        f"Engine: {_engines(records)}; the paper: TensorRT-LLM 0.21.0"
        if _engines(records) != PAPER_ENGINE
        else "",
        "Weights: drawn at random, N(0, 0.02); the paper: the published checkpoints"
        if section.get("weights") == "random"
        else "",
        f"Requests: N = {chosen}; the paper: {published.REQUESTS}"
        if set(requests.values()) != {published.REQUESTS}
        else "",
        f"Models: {len(models)}; the paper: {len(published.table3())}"
        if len(models) != len(published.table3())
        else "",
        "Energy: the GPU's counter where it can be believed (`energy_source` in cells.csv), in"
        f" windows of at least {measure['min_window_s']:g} s; the paper: power every 500 ms,"
        " plainly summed, one run"
        if measure["protocol"] == "standard" and not manifest.simulated
        else "",
        f"Limits: {', '.join(f'{name} {value}' for name, value in limits.items())}"
        if limits
        else "",
    ]
    return [line for line in lines if line]


def _results(loads: Mapping[Path, str], out: Path) -> list[str]:
    """Return what came of each N, with links to its files."""
    parts = []
    for folder, missing in loads.items():
        name = folder.relative_to(out).as_posix()
        parts += [f"## Results at {name.replace('n', 'N = ', 1)}"]
        if missing:
            parts.append(f"There are {missing}.")
        else:
            parts += [
                table(_FIT_HEADER, paper_rows(folder / "fits")),
                "In brackets the paper's, of other conditions. MAPE is the error of the fit on"
                " the cells that it was fitted to.",
                table(_SPOT_HEADER, spot_rows(folder / "fits")),
            ]
        figures = sorted((folder / "figures").glob("*.png"))
        parts += [f"![{f.stem}]({name}/figures/{f.name})" for f in figures]
    return parts


def _sensor(sensor: Mapping[str, Any] | None) -> str:
    """Return what sensor.json says, as a table."""
    if sensor is None:
        return "It was not looked at."
    try:
        return table(("By a square wave of load", ""), _sensor_rows(sensor))
    except (AttributeError, LookupError, TypeError, ValueError) as e:
        raise InputError("sensor.json is not what a campaign writes; take the data anew") from e


def _sensor_rows(sensor: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = sensor["facts"]
    rows = [(title, _number(facts[name], unit)) for name, title, unit in _SENSOR_FACTS]
    rows.append(("share of a CPU core that looking took", _number(sensor["sampler_cpu_share"], "")))
    for wave in facts["energies"]:
        for name in ("instant", "average"):
            if wave["counter_j"] and wave[f"{name}_j"]:
                gap = wave["counter_j"] / wave[f"{name}_j"] - 1
                title = f"wave {wave['wave']}, {wave['seconds']:.0f} s: counter over {name} power"
                rows.append((title, f"{gap:+.2%}"))
    return rows


def _number(value: float | str | None, unit: str) -> str:
    if value is None:
        return "not known"
    return value if isinstance(value, str) else f"{value:.3g} {unit}".strip()


def _table(title: str, header: Sequence[str], rows: Rows) -> list[str]:
    return [title, table(header, rows)] if rows else []


def _boards(manifest: Manifest) -> str:
    names = dict.fromkeys(board.get("gpu_name", "") for board in manifest.gpus)
    return " and ".join(filter(None, names)) or str(manifest.experiment["gpu"])


def _engines(records: Sequence[CellRecord]) -> str:
    names = dict.fromkeys(f"{record.engine} {record.engine_version}" for record in records)
    return " and ".join(names)
