"""Samples on disk while they come, so that a kill loses the last second at most."""

import logging
import os
from collections import deque
from pathlib import Path
from threading import Event, Thread
from time import monotonic, thread_time

from sweetspot.errors import MeterError
from sweetspot.metering.samples import CHANNELS, Look, power_w
from sweetspot.metering.trace import ALL_CHANNELS, row

FLUSH_S = 0.5
SYNC_S = 1.0  # a kill needs no more than the write; this is for a node that dies
CLOSE_TIMEOUT_S = 10.0

log = logging.getLogger(__name__)


class Spool:
    """A file that follows the samples, as CSV with the columns of the final trace.

    A thread of its own writes it: a disk that is busy must not hold up the sampler.
    """

    def __init__(self, path: Path) -> None:
        """Begin the file; an older one is overwritten.

        Raises:
            MeterError: it cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise MeterError(f"cannot spool samples to {path}: {error.strerror}") from error
        self._path = path
        self._waiting: deque[Look] = deque()
        self._closing = Event()
        self.cpu_s = 0.0
        self._thread = Thread(target=self._run, name="sample spool", daemon=True)
        self._thread.start()

    def put(self, look: Look) -> None:
        """Take a sample; it is on disk half a second later, if the disk is quick."""
        self._waiting.append(look)

    def close(self) -> None:
        """Write the rest and end, or give up after a while: the samples are in memory, too."""
        self._closing.set()
        self._thread.join(CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        try:
            with self._file:
                self._file.write(f"{ALL_CHANNELS}\n".encode())
                synced_s = monotonic()
                while not self._closing.wait(FLUSH_S):
                    self._write()
                    if monotonic() - synced_s >= SYNC_S:
                        os.fsync(self._file.fileno())
                        synced_s = monotonic()
                self._write()
        except OSError as error:
            log.warning("samples are no longer spooled to %s: %s", self._path, error.strerror)
        finally:
            self.cpu_s = thread_time()

    def _write(self) -> None:
        looks = [self._waiting.popleft() for _ in range(len(self._waiting))]
        lines = [
            row((look.t_s, power_w(look), *(getattr(look, name) for name in CHANNELS[1:])))
            for look in looks
        ]
        self._file.write("".join(f"{line}\n" for line in lines).encode())
