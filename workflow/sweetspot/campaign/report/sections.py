"""The sections of a campaign's page: what was measured, and what it is worth."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from sweetspot import published
from sweetspot.campaign.compact import Manifest
from sweetspot.campaign.design import Design
from sweetspot.campaign.report.results import Load
from sweetspot.campaign.report.tables import (
    Rows,
    condition_rows,
    energy_rows,
    paper_rows,
    remark_rows,
    status_rows,
    time_rows,
)
from sweetspot.config import Limits
from sweetspot.errors import InputError
from sweetspot.measure.adaptive import Decision
from sweetspot.measure.record import CellRecord
from sweetspot.report import html
from sweetspot.report.exhibits import figure_exhibit, table_exhibit
from sweetspot.report.html import Exhibit, Section
from sweetspot.report.results_page import OPENING_FIGURE
from sweetspot.tables import Table

PAPER_GPU, PAPER_ENGINE = "h100-sxm", "tensorrt-llm 0.21.0"
_FIT_HEADER = (
    *("Model", "Cells", "Best tokens/J", "Best over worst cell", "Most efficient cell"),
    *("MAPE % of Eq. 4", "MAPE % of Eq. 5"),
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


def sections_of(
    manifest: Manifest,
    planned: Design,
    chosen: Mapping[str, int],
    adaptive: Mapping[str, Decision],
    records: Sequence[CellRecord],
    cells: pd.DataFrame,
    loads: Sequence[Load],
    batch: Mapping[str, Table],
    sensor: Mapping[str, Any] | None,
    beside: Sequence[str | Exhibit],
    campaigns: Sequence[str | Exhibit],
    probe: Sequence[str | Exhibit],
) -> list[Section]:
    """Return the sections of the page that follow its result.

    Args:
        manifest: of the data.
        planned: the cells that were to be measured.
        chosen: N of the grid, by block.
        adaptive: what an adaptive design asks for, by block; empty for others.
        records: those that were.
        cells: the same, as cells.csv has them.
        loads: what each N gave.
        batch: the tables of all loads at once; none where the cells do not carry them.
        sensor: what was found of it; None where it was not looked at.
        beside: what the simulator says of the cells; empty for simulated ones.
        campaigns: the cells beside those of other campaigns.
        probe: what single kernels took; empty where the board was not probed.
    """
    return [
        _what(manifest, planned, chosen, records, adaptive),
        Section(
            "What differs from the paper", [html.bullets(differences(manifest, chosen, records))]
        ),
        *(_results(load, is_first=load is loads[0]) for load in loads),
        Section(
            "All loads at once: the batch form",
            [table_exhibit(name, table) for name, table in batch.items()],
        ),
        Section("Beside the simulator", beside),
        Section("Beside other campaigns", campaigns),
        Section(
            "Energy",
            [
                _table("Energy over the ok cells", ("", "over the ok cells"), energy_rows(cells)),
                html.paragraph(
                    "Boards' sensors are good to about 5 %; what is compared here is of one board."
                ),
            ],
        ),
        Section(
            "Where the time went",
            [_table("Where the time went", ("", "min", "of it"), time_rows(manifest.time_s))],
        ),
        Section(
            "The board, over the cells",
            [_table("The board", ("", "range", "median"), condition_rows(cells))],
        ),
        Section("The board, kernel by kernel", probe),
        Section("The power sensor", [_sensor(sensor)]),
        Section(
            "Remarks on cells that are ok",
            [_table("Remarks", ("Remark", "Cells"), remark_rows(records))],
        ),
    ]


def _what(
    manifest: Manifest,
    planned: Design,
    chosen: Mapping[str, int],
    records: Sequence[CellRecord],
    adaptive: Mapping[str, Decision],
) -> Section:
    minutes = sum(call.minutes for call in manifest.calls)
    title = "What was measured" if not manifest.simulated else "What was simulated"
    header = ("Model", "max_batch_size", "Sweep", "N", "ok", "failed", "invalid", "not measured")
    return Section(
        title,
        [
            html.paragraph(
                f"From {manifest.calls[0].started_utc} to {manifest.calls[-1].ended_utc} in"
                f" {minutes:.3g} minutes of time given. N of {planned.grid_sweep} was chosen by the"
                " time there was; cells come most informative first."
            ),
            html.table(
                header,
                status_rows(chosen, planned, records, adaptive),
                label=title,
                numbers=[name not in ("Model", "Sweep") for name in header],
            ),
            *([html.bullets(_why_stopped(manifest, adaptive))] if adaptive else []),
        ],
    )


def _why_stopped(manifest: Manifest, adaptive: Mapping[str, Decision]) -> list[str]:
    """Return why the grid of each block was left, and what is known with all that came later."""
    lines = []
    for block, found in adaptive.items():
        said = manifest.adaptive.get(block)
        lines += [said] if said else []
        if found.in_words != said:
            lines.append(f"with all that was measured: {found.in_words}")
    return lines


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
        "Energy: the GPU's counter where it can be believed (energy_source in cells.csv), in"
        f" windows of at least {measure['min_window_s']:g} s; the paper: power every 500 ms,"
        " plainly summed, one run"
        if measure["protocol"] == "standard" and not manifest.simulated
        else "",
        f"Limits: {', '.join(f'{name} {value}' for name, value in limits.items())}"
        if limits
        else "",
    ]
    return [line for line in lines if line]


def _results(load: Load, *, is_first: bool) -> Section:
    """Return what came of one N; the page opens on Figure 2 of the first."""
    title = f"Results at N = {load.requests}"
    parts: list[str | Exhibit] = []
    if load.missing:
        parts.append(html.paragraph(f"There are {load.missing}."))
    else:
        beside = "Efficiency and errors of fits, beside the paper's"
        note = (
            "In brackets the paper's, of other conditions. MAPE is the error of the fit on the"
            " cells that it was fitted to."
        )
        rows = _table(beside, _FIT_HEADER, paper_rows(load.fits))
        parts.append(Exhibit(beside, rows + html.paragraph(note, "quiet")))
    opening = OPENING_FIGURE if is_first else ""
    parts += [figure_exhibit(each) for each in load.pictures if each.name != opening]
    parts += [table_exhibit(name, table) for name, table in load.tables.items()]
    return Section(title, parts)


def _sensor(sensor: Mapping[str, Any] | None) -> str:
    """Return what sensor.json says, as a table."""
    if sensor is None:
        return html.paragraph("It was not looked at.")
    try:
        header = ("By a square wave of load", "")
        return html.table(header, _sensor_rows(sensor), label="The power sensor")
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


def _table(title: str, header: Sequence[str], rows: Rows) -> str:
    return html.table(header, rows, label=title) if rows else ""


def _boards(manifest: Manifest) -> str:
    names = dict.fromkeys(board.get("gpu_name", "") for board in manifest.gpus)
    return " and ".join(filter(None, names)) or str(manifest.experiment["gpu"])


def _engines(records: Sequence[CellRecord]) -> str:
    names = dict.fromkeys(f"{record.engine} {record.engine_version}" for record in records)
    return " and ".join(names)
