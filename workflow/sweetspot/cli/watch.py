"""`sweetspot watch`: what a running server draws, and what it gives for it."""

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sweetspot.cli.commands import Commands, show_progress

if TYPE_CHECKING:
    from sweetspot.telemetry.prometheus.server import MetricsServer
    from sweetspot.telemetry.publisher import Publisher

_WATCH = """\
Show what a running OpenAI-compatible server draws and gives: W of all its boards, output tokens/s
by its /metrics, J/token. It must run on this machine, and is asked for nothing else. In a terminal
one line updates; elsewhere there is a line a look. The last line, also after Ctrl-C, is of all."""


def add_commands(commands: Commands) -> None:
    """Add the command."""
    watch = commands.add_parser(
        "watch", help="what a running server draws, per token", description=_WATCH
    )
    watch.add_argument("--url", required=True, help="such as http://127.0.0.1:8000")
    watch.add_argument(
        "--gpus", nargs="+", metavar="UUID", help="its boards; default: those it is found on"
    )
    watch.add_argument(
        "--every", type=float, default=1.0, metavar="S", help="default: %(default)s s"
    )
    watch.add_argument(
        "--for", type=float, dest="for_s", metavar="S", help="how long; default: until Ctrl-C"
    )
    watch.add_argument(
        "--api-key-env", default="", metavar="NAME", help="variable that holds the server's key"
    )
    watch.add_argument(
        "--metrics",
        metavar="[HOST:]PORT",
        help="show it to Prometheus, too, at /metrics; HOST is 127.0.0.1 unless it is named",
    )
    watch.add_argument(
        "--telemetry",
        type=Path,
        metavar="FILE",
        help="experiment whose node.telemetry says where each look is sent",
    )
    watch.set_defaults(run=_watch)


def _metrics(where: str) -> "MetricsServer":
    """Return a server of /metrics that is named as PORT, or HOST:PORT."""
    from sweetspot.errors import InputError
    from sweetspot.telemetry.prometheus.server import MetricsServer

    host, _, port = where.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 2**16):
        raise InputError(f"--metrics is a port, or HOST:PORT, not {where!r}")
    server = MetricsServer(host.strip("[]") or "127.0.0.1", int(port))
    print(f"metrics at {server.url}", file=sys.stderr, flush=True)
    return server


def _publisher(path: Path) -> "Publisher":
    """Return what sends looks to the sinks of an experiment.

    Raises:
        InputError: it names none, or what it says of one is wrong.
    """
    from sweetspot.config import parse_experiment
    from sweetspot.errors import InputError
    from sweetspot.reading import as_mapping, read_yaml
    from sweetspot.telemetry.connect import open_publisher

    config = as_mapping(read_yaml(path, "experiment"), str(path))
    telemetry = parse_experiment(config, str(path)).node.telemetry
    if not telemetry.sinks:
        raise InputError(f"{path} has no node.telemetry with sinks")
    return open_publisher(telemetry)


def _watch(arguments: argparse.Namespace) -> None:
    from sweetspot.config import parse_section
    from sweetspot.config.endpoint import Endpoint
    from sweetspot.engines.endpoint.engine import server_of
    from sweetspot.engines.endpoint.watch import watch
    from sweetspot.errors import InputError
    from sweetspot.telemetry.prometheus.watched import metrics_of

    given = {"url": arguments.url, "gpus": arguments.gpus, "api_key_env": arguments.api_key_env}
    options = parse_section(Endpoint, given, "watch")
    for_s = math.inf if arguments.for_s is None else arguments.for_s
    if not (arguments.every > 0 and math.isfinite(arguments.every) and for_s > 0):
        raise InputError("--every and --for must be more than 0 s")
    publisher = shown = total = None
    is_live = sys.stdout.isatty() and sys.stderr.isatty()
    try:
        publisher = _publisher(arguments.telemetry) if arguments.telemetry else None
        shown = _metrics(arguments.metrics) if arguments.metrics else None
        server = server_of(options, timeout_s=30)
        spans = watch(
            server,
            options.gpus,
            every_s=arguments.every,
            for_s=for_s,
            observe=publisher.observe if publisher else None,
        )
        for now, so_far in spans:
            total = so_far
            if shown is not None:
                shown.page.say(metrics_of(now, so_far))
            if is_live:
                show_progress(now.line)
            else:
                print(now.line, flush=True)
    except KeyboardInterrupt:  # the way to leave it; the server goes on
        pass
    finally:
        if is_live:
            show_progress("")
        if publisher is not None:
            publisher.close()
        if shown is not None:
            shown.close()
        if total is not None:
            print(f"in {total.duration_s:.1f} s: {total.energy_j:.4g} J, {total.line}", flush=True)
