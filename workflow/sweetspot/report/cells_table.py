"""The cells of a run as a table that page.js sorts, and as a file to download."""

import gzip
from base64 import b64encode

import pandas as pd

from sweetspot.report import html
from sweetspot.report.numbers import rounded
from sweetspot.words import counted

_SHOWN = 200
"""Rows at first; the page shows more when asked, and sorts all."""

_COLUMNS = (
    ("model", "Model"),
    ("engine", "Engine"),
    ("gpu", "GPU"),
    ("requests", "N (requests)"),
    ("max_batch_size", "max_batch_size"),
    ("input_tokens", "I (input tokens)"),
    ("output_tokens", "O (output tokens)"),
    ("repeat", "Repeat"),
    ("status", "Status"),
    ("reason", "Reason"),
    ("tokens_per_j", "Tokens per J"),
    ("energy_per_token_j", "J per token"),
    ("energy_per_token_low_j", "Low (J)"),
    ("energy_per_token_high_j", "High (J)"),
    ("mean_power_w", "Power (W)"),
    ("throughput_tokens_per_s", "Tokens per s"),
    ("duration_s", "Time (s)"),
)
_ALWAYS = ("model", "requests", "input_tokens", "output_tokens", "status")
_TEXTS = ("model", "engine", "gpu", "status", "reason")


def cells_table(cells: pd.DataFrame, csv: bytes, name: str) -> str:
    """Return the table of cells, its first rows in the page, all of them behind it.

    Args:
        cells: of `read_cells`.
        csv: the same, the file that can be downloaded.
        name: of that file.
    """
    columns = [(key, title) for key, title in _COLUMNS if key in cells and _says(cells, key)]
    numbers = [key not in _TEXTS for key, _ in columns]
    shown = cells.iloc[:_SHOWN]
    rows = zip(*(_texts(shown, key) for key, _ in columns), strict=True)
    keys, titles = zip(*columns, strict=True)
    content = html.table(titles, rows, label="Cells", numbers=numbers, keys=keys)
    packed = b64encode(gzip.compress(csv, mtime=0)).decode("ascii")
    return (
        '<div id="cells-table">\n'
        '<div class="tools" hidden>\n'
        '<label>Cells that contain <input type="search" autocomplete="off"></label>\n'
        '<button type="button" class="more">Show more</button>\n'
        f'<button type="button" class="download" data-name="{html.escape(name)}">'
        "Download all as CSV</button>\n</div>\n"
        f'<p class="quiet" role="status">{_count(len(cells), len(shown))}</p>\n'
        f"{content}\n"
        f'<script type="application/octet-stream" class="packed">{packed}</script>\n</div>'
    )


def _count(count: int, shown: int) -> str:
    return counted(count, "cell") + (f", of which {shown} are shown" if shown < count else "")


def _says(cells: pd.DataFrame, key: str) -> bool:
    """Return whether a column tells cells apart, or has numbers to read."""
    if key in _ALWAYS:
        return True
    values = cells[key].replace("", pd.NA).dropna()
    apart = key in ("engine", "gpu", "max_batch_size", "repeat")
    return values.nunique() > 1 if apart else bool(len(values))


def _texts(cells: pd.DataFrame, key: str) -> list[str]:
    values = cells[key].tolist()
    if key in _TEXTS:
        return [str(value) for value in values]
    return ["" if pd.isna(value) else rounded(float(value)) for value in values]
