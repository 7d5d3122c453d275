"""From what a configuration says of a broker or a store to the one that speaks its protocol.

Each kind is a room of its own, loaded when one is asked for.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sweetspot.config.telemetry import TelemetrySink
from sweetspot.errors import InputError
from sweetspot.telemetry.contracts import Sink, Store
from sweetspot.telemetry.login import Login, login_of
from sweetspot.telemetry.tls import tls_context

if TYPE_CHECKING:
    from sweetspot.telemetry.influx.server import Server

_EXTRA = {"mqtt": "telemetry", "iotdb": "iotdb"}


def open_sink(where: TelemetrySink, environment: Mapping[str, str] = os.environ) -> Sink:
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
    except ModuleNotFoundError as error:
        raise _lacking(where, error) from error
    if kind == "influx":
        from sweetspot.telemetry.influx.sink import InfluxSink

        return InfluxSink(_influx(where, login))
    if kind == "prometheus":
        from sweetspot.telemetry.prometheus.server import PrometheusSink

        return PrometheusSink(where.address.host, where.address.port)
    raise _nothing("sends to", where)


def open_store(where: TelemetrySink, environment: Mapping[str, str] = os.environ) -> Store:
    """Return what reads samples there; it connects when it first does.

    Raises:
        InputError: as of `open_sink`; or it is a broker, which keeps nothing.
    """
    login, kind = login_of(where, environment), where.address.kind
    if kind == "influx":
        from sweetspot.telemetry.influx.store import InfluxStore

        return InfluxStore(_influx(where, login))
    if kind == "mqtt":
        raise InputError(
            f"{where.address.name} is a broker, which keeps nothing; name the store behind it"
        )
    raise _nothing("reads from", where)


def _influx(where: TelemetrySink, login: Login) -> "Server":
    from sweetspot.telemetry.influx.server import Server

    address = where.address
    return Server(
        host=address.host,
        port=address.port,
        database=where.store or "sweetspot",
        tls=tls_context(where.ca) if address.tls else None,
        user=login.user,
        password=login.password,
        timeout_s=where.timeout_s,
    )


def _nothing(does: str, where: TelemetrySink) -> InputError:
    return InputError(f"nothing here {does} {where.address.scheme}://")


def _lacking(where: TelemetrySink, error: ModuleNotFoundError) -> InputError:
    address = where.address
    return InputError(
        f"telemetry to {address.name} needs the package {error.name}:"
        f" pip install '.[{_EXTRA.get(address.kind, 'telemetry')}]' in a clone"
    )
