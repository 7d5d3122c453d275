"""Connections to addresses that do not answer, and to one that drips: given up in time."""

import socket
import time
from contextlib import closing

import pytest

from sweetspot.telemetry.sockets import connected, cut_at
from sweetspot.telemetry.tls import tls_context


def test_an_address_that_does_not_answer_leaves_time_for_the_next(deaf, named):
    with socket.create_server(("127.0.0.1", 0)) as well:
        named(deaf(), deaf(), well.getsockname())
        with connected("store", 1, None, time.monotonic() + 1.2) as sock:
            assert sock.getpeername() == well.getsockname()


def test_addresses_that_do_not_answer_are_given_up_together(deaf, named):
    named(*(deaf() for _ in range(8)))
    with pytest.raises(TimeoutError):
        connected("store", 1, None, time.monotonic() + 0.2)


def test_greeting_that_drips_is_left_in_time(saying):
    with pytest.raises(TimeoutError):
        connected(
            *saying(b"\x16\x03\x03\x40\x00", drips=True), tls_context(None), time.monotonic() + 0.3
        )


def test_what_came_as_the_time_was_over_counts_for_nothing():
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        closing(socket.create_connection(listening.getsockname())) as sock,
        pytest.raises(TimeoutError),
        cut_at(sock, time.monotonic() + 0.05),
    ):
        sock.recv(1)  # ends, and looks like the end of what was sent
