"""The numbers of a campaign's report, as rows of text."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sweetspot import published
from sweetspot.analysis.fit_files import read_fits, read_written
from sweetspot.campaign.compact import Manifest
from sweetspot.campaign.design import Design
from sweetspot.cells.cell import Cell
from sweetspot.config import Adaptive
from sweetspot.measure.adaptive import Decision, decision
from sweetspot.measure.record import CellRecord
from sweetspot.tables.names import printed_name

Rows = Sequence[tuple[str, ...]]
Errors = dict[Any, float]


def block_of(record: CellRecord) -> str:
    """Return the block that a record's cell belongs to in a campaign."""
    return f"{record.model}/b{record.max_batch_size}"


def chosen_requests(
    manifest: Manifest, planned: Design, records: Sequence[CellRecord]
) -> dict[str, int]:
    """Return the N of each block that has cells of the grid: the chosen one, else of most cells."""
    chosen = {}
    of_grid = [record for record in records if planned.in_grid(record.cell)]
    for block in dict.fromkeys(map(block_of, of_grid)):
        counts = Counter(record.requests for record in of_grid if block_of(record) == block)
        chosen[block] = manifest.requests.get(block) or counts.most_common(1)[0][0]
    return chosen


def grid_records(
    chosen: Mapping[str, int], planned: Design, records: Sequence[CellRecord]
) -> list[CellRecord]:
    """Return the grid's cells of each block's N, without those that only helped choose it."""
    return [r for r in records if planned.in_grid(r.cell) and r.requests == chosen[block_of(r)]]


def decided(
    chosen: Mapping[str, int], planned: Design, records: Sequence[CellRecord], target: Adaptive
) -> dict[str, Decision]:
    """Return what an adaptive design asks for by these records, by block."""
    by_id = {record.cell: record for record in records}
    found = {}
    for block in planned.blocks:
        if block.id in chosen:
            cells = planned.grid(block, chosen[block.id])
            known = {cell: by_id[cell.id] for cell in cells if cell.id in by_id}
            found[block.id] = decision(block.id, cells, known, target)
    return found


def status_rows(
    chosen: Mapping[str, int],
    planned: Design,
    records: Sequence[CellRecord],
    adaptive: Mapping[str, Decision],
) -> Rows:
    """Return per block and sweep: N, how many cells are in which state, how many are missing.

    Of an `adaptive` design those are missing that are expected to be needed.
    """
    status = {record.cell: record.status for record in records}
    rows = []
    for block in planned.blocks:
        of_sweeps: dict[str, list[Cell]] = {}
        if block.id in chosen:
            cells = planned.grid(block, chosen[block.id])
            if found := adaptive.get(block.id):
                spare = set(found.cells[found.needed :])
                cells = [cell for cell in cells if cell not in spare]
            of_sweeps[planned.grid_sweep] = cells
        for cell in planned.stated(block):
            for sweep in planned.stated_in(cell):
                of_sweeps.setdefault(sweep, []).append(cell)
        for sweep, cells in of_sweeps.items():
            states = [status.get(cell.id, "missing") for cell in cells]
            loads = ", ".join(map(str, sorted({cell.requests for cell in cells})))
            counts = (states.count(each) for each in ("ok", "failed", "invalid", "missing"))
            name = printed_name(block.settings.model.id)
            rows.append((name, str(block.settings.max_batch_size), sweep, loads, *map(str, counts)))
    return rows


_TIME = {
    "windows": "inside measured windows",
    "probe_windows": "inside the probe's windows",
    "idle": "idle, before and after windows",
    "beside": "warm-up and what else a cell takes",
    "loads": "loading engines",
    "closing": "closing them",
    "failed": "cells that failed",
    "sensor": "looking at the power sensor",
    "probe": "what else the probe took",
}


def time_rows(time_s: Mapping[str, float]) -> Rows:
    """Return in minutes where the time of all calls went; nothing where it is not known."""
    elapsed_s = time_s.get("elapsed", 0.0)
    if not elapsed_s:
        return []
    parts_s = {words: time_s.get(name, 0.0) for name, words in _TIME.items()}
    parts_s["the rest: packing, starts and ends"] = elapsed_s - sum(parts_s.values())
    return [
        (words, f"{each_s / 60:.1f}", f"{100 * each_s / elapsed_s:.0f} %")
        for words, each_s in parts_s.items()
    ]


def remark_rows(records: Sequence[CellRecord]) -> Rows:
    """Return what is to be known of the ok cells, and of how many."""
    remarks = [each for r in records if r.status == "ok" for each in r.remarks.split("; ") if each]
    return [(remark, str(remarks.count(remark))) for remark in dict.fromkeys(remarks)]


