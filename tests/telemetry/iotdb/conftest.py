"""Sinks and stores of what listens at a port."""

from contextlib import ExitStack

import pytest

from sweetspot.config.telemetry import TelemetrySink


@pytest.fixture(scope="session")
def secret():
    return "planted-4e07"


@pytest.fixture
def opened(client, secret):
    """Make a sink and a store of what listens at a port; they are closed in the end."""
    from sweetspot.telemetry.connect import open_sink, open_store

    with ExitStack() as made:

        def at(port, scheme="iotdb", makers=(open_sink, open_store), **options):
            who = {"user": "root", "password_env": "HERE"}
            where = TelemetrySink(url=f"{scheme}://127.0.0.1:{port}", **who, **options)
            both = [make(where, {"HERE": secret}) for make in makers]
            for each in both:
                made.callback(each.close)
            return both

        yield at
