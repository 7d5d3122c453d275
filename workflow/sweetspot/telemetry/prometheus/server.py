"""A server of /metrics, and the sink that fills it from a measuring session."""

from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6
from threading import Thread

from sweetspot.errors import TelemetryError
from sweetspot.telemetry.prometheus.page import Page
from sweetspot.telemetry.sample import Sample, Source

FORMAT = "text/plain; version=0.0.4; charset=utf-8"
SLOWEST_S = 5.0
"""A client that takes longer than this to ask, or to read, is left."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    page: Page


class _Server6(_Server):
    address_family = AF_INET6


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = SLOWEST_S

    def do_GET(self) -> None:
        """Answer with the page."""
        is_there = self.path.partition("?")[0] in ("/metrics", "/")
        body = self.server.page.text().encode() if is_there else b"see /metrics\n"
        self.send_response(200 if is_there else 404)
        self.send_header("Content-Type", FORMAT)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what is scraped every few seconds would fill the log."""


class MetricsServer:
    """A page at http://HOST:PORT/metrics from when it is made until `close`."""

    def __init__(self, host: str, port: int) -> None:
        """Begin; port 0 is any that is free.

        Raises:
            TelemetryError: nothing can listen there.
        """
        kind = _Server6 if ":" in host else _Server
        try:
            self._server = kind((host, port), _Handler)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or error
            raise TelemetryError(f"cannot serve /metrics at {_at(host, port)}: {why}") from error
        self.page = self._server.page = Page()
        self.port: int = self._server.server_address[1]
        self.url = f"http://{_at(host, self.port)}/metrics"
        self._thread = Thread(
            target=self._server.serve_forever, args=(0.1,), name="metrics page", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class PrometheusSink:
    """Shows the last sample of each board at /metrics; of those before it knows nothing."""

    unit_ns = 1_000_000
    kept_at = caveat = ""

    def __init__(self, host: str, port: int) -> None:
        """Prepare; it listens from the first sample on."""
        self._host, self._port = host, port
        self.name = f"prometheus://{_at(host, port)}"
        self._server: MetricsServer | None = None

    def send(self, source: Source, samples: Sequence[Sample]) -> None:
        """Show the last of some samples.

        Raises:
            TelemetryError: nothing can listen there, or they are simulated.
        """
        if source.simulated:
            raise TelemetryError(f"{self.name} shows what is metered now, not what is simulated")
        if self._server is None:
            self._server = MetricsServer(self._host, self._port)
        for sample in samples:
            self._server.page.see(source, sample)

    def close(self) -> None:
        """End the server."""
        if self._server is not None:
            self._server.close()
            self._server = None


def _at(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
