"""What was measured or simulated: on what, by what, when, and how much of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from sweetspot.cells.intervals import widest_interval
from sweetspot.figures.labels import board_name, engine_name, written_out
from sweetspot.report import html
from sweetspot.tables.names import in_order, printed_name
from sweetspot.words import counted, listed

Provenance = Mapping[str, str]

_FEW = 6
"""More loads or lengths are not listed one by one."""


@dataclass(slots=True)
class Origin:
    """What the records of cells say of how they were made, each fact once.

    Attributes:
        boards, software: in words.
        began, ended: days, as ISO 8601 has them; "" where no record says.
    """

    boards: dict[str, None] = field(default_factory=dict)
    software: dict[str, None] = field(default_factory=dict)
    began: str = ""
    ended: str = ""

    def add(self, made: Provenance) -> None:
        """Take note of one record."""
        if name := made.get("gpu_name"):
            limit, driver = made.get("power_limit_w"), made.get("driver")
            known = [f"limit {limit} W" if limit else "", f"driver {driver}" if driver else ""]
            more = ", ".join(filter(None, known))
            self.boards[f"{name} ({more})" if more else name] = None
        if version := made.get("sweetspot"):
            commit = made.get("git_commit", "")
            short = commit[:12] + "+changes" * commit.endswith("+changes")
            self.software[f"sweetspot {version}{f' ({short})' if commit else ''}"] = None
        if day := made.get("started_utc", "")[:10]:
            self.began = min(self.began or day, day)
            self.ended = max(self.ended, day)


def origin_of(records: Iterable[Provenance]) -> Origin:
    """Return what the provenance of all records says."""
    found = Origin()
    for made in records:
        found.add(made)
    return found


def title_of(cells: pd.DataFrame) -> str:
    """Return what a page of these cells is called."""
    models = cells["model"].unique()
    whom = printed_name(str(models[0])) if len(models) == 1 else f"{len(models)} models"
    boards = _boards(cells)
    kinds = cells["simulated"].unique()
    kind = "simulated" if all(kinds) else "" if any(kinds) else "measured"
    return f"Energy of {whom} on {boards}{f', {kind}' * bool(kind)}"


def opening(name: str, cells: pd.DataFrame, origin: Origin) -> str:
    """Return what stands above all else: the title, a stamp where cells are simulated, and facts.

    Args:
        name: of the run or the campaign.
        cells: of `read_cells`.
        origin: what the cells' records say.
    """
    simulated = cells["simulated"]
    some = "" if simulated.all() else f" in {simulated.sum()} of {len(cells)} cells"
    days = " to ".join(dict.fromkeys(filter(None, [origin.began, origin.ended])))
    kind = "simulated" if simulated.any() else "measured"
    software = _listed(origin.software)
    summary = [
        f"{_count(cells)}, {kind}{f' {days}' * bool(days)}{f' by {software}' * bool(software)}.",
        f"Board: {_listed(origin.boards) or _boards(cells)}.",
        f"Engine: {_engines(cells)}.",
    ]
    return "\n".join(
        [
            f"<h1>{html.escape(title_of(cells))}</h1>",
            html.stamp(f"SIMULATED{some}: no GPU ran") if simulated.any() else "",
            html.paragraph(" ".join(summary)),
            html.folded("Loads, lengths, models and evidence", html.facts(_facts(name, cells))),
        ]
    )


def _facts(name: str, cells: pd.DataFrame) -> list[tuple[str, str]]:
    lengths = (_values(cells, "input_tokens", "I"), _values(cells, "output_tokens", "O"))
    loads = (_values(cells, "requests", "N"), _values(cells, "max_batch_size", "max_batch_size"))
    models = in_order(cells["model"].astype(str))
    return [
        ("Run", name),
        ("Models", _listed(map(printed_name, models))),
        ("Loads", "; ".join(loads)),
        ("Lengths", "; ".join(lengths)),
        ("Constants", _constants(cells)),
        ("How sure", _how_sure(cells)),
        ("Energy by", _sources(cells)),
    ]


def _how_sure(cells: pd.DataFrame) -> str:
    known = widest_interval(cells)
    return "" if known is None else ": ".join(filter(None, [known.words, known.rests_on]))


def _count(cells: pd.DataFrame) -> str:
    counts = cells["status"].value_counts()
    bad = [f"{count} {status}" for status, count in counts.items() if status != "ok"]
    others = f", of which {listed(bad)}: fits leave these out" if bad else ""
    return f"{counted(len(cells), 'cell')} of {counted(cells['model'].nunique(), 'model')}{others}"


def _boards(cells: pd.DataFrame) -> str:
    return _listed(map(board_name, cells["gpu"].unique()))


def _engines(cells: pd.DataFrame) -> str:
    engines = cells[["engine", "engine_version"]].astype(object).fillna("").drop_duplicates()
    return _listed(f"{engine_name(e)} {v}".strip() for e, v in engines.itertuples(index=False))


def _values(cells: pd.DataFrame, column: str, name: str) -> str:
    values: Sequence[int] = sorted(int(value) for value in cells[column].unique())
    if len(values) > _FEW:
        return f"{name} from {values[0]} to {values[-1]} ({len(values)} values)"
    return f"{name} = {listed(map(str, values))}"


def _constants(cells: pd.DataFrame) -> str:
    if "calibration" not in cells:
        return ""
    return _listed(written_out(each) for each in cells["calibration"].unique() if each)


def _sources(cells: pd.DataFrame) -> str:
    measured = cells[~cells["simulated"]]
    return _listed(sorted({each for each in measured["energy_source"] if each}))


def _listed(parts: Iterable[str]) -> str:
    """Return `a, b and c`; nothing of nothing."""
    parts = list(parts)
    return listed(parts) if parts else ""
