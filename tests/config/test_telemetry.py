"""What `node.telemetry` may say, and that a password in the wrong place is shown nowhere."""

import pytest

from sweetspot.config import parse_experiment
from sweetspot.errors import InputError
from sweetspot.plan.plan import plan

PLAIN = {"url": "mqtt://broker"}


def parsed(*sinks, **others):
    return parse_experiment(
        {"node": {"telemetry": {"sinks": list(sinks), **others}}}
    ).node.telemetry


@pytest.mark.parametrize(
    ("url", "kind", "tls", "host", "port", "path", "name"),
    [
        ("mqtt://broker", "mqtt", False, "broker", 1883, "", "mqtt://broker:1883"),
        ("mqtts://10.0.0.7:8884/", "mqtt", True, "10.0.0.7", 8884, "", "mqtts://10.0.0.7:8884"),
        ("iotdb://[fe80::1]", "iotdb", False, "fe80::1", 6667, "", "iotdb://[fe80::1]:6667"),
        (
            *("influx+https://store.example:443/power%20data", "influx", True),
            *("store.example", 443, "power data", "influx+https://store.example:443/power data"),
        ),
    ],
)
def test_url_says_what_is_spoken_where(url, kind, tls, host, port, path, name):
    (sink,) = parsed({"url": url}).sinks
    found = sink.address
    assert (found.kind, found.tls, found.host, found.port) == (kind, tls, host, port)
    assert (found.path, found.name, sink.store) == (path, name, path)


@pytest.mark.parametrize(
    ("sink", "message"),
    [
        ({}, "url is missing"),
        ({"url": "http://broker"}, "must begin with mqtt, mqtts, iotdb"),
        ({"url": "broker"}, "must begin with"),
        ({"url": "mqtt://"}, "has no host"),
        ({"url": "mqtt://broker:0"}, "has no possible port"),
        ({"url": "mqtt://broker:70000"}, "is none"),
        ({"url": "mqtt://broker/topic"}, "has a path, for which mqtt:// has no use"),
        ({"url": "mqtt://me:s3cr3t@broker"}, "url holds a user or a password"),
        ({"url": "influx+http://store/db?u=me&p=s3cr3t"}, "url has a query"),
        (PLAIN | {"password": "s3cr3t"}, "did you mean 'password_env'?"),
        (PLAIN | {"user": "me", "password_env": "s3cr3t"}, "must be the name of a variable"),
        (PLAIN | {"password_env": "PASSWORD"}, "a password needs a user"),
        (
            PLAIN | {"user": "me", "password_env": "PASSWORD", "password_file": "/s"},
            "both name a password",
        ),
        ("mqtt://me:s3cr3t@broker", "must be a section"),
        (PLAIN | {"ca": "ca.pem"}, "ca is for TLS"),
        (PLAIN | {"format": "tree"}, "format must be 'examon' or 'iotdb-json' with mqtt://"),
        ({"url": "influx+http://store/db", "format": "tree"}, "format must be left out"),
        ({"url": "iotdb://store", "topic": "a"}, "topic is nothing that iotdb:// has"),
        (PLAIN | {"database": "a"}, "database is nothing that mqtt:// has"),
        ({"url": "influx+http://store/db", "database": "a"}, "both name a database"),
        (PLAIN | {"path": "root.a"}, "path is nothing that mqtt:// of format examon has"),
        (
            {"url": "iotdb://store", "format": "table", "path": "root.a"},
            "path is nothing that iotdb:// of format table has",
        ),
        (
            {"url": "influx+http://store", "path": "root.a"},
            "path is nothing that influx+http:// has",
        ),
        (
            {"url": "iotdb://store", "format": "examon", "path": "root.a", "database": "b"},
            "database is nothing that iotdb:// of format examon has",
        ),
        ({"url": "iotdb://store/b", "format": "examon", "path": "root.a"}, "the path of url names"),
        ({"url": "iotdb://store", "path": "root.a", "database": "b"}, "give path alone"),
        ({"url": "iotdb://store/root.b", "path": "root.a"}, "give path alone"),
        ({"url": "influx+http://store/db", "user": "me"}, "a user of influx+http:// needs a pass"),
        ({"url": "examon+http://store", "user": "me"}, "a user of examon+http:// needs a pass"),
        ({"url": "prometheus://here", "user": "me"}, "prometheus:// has no user and no password"),
        (
            {"url": "prometheus://here", "password_env": "PASSWORD"},
            "prometheus:// has no user and no password",
        ),
        ({"url": "prometheus://here", "timeout_s": 1}, "timeout_s is nothing that prometheus://"),
        (PLAIN | {"topic": "org/{node}"}, "topic names {node}; it may name {host} and {gpu}"),
        (PLAIN | {"topic": "org/{host.x}"}, "topic holds { or } that name nothing"),
        (PLAIN | {"topic": "org/#"}, "topic holds + or #"),
    ],
)
def test_what_cannot_be_is_one_line_without_a_password(sink, message):
    with pytest.raises(InputError) as refused:
        parsed(sink)
    said = str(refused.value)
    assert message in said
    assert said.startswith("config: ")
    assert "node.telemetry.sinks" in said
    assert "s3cr3t" not in said
    assert "\n" not in said


@pytest.mark.parametrize(
    "sink",
    [
        PLAIN | {"format": "iotdb-json", "path": "root.a", "topic": "in"},
        PLAIN | {"user": "me"},
        {"url": "iotdb://store", "path": "root.a", "user": "me"},
        {"url": "iotdb://store/b", "format": "table"},
        {"url": "iotdb://store", "format": "table", "database": "b"},
        {"url": "iotdb://store", "format": "examon", "path": "root.{host}"},
        {"url": "influx+http://store", "database": "b", "password_env": "TOKEN"},
        {"url": "prometheus://here"},
    ],
)
def test_what_decides_something_is_taken(sink):
    assert parsed(sink).sinks[0].url == sink["url"]


def test_two_sinks_at_one_url_need_names_of_their_own():
    with pytest.raises(InputError, match=r"two sinks are called 'mqtt://broker'"):
        parsed(PLAIN, PLAIN)
    assert len(parsed(PLAIN, PLAIN | {"name": "json", "format": "iotdb-json"}).sinks) == 2


def test_where_samples_are_sent_decides_no_value(small_experiment):
    measured = {"engine": "vllm", "gpu": "h100-sxm"}
    keys = [
        [block.key(cell) for block in plan(small_experiment(**each)).blocks for cell in block.cells]
        for each in (measured, measured | {"node": {"telemetry": {"sinks": [PLAIN]}}})
    ]
    assert keys[0] == keys[1]
