"""Servers that refuse, hang or lie: an error in time. Real ones: `test_real_servers.py`."""

import json
import math
import socket
import threading
import time
from contextlib import ExitStack, closing
from dataclasses import replace

import pytest
from influx_servers import BOARD, answering, samples_of, say

from sweetspot.errors import TelemetryError
from sweetspot.telemetry.connect import open_sink
from sweetspot.telemetry.contracts import RefusedError
from sweetspot.telemetry.influx.server import Server
from sweetspot.telemetry.influx.sink import InfluxSink
from sweetspot.telemetry.influx.store import InfluxStore
from sweetspot.telemetry.sample import COLUMNS

SECRET = "planted-8c1f"


@pytest.fixture
def server():
    """Make servers at a port; they are closed in the end."""
    with ExitStack() as made:

        def at(port, **options):
            server = Server(host="127.0.0.1", port=port, database="lab", **options)
            made.callback(server.close)
            return server

        yield at


def test_samples_go_to_the_database_with_who_sends_them(server):
    with answering(lambda handler, _: say(handler, 204)) as (port, asked):
        sink = InfluxSink(server(port, user="u", password=SECRET))
        sink.send(BOARD, samples_of(2))
    ((path, body, headers),) = asked
    assert path == "/write?db=lab&precision=ns"
    assert len(body.splitlines()) == 2
    assert headers["Authorization"].startswith("Basic ")
    assert SECRET not in repr(sink) + sink.name + body + path


def test_a_password_without_a_user_is_a_token(server):
    with answering(lambda handler, _: say(handler, 204)) as (port, asked):
        InfluxSink(server(port, password=SECRET)).send(BOARD, samples_of(1))
    assert asked[0][2]["Authorization"] == f"Token {SECRET}"


def test_simulated_samples_go_to_a_database_of_their_own(server):
    with answering(lambda handler, _: say(handler, 204)) as (port, asked):
        InfluxSink(server(port)).send(replace(BOARD, simulated=True), samples_of(1))
    assert asked[0][0].startswith("/write?db=lab_simulated&")


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b'{"error": "authorization failed"}', "answers 401 .*authorization failed; see user"),
        (
            403,
            b'{"message": "no writes"}',
            "answers 403 Forbidden: no writes; this user has not the",
        ),
        (400, b'{"error": "partial write: dropped=1"}', "partial write"),
        (503, b"<html>", "answers 503 Service Unavailable"),
        (301, b"", "answers 301"),
        (200, b"<html>a portal</html>", "does not answer as InfluxDB does"),
    ],
)
def test_what_is_not_stored_is_an_error(server, status, body, said):
    with answering(lambda handler, _: say(handler, status, body)) as (port, _):
        with pytest.raises(TelemetryError, match=said) as caught:
            InfluxSink(server(port, user="u", password=SECRET)).send(BOARD, samples_of(1))
        assert SECRET not in str(caught.value)


def test_a_server_that_drips_is_left_in_time(server):
    ended = threading.Event()

    def drip(handler, _):
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not ended.wait(0.02):
            handler.wfile.write(b" ")

    with answering(drip) as (port, asked):
        sink = InfluxSink(server(port, timeout_s=0.3))
        try:
            with pytest.raises(TelemetryError, match="no answer in time"):
                sink.send(BOARD, samples_of(1))
        finally:
            ended.set()
    assert len(asked) <= 1  # it is not asked again


def test_a_server_that_accepts_and_is_silent_is_left_in_time(server):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        sink = InfluxSink(server(listening.getsockname()[1], timeout_s=0.2))
        with pytest.raises(TelemetryError, match="no answer in time"):
            sink.send(BOARD, samples_of(1))


def test_requests_that_belong_together_share_one_time(server):
    def slow(handler, body):
        time.sleep(0.25)
        lacks = handler.path.startswith("/write") and len(asked) == 1
        say(handler, 404 if lacks else 204, b"database not found" * lacks)

    with (
        answering(slow) as (port, asked),
        pytest.raises(TelemetryError, match="no answer in time"),
    ):
        InfluxSink(server(port, timeout_s=0.4)).send(BOARD, samples_of(1))


def test_a_connection_that_was_closed_meanwhile_is_made_again(server):
    def close_after(handler, _):
        say(handler, 204)
        handler.close_connection = True  # without saying so

    with answering(close_after) as (port, asked):
        sink = InfluxSink(server(port))
        for _ in range(3):
            sink.send(BOARD, samples_of(1))
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("said", "samples"),
    [
        ("partial write: field type conflict: 'x' dropped=2", 2),
        ("partial write: unable to parse 'x': missing fields dropped=0", None),  # it counts none
        ("unable to parse 'x'", None),
    ],
)
def test_refused_samples_are_as_many_as_the_server_says(server, said, samples):
    answer = json.dumps({"error": said}).encode()
    with answering(lambda handler, _: say(handler, 400, answer)) as (port, _):
        with pytest.raises(RefusedError) as refused:
            InfluxSink(server(port)).send(BOARD, samples_of(5))
        assert refused.value.samples == samples


@pytest.mark.slow(reason="a real InfluxDB")
@pytest.mark.parametrize("real_server", ["influxd"], indirect=True)
def test_all_that_are_refused_are_counted_though_they_are_of_several_shards(real_server):
    there = real_server()
    there.start()
    monday_s = 1_790_553_600  # when one ends
    sink, writer = there.sink(), open_sink(there.where()).server
    sent = samples_of(100, monday_s - 5)
    with closing(writer):
        for each in (sent[0], sent[-1]):  # a column of another type in either
            line = f"sweetspot_gpu,gpu_uuid=GPU-2 {COLUMNS[-1]}=1i {each.at}"
            writer.write(line, writer.until_s(), simulated=False)
    well = [replace(each, values=(*each.values[:-1], math.nan)) for each in sent]
    with pytest.raises(RefusedError, match="field type conflict") as refused:
        sink.send(BOARD, [*well[:20], *sent[20:70], *well[70:]])
    assert refused.value.samples == 50
    assert len(there.store().read(BOARD, 0, 2**62)) == 50


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"results": []}',
        b'{"results": [{"series": [{"columns": ["time"], "values": [[1]]}]}]}',
        b'{"results": [{"series": [3]}]}',
    ],
)
def test_an_answer_that_is_none_is_said(server, body):
    with (
        answering(lambda handler, _: say(handler, 200, body)) as (port, _),
        pytest.raises(TelemetryError, match="does not answer as InfluxDB does"),
    ):
        InfluxStore(server(port)).read(BOARD, 0, 1)
