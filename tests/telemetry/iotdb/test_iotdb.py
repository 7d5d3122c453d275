"""Samples to a server of IoTDB's and back; one that refuses, hangs, lies or dies."""

import json
import re
import threading
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from influx_servers import BOARD, samples_of
from looks import put

from sweetspot.config.telemetry import TelemetrySink
from sweetspot.errors import InputError, TelemetryError
from sweetspot.telemetry.connect import open_sink, open_store
from sweetspot.telemetry.contracts import RefusedError
from sweetspot.telemetry.mqtt.messages import iotdb_json
from sweetspot.telemetry.sample import COLUMNS, MS, Sample, Source

pytestmark = pytest.mark.slow(reason="Apache's client, from an environment of its own")


@pytest.fixture
def server(client, secret):
    """A server, its port, and what ends all connections."""
    iotdb = client.Iotdb(secret)
    with client.serving(iotdb) as (port, cut):
        yield iotdb, port, cut


def sent(count):
    return [replace(each, at=each.at // MS) for each in samples_of(count)]


@pytest.mark.parametrize("layout", ["tree", "table"])
@pytest.mark.parametrize("precision", ["ms", "ns"])
def test_samples_come_back_to_the_bit_however_often_they_were_sent(
    server, opened, layout, precision
):
    iotdb, port, _ = server
    iotdb.precision = precision
    sink, store = opened(port, format=layout)
    samples = sent(2500)  # more than a block
    for _ in range(2):
        sink.send(BOARD, samples)
    back = store.read(BOARD, samples[0].at, samples[-1].at)
    assert [each.at for each in back] == [each.at for each in samples]
    assert str(back) == str(samples)
    assert str(store.read(BOARD, samples[3].at, samples[5].at)) == str(samples[3:6])
    assert store.read(replace(BOARD, gpu_uuid="GPU-0"), 0, samples[-1].at) == []


def test_names_that_a_path_cannot_hold_are_kept_as_text(server, opened):
    iotdb, port, _ = server
    opened(port)[0].send(BOARD, sent(1))
    ((path, rows),) = iotdb.devices.items()
    assert path == "root.sweetspot.node___1.GPU_1__2_3__x_"
    (row,) = rows.values()
    names = ("gpu_uuid", "gpu_name", "host")
    assert [row[name] for name in names] == [getattr(BOARD, name) for name in names]


@pytest.mark.parametrize(
    ("layout", "database"), [("tree", "root.sweetspot_simulated"), ("table", "sweetspot_simulated")]
)
def test_simulated_samples_have_a_database_of_their_own(server, opened, layout, database):
    iotdb, port, _ = server
    sink, store = opened(port, format=layout)
    sink.send(BOARD, sent(2))
    simulated = replace(BOARD, simulated=True, host="")
    sink.send(simulated, sent(3))
    assert len(store.read(simulated, 0, 2**60)) == 3
    assert len(store.read(BOARD, 0, 2**60)) == 2
    assert database in {each.strip('"') for each in iotdb.made}


def test_what_came_by_its_own_broker_is_read_at_the_same_path_and_time(server, opened):
    iotdb, port, _ = server
    samples = sent(3)
    for message in iotdb_json("", "", BOARD, samples):
        for row in json.loads(message.payload):
            values = dict(zip(row["measurements"], row["values"], strict=True))
            iotdb.devices.setdefault(row["device"], {})[row["timestamp"]] = values
    assert str(opened(port)[1].read(BOARD, 0, 2**60)) == str(samples)


def test_power_of_a_cluster_is_read_by_what_examon_calls_it(server, opened):
    iotdb, port, _ = server
    kept = {1_000 + 500 * i: {"power": 300.0 + i, "temp": 60.0} for i in range(4)}
    iotdb.devices["root.lab.node_1.nvml_pub.gpu0"] = kept
    where = {"format": "examon", "path": "root.lab.{host}.nvml_pub.{gpu}"}
    with pytest.raises(InputError, match="to be read only"):
        opened(port, **where)
    (store,) = opened(port, makers=[open_store], **where)
    found = store.read(Source(gpu_uuid="gpu0", gpu_name="", host="node-1"), 1_500, 2_500)
    assert [(each.at, each.values[1]) for each in found] == [(1500, 301), (2000, 302), (2500, 303)]
    assert found[0].values[COLUMNS.index("temperature_c")] == 60


def test_what_is_laid_out_otherwise_is_kept_elsewhere(server, opened):
    ways = ({}, {"path": "root.lab"}, {"format": "table"}, {"format": "table", "database": "lab"})
    assert len({opened(server[1], **way)[0].kept_at for way in ways}) == len(ways)


def test_table_that_is_not_there_is_said(server, opened):
    _, port, _ = server
    with pytest.raises(TelemetryError, match="550 Table does not exist"):
        opened(port, format="table")[1].read(BOARD, 0, 1)


def test_connection_that_ended_is_made_again(server, opened):
    _, port, cut = server
    sink, store = opened(port, format="table")
    for _ in range(2):
        sink.send(BOARD, sent(2))
        cut()
    assert len(store.read(BOARD, 0, 2**60)) == 2


def test_server_that_dies_as_it_stores_is_an_error_and_taken_up_again(server, opened):
    iotdb, port, cut = server
    sink, store = opened(port)
    iotdb.trick = lambda name: cut() if name == "insertTablet" else None
    with pytest.raises(TelemetryError, match=r"ended the connection|reset|pipe"):
        sink.send(BOARD, sent(2))
    iotdb.trick = lambda _: None
    sink.send(BOARD, sent(2))
    assert len(store.read(BOARD, 0, 2**60)) == 2


@pytest.mark.parametrize("call", ["openSession", "insertTablet"])
def test_server_that_hangs_is_left_in_time(server, opened, call):
    iotdb, port, _ = server
    goes_on = threading.Event()
    iotdb.trick = lambda name: goes_on.wait(60) and None if name == call else None
    try:
        with pytest.raises(TelemetryError, match="no answer in time"):
            opened(port, timeout_s=0.3)[0].send(BOARD, sent(1))
    finally:
        goes_on.set()


def test_wrong_password_is_said_and_not_shown(server, opened, secret):
    iotdb, port, _ = server
    iotdb.password = "another"
    with pytest.raises(TelemetryError, match=r"801 .* see user and password_env") as caught:
        opened(port)[0].send(BOARD, sent(1))
    assert secret not in str(caught.value)


def test_server_that_stores_a_part_is_an_error(server, client, opened, secret):
    iotdb, port, _ = server
    status = client.TSStatus
    refusal = status(302, "", [status(200), status(606, f"disk full, {secret}")])
    iotdb.trick = lambda name: refusal if name == "insertTablet" else None
    with pytest.raises(TelemetryError, match=r"606 disk full, \(password\)$"):
        opened(port)[0].send(BOARD, sent(1))


def test_session_that_the_server_has_ended_is_opened_again_and_no_sample_is_lost(
    server, client, opened, publish, wait_until
):
    iotdb, port, _ = server
    live = []

    def ends(name):
        if name == "openSession":
            live.append(name)
        elif name == "insertTablet" and not live:
            return client.TSStatus(802, "Log in failed. Either ... or the session has timed out.")
        return None

    iotdb.trick = ends
    sink, store = opened(port)
    publisher = publish(sink, interval_s=0.01)
    put(publisher, range(10))
    source = Source(gpu_uuid="GPU-1", gpu_name="NVIDIA H200", host="n1")
    wait_until(lambda: sum(map(len, iotdb.devices.values())) == 10)
    live.clear()
    put(publisher, range(10, 60))
    wait_until(lambda: sum(map(len, iotdb.devices.values())) == 60)
    (found,) = publisher.close(60)
    assert (found.acknowledged, found.refused) == (60, 0)
    assert len(store.read(source, 0, 2**60)) == 60


@pytest.mark.parametrize(
    ("codes", "is_refused"),
    [([508], True), ([803], True), ([200, 607, 400], True), ([607, 606], False), ([600], False)],
)
def test_only_what_is_a_tablets_own_fault_counts_as_refused(
    server, client, opened, codes, is_refused
):
    iotdb, port, _ = server
    said = client.TSStatus(302, "", [client.TSStatus(code, "why") for code in codes])
    iotdb.trick = lambda name: said if name == "insertTablet" else None
    sink, store = opened(port)
    with pytest.raises(
        TelemetryError, match=f"{codes[-1] if not is_refused else ''} why"
    ) as failed:
        sink.send(BOARD, sent(1))
    assert isinstance(failed.value, RefusedError) == is_refused
    iotdb.trick = lambda _: None
    iotdb.made.clear()  # which another session makes anew
    sink.send(BOARD, sent(1))
    assert len(store.read(BOARD, 0, 2**60)) == 1


@pytest.mark.parametrize("who", [{}, {"user": "root", "password_env": "HERE"}])
def test_paths_are_shown_whole_where_the_password_is_the_one_everybody_knows(server, client, who):
    iotdb, port, _ = server
    iotdb.password = "root"
    path = "root.sweetspot.node___1 is read only"
    iotdb.trick = lambda name: client.TSStatus(600, path) if name == "insertTablet" else None
    where = TelemetrySink(url=f"iotdb://127.0.0.1:{port}", **who)
    with (
        closing(open_sink(where, {"HERE": "root"})) as sink,
        pytest.raises(TelemetryError, match=f"600 {re.escape(path)}$"),
    ):
        sink.send(BOARD, sent(1))


def test_who_may_make_nothing_may_still_write(server, client, opened):
    iotdb, port, _ = server
    sink, store = opened(port)
    sink.send(BOARD, sent(1))
    sink.close()
    refusal = client.ttypes.TSExecuteStatementResp(client.TSStatus(803, "no permission"))
    iotdb.trick = lambda name: refusal if name == "executeUpdateStatementV2" else None
    sink.send(BOARD, sent(3))
    assert len(store.read(BOARD, 0, 2**60)) == 3


@pytest.mark.parametrize(
    "said", [b"\0\0\0\4ABCD", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"\x7f" * 64]
)
def test_server_that_is_none_is_said(opened, saying, said):
    _, port = saying(said)
    with pytest.raises(TelemetryError, match=r"does not answer as IoTDB does|ended the connection"):
        opened(port)[0].send(BOARD, sent(1))


def test_answer_that_drips_is_left_in_time(opened, saying):
    _, port = saying(b"\0\1\0\0", drips=True)  # a frame of 64 kB
    with pytest.raises(TelemetryError, match="no answer in time"):
        opened(port, timeout_s=0.3)[1].read(BOARD, 0, 1)


@pytest.mark.parametrize(
    "block", [b"", b"\0" * 3, b"\0\0\0\0\x7f\xff\xff\xff\2\2", b"\0\0\0\1\4\0\0\0\1\2\2"]
)
def test_block_that_is_none_is_said(server, client, opened, block):
    iotdb, port, _ = server
    answer = client.ttypes.TSExecuteStatementResp(
        client.TSStatus(200), 1, ["a.t_s"], dataTypeList=["DOUBLE"], queryResult=[block]
    )
    iotdb.trick = lambda name: answer if name == "executeQueryStatementV2" else None
    with pytest.raises(TelemetryError, match="does not answer as IoTDB does"):
        opened(port)[1].read(BOARD, 0, 1)


VALUES = st.lists(st.floats(), min_size=2, max_size=2).map(tuple)
# NumPy, which the client packs texts by, cuts off NULs at their ends.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)


@settings(max_examples=20, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=20), TEXTS)
def test_tablet_is_as_the_client_packs_one(client, values, text):
    from iotdb.utils.BitMap import BitMap
    from iotdb.utils.IoTDBConstants import TSDataType
    from iotdb.utils.NumpyTablet import NumpyTablet

    from sweetspot.telemetry.iotdb.tablets import TEXT, tablet_of

    samples = [Sample(at, row) for at, row in enumerate(values)]
    ours = tablet_of(samples, ("a", "b"), {"t": (text, TEXT, 1)}, 1000)
    columns, bitmaps = [np.array([text] * len(values), object)], [None]
    for column in np.array(values).T:
        bitmaps.append(BitMap(len(values)))
        for row in np.flatnonzero(~np.isfinite(column)):
            bitmaps[-1].mark(row)
        columns.append(np.where(np.isfinite(column), column, 0.0).astype(">f8"))
    types = [TSDataType.TEXT, TSDataType.DOUBLE, TSDataType.DOUBLE]
    at = 1000 * np.arange(len(values))
    theirs = NumpyTablet("root.a", ["t", "a", "b"], types, columns, at, bitmaps)
    assert ours.values == theirs.get_binary_values()
    assert ours.timestamps == theirs.get_binary_timestamps()
    assert ours.types == tuple(types)
