"""The processes of this machine, as Linux tells of them.

Any of them may end meanwhile, or be another user's: what cannot be read is empty, or None.

Source: proc(5).
"""

from pathlib import Path

PROC = Path("/proc")
STATE, PARENT, SESSION, START = (
    0,
    1,
    3,
    19,
)  # in `stat`; the last in ticks since the machine's start


def pids() -> list[int]:
    """Return all processes that are shown."""
    return [int(folder.name) for folder in PROC.iterdir() if folder.name.isdecimal()]


def stat(pid: int) -> list[str]:
    """Return what `stat` has of a process, from its state on; [] where it is gone."""
    # Before that stands its name in parentheses, which may itself hold some, and spaces.
    return _text(pid, "stat").rpartition(")")[2].split()


def number(pid: int, place: int) -> int | None:
    """Return a number of a process's `stat`, such as its PARENT; None where it is gone."""
    fields = stat(pid)
    return int(fields[place]) if fields else None


def environment(pid: int) -> list[bytes] | None:
    """Return a process's environment; None where it may not be read or was overwritten.

    Programs that set their title do so at the place of their environment.
    """
    try:
        content = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return None
    return content.split(b"\0") if b"=" in content else None


def name(pid: int) -> str:
    """Return what a process is called; "" where it is gone."""
    return _text(pid, "comm").strip()


def _text(pid: int, file: str) -> str:
    try:
        return (PROC / str(pid) / file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
