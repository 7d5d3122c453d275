"""What a subscriber of a broker wrote down in ExaMon's format: a store to read from.

As `mosquitto_sub -v` has it, or `-F '%t %p'`: a topic, a blank, `value;seconds`.
"""

import math
from bisect import bisect_left, bisect_right
from operator import attrgetter
from pathlib import Path

from sweetspot.errors import InputError, shown
from sweetspot.telemetry.captures.times import time_ns
from sweetspot.telemetry.mqtt.messages import IN_A_VALUE, METRICS
from sweetspot.telemetry.sample import COLUMNS, MS, Sample, Source, round_half_up

_UNIQUE = ("GPU-", "SIM-")
"""How a board is called that is the only one of its name, on whatever node."""

_COLUMN = {metric: place for place, metric in enumerate(METRICS)}


class ExamonLog:
    """A log of messages; those of metrics that are none of ours are passed over."""

    unit_ns = MS

    def __init__(self, path: Path) -> None:
        """Read all of it; a last line that was cut off is left.

        Raises:
            InputError: it cannot be read, or a line is no message of ExaMon's.
        """
        self.name = str(path)
        boards: dict[str, dict[int, list[float]]] = {}
        try:
            with path.open(encoding="utf-8") as file:
                for number, line in enumerate(file, 1):
                    if line.endswith("\n"):
                        self._take(boards, number, line)
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read the log of messages {path}: {error}") from error
        self._boards = {
            topic: [Sample(at, tuple(values)) for at, values in sorted(samples.items())]
            for topic, samples in boards.items()
        }

    def _take(self, boards: dict[str, dict[int, list[float]]], number: int, line: str) -> None:
        name, _, payload = line.strip().rpartition(" ")
        topic, _, metric = name.rpartition("/")
        if topic and metric not in _COLUMN:  # another plugin's, whose values may be texts
            return
        value, _, time = payload.partition(";")
        try:
            reading, at = float(value), round_half_up(time_ns(time), MS)
        except ValueError as error:
            raise InputError(
                f"{self.name} line {number}: {shown(line.strip())} is no message of ExaMon's, a"
                " topic, a blank and value;seconds; write it down by: mosquitto_sub -F '%t %p'"
            ) from error
        values = boards.setdefault(topic, {}).setdefault(at, [math.nan] * len(COLUMNS))
        values[_COLUMN[metric]] = reading

    def read(self, source: Source, first: int, last: int) -> list[Sample]:
        """Return the samples of a board, or of a host, in that time, told by its topic's tags.

        Raises:
            InputError: several topics are of such a board.
        """
        board, host = (name.translate(IN_A_VALUE) for name in (source.gpu_uuid, source.host))
        tags = {topic: topic.split("/") for topic in self._boards}
        meant = [topic for topic in tags if (board or host) in tags[topic]]
        if not board:  # of the node itself, not of a part that has an id
            meant = [topic for topic in meant if "id" not in tags[topic]]
        elif host and not board.startswith(_UNIQUE):
            meant = [topic for topic in meant if host in tags[topic]]
        if len(meant) > 1:
            raise InputError(
                f"{self.name} has several topics of {board} of {host or 'any host'}:"
                f" {', '.join(meant)}"
            )
        samples = self._boards[meant[0]] if meant else []
        low = bisect_left(samples, first, key=attrgetter("at"))
        return samples[low : bisect_right(samples, last, key=attrgetter("at"))]

    def close(self) -> None:
        """End; it is read already."""
