"""Samples back from an InfluxDB, by InfluxQL (InfluxDB 1; 2 and 3 where they answer it)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sweetspot.errors import TelemetryError
from sweetspot.telemetry.influx.lines import MEASUREMENT, plain
from sweetspot.telemetry.influx.server import Server, quoted, text
from sweetspot.telemetry.sample import COLUMNS, Sample, Source

PAGE = 10_000
"""Samples of one answer, which the server's own limit allows by default."""

_COLUMNS = ", ".join(map(quoted, COLUMNS))


@dataclass(frozen=True, slots=True)
class InfluxStore:
    """A Store."""

    server: Server

    unit_ns = 1

    @property
    def name(self) -> str:
        """Where it reads, as messages show it."""
        return self.server.name

    def read(self, source: Source, first: int, last: int) -> list[Sample]:
        """Return the samples of a board from `first` to `last` (ns, both included), by time.

        Raises:
            TelemetryError: the server does not answer, or nonsense.
        """
        found: list[Sample] = []
        while True:
            page = list(self._page(source, first, last))
            found += page
            if len(page) < PAGE:
                return found
            first = page[-1].at + 1

    def _page(self, source: Source, first: int, last: int) -> Iterator[Sample]:
        board = text(plain(source.gpu_uuid))
        statement = (
            f"SELECT {_COLUMNS} FROM {quoted(MEASUREMENT)} WHERE gpu_uuid = {board}"  # noqa: S608
            f" AND time >= {first} AND time <= {last} ORDER BY time LIMIT {PAGE}"
        )
        server = self.server
        for series in server.query(statement, server.until_s(), simulated=source.simulated):
            try:
                if series["columns"] != ["time", *COLUMNS]:
                    raise ValueError
                for at, *values in series["values"]:
                    yield Sample(_whole(at), tuple(map(_number, values)))
            except (KeyError, TypeError, ValueError) as error:
                raise TelemetryError(f"{self.name} does not answer as InfluxDB does") from error

    def close(self) -> None:
        """End the connection."""
        self.server.close()


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise ValueError
    return value


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