def energy_rows(cells: pd.DataFrame) -> Rows:
    """Return the sensors that count, and how far counter and integration are apart."""
    ok = cells[cells["status"] == "ok"]
    rows = [
        (f"cells with energy by {source}", str(count))
        for source, count in ok["energy_source"].value_counts().items()
    ]
    gaps = _numbers(ok, "energy_gap").dropna() * 100
    if len(gaps):
        rows += [
            ("(counter − integration) / integration, median", f"{gaps.median():+.2f} %"),
            ("its standard deviation over cells", f"{gaps.std(ddof=0):.2f} %"),
            ("its range", f"{gaps.min():+.2f} % to {gaps.max():+.2f} %"),
        ]
    sums = (_numbers(ok, "energy_sum_500ms_j") / _numbers(ok, "energy_j")).dropna() - 1
    if len(sums):
        rows.append(
            (
                "the paper's sum at 500 ms against the energy that counts, median",
                f"{100 * sums.median():+.2f} %",
            )
        )
    lost_s = _lost_s(ok)
    if len(lost_s):
        rows.append(
            (
                "that is, seconds of power above idle that the sum lacks: mean, standard deviation",
                f"{lost_s.mean():.2f} s, {lost_s.std(ddof=0):.2f} s",
            )
        )
    return rows


def _lost_s(ok: pd.DataFrame) -> pd.Series:
    """Return how many seconds of a window's power above idle the paper's sum lacks, per cell.

    Half a second is what a 1-s mean shifts out of a window that ends with its work.
    """
    lacking_j = _numbers(ok, "energy_j") - _numbers(ok, "energy_sum_500ms_j")
    above_w = _numbers(ok, "mean_power_w") - _numbers(ok, "idle_before_w")
    return (lacking_j * _numbers(ok, "passes") / above_w).dropna()


def _numbers(cells: pd.DataFrame, column: str) -> pd.Series:
    return pd.to_numeric(cells[column])


def condition_rows(cells: pd.DataFrame) -> Rows:
    """Return the range over cells of what the board was like."""
    ok = cells[cells["status"] == "ok"]
    ok = ok.assign(
        warming_c=_numbers(ok, "temperature_end_c") - _numbers(ok, "temperature_start_c")
    )
    rows = []
    for column, title, unit, digits in (
        ("idle_before_w", "idle power before a run", "W", 0),
        ("mean_power_w", "mean power of a run", "W", 0),
        ("mean_sm_mhz", "mean SM clock", "MHz", 0),
        ("temperature_start_c", "temperature at the start", "°C", 0),
        ("warming_c", "by how much it rose in the window", "°C", 0),
        ("power_cap_share", "share of time at the power limit", "", 2),
        ("largest_gap_s", "longest time between power samples", "s", 2),
        ("sampler_cpu_share", "share of a CPU core that sampling took", "", 2),
        ("window_s", "measured window", "s", 1),
    ):
        values = _numbers(ok, column).dropna()
        if len(values):
            low, middle, high = (f"{v:.{digits}f}" for v in values.quantile([0, 0.5, 1]))
            rows.append((title, f"{low} to {high} {unit}".strip(), f"{middle} {unit}".strip()))
    return rows


def paper_rows(fits: Path) -> Rows:
    """Return spread, sweet spot and errors of fits per model, with the paper's in brackets.

    The paper's are those of N = 1000 on an H100 with TensorRT-LLM: other conditions.
    """
    extremes = read_written(fits / "extremes.csv")
    quality = read_fits(fits).quality
    errors = quality.set_index(["model", "form"])["mape_percent"].to_dict()
    mape = published.table3().set_index("model").stack().to_dict()
    spots = published.table5().set_index("model")
    rows = []
    for row in extremes.to_dict("records"):
        model = str(row["model"])
        spot = f"I={row['best_input_tokens']}, O={row['best_output_tokens']}"
        if model in spots.index:
            theirs = spots.loc[model]
            spot += (
                f" ({theirs['observed_input_tokens']:.0f}, {theirs['observed_output_tokens']:.0f})"
            )
        rows.append(
            (
                printed_name(model),
                str(row["cells"]),
                f"{row['best_tokens_per_j']:.4g}",
                f"{row['best_over_worst']:.3g}",
                spot,
                *(_error(errors, mape, model, form) for form in ("flops", "memory_flops")),
            )
        )
    return rows


def _error(ours: Errors, theirs: Errors, model: str, form: str) -> str:
    """Return an error of a fit in %, and the paper's behind it in brackets."""
    error = ours.get((model, form), math.nan)
    text = "–" if math.isnan(error) else f"{error:.2f}"
    return f"{text} ({theirs[model, form]:.2f})" if (model, form) in theirs else text
