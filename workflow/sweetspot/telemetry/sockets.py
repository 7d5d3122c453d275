"""Connections on which no wait goes on beyond a time, whatever the other side does."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Timer
from time import monotonic


def connected(host: str, port: int, tls: ssl.SSLContext | None, until_s: float) -> socket.socket:
    """Return a connection to the first of a name's addresses that answers.

    Each address gets its share of the time. What DNS takes to say which they are has no limit here.

    Args:
        host: where.
        port: where there.
        tls: how the certificate is checked; None for a connection without.
        until_s: when it is given up, on the monotonic clock.

    Raises:
        OSError: there is none; TimeoutError if not in time.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure: OSError = OSError(f"{host} has no address")
    for place, (family, kind, protocol, _, address) in enumerate(found):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(left_s(until_s) / (len(found) - place))
            sock.connect(address)
            sock.settimeout(left_s(until_s))
            return sock if tls is None else _secured(sock, tls, host, until_s)
        except OSError as error:
            sock.close()
            failure = error
    raise failure


def left_s(until_s: float) -> float:
    """Return how much time there is, in s; raises TimeoutError if there is none."""
    left = until_s - monotonic()
    if left <= 0:
        raise TimeoutError
    return left


@contextmanager
def cut_at(sock: socket.socket, until_s: float) -> Iterator[None]:
    """Shut a connection down at a time: its own timeout begins anew with each byte that comes.

    Raises:
        TimeoutError: it was shut down.
    """
    late = Event()

    def cut() -> None:
        late.set()
        with suppress(OSError):
            # not TLS's own, which would forget its state under the feet of whoever waits
            socket.socket.shutdown(sock, socket.SHUT_RDWR)

    timer = Timer(left_s(until_s), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:
        if late.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
    if late.is_set():  # what came of an answer may look whole
        raise TimeoutError


def _secured(sock: socket.socket, tls: ssl.SSLContext, host: str, until_s: float) -> socket.socket:
    secure = tls.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    try:
        with cut_at(secure, until_s):
            secure.do_handshake()
    except BaseException:
        secure.close()
        raise
    return secure
