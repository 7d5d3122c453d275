"""What is looked at before there is any job, and what is said of a name or a port that is none."""

import re
import socket
import sys
from contextlib import closing

import pytest
from influx_servers import BOARD, samples_of
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


def test_a_name_that_dns_does_not_know_is_said(scheme, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    (where,) = telemetry(url=f"{scheme}://there.example:99").sinks
    with (
        closing(open_sink(where)) as sink,
        pytest.raises(TelemetryError, match=rf"^{re.escape(sink.name)}: no such host \(DNS\)"),
    ):
        sink.send(BOARD, samples_of(1))


def test_a_port_where_nobody_listens_is_said(scheme):
    with held_port() as port:
        (where,) = telemetry(url=f"{scheme}://127.0.0.1:{port}").sinks
        with closing(open_sink(where)) as sink, pytest.raises(TelemetryError, match="refused"):
            sink.send(BOARD, samples_of(1))
