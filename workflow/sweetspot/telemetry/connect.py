"""From what a configuration says of a broker or a store to the one that speaks its protocol.

Each kind is a room of its own, loaded when one is asked for.
"""

import os
from collections.abc import Mapping

from sweetspot.config.telemetry import TelemetrySink
from sweetspot.errors import InputError
from sweetspot.telemetry.contracts import Sink
from sweetspot.telemetry.login import login_of

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
    raise InputError(f"nothing here sends to {where.address.scheme}://")


def _lacking(where: TelemetrySink, error: ModuleNotFoundError) -> InputError:
    address = where.address
    return InputError(
        f"telemetry to {address.name} needs the package {error.name}:"
        f" pip install '.[{_EXTRA.get(address.kind, 'telemetry')}]' in a clone"
    )
