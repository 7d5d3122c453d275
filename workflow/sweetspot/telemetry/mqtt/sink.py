"""The sink that publishes to a broker, and waits until it has acknowledged all."""

import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Any
from uuid import uuid4

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from sweetspot.config.telemetry import TelemetrySink
from sweetspot.errors import TelemetryError
from sweetspot.telemetry.contracts import RefusedError
from sweetspot.telemetry.failures import ended_at_once, why
from sweetspot.telemetry.login import Login
from sweetspot.telemetry.mqtt.messages import Message, examon, iotdb_json
from sweetspot.telemetry.sample import MS, Sample, Source
from sweetspot.telemetry.sockets import connected
from sweetspot.telemetry.tls import tls_context

_IN_FLIGHT = 200
"""Messages that wait for a broker's word at once, if it does not ask for fewer.

The client looks through all of them at each word; 20 ms away it is 10,000 messages a second.
"""

_KEEPALIVE_S = 60

# Of MQTT 5: the broker has no room for it now; it may have later.
_QUOTA_EXCEEDED = 0x97
# It names no reason, or one of its own: whether it would have the same later it does not say.
_UNNAMED = (0x80, 0x83)
_NOBODY_SUBSCRIBED = 0x10
_OTHER_VERSION = 0x84
_WHO = (0x86, 0x87)  # no such user or password; one who may not come


class _Client(mqtt.Client):
    """Connects in time: paho's own has its whole timeout for each address of a name."""

    until_s = 0.0
    tls: ssl.SSLContext | None = None

    def _create_socket(self) -> socket.socket:  # private to paho 2.2; tests would find it gone
        return connected(self.host, self.port, self.tls, self.until_s)


