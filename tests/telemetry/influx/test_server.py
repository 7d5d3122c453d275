"""Servers that refuse, hang, lie, or are not there: an error in time, and samples sent again."""

import signal
import socket
import ssl
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import replace

import pytest
from influx_servers import BOARD, answering, samples_of, say
from influxd import influxd as running
from looks import NEVER_S, put
from openai_server import SELF_SIGNED
from ports import held_port

from sweetspot.errors import TelemetryError
from sweetspot.telemetry.influx.server import Server
from sweetspot.telemetry.influx.sink import InfluxSink
from sweetspot.telemetry.influx.store import InfluxStore
from sweetspot.telemetry.publisher import Publisher
from sweetspot.telemetry.sample import Source
from sweetspot.telemetry.tls import tls_context

SECRET = "planted-8c1f"
GPU_1 = Source(gpu_uuid="GPU-1", gpu_name="NVIDIA H200", host="n1")


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


def test_tls_asks_for_a_certificate_that_is_trusted(server):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SELF_SIGNED)
    with answering(lambda handler, _: say(handler, 204), context) as (port, asked):
        InfluxSink(server(port, tls=tls_context(SELF_SIGNED))).send(BOARD, samples_of(1))
        with pytest.raises(TelemetryError, match=r"certificate is not trusted .*; see ca"):
            InfluxSink(server(port, tls=tls_context(None))).send(BOARD, samples_of(1))
    assert len(asked) == 1


def test_simulated_samples_go_to_a_database_of_their_own(server):
    with answering(lambda handler, _: say(handler, 204)) as (port, asked):
        InfluxSink(server(port)).send(replace(BOARD, simulated=True), samples_of(1))
    assert asked[0][0].startswith("/write?db=lab_simulated&")


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b'{"error": "authorization failed"}', "answers 401 .*authorization failed; see user"),
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


def test_nobody_listens(server):
    with held_port() as port, pytest.raises(TelemetryError, match="Connection refused"):
        InfluxSink(server(port)).send(BOARD, samples_of(1))


@pytest.mark.slow(reason="a real InfluxDB")
def test_samples_come_back_to_the_bit_however_often_they_were_sent(server, influxd):
    port, _ = influxd
    sink, store = InfluxSink(server(port)), InfluxStore(server(port))
    sent = samples_of(12_000)  # more than a page
    for _ in range(2):
        sink.send(BOARD, sent)
    back = store.read(BOARD, sent[0].at, sent[-1].at)
    assert [each.at for each in back] == [each.at for each in sent]
    assert str([each.values for each in back]) == str([each.values for each in sent])
    assert store.read(BOARD, sent[5].at, sent[6].at) == store.read(
        BOARD, sent[5].at, sent[7].at - 1
    )


@pytest.mark.slow(reason="a real InfluxDB, started twice")
def test_a_database_that_is_absent_killed_and_comes_back_gets_every_sample(
    server, influxd, tmp_path, wait_until, caplog
):
    def stored():
        with suppress(TelemetryError):  # there is no database before the first sample
            return len(store.read(GPU_1, 0, 2**62))

    with held_port() as port:
        store = InfluxStore(server(port))
        publisher = Publisher([InfluxSink(server(port))], "n1", interval_s=NEVER_S)
        put(publisher, range(20))
        wait_until(lambda: "Connection refused; trying again" in caplog.text)
        with running(tmp_path, port):
            put(publisher, range(20, 30))
            wait_until(lambda: stored() == 30)
        put(publisher, range(30, 45))  # it is killed
        with running(tmp_path, port):
            (found,) = publisher.close(60)
            assert (found.samples, found.acknowledged, found.lost) == (45, 45, 0)
            back = store.read(GPU_1, 0, 2**62)
            assert [each.values[0] for each in back] == [number / 10 for number in range(45)]


@pytest.mark.slow(reason="a real InfluxDB")
def test_a_database_that_hangs_is_left_and_taken_up_again(server, influxd):
    port, process = influxd
    sink, sent = InfluxSink(server(port, timeout_s=0.5)), samples_of(3, first_utc_s=1e9)
    process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(TelemetryError, match="no answer in time"):
            sink.send(BOARD, sent)
    finally:  # others ask it, too
        process.send_signal(signal.SIGCONT)
    patient = InfluxSink(server(port, timeout_s=60))
    patient.send(BOARD, sent)
    back = InfluxStore(server(port)).read(BOARD, sent[0].at, sent[-1].at)
    assert [each.at for each in back] == [each.at for each in sent]
