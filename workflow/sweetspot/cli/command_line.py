"""All commands in one parser, and how any of them ends."""

import argparse
import contextlib
import errno
import logging
import os
import sys
from collections.abc import Sequence

from sweetspot import __version__
from sweetspot.cli import (
    calibration,
    campaigns,
    evaluation,
    fitting,
    kernels,
    questions,
    sensor,
    settings,
    simulate,
    steps,
)
from sweetspot.cli.commands import Commands, Parser, did_you_mean
from sweetspot.cli.extras import missing_package
from sweetspot.errors import SweetspotError, nearest

_RENAMED = {"protocol": "sensor"}
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


def parsers(only: str | None = None) -> tuple[Parser, dict[str, Parser]]:
    """Return the parser of the whole command line, and that of each command.

    With `only`, other commands may lack the options that are generated from the configuration:
    that loads pydantic, which most commands do without.
    """
    top = Parser(
        prog="sweetspot",
        usage="sweetspot [-h] [--version] COMMAND ...",
        description="Measure, model and predict the energy of LLM inference.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"sweetspot {__version__}")
    commands = Commands(top, only)
    for module in (
        *(questions, simulate, settings, sensor, fitting, calibration, kernels, evaluation),
        *(campaigns, steps),
    ):
        module.add_commands(commands)
    top.epilog = (
        f"{commands.listing()}\n\n"
        "`sweetspot COMMAND --help` says more of each. The experiment itself runs with snakemake,\n"
        "or `make paper`; see README.md."
    )
    return top, commands.parsers


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; see `sweetspot.cli.main`."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("sweetspot").setLevel(logging.INFO)
    arguments = argparse.Namespace()
    try:
        try:
            arguments = _read(sys.argv[1:] if argv is None else list(argv))
            arguments.run(arguments)
        finally:
            if sys.stdout is not None:  # what cannot be written shows here, not at shutdown
                sys.stdout.flush()
    except SweetspotError as e:
        return _say(f"error: {e}", 2)
    except ImportError as e:
        if isinstance(e.__cause__, KeyboardInterrupt):  # it came while a module in C was loaded
            return _say("interrupted", 130)
        missing = missing_package(e)
        if missing is None:
            raise
        return _say(f"error: {missing}", 2)
    except KeyboardInterrupt:
        kept = "; finished cells are kept" if getattr(arguments, "keeps_cells", False) else ""
        return _say(f"interrupted{kept}", 130)
    except BrokenPipeError:  # the reader (head, less) has seen enough
        _drop_output()
        return 141
    except OSError as e:
        if e.errno not in _NO_SPACE:
            raise
        _drop_output()
        where = e.filename or "the output"
        return _say(f"error: cannot write {where}: {e.strerror}; make room, or write elsewhere", 2)
    return 0


def _read(argv: list[str]) -> argparse.Namespace:
    """Return what the command line says; it ends here where that makes no sense."""
    first = argv[0] if argv else ""
    top, commands = parsers(only=first)
    if first and not first.startswith("-") and first not in commands:
        meant = _RENAMED.get(first) or nearest(first, commands)
        top.error(f"unknown command {first!r}{did_you_mean(meant)}")
    commands.get(first, top).refuse_unknown_options(argv)
    return top.parse_args(argv)


def _say(message: str, code: int) -> int:
    with contextlib.suppress(OSError):  # standard error may be on the same full disk
        print(f"sweetspot: {' '.join(message.split())}", file=sys.stderr)
    return code


def _drop_output() -> None:
    """Keep the interpreter, which flushes standard output once more as it ends, quiet about it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
