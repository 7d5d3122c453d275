"""One command at a time on a folder of results, and jobs that end with their command.

A command holds the folder by a lock on a file in it, which the kernel frees with the process,
however that ends. The file says who holds it, or held it last. Jobs of a command carry its mark in
their environment: by that they are found, and by that they see that it was killed.
"""

import errno
import fcntl
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

from sweetspot import proc
from sweetspot.errors import InputError

LOCK = ".lock"
MARK = "SWEETSPOT_HEAD"
LOOK_S = 0.5  # between two looks at whether the command still lives
GRACE_S = 5.0  # from interrupting a job to killing it
LEFT_S = 30.0  # longer than a job takes to end with its engine
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a folder, or held it last.

    Attributes:
        host: name of the machine.
        pid: the process there.
        since: when it began, as people read it.
        mark: what its jobs carry; empty where they may go on without it, on other machines.
    """

    host: str
    pid: int
    since: str
    mark: str

    def __str__(self) -> str:
        """Return it as a message names it."""
        return f"process {self.pid} on {self.host}, since {self.since}"


class Hold:
    """A folder held for this process until its end; only looked at where there are no locks.

    Attributes:
        before: who held it last; None where nobody did, or it is not known.
        certain: whether the lock says that nobody else does.
    """

    def __init__(self, folder: Path) -> None:
        """Take the folder, which exists; `take` then says who has it.

        Raises:
            InputError: another process has it, or it cannot be written to.
        """
        self._path, self._is_signed = folder / LOCK, False
        try:
            # of a group that shares its results, others go on with a run, too
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o664)
        except OSError as error:
            raise _unusable(self._path, error) from error
        self.before = _read(self._file)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._file)
            raise InputError(
                f"another command ({self.before or 'it left no name'}) works on {folder}: wait"
                " until it ends, or end it, then the same command"
            ) from error
        except OSError as error:
            if error.errno not in _NO_LOCKS:  # some network file systems have none
                raise _unusable(self._path, error) from error
            self.certain = False
        else:
            self.certain = True
            self.before = _read(self._file)

    @property
    def is_left(self) -> bool:
        """Whether the last holder was on this machine, is gone, and all its jobs end with it."""
        return (
            self.certain
            and self.before is not None
            and self.before.host == socket.gethostname()
            and bool(self.before.mark)
        )

    def take(self, *, jobs_end_with_it: bool) -> None:
        """Wait for jobs that a killed holder left, then sign, and mark what this process starts.

        `jobs_end_with_it`: whether all that it starts runs on this machine.

        Raises:
            InputError: such jobs do not end, or the file cannot be written.
        """
        if self.before is not None and self.is_left:
            _wait_for_jobs(self.before)
        holder = Holder(
            host=socket.gethostname(),
            pid=os.getpid(),
            since=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
            mark=_mark(os.getpid()) if jobs_end_with_it else "",
        )
        line = f"{json.dumps(asdict(holder))}\n".encode()
        try:  # in place: the lock is on this very file, and what is there takes no more room
            os.pwrite(self._file, line, 0)
            os.ftruncate(self._file, len(line))
        except OSError as error:
            raise _unusable(self._path, error) from error
        self._is_signed = True
        os.environ[MARK] = holder.mark

    def release(self) -> None:
        """Let others take the folder while this process goes on, and its later jobs with it."""
        if self._is_signed:
            os.ftruncate(self._file, 0)
            os.environ.pop(MARK, None)
        os.close(self._file)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder, whose jobs all run on this machine.

    Raises:
        InputError: as `Hold` and `Hold.take`.
    """
    hold = Hold(folder)
    try:
        hold.take(jobs_end_with_it=True)
        yield
    finally:
        hold.release()


def has_ended(folder: Path) -> bool:
    """Return whether the last command on a folder is known to have ended, and its jobs with it.

    It only looks: to try the lock would keep a command from it that begins at that moment.
    """
    try:
        file = os.open(folder / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        holder = _read(file)
    finally:
        os.close(file)
    if holder is None or holder.host != socket.gethostname() or not holder.mark:
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's, of whom /proc may tell nothing
        return False
    return _mark(holder.pid) != holder.mark


def _wait_for_jobs(holder: Holder) -> None:
    due_s = time.monotonic() + LEFT_S
    seen: dict[int, str] = {}  # one that is ending has no environment any more, but still a mark
    while True:
        seen |= {pid: _mark(pid) for pid in _jobs_of(holder.mark)}
        jobs = [pid for pid, mark in seen.items() if mark and _mark(pid) == mark]
        if not jobs:
            return
        if time.monotonic() > due_s:
            pids = " ".join(map(str, jobs))
            raise InputError(
                f"jobs of a command that was killed ({holder}) still run and write the same files:"
                f" wait until they end, or `kill -9 {pids}`, then the same command"
            )
        time.sleep(LOOK_S / 5)


def end_with_command() -> None:
    """Have this process interrupted, and then killed, once the command whose job it is has ended.

    Does nothing in a process that is nobody's job.
    """
    mark = os.environ.get(MARK)
    if mark:
        Thread(target=_watch, args=(mark,), daemon=True).start()


def _watch(mark: str) -> None:
    pid = int(mark.partition(".")[0])
    while _mark(pid) == mark:
        time.sleep(LOOK_S)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(GRACE_S)
    os.kill(os.getpid(), signal.SIGKILL)


def _mark(pid: int) -> str:
    """Return what tells a running process from all others since the machine's start; else ""."""
    fields = proc.stat(pid)
    if not fields or fields[proc.STATE] in "ZX":  # a zombie has ended
        return ""
    return f"{pid}.{fields[proc.START]}"


def _jobs_of(mark: str) -> list[int]:
    """Return the processes that carry a mark, but for this one."""
    carried = f"{MARK}={mark}".encode()
    others = (pid for pid in proc.pids() if pid != os.getpid())
    return sorted(pid for pid in others if carried in (proc.environment(pid) or ()))


def _read(file: int) -> Holder | None:
    """Return what the file says; None where it is new, or not as `take` leaves it."""
    line = os.pread(file, 4096, 0).partition(b"\n")[0]
    try:
        said = json.loads(line)
        return Holder(
            host=str(said["host"]),
            pid=int(said["pid"]),
            since=str(said["since"]),
            mark=str(said["mark"]),
        )
    except (ValueError, TypeError, KeyError):
        return None


def _unusable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"cannot write {path}: {error.strerror}; choose a folder that you may write to, on a disk"
        " with space left"
    )
