"""Samples back from KairosDB, in which ExaMon as published keeps what comes by its broker.

Source: KairosDB 1.3, "Query Metrics" of its REST API; tags and metrics as of ExaMon's nvml_pub.
"""

import json
import math
from dataclasses import dataclass
from typing import Any, ClassVar

from sweetspot.errors import InputError, TelemetryError
from sweetspot.telemetry.http_server import HttpServer
from sweetspot.telemetry.mqtt.messages import IN_A_VALUE, METRICS
from sweetspot.telemetry.sample import COLUMNS, MS, Sample, Source

SPAN_MS = 10 * 60 * 1000
"""What one answer covers: 12,000 samples of a board that is sampled every 50 ms."""


@dataclass(slots=True, kw_only=True)
class ExamonStore(HttpServer):
    """A Store; `id` of its tags is the board's UUID, or what a plugin calls it, as `gpu_0`."""

    kind: ClassVar[str] = "examon"
    unit_ns: ClassVar[int] = MS

    def read(self, source: Source, first: int, last: int) -> list[Sample]:
        """Return the samples of a board from `first` to `last` (ms, both included), by time.

        Raises:
            TelemetryError: the server does not answer, or nonsense.
            InputError: several boards, or nodes, have that name.
        """
        tags = {"id": source.gpu_uuid, "node": source.host}
        tags = {name: value.translate(IN_A_VALUE) for name, value in tags.items() if value}
        if source.simulated:
            tags = {"id": tags["id"], "simulated": "true"}  # which any node gives alike
        found: dict[int, list[float]] = {}
        for begin in range(first, last + 1, SPAN_MS):
            self._read(tags, begin, min(begin + SPAN_MS - 1, last), found)
        return [Sample(at, tuple(values)) for at, values in sorted(found.items())]

    def _read(self, tags: dict[str, str], first: int, last: int, found: dict[int, Any]) -> None:
        """Add all readings of a stretch to those that are `found`, by time."""
        asked = {
            "start_absolute": first,
            "end_absolute": last,
            "metrics": [
                {
                    "name": metric,
                    "tags": {name: [value] for name, value in tags.items()},
                    "group_by": [{"name": "tag", "tags": ["node", "id", "plugin"]}],
                }
                for metric in METRICS
            ],
        }
        body = json.dumps(asked).encode()
        path, kind = "/api/v1/datapoints/query", "application/json"
        status, answer = self.post(path, body, kind, self.until_s())
        self.require_well(status, answer)
        try:
            queries = json.loads(answer)["queries"]
            if len(queries) != len(COLUMNS):
                raise ValueError
            for place, query in enumerate(queries):
                series = [each for each in query["results"] if each["values"]]
                self._require_one(series, tags)
                for at, value in (pair for each in series for pair in each["values"]):
                    found.setdefault(int(at), [math.nan] * len(COLUMNS))[place] = float(value)
        except (ValueError, KeyError, TypeError) as error:
            raise TelemetryError(f"{self.name} does not answer as KairosDB does") from error

    def _require_one(self, series: list[Any], tags: dict[str, str]) -> None:
        if len(series) < 2:
            return
        among = " and ".join(
            " ".join(f"{name}={'|'.join(values)}" for name, values in sorted(each["tags"].items()))
            for each in series[:2]
        )
        asked = " ".join(f"{name}={value}" for name, value in tags.items())
        raise InputError(
            f"{self.name} has {len(series)} series of {asked}, such as {among}; name gpu and host"
            " such that one is left"
        )
