"""The command line: `sweetspot COMMAND`; every error is one line and exit code 2."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from sweetspot import __version__
from sweetspot.cli import calibration, campaigns, evaluation, questions, sensor, simulate, steps
from sweetspot.cli.extras import missing_package
from sweetspot.errors import SweetspotError


class _Parser(argparse.ArgumentParser):
    """argparse that answers bad usage in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = _Parser(
        prog="sweetspot",
        description="Measure, model and predict the energy of LLM inference.",
        epilog="The experiment itself runs with snakemake, or `make paper`; see README.md.",
    )
    top.add_argument("--version", action="version", version=f"sweetspot {__version__}")
    commands = top.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=_Parser
    )
    questions.add_commands(commands)
    simulate.add_commands(commands)
    calibration.add_commands(commands)
    evaluation.add_commands(commands)
    sensor.add_commands(commands)
    campaigns.add_commands(commands)
    steps.add_commands(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or 2 with one line on standard error."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("sweetspot").setLevel(logging.INFO)
    arguments = parser().parse_args(argv)
    try:
        arguments.run(arguments)
        sys.stdout.flush()
    except SweetspotError as e:
        print(f"sweetspot: error: {' '.join(str(e).split())}", file=sys.stderr)
        return 2
    except ImportError as e:
        missing = missing_package(e)
        if missing is None:
            raise
        print(f"sweetspot: error: {missing}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("sweetspot: interrupted; finished cells are kept", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader (head, less) has seen enough; keep the interpreter quiet about it, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0
