"""From what a configuration says of a broker or a store to the one that speaks its protocol.

Each kind is a room of its own, loaded when one is asked for.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from socket import gethostname
from typing import TYPE_CHECKING, Any

from sweetspot.config.telemetry import Telemetry, TelemetrySink
from sweetspot.errors import InputError
from sweetspot.telemetry.login import Login, login_of
from sweetspot.telemetry.tls import tls_context

if TYPE_CHECKING:  # what checks a configuration loads none of it
    from sweetspot.telemetry.contracts import Sink, Store
    from sweetspot.telemetry.influx.server import Server
    from sweetspot.telemetry.iotdb.layouts import Layout, Readable
    from sweetspot.telemetry.iotdb.session import Session
    from sweetspot.telemetry.publisher import Publisher

_EXTRA = {"mqtt": "telemetry", "iotdb": "iotdb"}


def open_sink(where: TelemetrySink, environment: Mapping[str, str] = os.environ) -> "Sink":
    """Return what sends samples there; it connects when it first does.

    Raises:
        InputError: what can be known without asking it is wrong: a password that is not there, a
            file that is none of certificates, a package that is missing.
    """
    login, kind = login_of(where, environment), where.address.kind
    try:
        if kind == "mqtt":
            from sweetspot.telemetry.mqtt.sink import MqttSink

            return MqttSink(where, login)
        if kind == "iotdb":
            from sweetspot.telemetry.iotdb.sink import IotdbSink

            layout = _layout(where)
            return IotdbSink(_session(where, login, layout), layout)
    except ModuleNotFoundError as error:
        raise _lacking(where, error) from error
    if kind == "prometheus":
        from sweetspot.telemetry.prometheus.server import PrometheusSink

        return PrometheusSink(where.address.host, where.address.port)
    if kind == "examon":
        raise InputError(f"{where.address.name} is read only; samples go to ExaMon's broker")
    from sweetspot.telemetry.influx.sink import InfluxSink

    return InfluxSink(_influx(where, login))


def open_store(where: TelemetrySink, environment: Mapping[str, str] = os.environ) -> "Store":
    """Return what reads samples there; it connects when it first does.

    Raises:
        InputError: as of `open_sink`; or it keeps nothing.
    """
    login, kind = login_of(where, environment), where.address.kind
    if kind in ("mqtt", "prometheus"):
        raise InputError(f"{where.address.name} keeps nothing; name the store behind it")
    if kind == "iotdb":
        try:
            from sweetspot.telemetry.iotdb.store import IotdbStore

            readable = _readable(where)
            return IotdbStore(_session(where, login, readable), readable)
        except ModuleNotFoundError as error:
            raise _lacking(where, error) from error
    if kind == "examon":
        from sweetspot.telemetry.examon.store import ExamonStore

        return ExamonStore(**_http(where, login))
    from sweetspot.telemetry.influx.store import InfluxStore

    return InfluxStore(_influx(where, login))


def open_publisher(
    telemetry: Telemetry, environment: Mapping[str, str] = os.environ
) -> "Publisher":
    """Return what takes a session's samples to all sinks.

    Raises:
        InputError: as of `open_sink`.
    """
    from sweetspot.telemetry.publisher import Publisher

    sinks = [open_sink(where, environment) for where in telemetry.sinks]
    return Publisher(sinks, gethostname(), interval_s=telemetry.interval_s)


def require_sinks(
    telemetry: Telemetry, environment: Mapping[str, str] = os.environ, *, here: bool = True
) -> None:
    """Check what can be known without asking anybody, before there is any job.

    Args:
        telemetry: where samples are sent.
        environment: with the variables of passwords.
        here: whether it is this machine that sends; only then are files looked at.

    Raises:
        InputError: as of `open_sink`.
    """
    for where in telemetry.sinks:
        known = where if here else replace(where, password_file=None, ca=None)
        open_sink(known, environment).close()


def _influx(where: TelemetrySink, login: Login) -> "Server":
    from sweetspot.telemetry.influx.server import Server

    return Server(database=where.store or "sweetspot", **_http(where, login))


def _http(where: TelemetrySink, login: Login) -> dict[str, Any]:
    address = where.address
    return {
        "host": address.host,
        "port": address.port,
        "tls": tls_context(where.ca) if address.tls else None,
        "user": login.user,
        "password": login.password,
        "timeout_s": where.timeout_s,
    }


def _layout(where: TelemetrySink) -> "Layout":
    from sweetspot.telemetry.iotdb.layouts import DATABASE, Table, Tree
    from sweetspot.telemetry.paths import ROOT

    if where.layout == "examon":
        raise InputError(f"{where.address.name}: format examon of IoTDB is there to be read only")
    if where.layout == "table":
        return Table(where.store or DATABASE)
    return Tree(where.path or where.store or ROOT)


def _readable(where: TelemetrySink) -> "Readable":
    from sweetspot.telemetry.iotdb.layouts import Examon

    return Examon(where.path) if where.layout == "examon" else _layout(where)


def _session(where: TelemetrySink, login: Login, layout: "Readable") -> "Session":
    from sweetspot.telemetry.iotdb.session import Session

    tls = tls_context(where.ca) if where.address.tls else None
    return Session(where.address, login, tls, where.timeout_s, layout.dialect)


def _lacking(where: TelemetrySink, error: ModuleNotFoundError) -> InputError:
    address = where.address
    return InputError(
        f"telemetry to {address.name} needs the package {error.name}:"
        f" pip install '.[{_EXTRA.get(address.kind, 'telemetry')}]' in a clone"
    )
