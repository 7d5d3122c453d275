"""Where a number was made: code version, machine and time."""

import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path

from sweetspot import __version__
from sweetspot.catalog import Gpu

COMMIT = "SWEETSPOT_GIT_COMMIT"


def provenance() -> dict[str, str]:
    """Return the facts of this process that stand beside every record."""
    return {
        "sweetspot": __version__,
        "git_commit": git_commit(),
        "host": platform.node(),
        "python": platform.python_version(),
        "started_utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of packages; "" where one is not installed, or does not say."""
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = ""
    return found


@cache
def git_commit() -> str:
    """Return the commit of the code that runs, "+changes" if it was edited.

    Outside of git, where a copy of the files alone was brought to a node, it is what
    SWEETSPOT_GIT_COMMIT says, "" if nothing does.
    """
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
        return os.environ.get(COMMIT, "")
    return done.stdout.strip()


def other_board(facts: Mapping[str, str], wanted: Gpu) -> str:
    """Return which board was metered, or ran the cell, other than one `wanted`; "" if none.

    Args:
        facts: of a run or a record's provenance.
        wanted: what the cell says of its GPU.
    """
    name, uuid = facts.get("gpu_name", ""), facts.get("gpu_uuid", "")
    if not wanted.is_called(name):
        return f"metered was {name!r} ({uuid}), not {wanted.id} ({wanted.nvml_name!r})"
    ran_on = facts.get("device_uuid", "").removeprefix("GPU-")
    if ran_on and uuid.removeprefix("GPU-") != ran_on:
        return f"metered was {uuid}, and the engine ran on GPU-{ran_on}"
    return ""
