"""A run in a real InfluxDB: replayed twice it is there once, and comes back to the bit."""

from contextlib import closing

import pytest

from sweetspot.telemetry.influx.server import Server
from sweetspot.telemetry.influx.sink import InfluxSink
from sweetspot.telemetry.influx.store import InfluxStore
from sweetspot.telemetry.kept import read_folder
from sweetspot.telemetry.query import query
from sweetspot.telemetry.replay import replay

pytestmark = pytest.mark.slow(reason="a real InfluxDB and a hundred thousand samples: seconds")


@pytest.fixture
def server(influxd):
    server = Server(host="127.0.0.1", port=influxd[0], database="replayed", timeout_s=60)
    with closing(server):
        yield server


def test_hundred_thousand_samples_twice_are_there_once(server, metered_run):
    found = read_folder(metered_run(cells=4, samples=25_000))
    for _ in range(2):
        assert replay(found, InfluxSink(server)).samples == 100_000
    ((_, count),) = server.query(
        "SELECT count(t_s) FROM sweetspot_gpu WHERE time > 0", server.until_s(), simulated=False
    )[0]["values"]
    assert count == 100_000
    del found.kept[1:]  # one of them is enough of what takes long
    (row,) = query(found, InfluxStore(server))
    assert (row.to_the_bit, row.differences) == (True, ())


def test_simulated_run_is_in_a_database_of_its_own(server, simulated_run):
    server.database = "apart"
    found = read_folder(simulated_run)
    replay(found, InfluxSink(server))
    assert not any(row.differences for row in query(found, InfluxStore(server)))
    names = server.query("SHOW DATABASES", server.until_s())[0]["values"]
    assert ["apart_simulated"] in names
    assert ["apart"] not in names
