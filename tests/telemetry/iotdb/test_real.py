"""Samples to a real IoTDB and back: `make iotdb` starts one."""

import os
from contextlib import ExitStack
from dataclasses import replace

import pytest
from influx_servers import BOARD, samples_of

from sweetspot.config.telemetry import TelemetrySink
from sweetspot.errors import TelemetryError
from sweetspot.telemetry.connect import open_sink, open_store
from sweetspot.telemetry.sample import MS

ADDRESS = os.environ.get("SWEETSPOT_IOTDB", "")

pytestmark = [
    pytest.mark.slow(reason="a real IoTDB, which its own command fetches and starts"),
    pytest.mark.skipif(not ADDRESS, reason="no SWEETSPOT_IOTDB=host:port; make iotdb starts one"),
]


@pytest.mark.parametrize("layout", ["tree", "table"])
@pytest.mark.parametrize("simulated", [False, True])
def test_samples_come_back_to_the_bit_however_often_they_were_sent(client, layout, simulated):
    board = replace(BOARD, simulated=simulated)
    samples = [replace(each, at=each.at // MS) for each in samples_of(2500)]
    with ExitStack() as made:
        sink, store = opened(made, layout, "root")
        for _ in range(2):
            sink.send(board, samples)
        back = store.read(board, samples[0].at, samples[-1].at)
    assert str(back) == str(samples)


def test_a_wrong_password_is_refused(client):
    with ExitStack() as made, pytest.raises(TelemetryError):
        opened(made, "tree", "not it")[0].send(BOARD, samples_of(1))


def opened(made, layout, password):
    where = TelemetrySink(
        url=f"iotdb://{ADDRESS}", user="root", password_env="HERE", format=layout, timeout_s=60
    )
    both = [make(where, {"HERE": password}) for make in (open_sink, open_store)]
    for each in both:
        made.callback(each.close)
    return both
