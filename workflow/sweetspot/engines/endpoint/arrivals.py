"""When the requests of a cell are sent."""

import random
from collections.abc import Iterator
from heapq import nsmallest
from itertools import islice
from math import isfinite
from pathlib import Path

from sweetspot.cells.columns import GivenColumns
from sweetspot.config import Endpoint
from sweetspot.errors import InputError
from sweetspot.logs.columns import find_arrival
from sweetspot.logs.rows import LogFile, shown_value
from sweetspot.logs.times import reading_of

WINDOW = 2**16
"""A line of a log may stand this many below its place, as engines log a request when it ends."""

_COLUMNS = GivenColumns(None)


def offsets_s(options: Endpoint, requests: int) -> list[float]:
    """Return when each request is sent, in s after the first, which is sent at 0.

    Raises:
        InputError: the log cannot be read, or has fewer requests.
    """
    if options.arrivals == "poisson" and options.rate_per_s:
        generator = random.Random(options.arrivals_seed)  # noqa: S311 - to be drawn again
        times = [0.0]
        while len(times) < requests:
            times.append(times[-1] + generator.expovariate(options.rate_per_s))
        return times
    if options.arrivals == "log" and options.arrivals_log:
        return _logged(options.arrivals_log, requests)
    return [0.0] * requests


def _logged(path: Path, requests: int) -> list[float]:
    """Return the first times of a log, which hardly ever is in the order of arrival."""
    times = nsmallest(requests, islice(_times_s(path), requests + WINDOW))
    if len(times) < requests:
        raise InputError(
            f"endpoint.arrivals_log {path} has {len(times)} requests, and the cell {requests};"
            " take a longer log or fewer requests"
        )
    return [time_s - times[0] for time_s in times]


def _times_s(path: Path) -> Iterator[float]:
    file = LogFile(path)
    try:
        column, unit_s, mooncake = find_arrival(file.names, _COLUMNS)
        if column is None:
            raise InputError(
                f"endpoint.arrivals_log {path} has no column that says when a request came, such"
                f" as arrival_s or timestamp; found: {', '.join(file.names[:20])}"
            )
        reading = None
        for (value,) in file.rows([column]):
            try:
                reading = reading or reading_of(value, unit_s, mooncake=mooncake)
                time_s = reading.seconds(value)
                if not isfinite(time_s):
                    raise ValueError(f"{time_s} is no time")
            except (ValueError, TypeError, AttributeError, OverflowError) as error:
                raise file.refusal(f"{column} must be a time, not {shown_value(value)}") from error
            yield time_s
    finally:
        file.close()
