"""Which processes of this machine a server is, and on which boards they compute."""

import os
import socket
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sweetspot import proc
from sweetspot.errors import InputError
from sweetspot.metering.nvml import Board, allowed_boards

_LISTENS = "0A"  # TCP_LISTEN of Linux, in hexadecimal digits
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Computing:
    """What a server computes on, and by which processes.

    Attributes:
        uuids: its boards, in NVML's order.
        pids: its processes on them.
        remark: what a reader should know of how they were found.
    """

    uuids: tuple[str, ...]
    pids: frozenset[int]
    remark: str = ""


def computing_of(url: str, named: Collection[str] | None = None) -> Computing:
    """Return the boards that the server at `url` computes on.

    Those of its own processes: of the one that listens there and what descends from it, or from
    its nearest parent with any on a board that is not ours, too, as some servers are siblings.
    Where boards are `named`, they count, and whoever is on them, if it is not told by its port.

    Raises:
        InputError: it cannot be found out, or a board that is named is not here.
        MeterError: the boards cannot be read.
    """
    boards = allowed_boards()
    for uuid in named or ():
        if uuid not in boards:
            raise InputError(
                f"endpoint.gpus names {uuid}, which is not here; NVML sees {', '.join(boards)}"
            )
    on_board = {uuid: _pids_on(uuid) for uuid in boards}
    everyone = frozenset().union(*on_board.values())
    family = _family(_listeners(url), everyone) if is_local(url) else frozenset()
    used = tuple(uuid for uuid in boards if on_board[uuid] & family)
    if named:
        asked = tuple(uuid for uuid in boards if uuid in named)
        if family:
            beyond = [uuid for uuid in used if uuid not in asked]
            if beyond:
                raise InputError(
                    f"the server also computes on {', '.join(beyond)}, which endpoint.gpus lacks"
                )
            return Computing(asked, family)
        there = frozenset().union(*(on_board[uuid] for uuid in asked))
        return Computing(
            asked,
            there,
            "the server's processes were not found by its port: all that were on its boards at"
            " first are taken for it",
        )
    if not used:
        raise InputError(_why_none(url, bool(everyone)))
    return Computing(used, family)


def is_local(url: str) -> bool:
    """Return whether a URL's host is this machine: whether one of its addresses can be bound."""
    parts = urlsplit(url)
    try:
        found = socket.getaddrinfo(parts.hostname, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    for family, kind, _, _, address in found:
        try:
            with socket.socket(family, kind) as probe:
                probe.bind((address[0], 0))
        except OSError:
            continue
        return True
    return False


def _why_none(url: str, anyone: bool) -> str:
    if not is_local(url):
        return (
            f"the server at {url} is on another machine, whose GPUs cannot be metered from here;"
            " run this there, or name boards of this machine that it computes on in endpoint.gpus"
        )
    if not anyone:
        return (
            f"no process computes on a GPU here, so the server at {url} does not; is it on CPUs,"
            " or hidden in a container (then name its boards in endpoint.gpus, see nvidia-smi -L)"
        )
    return (
        f"which GPUs the server at {url} computes on cannot be told: none of the processes on them"
        " is seen to belong to it (a container's, or another user's); name them in endpoint.gpus"
        " (nvidia-smi -L)"
    )


def _pids_on(uuid: str) -> frozenset[int]:
    with Board(uuid) as board:
        return frozenset(board.compute_pids())


def _listeners(url: str) -> frozenset[int]:
    """Return the processes that listen on a URL's port, as far as they may be looked at."""
    parts = urlsplit(url)
    port = parts.port or _PORTS[parts.scheme]
    inodes = {
        f"socket:[{fields[9]}]"
        for table in ("tcp", "tcp6")
        for fields in _rows(proc.PROC / "net" / table)
        if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port
    }
    return frozenset(pid for pid in proc.pids() if inodes and _sockets(pid) & inodes)


def _rows(table: Path) -> list[list[str]]:
    try:
        return [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return []


def _sockets(pid: int) -> set[str]:
    found = set()
    try:
        for each in (proc.PROC / str(pid) / "fd").iterdir():
            try:
                found.add(str(each.readlink()))
            except OSError:
                continue
    except OSError:
        pass
    return found


def _family(listeners: Collection[int], on_boards: Collection[int]) -> frozenset[int]:
    """Return those on boards that belong to what listens."""
    parents = {
        pid: parent for pid in proc.pids() if (parent := proc.number(pid, proc.PARENT)) is not None
    }
    ours = set(_ancestors(os.getpid(), parents))
    for listener in sorted(listeners):
        session = proc.number(listener, proc.SESSION)
        for root in (listener, *_ancestors(listener, parents)):
            # what we descend from, or a terminal's or a login's own, has children of anybody
            anybodys = root in ours and root not in listeners
            if anybodys or proc.number(root, proc.SESSION) != session:
                break
            found = _below(root, parents) & frozenset(on_boards)
            if found:
                return found
    return frozenset()


def _ancestors(pid: int, parents: Mapping[int, int]) -> list[int]:
    found = []
    while (pid := parents.get(pid, 0)) > 1:
        found.append(pid)
    return found


def _below(root: int, parents: Mapping[int, int]) -> frozenset[int]:
    """Return a process and all that descend from it."""
    children: dict[int, list[int]] = defaultdict(list)
    for pid, parent in parents.items():
        children[parent].append(pid)
    found, left = set(), [root]
    while left:
        pid = left.pop()
        if pid not in found:
            found.add(pid)
            left += children[pid]
    return frozenset(found)
