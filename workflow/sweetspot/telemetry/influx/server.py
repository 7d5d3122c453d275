"""A database of InfluxDB, or of what takes its line protocol, over HTTP."""

import http.client
import json
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

from sweetspot.errors import TelemetryError, one_line
from sweetspot.telemetry.http_server import MAX_REASON, HttpServer


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
            TelemetryError: not all of them are stored.
        """
        database = self.of(simulated=simulated)
        path = f"/write?{urlencode({'db': database, 'precision': 'ns'})}"
        sent = (path, body.encode(), "text/plain; charset=utf-8", until_s)
        status, answer = self.post(*sent)
        if status == http.client.NOT_FOUND and b"database not found" in answer:
            self.query(f"CREATE DATABASE {quoted(database)}", until_s)
            status, answer = self.post(*sent)
        self.require_well(status, answer)
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


def quoted(name: str) -> str:
    """Return an identifier of InfluxQL."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def text(value: str) -> str:
    """Return a text of InfluxQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
