"""Parsers of the command line: commands by group, bad usage in one line, progress on a terminal."""

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from sweetspot.errors import nearest

GROUPS: dict[str, dict[str, str]] = {
    "questions": {
        "predict": "questions",
        "simulate": "simulate",
        "cost": "cost",
        "advise": "advise",
        "choose": "choose",
        "explore": "explore",
        "settings": "settings",
        "sensor": "sensor",
        "models": "questions",
    },
    "runs": {
        "plan": "runs",
        "progress": "progress",
        "watch": "watch",
        "repeats": "repeats",
        "verify": "runs",
        "telemetry": "telemetry",
        "crate": "runs",
    },
    "data and fits": {
        "fit": "fitting",
        "compare": "beside",
        "calibrate": "calibration",
        "kernels": "kernels",
        "evaluate": "evaluation",
    },
    "campaigns": {"probe": "probe", "campaign": "campaigns", "campaign-report": "campaigns"},
    "steps of the workflow": {
        **dict.fromkeys(("dataset", "measure", "cells", "analyse"), "steps"),
        **dict.fromkeys(("table", "tables", "figure", "figures"), "exhibits"),
        "page": "steps",
        "explore-run": "explore",
        "manifest": "steps",
    },
    "documentation": {"reference": "questions"},
}
"""All commands, as `sweetspot --help` lists them, each with the module that adds it."""


class Once(argparse._StoreAction):
    """An option of which somebody may want several: argparse would take the last without a word."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: Any = None
    ) -> None:
        """Take it, once."""
        if option is not None:
            there = vars(namespace).setdefault("options_given", set())
            if self.dest in there:
                raise argparse.ArgumentError(self, "is given twice; give it once")
            there.add(self.dest)
        super().__call__(parser, namespace, values, option)


class Parser(argparse.ArgumentParser):
    """argparse that answers bad usage in one line.

    Attributes:
        intermixed: whether positionals may stand anywhere, also those that may be missing.
    """

    intermixed = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse words; argparse itself gives up what may be missing at the first option."""
        if not self.intermixed:
            return super().parse_known_args(args, namespace)
        self.intermixed = False  # the other one calls this
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self.intermixed = True

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print help, or an error; argparse would pass over help that cannot be written."""
        try:
            print(message, end="", file=file or sys.stderr)
        except OSError:
            if file is sys.stdout:
                raise

    def refuse_unknown_options(self, words: Iterable[str]) -> None:
        """End with the nearest option where one is mistyped.

        argparse would name what is missing first, such as the option that was meant.
        """
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                for word in words:
                    if word in action.choices:
                        action.choices[word].refuse_unknown_options(words)
                        return
        options = self._option_string_actions
        long = {name[2:]: name for name in options if name.startswith("--")}
        for word in words:
            if word == "--":
                return
            name = word.partition("=")[0]
            is_option = re.fullmatch(r"--?[A-Za-z][\w-]*", name)
            if is_option and word == f"{name}=--":  # argparse would take it for an empty list
                self.error(f"option {name!r} cannot be '--'")
            if is_option and not any(known.startswith(name) for known in options):
                near = nearest(name.lstrip("-"), long)
                meant = max(options[long[near]].option_strings, key=len) if near else None
                self.error(f"unknown option {name!r}{did_you_mean(meant)}")


class Commands:
    """What commands are added to: their parsers, and the line that says what each does."""

    def __init__(self, top: Parser, only: str | None) -> None:
        """Begin with none; `only` as in `is_complete`."""
        self._only = only
        self._subparsers = top.add_subparsers(
            prog=top.prog, metavar="COMMAND", required=True, help=argparse.SUPPRESS
        )
        self.parsers: dict[str, Parser] = {}
        self.lines: dict[str, str] = {}

    def add_parser(self, name: str, *, help: str, **options: Any) -> Parser:
        """Return the parser of a new command; `help` is its line in the list of commands."""
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


def each_apart(argv: Sequence[str], option: str = "--columns") -> list[str]:
    """Return `--columns A=a B=b FILE` as `--columns=A=a --columns=B=b FILE`.

    So what follows the pairs is no word of the option, which takes all that follow.
    """
    words: list[str] = []
    taking = ""
    for word in argv:
        if taking and "=" in word and not word.startswith("-"):
            if words[-1] == taking:
                words.pop()
            words.append(f"{taking}={word}")
        else:
            words.append(word)
            taking = word if word.startswith(option) and "=" not in word else ""
    return words


def did_you_mean(meant: str | None) -> str:
    """Return what a message adds where a valid word is near; empty where none is."""
    return f" (did you mean {meant!r}?)" if meant else ""


def show_progress(text: str) -> None:
    """Show on a terminal how far a command is, in place of what it showed; "" wipes the line."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
