"""A small server with OpenAI's completions, in a thread, whose faults a test chooses.

Run as a program, with a fault and its first request as words, it prints its URL and serves until it
is killed.
"""

import json
import os
import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import inf
from pathlib import Path

MODEL = "served-model"
SELF_SIGNED = Path(__file__).with_name("self_signed.pem")


@dataclass
class OpenAiServer:
    """What it does, which a test may change while it runs, and what was asked of it.

    Attributes:
        token_s: time between two tokens.
        fault: what is wrong, by name, from request number `fault_from` on.
        foreign_tokens: what /metrics counts of others for each request of ours.
        upgraded_from: from which completion on it is of the next version.
        is_busy: says of a page, by its path, whether it is answered with 503 now.
        pages: what further pages say, by their paths.
        seen: is called with the number of each completion.
        bodies: of all completions so far.
    """

    url: str = ""
    kind: str = "vllm"
    api_key: str = ""
    token_s: float = 0.001
    fault: str = ""
    fault_from: int = 0
    takes_ids: bool = True
    cached_tokens: int = 0
    foreign_tokens: int = 0
    upgraded_from: float = inf
    running: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    seen: Callable[[int], object] = int
    is_busy: Callable[[str], bool] = lambda path: False
    pages: dict[str, object] = field(default_factory=dict)
    bodies: list = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    web: ThreadingHTTPServer | None = None

    def metrics(self):
        return "".join(
            f'# TYPE {name} counter\n{name}{{model_name="m",engine="0"}} {float(value)}\n'
            for name, value in {
                "vllm:num_requests_running": self.running,
                "vllm:num_requests_waiting": 0,
                "vllm:prompt_tokens_total": self.input_tokens,
                "vllm:generation_tokens_total": self.output_tokens,
            }.items()
        )


def _handler(server):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def reply(self, status, content, kind="application/json"):
            body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            half = len(body) // 2  # a page may come in pieces
            self.wfile.write(body[:half])
            self.wfile.flush()
            time.sleep(0.002)
            self.wfile.write(body[half:])

        def is_let_in(self):
            given = self.headers.get("Authorization", "")
            if server.api_key and given != f"Bearer {server.api_key}":
                # as careless servers do
                self.reply(401, {"error": {"message": f"no such key: {given}"}})
                return False
            return True

        def do_GET(self):
            if server.fault == "html":
                self.reply(200, "<!doctype html><title>Hello</title>", "text/html")
            elif server.is_busy(self.path):
                self.reply(503, {"error": {"message": "busy"}})
            elif self.path == "/metrics" and server.kind:
                self.reply(200, server.metrics(), "text/plain")
            elif self.path == "/version":
                is_next = len(server.bodies) >= server.upgraded_from
                self.reply(200, {"version": "0.33.0" if is_next else "0.32.0"})
            elif self.path in server.pages:
                self.reply(200, server.pages[self.path])
            elif self.path == "/v1/models":
                if self.is_let_in():
                    self.reply(200, {"data": [{"id": MODEL, "owned_by": "vllm"}]})
            else:
                self.reply(404, {"error": {"message": "Not Found"}})

        def do_POST(self):
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if not self.is_let_in():
                return
            body = json.loads(content)
            with server.lock:
                number = len(server.bodies)
                server.bodies.append(body)
            server.seen(number)
            fault = server.fault if number >= server.fault_from else ""
            ids = body["prompt"]
            if fault == "429":
                self.reply(429, {"error": {"message": "too many requests"}})
            elif isinstance(ids, list) and not server.takes_ids:
                self.reply(422, {"error": "prompt: expected a string"})
            else:
                self.stream(ids, body, fault)

        def stream(self, prompt, body, fault):
            # a tokenizer of one token a word, with one more at the begin
            inputs = len(prompt) if isinstance(prompt, list) else len(prompt.split()) + 1
            outputs = body["max_tokens"] - (fault == "short")
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream; charset=utf-8")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            with server.lock:
                server.running += 1
                server.input_tokens += inputs
            for place in range(outputs):
                if fault == "killed" and place == outputs // 2:
                    os.kill(os.getpid(), signal.SIGKILL)
                if fault in ("cut", "died") and place == outputs // 2:
                    with server.lock:
                        server.running -= 1
                    if fault == "died":
                        server.web.shutdown()
                        server.web.server_close()
                    self.close_connection = True
                    self.connection.close()
                    return
                time.sleep(server.token_s)
                self.event({"choices": [{"index": 0, "text": " a", "finish_reason": None}]})
            with server.lock:
                server.running -= 1
                server.output_tokens += outputs + server.foreign_tokens
            usage = {"prompt_tokens": inputs, "completion_tokens": outputs}
            details = {"cached_tokens": server.cached_tokens}
            self.event({"choices": [], "usage": usage | {"prompt_tokens_details": details}})
            self.chunk(b"data: [DONE]\n\n")
            self.chunk(b"")

        def event(self, content):
            self.chunk(f"data: {json.dumps(content)}\n\n".encode())

        def chunk(self, content):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))

    return Handler


class _Web(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):  # connections that a fault closed
        pass


@contextmanager
def serving(*, tls=False, **how):
    """Yield a server that answers on a free port of this machine."""
    server = OpenAiServer(**how)
    web = server.web = _Web(("127.0.0.1", 0), _handler(server))
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(SELF_SIGNED)
        web.socket = context.wrap_socket(web.socket, server_side=True)
    server.url = f"http{'s' * tls}://127.0.0.1:{web.server_address[1]}"
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        web.shutdown()
        web.server_close()


if __name__ == "__main__":
    with serving(fault=sys.argv[1], fault_from=int(sys.argv[2])) as running:
        print(running.url, flush=True)
        threading.Event().wait()
