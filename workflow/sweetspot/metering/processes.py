"""Whose the processes on a board are.

A job writes a token into its environment, which the engine's processes inherit.
"""

import os
import uuid
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sweetspot import proc

TOKEN = "SWEETSPOT_JOB"  # noqa: S105 - the name of a variable


@contextmanager
def job_token() -> Iterator[None]:
    """Mark all processes that are started from here on as this job's."""
    before = os.environ.get(TOKEN)
    os.environ[TOKEN] = uuid.uuid4().hex
    try:
        yield
    finally:
        os.environ.pop(TOKEN)
        if before is not None:
            os.environ[TOKEN] = before


@dataclass(frozen=True, slots=True)
class Stranger:
    """A process of somebody else that used the board: when it was first and last seen."""

    pid: int
    name: str
    first_s: float
    last_s: float


class Watch:
    """Remembers which strangers were on a board, and when."""

    def __init__(self, earlier_pids: Collection[int]) -> None:
        """Begin; `earlier_pids` were on the board before the engine."""
        self._earlier_pids = frozenset(earlier_pids)
        self._strange: dict[int, bool] = {}
        self._seen: dict[int, Stranger] = {}

    def see(self, pids: Iterable[int], at_s: float) -> None:
        """Note who is on the board at a time; a process is looked up when it is first seen."""
        for pid in pids:
            if pid not in self._strange:
                self._strange[pid] = is_strange(pid, self._earlier_pids)
            if self._strange[pid]:
                known = self._seen.get(pid)
                first_s, name = (known.first_s, known.name) if known else (at_s, proc.name(pid))
                self._seen[pid] = Stranger(pid, name, first_s, at_s)

    def strangers(self) -> tuple[Stranger, ...]:
        """Return all strangers so far."""
        return tuple(self._seen.values())


def is_strange(pid: int, earlier_pids: Collection[int]) -> bool:
    """Return whether a process is none of this job's.

    Ours are this process, what descends from it, and what carries its token. One that cannot be
    asked (of another user, or in a container) is taken for ours if it came after the engine was
    about to start: so a container's processes are not refused, and another user's that begins
    later is not noticed.
    """
    if _descends(pid):
        return False
    environment = proc.environment(pid)
    if environment is None:
        return pid in earlier_pids
    token = os.environ.get(TOKEN)
    return token is None or f"{TOKEN}={token}".encode() not in environment


def _descends(pid: int) -> bool:
    """Return whether a process is this one or below it."""
    ours = os.getpid()
    above: int | None = pid
    while above is not None and above > 1:
        if above == ours:
            return True
        above = proc.number(above, proc.PARENT)
    return False
