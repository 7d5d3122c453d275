"""The command line: `sweetspot COMMAND`; every error is one line and exit code 2."""

import argparse
import contextlib
import errno
import logging
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from sweetspot import __version__
from sweetspot.cli import calibration, campaigns, evaluation, questions, sensor, simulate, steps
from sweetspot.cli.extras import missing_package
from sweetspot.errors import SweetspotError, nearest

GROUPS = {
    "questions": ("predict", "simulate", "sensor", "models"),
    "data and fits": ("fit", "calibrate", "evaluate"),
    "campaigns": ("campaign", "campaign-report"),
    "steps of the workflow": (
        *("dataset", "measure", "cells", "compare", "table", "figure", "manifest"),
    ),
    "documentation": ("reference",),
}
"""All commands, as `sweetspot --help` lists them."""

_RENAMED = {"protocol": "sensor"}
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class _Parser(argparse.ArgumentParser):
    """argparse that answers bad usage in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")

    def refuse_unknown_options(self, words: Iterable[str]) -> None:
        """End with the nearest option where one is mistyped.

        argparse would name what is missing first, such as the option that was meant.
        """
        options = self._option_string_actions
        long = {name[2:]: name for name in options if name.startswith("--")}
        for word in words:
            if word == "--":
                return
            name = word.partition("=")[0]
            is_option = re.fullmatch(r"--?[A-Za-z][\w-]*", name)
            if is_option and not any(known.startswith(name) for known in options):
                near = nearest(name.lstrip("-"), long)
                meant = max(options[long[near]].option_strings, key=len) if near else None
                self.error(f"unknown option {name!r}{_did_you_mean(meant)}")


class _Commands:
    """What commands are added to: their parsers, and the line that says what each does."""

    def __init__(self, top: _Parser, only: str | None) -> None:
        self._only = only
        self._subparsers = top.add_subparsers(
            prog=top.prog, metavar="COMMAND", required=True, help=argparse.SUPPRESS
        )
        self.parsers: dict[str, _Parser] = {}
        self.lines: dict[str, str] = {}

    def add_parser(self, name: str, *, help: str, **options: Any) -> _Parser:
        self.lines[name] = help
        self.parsers[name] = self._subparsers.add_parser(name, **options)
        return self.parsers[name]

    def is_complete(self, name: str) -> bool:
        """Whether a command gets all of its options, also those that take long to make."""
        return self._only in (None, name)

    def listing(self) -> str:
        """Return the commands by group; argparse itself would list them in one row."""
        return "\n\n".join(
            "\n".join([f"{title}:", *(f"  {name:<17}{self.lines[name]}" for name in names)])
            for title, names in GROUPS.items()
        )


def parsers(only: str | None = None) -> tuple[_Parser, dict[str, _Parser]]:
    """Return the parser of the whole command line, and that of each command.

    With `only`, other commands may lack the options that are generated from the configuration:
    that loads pydantic, which most commands do without.
    """
    top = _Parser(
        prog="sweetspot",
        usage="sweetspot [-h] [--version] COMMAND ...",
        description="Measure, model and predict the energy of LLM inference.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"sweetspot {__version__}")
    commands = _Commands(top, only)
    for module in (questions, simulate, calibration, evaluation, sensor, campaigns, steps):
        module.add_commands(commands)
    top.epilog = (
        f"{commands.listing()}\n\n"
        "`sweetspot COMMAND --help` says more of each. The experiment itself runs with snakemake,\n"
        "or `make paper`; see README.md."
    )
    return top, commands.parsers


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or 2 with one line on standard error."""
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
        missing = missing_package(e)
        if missing is None:
            raise
        return _say(f"error: {missing}", 2)
    except KeyboardInterrupt:
        kept = "; finished cells are kept" if getattr(arguments, "keeps_cells", False) else ""
        return _say(f"interrupted{kept}", 130)
    except BrokenPipeError:  # the reader (head, less) has seen enough
        _drop_output()
        return 0
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
        top.error(f"unknown command {first!r}{_did_you_mean(meant)}")
    commands.get(first, top).refuse_unknown_options(argv)
    return top.parse_args(argv)


def _did_you_mean(meant: str | None) -> str:
    return f" (did you mean {meant!r}?)" if meant else ""


def _say(message: str, code: int) -> int:
    with contextlib.suppress(OSError):  # standard error may be on the same full disk
        print(f"sweetspot: {' '.join(message.split())}", file=sys.stderr)
    return code


def _drop_output() -> None:
    """Keep the interpreter, which flushes standard output once more as it ends, quiet about it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
