"""A campaign's cells beside those of other campaigns: boards and engines side by side."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sweetspot.analysis.beside import Beside, compare_runs, with_interval
from sweetspot.campaign.compact import MANIFEST
from sweetspot.config import FigureStyle
from sweetspot.errors import InputError
from sweetspot.figures.canvas import save
from sweetspot.figures.labels import catalog_labels, written_out
from sweetspot.figures.ratios import ratios_figure
from sweetspot.files import write_text_atomic
from sweetspot.reading import read_bytes_if_there
from sweetspot.report import html
from sweetspot.report.html import Exhibit
from sweetspot.tables import write_table
from sweetspot.tables.beside_table import beside_table
from sweetspot.tables.names import printed_name

_MODELS = ("Campaign", "Model", "Cells in both", "Energy per token", "Throughput", "Power")
_CELLS = ("Model", "N", "max_batch_size", "I", "O", "Energy per token", "Throughput", "Power")

log = logging.getLogger(__name__)


def campaigns_in(folder: Path, *, but: Path) -> dict[str, Path]:
    """Return the campaigns' data that lie in a folder, by their place in it.

    One's own is left out, and so is a copy of it, made before it went on or after.
    """
    own = _origin(but)
    found = {
        path.parent.relative_to(folder).as_posix().removesuffix("/compact"): path.parent
        for pattern in ("*", "*/compact", "*/*/compact")
        for path in sorted(folder.glob(f"{pattern}/{MANIFEST}"))
    }
    return {name: path for name, path in found.items() if _origin(path) != own}


def _origin(data: Path) -> object:
    """Return what copies of one campaign share at any time: when its first call began."""
    content = read_bytes_if_there(data / MANIFEST, "manifest")
    with suppress(ValueError, LookupError, TypeError):
        return json.loads(content or b"")["calls"][0]["started_utc"]
    return content


def write_beside_campaigns(
    data: Path, others: Mapping[str, Path], style: FigureStyle, out: Path
) -> list[str | Exhibit]:
    """Set a campaign beside each other one, in `out`/beside/<name>/, and return what to say.

    Ratios are those of `sweetspot compare OTHER DATA`: A is the other campaign, B is this one.
    """
    said, compared = [], {}
    for name, other in others.items():
        try:
            compared[name] = compare_runs(other, data, any_name=False)
        except InputError as error:
            reason = str(error).partition(";")[0]  # then: what the command could be told
            said.append(f"{name} (A) and this campaign (B) are not compared: {reason}")
            log.info("%s", said[-1])
    rows = [row for name, beside in compared.items() for row in _models(name, beside)]
    parts: list[str | Exhibit] = []
    if rows:
        title = "This campaign over others, model by model"
        note = html.paragraph(
            "Ratios are this campaign's over the other's in cells of the same model, N,"
            " max_batch_size, input and output tokens: geometric means, in brackets the interval"
            " of 95 % of that mean.",
            "quiet",
        )
        parts.append(Exhibit(title, html.table(_MODELS, rows, label=title) + note))
    for name, beside in compared.items():
        parts += _of_one(name, beside, style, out / "beside" / name)
    return [*parts, html.bullets(said, "quiet")] if said else parts


def _of_one(name: str, beside: Beside, style: FigureStyle, out: Path) -> Iterator[str | Exhibit]:
    """Write what one comparison gives, and yield what the page shows of it."""
    write_text_atomic(out / "ratios.csv", beside.ratios.to_csv(index=False))
    write_table(beside_table(beside), out / "by_model")
    means = dict(zip(beside.by_model["model"], beside.by_model["ratio"], strict=True))
    origin = [f"{beside.intervals}.", *map(written_out, beside.sides)]
    labels = catalog_labels(beside.by_model["model"])
    figure = ratios_figure(beside.ratios, means, style, labels, origin)
    png, *_ = save(figure, out / "ratios", style.dpi)
    title = f"Beside {name}"
    caption = "Energy per output token of this campaign (B) over the other's (A), a dot a cell."
    yield Exhibit(title, html.picture(png.read_bytes(), figure.alt_text, caption, label=title))
    rows = [_cell(row) for row in beside.ratios.to_dict("records")]
    cells = f"Beside {name}: the {len(rows)} cells in both"
    texts = html.bullets([*beside.sides, f"{beside.intervals}.", *beside.notes], "quiet")
    yield Exhibit(cells, html.table(_CELLS, rows, label=cells) + texts, is_folded=True)


def _models(name: str, beside: Beside) -> Iterator[tuple[str, ...]]:
    simulated = beside.ratios[["simulated_a", "simulated_b"]].any().tolist()
    sides = [side for side, is_so in zip(("it", "this one"), simulated, strict=True) if is_so]
    marked = f"{name} ({' and '.join(sides)} simulated)" if sides else name
    for row in beside.by_model.to_dict("records"):
        ratios = (_ratio(row[f"{what}_ratio"]) for what in ("throughput", "power"))
        yield (marked, printed_name(row["model"]), str(row["cells"]), with_interval(row), *ratios)


def _cell(row: dict[Any, Any]) -> tuple[str, ...]:
    where = ("requests", "max_batch_size", "input_tokens", "output_tokens")
    ratios = (_ratio(row[f"{what}_ratio"]) for what in ("throughput", "power"))
    load = (str(row[name]) for name in where)
    return (printed_name(row["model"]), *load, with_interval(row), *ratios)


def _ratio(value: float) -> str:
    return "not known" if value != value else f"{value:.3g}"
