"""Brokers that misbehave, and what is sent to them."""

import math

import pytest
from tiny_broker import TinyBroker

from sweetspot.config import TelemetrySink
from sweetspot.telemetry.connect import open_sink
from sweetspot.telemetry.sample import COLUMNS, Sample


@pytest.fixture
def broker():
    broker = TinyBroker()
    yield broker
    broker.close()


@pytest.fixture
def sink_to():
    """Return a function that opens a sink, which is closed with the test."""
    opened = []

    def build(port, scheme="mqtt", host="127.0.0.1", environment=None, **options):
        where = TelemetrySink(url=f"{scheme}://{host}:{port}", **{"timeout_s": 5} | options)
        opened.append(open_sink(where, environment or {}))
        return opened[-1]

    yield build
    for sink in opened:
        sink.close()


@pytest.fixture
def samples():
    """Return a function that gives samples, 100 ms apart; what is not named is NaN."""

    def build(count=3, first_ms=1_790_000_000_123, **values):
        def row(number):
            there = {"t_s": 5000 + number / 10, "power_w": 300.125} | values
            return tuple(there.get(column, math.nan) for column in COLUMNS)

        return [Sample(first_ms + 100 * number, row(number)) for number in range(count)]

    return build
