"""One measurement at a time on each board, whoever starts it."""

import fcntl
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sweetspot.errors import MeterError

log = logging.getLogger(__name__)


@contextmanager
def leased(gpu_uuid: str) -> Iterator[None]:
    """Hold a board alone among the jobs of this host, waiting for it if need be.

    It is a lock on a file, which the kernel frees with the process, however that ends.

    Raises:
        MeterError: the lock's file cannot be made.
    """
    path = Path(tempfile.gettempdir()) / f"sweetspot-{gpu_uuid}.lock"
    try:
        descriptor = _opened(path)
    except OSError as error:
        raise MeterError(f"cannot lock the GPU by {path}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting for %s: another job measures on it", gpu_uuid)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    try:
        # In a folder that all may write to, the kernel lets only its owner "create" a file that is
        # there already; reading is enough to lock it.
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
