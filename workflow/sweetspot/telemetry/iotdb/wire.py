"""What Thrift is spoken through: a socket on which no wait goes on beyond one time."""

import select
import socket
import ssl
from time import monotonic

from thrift.transport.TTransport import TTransportBase

_AT_ONCE = 65536


class Wire(TTransportBase):  # type: ignore[misc]
    """A connection; Thrift's own has a time limit for each piece of an answer, not for all of it.

    Attributes:
        until_s: when whoever waits is sent away, on the monotonic clock.
    """

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, until_s: float) -> None:
        """Connect; raises OSError."""
        self.until_s = until_s
        self._socket = socket.create_connection((host, port), self._left_s())
        if tls is not None:
            try:
                self._socket.settimeout(self._left_s())
                self._socket = tls.wrap_socket(self._socket, server_hostname=host)
            except BaseException:
                self._socket.close()
                raise

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
        self._socket.settimeout(self._left_s())
        data = self._socket.recv(min(size, _AT_ONCE))
        if not data:
            raise EOFError
        return data

    def write(self, data: bytes) -> None:
        """Send all of it; raises OSError."""
        self._socket.settimeout(self._left_s())
        self._socket.sendall(data)

    def flush(self) -> None:
        """As Thrift asks: nothing is held back."""

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def _left_s(self) -> float:
        left_s = self.until_s - monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s
