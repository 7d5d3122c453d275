"""Where a number was made: code version, machine and time."""

import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from sweetspot import __version__


def provenance() -> dict[str, str]:
    """Return the facts of this process that stand beside every record."""
    return {
        "sweetspot": __version__,
        "git_commit": git_commit(),
        "host": platform.node(),
        "python": platform.python_version(),
        "started_utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@cache
def git_commit() -> str:
    """Return the commit of the code that runs, "+changes" if it was edited; "" outside of git."""
    folder = Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+changes"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
