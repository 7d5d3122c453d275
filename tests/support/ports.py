"""Ports that nobody else gets while they are held."""

import socket
from contextlib import contextmanager


def hold_port():
    """Return a socket that holds a port of loopback, at which nobody listens until somebody does.

    A server that sets SO_REUSEADDR, as servers do, may listen there, and others do not get it: a
    port that is looked for and let go may be another process's before it is used.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held


@contextmanager
def held_port():
    """Yield a port that is held meanwhile."""
    with hold_port() as held:
        yield held.getsockname()[1]
