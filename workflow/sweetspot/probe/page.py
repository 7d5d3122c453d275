"""A probe's page: its board's joules per FLOP and byte, what kernels reached, and every step."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from sweetspot.catalog import Gpu
from sweetspot.config import FigureStyle
from sweetspot.errors import InputError
from sweetspot.figures.canvas import Drawing, save
from sweetspot.figures.probed import power_figure, roofline_figure
from sweetspot.files import write_text_atomic
from sweetspot.probe.board import board_of_probe
from sweetspot.probe.probed import Probed, Taken
from sweetspot.report import html
from sweetspot.report.html import Exhibit, Section

ON_CPU = "CPU, NO BOARD"
_CONSTANTS = {
    "flop_energy_j": ("J per FLOP, in pJ", 1e12),
    "byte_energy_j": ("J per byte, in pJ", 1e12),
    "kv_byte_energy_j": ("J per byte of KV cache, in pJ", 1e12),
    "active_power_w": ("power that waits at the highest clock, in W", 1.0),
    "idle_power_w": ("power with no program, in W", 1.0),
}
_STEP = ("Step", "Power, W", "TFLOP/s", "GB/s", "Clock, MHz", "pJ/FLOP", "pJ/B", "Time, ms")
_TIME = ("Layers", "Batch", "Eager, ms", "Compiled, as a graph, ms")


def write_probe_page(probed: Probed, out: Path, style: FigureStyle) -> None:
    """Write report.html and figures/ of a probe into a folder."""
    name = probed.board.name
    title = f"{name}, kernel by kernel"
    section = Section("The board, kernel by kernel", probe_parts(probed, out / "figures", style))
    write_text_atomic(
        out / "report.html", html.page(title, f"<h1>{html.escape(title)}</h1>", [section])
    )


def probe_parts(probed: Probed, out: Path, style: FigureStyle) -> list[str | Exhibit]:
    """Draw a probe into a folder, and return what a page says of it."""
    board = probed.board
    ok = [each for each in probed.steps if each.status == "ok"]
    parts: list[str | Exhibit] = [html.paragraph(_origin(probed, board, len(ok)))]
    if probed.on_cpu:
        parts.append(html.paragraph("The kernels ran on a CPU, to try the path: no number counts."))
    parts += _constants(probed)
    frame = _frame(ok)
    small_print = [_origin(probed, board, len(ok))]
    stamped = ON_CPU if probed.on_cpu else ""
    if (frame["flop_per_byte"] > 0).any():
        drawn = roofline_figure(frame, board, style, small_print, stamped)
        parts.append(_picture(drawn, "probe_roofline", "Roofline", out, style))
    if frame["rows"].notna().any():
        drawn = power_figure(frame, board, style, small_print, stamped)
        parts.append(_picture(drawn, "probe_power", "Power by work and by clock", out, style))
    times = _times(ok)
    if times:
        title = "Time of a decode step of layers of Llama 3.1 8B's shape"
        parts.append(Exhibit(title, html.table(_TIME, times, label=title)))
    rows = [_row(each) for each in probed.steps]
    parts.append(Exhibit("Every step", html.table(_STEP, rows, label="Every step"), is_folded=True))
    return parts


def _origin(probed: Probed, board: Gpu, count: int) -> str:
    torch = probed.facts.get("torch")
    driver = probed.facts.get("driver")
    beside = [f"torch {torch}" if torch else "", f"driver {driver}" if driver else ""]
    where = "a CPU" if probed.on_cpu else board.name
    return " · ".join(filter(None, [where, f"measured, {count} steps", *beside]))


def _constants(probed: Probed) -> Iterator[str | Exhibit]:
    """Yield the fitted constants with their intervals, or why there are none."""
    try:
        found = board_of_probe(probed)
    except InputError as error:
        yield html.paragraph(f"No constants: {error}.")
        return
    rows = []
    for name, (words, scale) in _CONSTANTS.items():
        if name not in found.fitted:
            continue
        low, high = (f"{scale * end:.3g}" for end in found.intervals[name])
        value = f"{scale * getattr(found.constants, name):.3g}"
        rows.append((words, value, f"{low} to {high}" + " (at a bound)" * (name in found.at_bound)))
    title = f"Joules of {probed.board.name}"
    note = (
        f"Fitted to {len(found.steps)} steps; mean error of their powers: {found.error_percent:.1f}"
        " %. A FLOP at the highest clock. The command sweetspot calibrate --probe makes the file."
    )
    table = html.table(("", "value", "95 %"), rows, label=title)
    yield Exhibit(title, table + html.paragraph(note, "quiet"))


def _frame(taken: Sequence[Taken]) -> pd.DataFrame:
    rows = []
    for each in taken:
        moved = each.bytes + each.kv_bytes
        kind = "wait" if each.kind in ("cold", "wait") else each.kind
        suffix = " zeros" if each.data == "zeros" else " fp8" if each.precision == "fp8" else ""
        large = each.kind == "gemm" and "x8192-" in each.id
        rows.append(
            {
                "id": each.id,
                "group": kind + suffix,
                "flops_per_s": each.flops * each.per_s,
                "bytes_per_s": moved * each.per_s,
                "flop_per_byte": each.flops / moved if moved else 0.0,
                "rows": float(each.sizes["m"]) if large else None,
                "power_w": each.power_w,
                "clock_mhz": each.mean_sm_mhz or 0.0,
            }
        )
    columns = ["id", "group", "flops_per_s", "bytes_per_s", "flop_per_byte", "rows", "power_w"]
    return pd.DataFrame(rows, columns=[*columns, "clock_mhz"]).astype({"rows": float})


def _times(taken: Sequence[Taken]) -> list[tuple[str, ...]]:
    found: dict[tuple[int, int], dict[bool, float]] = {}
    for each in taken:
        if each.kind == "stack" and each.per_s:
            place = each.sizes["layers"], each.sizes["batch"]
            found.setdefault(place, {})[each.compiled] = 1e3 / each.per_s
    return [
        (*map(str, place), *(f"{ms[how]:.3g}" if how in ms else "" for how in (False, True)))
        for place, ms in sorted(found.items())
    ]


def _row(each: Taken) -> tuple[str, ...]:
    if each.status != "ok":
        return (each.id, f"{each.status}: {each.reason}", *("" for _ in _STEP[2:]))
    moved, power_w = each.bytes + each.kv_bytes, each.power_w
    rates = each.flops * each.per_s, moved * each.per_s
    in_units = rates[0] / 1e12, rates[1] / 1e9
    return (
        each.id,
        f"{power_w:.0f}",
        *(f"{rate:.3g}" if rate else "" for rate in in_units),
        f"{each.mean_sm_mhz:.0f}" if each.mean_sm_mhz else "",
        *(f"{1e12 * power_w / rate:.3g}" if rate else "" for rate in rates),
        f"{1e3 / each.per_s:.3g}" if each.per_s else "",
    )


def _picture(figure: Drawing, name: str, title: str, out: Path, style: FigureStyle) -> Exhibit:
    png, *_ = save(figure, out / name, style.dpi)
    return Exhibit(title, html.picture(png.read_bytes(), figure.alt_text, "", label=title))
