"""`sweetspot telemetry`: samples of a run to a broker or a store, back, and out of a cluster's."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweetspot.cli.commands import Commands, Parser, show_progress

if TYPE_CHECKING:
    from sweetspot.config import TelemetrySink
    from sweetspot.telemetry.contracts import Store
    from sweetspot.telemetry.kept import Folder
    from sweetspot.telemetry.query import Returned

MOST_SHOWN = 20

_TELEMETRY = """\
Samples of cells, and brokers or stores of time series: what was sent is made complete (`replay`),
read back and compared (`query`), and a cluster's own power becomes cells (`cells`).
docs/telemetry.md has it all."""

_REPLAY = """\
Send all samples of a run or a campaign, from the traces beside its records. Sent twice they change
nothing; a replay that broke off goes on where it was. Samples of a simulated run go to a database,
or a topic, of their own, each cell as a device. What is refused holds up nothing else; the exit
code is 1 then."""

_QUERY = """\
Get the samples of each cell back, by its board and its time, and compare their number, the gaps and
the energies with trace and record: to the bit where the store keeps the trace's own time `t_s`,
else within what rounding times to its unit may do. The exit code is 1 if anything differs."""

_CELLS = """\
Compute cells from power that a cluster samples anyway, where no meter of ours ran: the paper's sum
of readings every 500 ms and the integral beside it, with what sampling may miss. A CSV comes out,
which `sweetspot fit` takes."""

_NOTHING = (
    "nothing of it is there: it was not sent (`sweetspot telemetry replay` does), or is kept under"
    " another database, path or format"
)

OPTIONS = {
    "user": "who asks",
    "password-env": "environment variable that holds the password",
    "password-file": "file whose first line is the password",
    "ca": "certificates that a server by TLS is checked against",
    "format": "layout: examon or iotdb-json of a broker; tree, table or examon of IoTDB",
    "topic": "of a broker: what precedes the metric",
    "path": "of IoTDB: the path above node and board; of its format examon a device's",
    "database": "where the URL names none",
    "timeout-s": "a call that takes longer has failed",
}
"""Keys of a sink of `node.telemetry`, as options beside its URL."""


def add_commands(commands: Commands) -> None:
    """Add the command, and what it does."""
    telemetry = commands.add_parser(
        "telemetry", help="samples to brokers and stores, and back", description=_TELEMETRY
    )
    actions = telemetry.add_subparsers(metavar="ACTION", required=True, parser_class=Parser)

    replay = actions.add_parser("replay", help="send a run's samples", description=_REPLAY)
    replay.add_argument("folder", type=Path, metavar="RUN", help="folder of a run or a campaign")
    _add_where(replay, "--to")
    replay.set_defaults(run=_replay)

    query = actions.add_parser("query", help="get them back and compare", description=_QUERY)
    query.add_argument("folder", type=Path, metavar="RUN", help="folder of a run or a campaign")
    _add_where(query, "--from", "; or a log of messages, as mosquitto_sub -F '%%t %%p' writes it")
    query.add_argument("--json", action="store_true", help="print all cells as JSON")
    query.add_argument(
        "--figure", type=Path, metavar="STEM", help="draw power as stored: .png, .pdf"
    )
    query.set_defaults(run=_query)

    cells = actions.add_parser("cells", help="cells of a cluster's power", description=_CELLS)
    cells.add_argument(
        "windows",
        type=Path,
        metavar="RUN|CSV",
        help="when what ran where: folder of a run, or a CSV with model, input_tokens,"
        " output_tokens, requests, start_utc, end_utc, and gpu or host",
    )
    _add_where(cells, "--from", "; or a .csv with time, power_w and gpu or host, or such a log")
    cells.add_argument("--out", type=Path, default=Path("/dev/stdout"), help="default: print it")
    cells.set_defaults(run=_cells)


def _add_where(parser: argparse.ArgumentParser, option: str, more: str = "") -> None:
    parser.add_argument(
        option,
        dest="where",
        required=True,
        metavar="WHERE",
        help="a URL such as mqtt://broker:1883, iotdb://store:6667 or influx+http://store:8086/db,"
        f" or the name of a sink in --configfile{more}",
    )
    parser.add_argument(
        "--configfile", type=Path, metavar="FILE", help="experiment whose node.telemetry names it"
    )
    for name, what in OPTIONS.items():
        parser.add_argument(f"--{name}", metavar=name.rpartition("-")[2].upper(), help=what)


def _sink_of(arguments: argparse.Namespace) -> "TelemetrySink":
    """Return where samples go to or come from, as the options or an experiment say.

    Raises:
        InputError: neither says.
    """
    from sweetspot.config import TelemetrySink, parse_experiment, parse_section
    from sweetspot.errors import InputError, unknown_name
    from sweetspot.reading import as_mapping, read_yaml

    given: dict[str, Any] = {
        key: value
        for option in OPTIONS
        if (value := getattr(arguments, key := option.replace("-", "_"))) is not None
    }
    if "://" in arguments.where:
        return parse_section(TelemetrySink, {"url": arguments.where} | given, "telemetry")
    if arguments.configfile is None:
        raise InputError(
            f"{arguments.where} is no URL and no file; give a URL such as mqtt://broker:1883, or"
            " name a sink and, with --configfile, the experiment that has it"
        )
    if given:
        raise InputError(
            f"--{next(iter(given)).replace('_', '-')} is for a URL; the sink of"
            f" {arguments.configfile} says that itself"
        )
    config = as_mapping(read_yaml(arguments.configfile, "experiment"), str(arguments.configfile))
    telemetry = parse_experiment(config, str(arguments.configfile)).node.telemetry
    named = {sink.name or sink.url: sink for sink in (telemetry.sinks if telemetry else ())}
    if not named:
        raise InputError(f"{arguments.configfile} has no node.telemetry with sinks")
    if arguments.where not in named:
        raise unknown_name("sink", arguments.where, named)
    return named[arguments.where]


def _store(arguments: argparse.Namespace) -> "Store":
    """Return what samples are read from; raises InputError."""
    path = Path(arguments.where)
    if "://" not in arguments.where and path.is_file():
        from sweetspot.telemetry.captures.examon_log import ExamonLog
        from sweetspot.telemetry.captures.power_csv import PowerCsv

        is_table = not {".csv", ".tsv", ".jsonl"}.isdisjoint(path.suffixes)
        return PowerCsv(path) if is_table else ExamonLog(path)
    from sweetspot.telemetry.connect import open_store

    return open_store(_sink_of(arguments))


def _replay(arguments: argparse.Namespace) -> None:
    from contextlib import closing

    from sweetspot.errors import InputError
    from sweetspot.telemetry.connect import open_sink
    from sweetspot.telemetry.kept import read_folder
    from sweetspot.telemetry.replay import replay

    where = _sink_of(arguments)
    if where.address.kind == "prometheus":
        raise InputError(f"{where.url} shows what is metered now; replay to a broker or a store")
    found = read_folder(arguments.folder)
    with closing(open_sink(where)) as sink:
        try:
            done = replay(
                found,
                sink,
                lambda so_far: show_progress(
                    f"{so_far.cells} of {so_far.of_cells} cells, {so_far.samples} samples"
                ),
            )
        finally:
            show_progress("")
        simulated = any(kept.source.simulated for kept in found.kept)
        print(
            f"{sink.name}: {done.samples} samples of {done.cells - done.earlier_cells} cells are"
            f" acknowledged{', simulated' if simulated else ''}"
        )
        caveat = sink.caveat
    if done.earlier_cells:
        print(f"note: {done.earlier_cells} more were, when an earlier replay broke off")
    _print_notes([caveat] if caveat else [])
    _print_notes(found.remarks)
    if done.refused:
        at_most = "up to " if done.at_most else ""
        print(
            f"{at_most}{done.refused} samples of {done.of_cells - done.cells} cells were REFUSED"
            f" ({done.reason}): the same command tries these cells again"
        )
        raise SystemExit(1)


def _query(arguments: argparse.Namespace) -> None:
    from contextlib import closing

    from sweetspot.telemetry.kept import read_folder
    from sweetspot.telemetry.query import query

    found = read_folder(arguments.folder)
    with closing(_store(arguments)) as store:
        name = store.name
        try:
            rows = query(
                found, store, lambda done: show_progress(f"{done} of {len(found.kept)} cells")
            )
        finally:
            show_progress("")
        if arguments.figure is not None:
            _draw(found, store, arguments.figure)
    if arguments.json:
        from sweetspot.schema.writing import json_text

        print(json_text({"store": name, "cells": [asdict(row) for row in rows]}))
    else:
        print("\n".join(_comparison(name, rows)))
        if lacking := dict.fromkeys(channel for row in rows for channel in row.not_kept):
            _print_notes([f"not kept there, so not compared: {', '.join(lacking)}"])
        _print_notes(found.remarks)
        if rows and not any(row.samples for row in rows):
            _print_notes([_NOTHING])
    if any(row.differences for row in rows):
        raise SystemExit(1)


def _draw(found: "Folder", store: "Store", stem: Path) -> None:
    from sweetspot.config import FigureStyle
    from sweetspot.figures.canvas import save
    from sweetspot.figures.stored_power import stored_power_figure
    from sweetspot.telemetry.curves import curves

    style = FigureStyle()
    provenance = f"stored: {store.name} · traces: {found.path.name}"
    save(stored_power_figure(curves(found, store), style, provenance), stem, style.dpi)


def _comparison(name: str, rows: "Sequence[Returned]") -> Iterable[str]:
    """Yield what came back of all cells, and a table of those that differ."""
    wrong = [row for row in rows if row.differences]
    samples, kept = sum(row.samples for row in rows), sum(row.samples_kept for row in rows)
    yield f"{name}: {samples} of {kept} samples of {len(rows)} cells"
    exact = sum(row.to_the_bit for row in rows if not row.differences)
    if exact:
        yield f"  {exact} cells: energies of the record, to the bit"
    if near := [row for row in rows if not row.differences and not row.to_the_bit]:
        worst = max(row.within_j / (row.energy_kept_j or 1.0) for row in near)
        yield (
            f"  {len(near)} cells: energies as integrated from the trace, within what rounding"
            f" times may do ({worst:.1e} at most)"
        )
    if not wrong:
        return
    yield f"  {len(wrong)} cells DIFFER"
    wide = max(len(row.cell) for row in wrong[:MOST_SHOWN])
    yield f"  {'cell':<{wide}}  samples      gap s            J by integration"
    for row in wrong[:MOST_SHOWN]:
        gaps = f"{_number(row.gap_s)} of {_number(row.gap_kept_s)}"
        joules = f"{_number(row.energy_j)} of {_number(row.energy_kept_j)}"
        counts = f"{row.samples} of {row.samples_kept}"
        yield f"  {row.cell:<{wide}}  {counts:<12} {gaps:<16} {joules}"
        yield from (f"    {each}" for each in row.differences)
    if len(wrong) > MOST_SHOWN:
        yield f"  and {len(wrong) - MOST_SHOWN} more; --json has all"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"


def _cells(arguments: argparse.Namespace) -> None:
    from contextlib import closing

    from sweetspot.files import write_text_atomic
    from sweetspot.telemetry.cluster.cells import metered_cells, table_of
    from sweetspot.telemetry.cluster.windows import read_windows

    windows = read_windows(arguments.windows)
    with closing(_store(arguments)) as store:
        cells = metered_cells(windows, store)
        name = store.name
    write_text_atomic(arguments.out, table_of(cells))
    ok = [cell for cell in cells if cell.status == "ok"]
    _say(f"{name}: {len(ok)} of {len(cells)} cells have an energy")
    if ok:
        worst = max(ok, key=lambda cell: cell.sampling_error or 0.0)
        _say(
            f"  sampling may be off by {worst.sampling_error or 0:.1%} at most"
            f" ({worst.duration_s * worst.passes:.1f} s every {worst.interval_s:.2g} s); each row"
            " says by how much: sampling_error"
        )
    if len(ok) < len(cells):
        bad = next(cell for cell in cells if cell.status != "ok")
        _say(f"  such as {bad.model} at {bad.start_utc}: {bad.reason}")
    if any(cell.power_of == "host" for cell in ok):
        _say("  power of whole nodes: all that they did is in it")


def _say(line: str) -> None:
    """Print beside the table, which may go to standard output."""
    print(line, file=sys.stderr)


def _print_notes(notes: Iterable[str]) -> None:
    for note in notes:
        print(f"note: {note}")
