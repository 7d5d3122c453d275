"""Samples that lie on disk to a broker or a store: what makes a live record complete."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sweetspot.errors import TelemetryError
from sweetspot.telemetry.contracts import RefusedError, Sink
from sweetspot.telemetry.kept import Folder, Kept
from sweetspot.telemetry.sample import Sample, Source

AT_ONCE = 500
"""Samples that are acknowledged together."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Replayed:
    """What a replay has sent.

    Attributes:
        cells, samples: that were acknowledged; of cells all samples.
        earlier_cells: of those, how many by an earlier replay that broke off.
        of_cells: how many there are.
        refused: samples that the other side would not have.
        at_most: whether it did not tell how many, and all that were sent with them are counted.
        reason: why it would not, the last time.
    """

    of_cells: int
    cells: int = 0
    samples: int = 0
    earlier_cells: int = 0
    refused: int = 0
    at_most: bool = False
    reason: str = ""


class Notes:
    """Which traces have been acknowledged, on disk until all of them are.

    So a replay that breaks off goes on from there, and one that has ended begins anew: whoever
    calls it again after that wants a store filled that has lost something.
    """

    def __init__(self, folder: Path, kept_at: str) -> None:
        """Read what an earlier replay from `folder` to where it is kept (`Sink.kept_at`) left."""
        name = hashlib.sha256(kept_at.encode()).hexdigest()[:12]
        self._folder, self._path = folder, folder / "logs" / f"replay-{name}.txt"
        self._file: IO[str] | None = None
        try:
            lines = self._path.read_text(encoding="utf-8").split("\n")[:-1]  # the last may be torn
        except OSError:
            lines = []
        self._done = set(lines)

    def __contains__(self, kept: Kept) -> bool:
        """Whether a trace, as it is today, has been acknowledged."""
        return bool(self._done) and self._line(kept) in self._done

    def add(self, kept: Kept) -> None:
        """Note a trace that was acknowledged."""
        try:
            if self._file is None:
                self._path.parent.mkdir(exist_ok=True)
                self._file = self._path.open("a", encoding="utf-8")
                self._file.write("\n")  # after a line that a kill has torn
            self._file.write(f"{self._line(kept)}\n")
            self._file.flush()
        except OSError as error:  # somebody else's folder: it goes on, but not on from here
            log.debug("%s cannot be written: %s", self._path, error.strerror)

    def close(self, *, whole: bool) -> None:
        """End; what is noted is forgotten after a whole replay."""
        if self._file is not None:
            self._file.close()
        if whole:
            self._path.unlink(missing_ok=True)

    def _line(self, kept: Kept) -> str:
        changed_ns = kept.path.stat().st_mtime_ns
        return f"{kept.path.relative_to(self._folder).as_posix()} {changed_ns}"


def replay(
    found: Folder, sink: Sink, told: Callable[[Replayed], None] = lambda _: None
) -> Replayed:
    """Send all samples of a folder; sent once more, they change nothing.

    What is refused holds up nothing; the same call tries the cells with such samples again.

    Args:
        found: what lies there; notes are left there for as long as not all is sent.
        sink: where to; its caller closes it.
        told: is called after each batch.

    Raises:
        TelemetryError: samples were not acknowledged; the same call goes on from there.
        InputError: a trace cannot be read.
    """
    done, notes = Replayed(of_cells=len(found.kept)), Notes(found.path, sink.kept_at)
    whole = False
    try:
        for kept in found.kept:
            if kept in notes:
                done.cells += 1
                done.earlier_cells += 1
                continue
            samples = kept.samples(kept.readings(), sink.unit_ns)
            refused_before = done.refused
            for first in range(0, len(samples), AT_ONCE):
                _send(sink, kept.source, samples[first : first + AT_ONCE], done)
                told(done)
            if done.refused == refused_before:
                done.cells += 1
                notes.add(kept)
        whole = not done.refused
    except TelemetryError as error:
        raise TelemetryError(
            f"{error}; {done.cells} of {done.of_cells} cells are there: the same command goes on"
        ) from error
    finally:
        notes.close(whole=whole)
    return done


def _send(sink: Sink, source: Source, batch: Sequence[Sample], done: Replayed) -> None:
    refused = 0
    try:
        sink.send(source, batch)
    except RefusedError as error:
        refused = len(batch) if error.samples is None else error.samples
        done.at_most |= error.samples is None and len(batch) > 1
        done.reason = str(error)
    done.refused += refused
    done.samples += len(batch) - refused
