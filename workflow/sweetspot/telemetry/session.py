"""A session's samples while it measures: where they are sent, and what is noted of it."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from sweetspot.config.telemetry import Telemetry
from sweetspot.telemetry.connect import open_publisher
from sweetspot.telemetry.publisher import Delivered, Publisher

log = logging.getLogger(__name__)


@contextmanager
def publishing(telemetry: Telemetry, notes: Path) -> Iterator[Publisher]:
    """Yield what takes samples to their sinks; at the end, a line for each is added to `notes`.

    Raises:
        InputError: as of `open_sink`, before anything is measured.
    """
    publisher = open_publisher(telemetry)
    try:
        yield publisher
    finally:
        _note(notes, publisher.close())


def _note(path: Path, found: list[Delivered]) -> None:
    """Say what became of a session's samples; records do not depend on it, and do not hold it."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    lines = [json.dumps({"ended_utc": now, **asdict(each)}) + "\n" for each in found]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write("".join(lines))
    except OSError as error:
        log.warning("cannot write %s: %s", path, error.strerror)
