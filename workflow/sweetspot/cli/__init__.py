"""The command line: `sweetspot COMMAND`; every error is one line and exit code 2."""

import sys

TYPE_CHECKING = False  # to type checkers it is true; importing it from typing takes 20 ms

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: "Sequence[str] | None" = None) -> int:
    """Run one command and return its exit code: 0, or 2 with one line on standard error.

    An interrupt gives 130, also while modules are loaded, and a reader that has seen enough 141,
    as a shell has it of a command that SIGINT or SIGPIPE ends.
    """
    try:
        from sweetspot.cli.command_line import run

        return run(argv)
    except KeyboardInterrupt:
        print("sweetspot: interrupted", file=sys.stderr)
        return 130
