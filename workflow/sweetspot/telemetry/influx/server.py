"""One server over HTTP: requests that end in time, and failures in one line."""

import http.client
import json
import ssl
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from socket import SHUT_RDWR
from threading import Event, Timer
from typing import Any
from urllib.parse import urlencode

from sweetspot.errors import TelemetryError, one_line
from sweetspot.telemetry.failures import why

MAX_ANSWER_BYTES = 64 * 2**20
MAX_REASON = 200


@dataclass(slots=True, kw_only=True)
class Server:
    """A database of a server, and who asks.

    Attributes:
        host, port: where it listens.
        database: its name; simulated samples go to another one, `<database>_simulated`.
        tls: how a connection is checked; None for plain HTTP.
        user, password: a password without a user is a token.
        timeout_s: longest that one request may take, answer and all.
    """

    host: str
    port: int
    database: str
    tls: ssl.SSLContext | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    timeout_s: float = 5.0
    _connection: http.client.HTTPConnection | None = field(default=None, init=False, repr=False)

    @property
    def name(self) -> str:
        """Where it is, without who asks."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"influx+http{'s' if self.tls else ''}://{host}:{self.port}/{self.database}"

    def of(self, *, simulated: bool) -> str:
        """Return the name of the database of such samples."""
        return f"{self.database}_simulated" if simulated else self.database

    def write(self, body: str, *, simulated: bool) -> None:
        """Store lines, whose times are in ns; a database that is not there is made.

        Raises:
            TelemetryError: not all of them are stored.
        """
        database = self.of(simulated=simulated)
        path = f"/write?{urlencode({'db': database, 'precision': 'ns'})}"
        status, answer = self._post(path, body.encode(), "text/plain; charset=utf-8")
        if status == http.client.NOT_FOUND and b"database not found" in answer:
            self.query(f"CREATE DATABASE {quoted(database)}")
            status, answer = self._post(path, body.encode(), "text/plain; charset=utf-8")
        self._require_well(status, answer)

    def query(self, statement: str, *, simulated: bool | None = None) -> list[Any]:
        """Return the series that a statement of InfluxQL gives; times are in ns.

        Raises:
            TelemetryError: it was refused, or the answer is none.
        """
        asked = {"q": statement, "epoch": "ns"}
        if simulated is not None:
            asked["db"] = self.of(simulated=simulated)
        form = "application/x-www-form-urlencoded"
        status, answer = self._post("/query", urlencode(asked).encode(), form)
        self._require_well(status, answer)
        try:
            (result,) = json.loads(answer)["results"]
            failure, series = result.get("error", ""), result.get("series", [])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TelemetryError(f"{self.name} does not answer as InfluxDB does") from error
        if failure:
            raise TelemetryError(f"{self.name}: {one_line(failure)[:MAX_REASON]}")
        return list(series)

    def close(self) -> None:
        """End the connection; another request makes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _post(self, path: str, body: bytes, kind: str) -> tuple[int, bytes]:
        """Return the status and the body of an answer.

        A connection that lay idle may have been closed by the other side: one that fails before any
        answer is tried once more.
        """
        fresh = self._connection is None
        try:
            return self._exchange(path, body, kind)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError) as error:
            self.close()
            if fresh:
                raise TelemetryError(f"{self.name}: {why(error)}") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise TelemetryError(f"{self.name}: {why(error)}") from error
        return self._post(path, body, kind)

    def _exchange(self, path: str, body: bytes, kind: str) -> tuple[int, bytes]:
        connection = self._connection = self._connection or self._connected()
        # a socket's own timeout begins anew with each byte of an answer
        late = Event()
        timer = Timer(self.timeout_s, _cut, (connection, late))
        timer.daemon = True
        timer.start()
        try:
            connection.request("POST", path, body, {"Content-Type": kind, **self._authorization()})
            response = connection.getresponse()
            answer = response.read(MAX_ANSWER_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            if late.is_set():
                raise TimeoutError from error
            raise
        finally:
            timer.cancel()
        if late.is_set():  # what came of the answer may look whole
            raise TimeoutError
        if len(answer) > MAX_ANSWER_BYTES:
            raise http.client.HTTPException(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
        return response.status, answer

    def _connected(self) -> http.client.HTTPConnection:
        if self.tls is None:
            return http.client.HTTPConnection(self.host, self.port, timeout=self.timeout_s)
        return http.client.HTTPSConnection(
            self.host, self.port, timeout=self.timeout_s, context=self.tls
        )

    def _authorization(self) -> Mapping[str, str]:
        if not self.password:
            return {}
        if not self.user:
            return {"Authorization": f"Token {self.password}"}
        both = b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {both}"}

    def _require_well(self, status: int, answer: bytes) -> None:
        """Raise unless a status says that all was done."""
        if status in (http.client.OK, http.client.NO_CONTENT):
            return
        self.close()
        reason = ""
        with suppress(ValueError, TypeError, KeyError):
            reason = f": {json.loads(answer)['error']}"
        hint = "; see user and password_env" if status in (401, 403) else ""
        said = one_line(f"{http.client.responses.get(status, '')}{reason}")[:MAX_REASON]
        raise TelemetryError(f"{self.name} answers {status} {said}{hint}")


def quoted(name: str) -> str:
    """Return an identifier of InfluxQL."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def text(value: str) -> str:
    """Return a text of InfluxQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _cut(connection: http.client.HTTPConnection, late: Event) -> None:
    """End a connection from another thread, which wakes whoever waits for it."""
    late.set()
    sock = connection.sock
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(SHUT_RDWR)
