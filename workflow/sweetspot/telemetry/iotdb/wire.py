"""What Thrift is spoken through: a socket on which no wait goes on beyond one time."""

import select
import ssl

from thrift.transport.TTransport import TTransportBase

from sweetspot.telemetry.sockets import connected, left_s

_AT_ONCE = 65536


class Wire(TTransportBase):  # type: ignore[misc]
    """A connection; Thrift's own has a time limit for each piece of an answer, not for all of it.

    Attributes:
        until_s: when whoever waits is sent away, on the monotonic clock.
    """

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, until_s: float) -> None:
        """Connect; raises OSError."""
        self.until_s = until_s
        self._socket = connected(host, port, tls, until_s)

    @property
    def quiet(self) -> bool:
        """Whether nothing has come that nobody asked for, such as the end of the connection."""
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        return not waiting.poll(0)

    def isOpen(self) -> bool:  # noqa: N802
        """As Thrift asks."""
        return True

    def read(self, size: int) -> bytes:
        """Return some bytes of those that come; raises OSError, or EOFError at the end."""
        self._socket.settimeout(left_s(self.until_s))
        data = self._socket.recv(min(size, _AT_ONCE))
        if not data:
            raise EOFError
        return data

    def write(self, data: bytes) -> None:
        """Send all of it; raises OSError."""
        self._socket.settimeout(left_s(self.until_s))
        self._socket.sendall(data)

    def flush(self) -> None:
        """As Thrift asks: nothing is held back."""

    def close(self) -> None:
        """End the connection."""
        self._socket.close()
