"""One measurement at a time on each board, whoever starts it."""

import fcntl
import logging
import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from sweetspot.catalog import Gpu
from sweetspot.errors import MeterError
from sweetspot.metering.nvml import Board, allowed_boards
from sweetspot.metering.processes import job_token
from sweetspot.metering.visible import why_none_is

RETRY_S = 0.5
FOLDER = "SWEETSPOT_LOCKS"
"""Variable of the environment: the folder of the locks, where FOLDERS are not those of all jobs."""
# The last two are the first to be a job's own (SLURM's job_container, systemd's PrivateTmp), and
# what a user left in /dev/shm systemd may remove when they log out.
FOLDERS = (Path("/run/lock"), Path("/dev/shm"), Path("/tmp"))  # noqa: S108  no names are guessed

log = logging.getLogger(__name__)


@contextmanager
def leased_board(
    wanted: Gpu | None = None, environment: Mapping[str, str] = os.environ
) -> Iterator[Board]:
    """Hold one of the boards that `environment` allows alone among the jobs of this host.

    The first free one that is `wanted` (any, where that is None) is taken; if there is none, this
    waits for one: never is another kind of board taken because it is free. A lease is a lock on a
    file, which the kernel frees with the process, however that ends. While it is held, processes
    that this one starts carry a token by which they are told from others on the board.

    Raises:
        MeterError: there is no such board, or no lock's file can be made.
    """
    boards = allowed_boards(environment)
    if wanted is not None:
        if reason := why_none_is(wanted, boards, environment):
            raise MeterError(reason)
        boards = {uuid: name for uuid, name in boards.items() if wanted.is_called(name)}
    with _held(list(boards)) as uuid, job_token(), Board(uuid) as board:
        yield board


@contextmanager
def _held(gpu_uuids: Sequence[str]) -> Iterator[str]:
    """Hold the first of these boards that is free, and yield its UUID."""
    lock = _first_free(gpu_uuids)
    if lock is None:
        log.info("waiting for a GPU: other jobs measure on %s", ", ".join(gpu_uuids))
    while lock is None:
        time.sleep(RETRY_S)
        lock = _first_free(gpu_uuids)
    uuid, descriptor = lock
    try:
        yield uuid
    finally:
        os.close(descriptor)


def _first_free(gpu_uuids: Sequence[str]) -> tuple[str, int] | None:
    folder = _folder()
    for uuid in gpu_uuids:
        descriptor = _opened(folder / f"sweetspot-{uuid}.lock")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
        else:
            return uuid, descriptor
    return None


def _folder() -> Path:
    """Return where the locks of all jobs of this machine lie.

    Whoever asks gets the same answer, so TMPDIR has no say, which each job may have of its own, and
    a folder that only some may write to is passed over by those, too.
    """
    if named := os.environ.get(FOLDER):
        return Path(named)
    for folder in FOLDERS:
        with suppress(OSError):
            is_open = not ~folder.stat().st_mode & (stat.S_IWOTH | stat.S_ISVTX)
            if is_open and not os.statvfs(folder).f_flag & os.ST_RDONLY:  # as of an image's root
                return folder
    names = ", ".join(map(str, FOLDERS))
    raise MeterError(
        f"no place for the lock of a GPU: none of {names} is a folder that everybody may write to;"
        f" name one that all jobs of this machine share in {FOLDER}"
    )


def _opened(path: Path) -> int:
    try:
        while True:
            # In a folder that all may write to, the kernel lets only its owner "create" a file that
            # is there already; reading is enough to lock it. A link there is nobody's of ours.
            with suppress(FileNotFoundError):
                return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            with suppress(FileExistsError):  # another job was quicker
                descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o644)
                os.fchmod(descriptor, 0o644)  # whatever the umask: other users take turns, too
                return descriptor
    except OSError as error:
        raise MeterError(
            f"cannot lock the GPU by {path}: {error.strerror}; {FOLDER} names another folder, which"
            " all jobs of this machine must share"
        ) from error
