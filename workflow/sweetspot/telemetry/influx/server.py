"""A database of InfluxDB, or of what takes its line protocol, over HTTP."""

import http.client
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

from sweetspot.errors import TelemetryError, one_line
from sweetspot.telemetry.contracts import RefusedError
from sweetspot.telemetry.http_server import MAX_REASON, HttpServer

_DROPPED = re.compile(r"partial write: .*\bdropped=(\d+)\b.*", re.DOTALL)


@dataclass(slots=True, kw_only=True)
class Server(HttpServer):
    """A database of a server, and who asks.

    Attributes:
        database: its name; simulated samples go to another one, `<database>_simulated`.
    """

    kind: ClassVar[str] = "influx"
    database: str

    @property
    def name(self) -> str:
        """Where it is, without who asks."""
        # a class with slots is made anew, which super() alone does not know
        return f"{super(Server, self).name}/{self.database}"

    def of(self, *, simulated: bool) -> str:
        """Return the name of the database of such samples."""
        return f"{self.database}_simulated" if simulated else self.database

    def write(self, body: str, until_s: float, *, simulated: bool) -> None:
        """Store lines, whose times are in ns, by a time; a database that is not there is made.

        Raises:
            RefusedError: some will never be; how many, if the server says so.
            TelemetryError: not all of them are stored.
        """
        database = self.of(simulated=simulated)
        path = f"/write?{urlencode({'db': database, 'precision': 'ns'})}"
        sent = (path, body.encode(), "text/plain; charset=utf-8", until_s)
        status, answer = self.post(*sent)
        if status == http.client.NOT_FOUND and b"database not found" in answer:
            self.query(f"CREATE DATABASE {quoted(database)}", until_s)
            status, answer = self.post(*sent)
        try:
            self.require_well(status, answer)
        except RefusedError as error:
            raise RefusedError(str(error), _dropped(answer)) from error
        if status != http.client.NO_CONTENT:  # as a proxy, or anything else, may answer
            raise TelemetryError(f"{self.name} does not answer as InfluxDB does")

    def query(self, statement: str, until_s: float, *, simulated: bool | None = None) -> list[Any]:
        """Return the series that a statement of InfluxQL gives, by a time; times are in ns.

        Raises:
            TelemetryError: it was refused, or the answer is none.
        """
        asked = {"q": statement, "epoch": "ns"}
        if simulated is not None:
            asked["db"] = self.of(simulated=simulated)
        form = "application/x-www-form-urlencoded"
        status, answer = self.post("/query", urlencode(asked).encode(), form, until_s)
        self.require_well(status, answer)
        try:
            (result,) = json.loads(answer)["results"]
            failure, series = result.get("error", ""), result.get("series", [])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TelemetryError(f"{self.name} does not answer as InfluxDB does") from error
        if failure:
            raise TelemetryError(f"{self.name}: {one_line(failure)[:MAX_REASON]}")
        return list(series)


def _dropped(answer: bytes) -> int | None:
    """Return of how many lines a server says that they alone were not stored.

    None where it does not, as of lines that it cannot read, which it calls none.
    """
    with suppress(ValueError, TypeError, LookupError):
        said = _DROPPED.fullmatch(json.loads(answer)["error"])
        return int(said[1]) or None if said else None
    return None


def quoted(name: str) -> str:
    """Return an identifier of InfluxQL."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def text(value: str) -> str:
    """Return a text of InfluxQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