class MqttSink:
    """Publishes with QoS 1; a broker's word is not a store's: what it keeps is its own affair.

    MQTT 5 is spoken, by which a broker says what it refuses, and that nobody subscribed; MQTT 3.1.1
    where a broker knows no other, which acknowledges all the same.

    The connection is driven by the calls alone, there is no thread. A broker ends one that was
    silent for long, between cells; the next call then opens another. A call ends in time, but where
    DNS takes its own to say that there is no such name: a publisher does not wait for that.

    Source: OASIS, MQTT Version 5.0, 3.1.2.11.3 (receive maximum), 3.4.2.1 (reasons), 4.13.
    """

    unit_ns = MS

    def __init__(self, where: TelemetrySink, login: Login) -> None:
        """Take an address; nothing is opened yet.

        Raises:
            InputError: its file of certificates is none.
        """
        self.name = where.address.name
        self.kept_at = f"{self.name} {where.layout} {where.topic} {where.path}"
        self._where, self._address, self._login = where, where.address, login
        self._tls = tls_context(where.ca) if self._address.tls else None
        self._version = mqtt.MQTTv5
        self._client: mqtt.Client | None = None
        self._in_flight = _IN_FLIGHT
        self._open: dict[int, Message] = {}
        self._refused: set[int] = set()
        self._refusal = ""
        self._unheard = 0
        self._answer: Any = None

    @property
    def caveat(self) -> str:
        """What is not known of what was acknowledged."""
        if self._version != mqtt.MQTTv5:
            return "it speaks MQTT 3.1.1 alone, which acknowledges what it refuses, too"
        # IoTDB's broker stores what nobody has subscribed to
        if self._unheard and self._where.layout == "examon":
            return f"to {self._unheard} messages nobody had subscribed"
        return ""

    def send(self, source: Source, samples: Sequence[Sample]) -> None:
        """Publish samples, and wait for the broker's word on each message.

        Raises:
            RefusedError: it forbids some of them.
            TelemetryError: its word did not come for all of them.
        """
        until_s = monotonic() + self._where.timeout_s
        self._refused.clear()
        try:
            client = self._connected(until_s)
            for message in self._messages(source, samples):
                if len(self._open) >= self._in_flight:
                    self._wait(client, until_s, self._in_flight - 1)
                self._publish(client, message)
            self._wait(client, until_s, 0)
        except TelemetryError:
            self._drop()
            raise
        except (OSError, ValueError) as error:  # ValueError: a host that is no name
            self._drop()
            raise TelemetryError(f"{self.name}: {self._login.hidden(why(error))}") from error
        if self._refused:
            raise RefusedError(f"{self.name}: {self._refusal}", len(self._refused))

    def close(self) -> None:
        """Say goodbye, without waiting for an answer."""
        if self._client is not None:
            self._client.disconnect()
        self._drop()

    def _messages(self, source: Source, samples: Sequence[Sample]) -> Iterator[Message]:
        where = self._where
        if where.layout == "examon":
            return examon(where.topic, source, samples)
        return iotdb_json(where.topic, where.path, source, samples)

    def _publish(self, client: mqtt.Client, message: Message) -> None:
        sent = client.publish(message.topic, message.payload, qos=1)
        if sent.rc != mqtt.MQTT_ERR_SUCCESS:
            raise TelemetryError(f"{self.name}: {_said(sent.rc)}")
        self._open[sent.mid] = message

    def _wait(self, client: mqtt.Client, until_s: float, most: int) -> None:
        """Go on until no more than so many messages are not acknowledged."""
        while len(self._open) > most:
            code = self._loop(client, until_s, f"{len(self._open)} messages are not acknowledged")
            if code != mqtt.MQTT_ERR_SUCCESS and len(self._open) > most:
                raise TelemetryError(f"{self.name}: {_said(code)}")

    def _loop(self, client: mqtt.Client, until_s: float, lacking: str) -> MQTTErrorCode:
        left_s = until_s - monotonic()
        if left_s <= 0:
            raise TelemetryError(f"{self.name}: {lacking} after {self._where.timeout_s:g} s")
        return client.loop(left_s)

    def _connected(self, until_s: float) -> mqtt.Client:
        """Return a connection that the broker has not ended."""
        if self._client is not None and self._client.loop(0) == mqtt.MQTT_ERR_SUCCESS:
            return self._client
        client = self._greeted(until_s, self._version)
        if self._answer.value == _OTHER_VERSION and self._version == mqtt.MQTTv5:
            client = self._greeted(until_s, mqtt.MQTTv311)
        if self._answer.is_failure:
            hint = "; see user and password_env" if self._answer.value in _WHO else ""
            raise TelemetryError(f"{self.name}: {self._login.hidden(self._answer)}{hint}")
        return client

    def _greeted(self, until_s: float, version: MQTTProtocolVersion) -> mqtt.Client:
        """Return a new connection to whose greeting the broker has answered."""
        self._drop()
        # Two clients of one name would put each other out for ever.
        name = f"sweetspot-{socket.gethostname()}-{os.getpid()}-{uuid4().hex}"
        client = _Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=version)
        self._client, self._answer, self._version = client, None, version
        client.max_inflight_messages_set(_IN_FLIGHT)
        client.until_s, client.tls = until_s, self._tls
        if self._login.user:
            client.username_pw_set(self._login.user, self._login.password or None)
        if self._tls is not None:  # for should paho not ask ours, never without
            client.tls_set_context(self._tls)
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        client.connect(self._address.host, self._address.port, _KEEPALIVE_S)
        while self._answer is None:
            code = self._loop(client, until_s, "no answer")
            if code != mqtt.MQTT_ERR_SUCCESS and self._answer is None:
                raise TelemetryError(f"{self.name}: {ended_at_once(self._tls)}")
        return client

    def _on_connect(self, _: object, __: object, ___: object, answer: Any, more: Any) -> None:
        self._answer = answer
        self._in_flight = min(_IN_FLIGHT, getattr(more, "ReceiveMaximum", _IN_FLIGHT))

    def _on_publish(self, _: object, __: object, mid: int, answer: Any, ___: object) -> None:
        message = self._open.pop(mid, None)
        if message is None or not answer.value:
            return
        if answer.value == _NOBODY_SUBSCRIBED:
            self._unheard += 1
        elif answer.value == _QUOTA_EXCEEDED:
            raise TelemetryError(f"{self.name}: {answer}")
        elif answer.value in _UNNAMED:
            raise RefusedError(f"{self.name}: {message.topic}: {answer}")
        elif answer.is_failure:
            self._refused.update(message.samples)
            self._refusal = f"{message.topic}: {answer}"

    def _drop(self) -> None:
        """Forget the connection; what it had not sent is sent anew by another."""
        self._client = None
        self._open.clear()


def _said(code: MQTTErrorCode) -> str:
    return mqtt.error_string(code).rstrip(".")
