"""Files that are either whole or not there.

A regular file is replaced by a new one. A symbolic link stays: what it leads to is replaced. What
cannot be replaced is written to as it is: a device, a FIFO, and what standard output goes to.
"""

import errno
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import IO

from sweetspot.errors import InputError

SYNCS_AT_ONCE = 8
"""A disk makes what it is asked for at once durable together; more gained nothing."""


@contextmanager
def atomic_writer(path: Path) -> Iterator[IO[bytes]]:
    """Open a file so that a kill or a full disk leaves the old one, or none, never a part.

    Makes the folder if it is missing; the data are on disk before the name is.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    try:
        with _replacing(path) if _is_replaced(path) else _opened(path) as file:
            yield file
    except BrokenPipeError:  # the reader has seen enough
        raise
    except OSError as error:
        raise _unwritable(path, error) from error


def write_bytes_atomic(path: Path, data: bytes) -> None:
    """Write bytes as `atomic_writer` does.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    with atomic_writer(path) as file:
        file.write(data)


def write_text_atomic(path: Path, text: str) -> None:
    """Write UTF-8 text as `write_bytes_atomic` writes bytes; line ends stay as they are.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    write_bytes_atomic(path, text.encode())


def write_together(*groups: Sequence[tuple[Path, bytes]]) -> None:
    """Write regular files, each as `write_bytes_atomic` does, in one wait for the disk.

    After a kill each is whole or not there, and none of a group is there without all of those
    before. Where there is no room for one, all are as they were.

    Raises:
        InputError: a folder cannot be made or written to.
    """
    named: list[dict[Path, Path]] = []
    try:
        with ExitStack() as stack, ThreadPoolExecutor(SYNCS_AT_ONCE) as disk:
            opened = []
            for group in groups:
                named.append({})
                for path, data in group:
                    destination = _destination(path)
                    destination.parent.mkdir(parents=True, exist_ok=True)
                    file = stack.enter_context(_temporary(destination))
                    named[-1][destination] = Path(file.name)
                    file.write(data)
                    file.flush()
                    opened.append(file.fileno())
            list(disk.map(os.fsync, opened))
            for each in named:
                for destination, temporary in each.items():
                    temporary.replace(destination)
                list(disk.map(_sync_folder, {destination.parent for destination in each}))
    except OSError as error:
        first, _ = next(chain(*groups))
        raise _unwritable(first.parent, error) from error
    finally:
        for each in named:
            for temporary in each.values():
                temporary.unlink(missing_ok=True)


def make_folder_of(path: Path) -> None:
    """Make the folder of a file that is written later, and check that it can be.

    Raises:
        InputError: the folder cannot be made or written to, or `path` is a folder itself.
    """
    try:
        if not _is_replaced(path):
            return
    except OSError as error:
        raise _unwritable(path, error) from error
    make_folder(_destination(path).parent)


def make_folder(folder: Path) -> None:
    """Make a folder, and check that files can be made in it.

    Raises:
        InputError: it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unwritable(folder, error) from error


def keep_others_from_writing(*made: Path) -> None:
    """See to it that this process and what it starts make nothing that everybody may write to.

    Whatever the umask was; the group stays as it says. `made` is what this process has made before.
    """
    before = os.umask(stat.S_IWOTH)
    os.umask(before | stat.S_IWOTH)
    for path in made:
        with suppress(OSError):  # not ours
            if (mode := path.stat().st_mode) & stat.S_IWOTH:
                path.chmod(stat.S_IMODE(mode) & ~stat.S_IWOTH)


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"cannot write {path}: {error.strerror or error}; "
        "choose a folder that you may write to, on a disk with space left"
    )


def _is_replaced(path: Path) -> bool:
    """Return whether a path is of a regular file, or free.

    Raises:
        OSError: it is of a folder, or cannot be looked at.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return True
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return stat.S_ISREG(found.st_mode) and not _is_standard_output(found)


def _is_standard_output(found: os.stat_result) -> bool:
    return sys.stdout is not None and os.path.samestat(found, os.fstat(1))


def _destination(path: Path) -> Path:
    """Return where symbolic links lead."""
    return Path(os.path.realpath(path))


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """Write to a temporary file beside the old one, and put it in its place at the end."""
    path = _destination(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _temporary(path) as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    _sync_folder(path.parent)


def remove_unfinished(folder: Path) -> None:
    """Remove files of a folder that a kill left half-written; nobody else may write into it."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)


def _temporary(path: Path) -> IO[bytes]:
    """Open what a file is written to until it is whole, beside it, under a name of its own.

    Several jobs may write the same file, and in a folder that nodes or containers share their
    process ids need not differ. The mode is that of any new file, as tempfile's would not be.
    """
    return path.with_name(f".{path.name}.{os.urandom(8).hex()}.tmp").open("xb")


def _opened(path: Path) -> IO[bytes]:
    """Open what is not replaced; standard output goes on where it is, also within a file."""
    if not _is_standard_output(path.stat()):
        return path.open("wb")
    sys.stdout.flush()
    return os.fdopen(os.dup(1), "wb")


def _sync_folder(folder: Path) -> None:
    """Make the new name itself durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
