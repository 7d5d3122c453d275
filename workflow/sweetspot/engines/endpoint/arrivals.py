"""When the requests of a cell are sent."""

import csv
import gzip
import json
import random
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any, TextIO

from sweetspot.config import Endpoint
from sweetspot.errors import InputError, one_line

COLUMN = "arrival_s"


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
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig") as file:
            times = list(islice(_times(file, path), requests))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise InputError(f"cannot read endpoint.arrivals_log {path}: {error}") from error
    if len(times) < requests:
        raise InputError(
            f"endpoint.arrivals_log {path} has {len(times)} requests, and the cell {requests};"
            " take a longer log or fewer requests"
        )
    first = min(times)
    return sorted(time - first for time in times)


def _times(file: TextIO, path: Path) -> Iterator[float]:
    begins = file.read(1)
    file.seek(0)
    rows: Iterable[Any] = map(json.loads, file) if begins == "{" else csv.DictReader(file)
    try:
        for row in rows:
            time = float(row[COLUMN])
            if not isfinite(time):
                raise ValueError(f"{time} is no time")
            yield time
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"endpoint.arrivals_log {path} lacks a time in {COLUMN} ({one_line(error)}); each"
            " request needs one, in s, in a CSV with a header or as an object a line in JSON"
        ) from error
