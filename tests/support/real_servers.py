"""What samples are sent to, and come back from: mosquitto, influxd, IoTDB's protocol.

The first two are the programs; IoTDB is a server made of its client, in a thread
(`iotdb_server.py`).
"""

import json
import signal
import ssl
from contextlib import ExitStack, closing
from threading import Event

from influxd import influxd
from mosquitto import PASSWORD, SELF_SIGNED, USER, Mosquitto, Subscriber
from ports import hold_port

from sweetspot.config import TelemetrySink
from sweetspot.telemetry.captures.examon_log import ExamonLog
from sweetspot.telemetry.connect import open_sink, open_store
from sweetspot.telemetry.influx.server import Server

FORBIDDEN = "GPU-forbidden"
"""A board whose samples each of them refuses, where they hold `sm_mhz`."""


class Noted:
    """A sink, and of how many samples a call began, and ended well."""

    def __init__(self, sink):
        self._sink, self.begun, self.acknowledged = sink, 0, 0

    def __getattr__(self, name):
        return getattr(self._sink, name)

    def send(self, source, samples):
        self.begun += len(samples)
        self._sink.send(source, samples)
        self.acknowledged += len(samples)


class RealServer:
    """One of them, which tests start, stop, kill and start again at the port that it keeps.

    `guarded` asks for the password of `USER`, `tls` for TLS.
    """

    scheme, scheme_tls, database = "", "", ""

    def __init__(self, folder, *, guarded=False, tls=False):
        self.folder, self.guarded, self.tls = folder, guarded, tls
        self._held = hold_port()
        self.port = self._held.getsockname()[1]
        self._opened, self._runs = ExitStack(), ExitStack()

    def where(self, user=USER, password=PASSWORD, **options):
        """Return what a configuration says of it; the password is in a file."""
        scheme = self.scheme_tls if self.tls else self.scheme
        if user:
            path = self.folder / f"password-{password}"
            path.write_text(password)
            options |= {"user": user, "password_file": path}
        return TelemetrySink(
            url=f"{scheme}://127.0.0.1:{self.port}{self.database}",
            **{"timeout_s": 60, "ca": SELF_SIGNED if self.tls else None} | options,
        )

    def sink(self, **options):
        """Return a sink, which is closed in the end."""
        return Noted(self._opened.enter_context(closing(open_sink(self.where(**options)))))

    def store(self):
        """Return a store of what it has been sent so far."""
        return self._opened.enter_context(closing(open_store(self.where())))

    def kill(self):
        self._runs.close()

    def end(self):
        """End it and all that was opened; its port goes."""
        self._opened.close()
        self.kill()
        self._held.close()


class RealMosquitto(RealServer):
    """The store is what a subscriber has written down."""

    scheme, scheme_tls = "mqtt", "mqtts"

    def __init__(self, folder, **options):
        super().__init__(folder, **options)
        self._held.close()  # the broker has its own
        id_ = "org/sweetspot/node/+/plugin/sweetspot/chnl/data/id"
        rights = f"topic readwrite #\ntopic deny {id_}/{FORBIDDEN}/sm_clock\n"
        self._broker = Mosquitto(folder, acl=f"{rights}user {USER}\n{rights}", **options)
        self.port = self._broker.port
        self._heard, self._subscriber = [], None

    def start(self):
        self._broker.start()
        user = USER if self.guarded else ""
        self._subscriber = Subscriber(self.port, user=user, tls=self.tls)

    def hang(self):
        self._broker.hang()

    def resume(self):
        self._broker.process.send_signal(signal.SIGCONT)

    def kill(self):
        if self._subscriber is not None:
            self.resume()
            self._subscriber.settle()
            self._heard += self._subscriber.messages
            self._subscriber.close()
            self._subscriber = None
        self._broker.kill()

    def end(self):
        super().end()
        self._broker.end()

    def messages(self):
        """Return (topic, payload) of all."""
        if self._subscriber is not None:
            self._subscriber.settle()
        return self._heard + (self._subscriber.messages if self._subscriber else [])

    def store(self):
        path = self.folder / "examon.log"
        path.write_text("".join(f"{topic} {payload}\n" for topic, payload in self.messages()))
        return ExamonLog(path)

    def count(self):
        """Return how many samples it has, each once; they were sent as IoTDB's JSON."""
        rows = (row for _, payload in self.messages() for row in json.loads(payload))
        return len({(row["device"], row["timestamp"]) for row in rows})

    def names(self):
        """Return what samples are kept by there."""
        return {topic for topic, _ in self.messages()}


class RealInfluxd(RealServer):
    scheme, scheme_tls, database = "influx+http", "influx+https", "/lab"

    def start(self):
        certificate = SELF_SIGNED if self.tls else None
        options = {"guarded": self.guarded, "certificate": certificate}
        _, self._process = self._runs.enter_context(influxd(self.folder, self.port, **options))
        if self.guarded:
            anybody = Server(host="127.0.0.1", port=self.port, database="lab", timeout_s=60)
            asked = f"CREATE USER {USER} WITH PASSWORD '{PASSWORD}' WITH ALL PRIVILEGES"
            with closing(anybody):
                anybody.query(asked, anybody.until_s())

    def hang(self):
        self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)

    def forbid(self):
        """Have a column of another type, in the shard of what `looks` and `metered_run` give."""
        server = open_sink(self.where()).server
        with closing(server):
            line = f"sweetspot_gpu,gpu_uuid={FORBIDDEN} sm_mhz=1i {1_790_000_000 * 10**9}"
            server.write(line, server.until_s(), simulated=False)

    def asked(self, statement):
        """Return the rows that a statement gives."""
        server = open_sink(self.where()).server
        with closing(server):
            (series,) = server.query(statement, server.until_s(), simulated=False)
        return series["values"]

    def count(self):
        ((_, count),) = self.asked("SELECT count(t_s) FROM sweetspot_gpu WHERE time > 0")
        return count

    def names(self):
        return {name for (name,) in self.asked("SHOW DATABASES")} - {"_internal"}


class IotdbProtocol(RealServer):
    scheme, scheme_tls = "iotdb", "iotdbs"

    def __init__(self, folder, client, **options):
        super().__init__(folder, **options)
        self._client, self._iotdb = client, client.Iotdb(PASSWORD, user=USER)
        self._answers = Event()
        self._answers.set()
        self._iotdb.trick = lambda _: self._answers.wait(60) and None

    def start(self):
        context = None
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(SELF_SIGNED)
        self._runs.enter_context(self._client.serving(self._iotdb, context, self.port))

    def hang(self):
        self._answers.clear()

    def resume(self):
        self._answers.set()

    def forbid(self):
        """Have a column of another type."""
        for node in ("n1", "node_1_it"):
            device = f"root.sweetspot.{node}.{FORBIDDEN.replace('-', '_')}"
            self._iotdb.made[device] = {"sm_mhz": "TEXT"}

    def count(self):
        return sum(map(len, self._iotdb.devices.values()))

    def names(self):
        return set(self._iotdb.devices)
