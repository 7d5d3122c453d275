"""Servers that answer to the line protocol as a test asks, and samples to send."""

import http.server
import threading
from contextlib import contextmanager

from sweetspot.telemetry.sample import COLUMNS, Source, stamped

BOARD = Source(gpu_uuid="GPU-1, 2=3 'x'", gpu_name="NVIDIA H200", host="node ö,1")


def samples_of(count, first_utc_s=1.764e9 + 0.123456):
    rows = [
        (0.1 * i, 300 + i / 7, 300 + i / 7, *[float("nan")] * (len(COLUMNS) - 4), 1 / (i + 1))
        for i in range(count)
    ]
    return stamped(rows, first_utc_s, 1)


@contextmanager
def answering(answer, tls=None):
    """Serve `answer(handler, body)` on a free port; yields the port and what was asked."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked.append((self.path, body, dict(self.headers)))
            answer(self, body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # of who does not trust it, or did not wait
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1], asked
    finally:
        server.shutdown()
        server.server_close()


def say(handler, status, body=b""):
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
