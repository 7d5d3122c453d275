"""What is looked at before there is any job, and what is said of a wrong address."""

import re
import socket
import ssl
import sys
from contextlib import closing

import pytest
from influx_servers import BOARD, answering, samples_of, say
from mosquitto import SELF_SIGNED
from ports import held_port

from sweetspot.config import Telemetry, TelemetrySink
from sweetspot.errors import InputError, TelemetryError
from sweetspot.telemetry.connect import open_sink, open_store, require_sinks

IOTDB = pytest.mark.slow(reason="Apache's client, from an environment of its own")
SCHEMES = ["mqtt", "influx+http", pytest.param("iotdb", marks=IOTDB)]
LOGIN = {"user": "me", "password_env": "PW"}


def telemetry(**sink):
    return Telemetry(sinks=[TelemetrySink(**{"url": "mqtt://127.0.0.1:9"} | sink)])


def test_nobody_has_to_be_there_yet():
    require_sinks(telemetry())
    require_sinks(telemetry(**LOGIN), {"PW": "s3cr3t"})
    require_sinks(telemetry(url="influx+https://nobody.example/power"))


def test_variable_of_a_password_has_to_be_set_where_jobs_are_submitted_too():
    for here in (True, False):
        with pytest.raises(InputError, match=r"PW \(password_env\) is not set"):
            require_sinks(telemetry(**LOGIN), {}, here=here)


def test_files_are_looked_at_where_samples_are_sent_only(tmp_path):
    missing = tmp_path / "missing"
    for sink in (
        {"user": "me", "password_file": missing},
        {"url": "mqtts://127.0.0.1:9", "ca": missing},
        {"url": "influx+https://127.0.0.1:9/power", "ca": missing},
    ):
        require_sinks(telemetry(**sink), {}, here=False)
        with pytest.raises(InputError, match="missing"):
            require_sinks(telemetry(**sink), {})


def test_what_is_laid_out_otherwise_is_kept_elsewhere():
    ways = [
        {},
        {"topic": "org/{host}"},
        {"format": "iotdb-json"},
        {"format": "iotdb-json", "path": "root.lab"},
        {"url": "influx+http://127.0.0.1:9/power"},
        {"url": "influx+http://127.0.0.1:9/other"},
    ]
    there = [open_sink(each).kept_at for way in ways for each in telemetry(**way).sinks]
    assert len(set(there)) == len(ways)
    (nowhere,) = telemetry(url="prometheus://127.0.0.1:9").sinks
    assert open_sink(nowhere).kept_at == ""


@pytest.mark.parametrize("url", ["mqtt://127.0.0.1:9", "prometheus://127.0.0.1:9"])
def test_what_keeps_nothing_is_no_store(url):
    with pytest.raises(InputError, match="keeps nothing; name the store behind it"):
        open_store(TelemetrySink(url=url))


def test_package_that_is_missing_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "paho.mqtt", None)
    monkeypatch.delitem(sys.modules, "sweetspot.telemetry.mqtt.sink", raising=False)
    with pytest.raises(
        InputError, match=r"needs the package paho.*: pip install '\.\[telemetry\]'"
    ):
        require_sinks(telemetry())


@pytest.fixture(params=SCHEMES)
def scheme(request):
    if request.param == "iotdb":
        request.getfixturevalue("client")
    return request.param


def refused(where):
    """Return why a sink cannot send."""
    with closing(open_sink(where)) as sink, pytest.raises(TelemetryError) as failed:
        sink.send(BOARD, samples_of(1))
    return str(failed.value).removeprefix(f"{sink.name}: ")


def test_a_name_that_dns_does_not_know_is_said(scheme, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    (where,) = telemetry(url=f"{scheme}://there.example:99").sinks
    assert refused(where) == "no such host (DNS)"


def test_a_port_where_nobody_listens_is_said(scheme):
    with held_port() as port:
        (where,) = telemetry(url=f"{scheme}://127.0.0.1:{port}").sinks
        assert refused(where) == "Connection refused"


def test_what_ends_a_connection_before_any_answer_may_speak_tls(scheme, saying):
    (where,) = telemetry(url=f"{scheme}://127.0.0.1:{saying(b'')[1]}").sinks
    assert refused(where) == (
        "it ended the connection before any answer; does it speak TLS? The URL is mqtts, iotdbs or"
        " https then"
    )


# paho leaves the socket of a handshake that failed to the garbage collector, which says so
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_does_not_speak_tls_is_said(scheme, saying):
    by_tls = {"influx+http": "influx+https"}.get(scheme, f"{scheme}s")
    _, port = saying(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    (where,) = telemetry(url=f"{by_tls}://127.0.0.1:{port}").sinks
    assert refused(where) == (
        "what answers there does not speak TLS; see the scheme and the port of the URL"
    )


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_certificate_of_another_name_is_said_to_be_that(named):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SELF_SIGNED)
    with answering(lambda handler, _: say(handler, 204), context) as (port, _):
        named(("127.0.0.1", port))
        (where,) = telemetry(url="influx+https://there.example/power", ca=SELF_SIGNED).sinks
        assert re.fullmatch(
            r"its certificate is not trusted \(Hostname mismatch, .*\); call it by a name.*",
            refused(where),
        )
