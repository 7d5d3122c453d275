"""A server over HTTP: requests that end in time, and failures in one line."""

import http.client
import json
import ssl
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import ClassVar

from sweetspot.errors import TelemetryError, one_line
from sweetspot.telemetry.contracts import RefusedError
from sweetspot.telemetry.failures import ended_at_once, why
from sweetspot.telemetry.sockets import connected, cut_at, left_s

MAX_ANSWER_BYTES = 64 * 2**20
MAX_REASON = 200
# What is wrong with the request itself: sent again, it would be answered so again.
_REFUSED = (
    http.client.BAD_REQUEST,
    http.client.REQUEST_ENTITY_TOO_LARGE,
    http.client.UNPROCESSABLE_ENTITY,
)
_HINTS = {
    http.client.UNAUTHORIZED: "; see user and password_env",
    http.client.FORBIDDEN: "; this user has not the right to",
}


@dataclass(slots=True, kw_only=True)
class HttpServer:
    """A server, and who asks.

    Attributes:
        host, port: where it listens.
        tls: how a connection is checked; None for plain HTTP.
        user, password: a password without a user is a token.
        timeout_s: longest that a request may take, or some that belong together: connection,
            answer and all.
    """

    kind: ClassVar[str]
    """What its URLs begin with."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    timeout_s: float = 5.0
    _connection: http.client.HTTPConnection | None = field(default=None, init=False, repr=False)

    @property
    def name(self) -> str:
        """Where it is, without who asks."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.kind}+http{'s' if self.tls else ''}://{host}:{self.port}"

    def close(self) -> None:
        """End the connection; another request makes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def until_s(self) -> float:
        """Return when a call that begins now is given up, on the monotonic clock."""
        return monotonic() + self.timeout_s

    def post(self, path: str, body: bytes, kind: str, until_s: float) -> tuple[int, bytes]:
        """Return the status and the body of an answer to `body`, which is of that kind.

        A connection that lay idle may have been closed by the other side: one that fails before any
        answer is tried once more.

        Raises:
            TelemetryError: there is none in time.
        """
        fresh = self._connection is None
        try:
            return self._exchange(path, body, kind, until_s)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError) as error:
            self.close()
            if fresh:
                raise TelemetryError(f"{self.name}: {ended_at_once(self.tls)}") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise TelemetryError(f"{self.name}: {why(error)}") from error
        return self.post(path, body, kind, until_s)

    def _exchange(self, path: str, body: bytes, kind: str, until_s: float) -> tuple[int, bytes]:
        connection = self._connection
        if connection is None or connection.sock is None:  # which it is after "Connection: close"
            connection = self._connection = self._connected(until_s)
        connection.sock.settimeout(left_s(until_s))
        with cut_at(connection.sock, until_s):
            connection.request("POST", path, body, {"Content-Type": kind, **self._authorization()})
            response = connection.getresponse()
            answer = response.read(MAX_ANSWER_BYTES + 1)
        if len(answer) > MAX_ANSWER_BYTES:
            raise http.client.HTTPException(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
        return response.status, answer

    def _connected(self, until_s: float) -> http.client.HTTPConnection:
        connection = (
            http.client.HTTPConnection(self.host, self.port)
            if self.tls is None
            else http.client.HTTPSConnection(self.host, self.port, context=self.tls)
        )
        connection.sock = connected(self.host, self.port, self.tls, until_s)
        return connection

    def _authorization(self) -> Mapping[str, str | bytes]:
        if not self.password:
            return {}
        if not self.user:
            return {"Authorization": f"Token {self.password}".encode()}
        both = b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {both}"}

    def require_well(self, status: int, answer: bytes) -> None:
        """Return if a status says that all was done.

        Raises:
            RefusedError: what was sent will never be taken.
            TelemetryError: it was not done, for another reason.
        """
        if status in (http.client.OK, http.client.NO_CONTENT):
            return
        self.close()
        reason = ""
        with suppress(ValueError, TypeError, LookupError, AttributeError):
            said = json.loads(answer)
            # InfluxDB 1, InfluxDB 2, KairosDB
            reason = f": {said.get('error') or said.get('message') or said['errors'][0]}"
        hint = _HINTS.get(status, "")
        said = one_line(f"{http.client.responses.get(status, '')}{reason}")[:MAX_REASON]
        error = RefusedError if status in _REFUSED else TelemetryError
        raise error(f"{self.name} answers {status} {said}{hint}")
