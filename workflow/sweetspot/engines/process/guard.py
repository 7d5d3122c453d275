"""A program that runs another one, and ends it and all that it started when nobody waits for it.

    python guard.py FD COMMAND...

FD is the read end of a pipe whose other end only the process that asked for this holds. The kernel
closes it with that process, even after SIGKILL, and then the command is ended; so it is on SIGTERM.
What the command starts and leaves behind is adopted, so that workers end too which moved to a
process group of their own, as those of MPI do. The command's exit code, or the signal that it died
by, is passed on.

This file is run by itself: it imports nothing of the package.
"""

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread

GRACE_S = 5.0
"""From SIGTERM to SIGKILL, and from SIGKILL to giving up on what the kernel does not let go."""
DOCKER_S = 10.0
POLL_S = 0.02
_PR_SET_CHILD_SUBREAPER = 36  # Source: prctl(2)
_AWAITED = frozenset((signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP))


def main(arguments: Sequence[str]) -> int:
    """Run a command to its end, or to ours; return its exit code or minus the signal it died by."""
    lifeline, command = int(arguments[0]), list(arguments[1:])
    os.set_inheritable(lifeline, False)
    signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)  # for sigwait, here and in the thread
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    Thread(target=_watch, args=(lifeline,), daemon=True).start()
    try:
        command_pid = os.posix_spawnp(
            command[0],
            command,
            os.environ,
            setsigmask=(),
            setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),  # which Python itself ignores
        )
    except OSError as error:
        print(f"cannot start {command[0]}: {error.strerror}", file=sys.stderr)
        return 127
    statuses: dict[int, int] = {}
    by_us = False
    while command_pid not in statuses and not by_us:
        by_us = signal.sigwait(_AWAITED) != signal.SIGCHLD
        _reap(statuses)
    _end_descendants(statuses)
    code = -signal.SIGKILL
    if command_pid in statuses:
        code = os.waitstatus_to_exitcode(statuses[command_pid])
    if by_us or code < 0:
        _end_container(command)
    return code


def _watch(lifeline: int) -> None:
    """Wait until the other end of the pipe is closed."""
    while os.read(lifeline, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _reap(statuses: dict[int, int]) -> None:
    """Take note of all children, own and adopted, that have ended."""
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            statuses[ended[0]] = ended[1]


def _end_descendants(statuses: dict[int, int]) -> None:
    """End all that runs below this process: politely, then not."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        due_s = time.monotonic() + GRACE_S
        told: set[int] = set()
        while left := _descendants(os.getpid()):
            for pid in left - told:  # also what was started in the meantime
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
            told |= left
            if time.monotonic() > due_s:
                break
            time.sleep(POLL_S)
            _reap(statuses)
        if not left:
            return


def _descendants(root: int) -> set[int]:
    """Return the processes below one; those that have ended are left out, unless still unreaped."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError, ValueError, IndexError):  # it ended while we looked
                stat = (folder / "stat").read_text(errors="replace")
                parent = int(stat.rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(folder.name))
    found: set[int] = set()
    below = children.get(root, [])
    while below:
        found.update(below)
        below = [child for pid in below for child in children.get(pid, [])]
    return found


def _end_container(command: Sequence[str]) -> None:
    """End the container of a `docker run --name NAME`, which is the daemon's child and not ours."""
    if list(command[:2]) == ["docker", "run"] and "--name" in command:
        name = command[command.index("--name") + 1]
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                ["docker", "kill", name], capture_output=True, timeout=DOCKER_S, check=False
            )


def _leave(code: int) -> None:
    """End as the command did."""
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the core, if any, is the command's
        if code != -signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    _leave(main(sys.argv[1:]))
