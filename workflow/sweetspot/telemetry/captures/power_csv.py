"""Power over time in a table, as an export of a store has it: a store to read from."""

import math
from bisect import bisect_left, bisect_right
from operator import attrgetter
from pathlib import Path

from sweetspot.errors import InputError, shown
from sweetspot.telemetry.captures.rows import read_rows
from sweetspot.telemetry.captures.times import time_ns
from sweetspot.telemetry.sample import COLUMNS, Sample, Source

NAMES = {
    "time": ("time", "timestamp", "utc", "utc_s", "ts"),
    "power_w": ("power_w", "power", "power.draw", "power.draw [w]", "value", "watts"),
}
DEVICES = {
    "gpu": ("gpu", "gpu_uuid", "uuid", "device", "id", "index"),
    "host": ("host", "node", "hostname"),
}


class PowerCsv:
    """A CSV with the columns time and power_w, and gpu or host where it is of several."""

    unit_ns = 1

    def __init__(self, path: Path) -> None:
        """Read all of it.

        Raises:
            InputError: it cannot be read, lacks a column, or a value is none.
        """
        self.name = str(path)
        self._by_device: dict[tuple[str, str], list[Sample]] = {}
        for where, row in read_rows(path, "power data", NAMES, DEVICES):
            try:
                at, power_w = time_ns(row["time"]), float(row["power_w"].removesuffix(" W"))
            except ValueError as error:
                raise InputError(
                    f"{where}: {shown(row['time'])} and {shown(row['power_w'])} are no"
                    " time and power; a time is in ISO 8601 or a number since 1970, a power in W,"
                    " and decimals have a point"
                ) from error
            values = [math.nan] * len(COLUMNS)
            values[COLUMNS.index("power_w")] = power_w
            device = (row["gpu"], row["host"])
            self._by_device.setdefault(device, []).append(Sample(at, tuple(values)))
        for samples in self._by_device.values():
            samples.sort(key=attrgetter("at"))

    def read(self, source: Source, first: int, last: int) -> list[Sample]:
        """Return the samples of a board, or of a host, in that time.

        A file without a column for either is of what is asked for.

        Raises:
            InputError: several devices of the file may be meant.
        """
        meant = [
            device
            for device in self._by_device
            if (not device[0] or not source.gpu_uuid or device[0] == source.gpu_uuid)
            and (not device[1] or not source.host or device[1] == source.host)
        ]
        if len(meant) > 1:
            several = ", ".join(" of ".join(filter(None, device)) for device in meant)
            raise InputError(
                f"{self.name} has several devices for {source.gpu_uuid or 'a board'} of"
                f" {source.host or 'any host'}: {several}; name gpu and host of each window"
            )
        samples = self._by_device[meant[0]] if meant else []
        low = bisect_left(samples, first, key=attrgetter("at"))
        return samples[low : bisect_right(samples, last, key=attrgetter("at"))]

    def close(self) -> None:
        """End; it is read already."""
