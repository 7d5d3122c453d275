"""All commands in one parser, and how any of them ends."""

import argparse
import atexit
import contextlib
import errno
import gc
import io
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from sweetspot import __version__
from sweetspot.cli.commands import GROUPS, Commands, Parser, did_you_mean, each_apart
from sweetspot.cli.extras import missing_package
from sweetspot.errors import SweetspotError, nearest, one_line
from sweetspot.files import keep_others_from_writing

_RENAMED = {"protocol": "sensor"}
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


def parsers(only: str | None = None) -> tuple[Parser, dict[str, Parser]]:
    """Return the parser of the whole command line, and that of each command.

    Where `only` is a command, the others of its module may lack the options that are generated from
    the configuration, and those of other modules are not there.
    """
    top = Parser(
        prog="sweetspot",
        usage="sweetspot [-h] [--version] COMMAND ...",
        description="Measure, model and predict the energy of LLM inference.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"sweetspot {__version__}")
    commands = Commands(top, only)
    modules = {name: module for names in GROUPS.values() for name, module in names.items()}
    for module in [modules[only]] if only in modules else dict.fromkeys(modules.values()):
        import_module(f"sweetspot.cli.{module}").add_commands(commands)
    if only not in modules:
        top.epilog = (
            f"{commands.listing()}\n\n"
            "`sweetspot COMMAND --help` says more of each. The experiment itself runs with"
            " snakemake,\nor `make paper`; see README.md."
        )
    return top, commands.parsers


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; see `sweetspot.cli.main`."""
    keep_others_from_writing()
    # Python ends by looking through all objects, which of Matplotlib's and pandas' takes 0.2 to
    # 0.5 s; what is frozen it leaves to the system.
    atexit.register(gc.freeze)
    if isinstance(sys.stdout, io.TextIOWrapper):  # of a locale that may lack ±
        sys.stdout.reconfigure(errors="backslashreplace")
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("sweetspot").setLevel(logging.INFO)
    arguments = argparse.Namespace()
    if os.environ.get("SWEETSPOT_HEAD"):  # a job of the workflow
        from sweetspot.running import end_with_command

        end_with_command()
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
        if e.errno in _NO_SPACE:
            _drop_output()
            where, advice = e.filename or "the output", "make room, or write elsewhere"
            return _say(f"error: cannot write {where}: {e.strerror}; {advice}", 2)
        if e.filename is None:
            raise
        # as of a name that is too long, or in a folder that is somebody else's
        advice = "name a file or folder that you may use"
        return _say(f"error: cannot use {e.filename}: {e.strerror}; {advice}", 2)
    return 0


def _read(argv: list[str]) -> argparse.Namespace:
    """Return what the command line says; it ends here where that makes no sense."""
    first = argv[0] if argv else ""
    top, commands = parsers(only=first)
    if first and not first.startswith("-") and first not in commands:
        meant = _RENAMED.get(first) or nearest(first, commands)
        top.error(f"unknown command {first!r}{did_you_mean(meant)}")
    commands.get(first, top).refuse_unknown_options(argv)
    return top.parse_args(each_apart(argv))


def _say(message: str, code: int) -> int:
    with contextlib.suppress(OSError):  # standard error may be on the same full disk
        print(f"sweetspot: {one_line(message)}", file=sys.stderr)
    return code


def _drop_output() -> None:
    """Keep the interpreter, which flushes standard output once more as it ends, quiet about it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
