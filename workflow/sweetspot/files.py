"""Files that are either whole or not there."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sweetspot.errors import InputError


@contextmanager
def atomic_writer(path: Path) -> Iterator[IO[bytes]]:
    """Open a file so that a kill or a full disk leaves the old one, or none, never a part.

    Makes the folder if it is missing; the data are on disk before the name is.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    # The process id keeps two jobs that write the same file off each other's temporary name.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
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


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"cannot write {path}: {error.strerror or error}; "
        "choose a folder that you may write to, on a disk with space left"
    )


def _sync_folder(folder: Path) -> None:
    """Make the new name itself durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
