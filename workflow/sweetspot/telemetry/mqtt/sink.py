"""The sink that publishes to a broker, and waits until it has acknowledged all."""

import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Any
from uuid import uuid4

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from sweetspot.config.telemetry import TelemetrySink
from sweetspot.errors import TelemetryError
from sweetspot.telemetry.login import Login
from sweetspot.telemetry.mqtt.messages import Message, examon, iotdb_json
from sweetspot.telemetry.sample import MS, Sample, Source
from sweetspot.telemetry.tls import tls_context

_IN_FLIGHT = 1000
"""Messages that wait for a broker's word at once."""

_KEEPALIVE_S = 60


class MqttSink:
    """Publishes with QoS 1; a broker's word is not a store's: what it keeps is its own affair.

    The connection is driven by the calls alone, there is no thread. A broker ends one that was
    silent for long, between cells; the next call then opens another. A call ends in time, but where
    DNS takes its own to say that there is no such name: a publisher does not wait for that.
    """

    unit_ns = MS

    def __init__(self, where: TelemetrySink, login: Login) -> None:
        """Take an address; nothing is opened yet.

        Raises:
            InputError: its file of certificates is none.
        """
        self.name = where.address.name
        self._where, self._address, self._login = where, where.address, login
        self._tls = tls_context(where.ca) if self._address.tls else None
        self._client: mqtt.Client | None = None
        self._open: set[int] = set()
        self._answer: Any = None

    def send(self, source: Source, samples: Sequence[Sample]) -> None:
        """Publish samples, and wait for the broker's word on each message.

        Raises:
            TelemetryError: it did not come for all of them.
        """
        until_s = monotonic() + self._where.timeout_s
        try:
            client = self._connected(until_s)
            for message in self._messages(source, samples):
                self._publish(client, message)
                if len(self._open) >= _IN_FLIGHT:
                    self._wait(client, until_s)
            self._wait(client, until_s)
        except TelemetryError:
            self._drop()
            raise
        except (OSError, ValueError) as error:  # ValueError: a host that is no name
            self._drop()
            raise TelemetryError(f"{self.name}: {self._login.hidden(_words(error))}") from error

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
        topic, payload = message
        sent = client.publish(topic, payload, qos=1)
        if sent.rc != mqtt.MQTT_ERR_SUCCESS:
            raise TelemetryError(f"{self.name}: {mqtt.error_string(sent.rc)}")
        self._open.add(sent.mid)

    def _wait(self, client: mqtt.Client, until_s: float) -> None:
        """Go on until all that was published is acknowledged."""
        while self._open:
            self._loop(client, until_s, f"{len(self._open)} messages are not acknowledged")

    def _loop(self, client: mqtt.Client, until_s: float, lacking: str) -> None:
        left_s = until_s - monotonic()
        if left_s <= 0:
            raise TelemetryError(f"{self.name}: {lacking} after {self._where.timeout_s:g} s")
        code = client.loop(left_s)
        if code != mqtt.MQTT_ERR_SUCCESS and self._answer is None:
            raise TelemetryError(f"{self.name}: {mqtt.error_string(code)}")

    def _connected(self, until_s: float) -> mqtt.Client:
        """Return a connection that the broker has not ended."""
        if self._client is not None and self._client.loop(0) == mqtt.MQTT_ERR_SUCCESS:
            return self._client
        self._drop()
        # Two clients of one name would put each other out for ever.
        name = f"sweetspot-{socket.gethostname()}-{os.getpid()}-{uuid4().hex}"
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name)
        self._client, self._answer = client, None
        client.max_inflight_messages_set(_IN_FLIGHT)
        client.connect_timeout = self._where.timeout_s
        if self._login.user:
            client.username_pw_set(self._login.user, self._login.password or None)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        client.connect(self._address.host, self._address.port, _KEEPALIVE_S)
        while self._answer is None:
            self._loop(client, until_s, "no answer")
        if self._answer.is_failure:
            raise TelemetryError(f"{self.name}: {self._login.hidden(self._answer)}")
        return client

    def _on_connect(self, _: object, __: object, ___: object, answer: Any, ____: object) -> None:
        self._answer = answer

    def _on_publish(self, _: object, __: object, mid: int, ___: object, ____: object) -> None:
        self._open.discard(mid)

    def _drop(self) -> None:
        """Forget the connection; what it had not sent is sent anew by another."""
        self._client = None
        self._open.clear()


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, socket.gaierror):
        return "no such host (DNS)"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
