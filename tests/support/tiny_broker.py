"""A broker of MQTT, in a thread: as much of it as a publisher meets, and what can go wrong.

What a real one does is tested on mosquitto; this one starts in a millisecond, and misbehaves.
"""

import socket
from contextlib import suppress
from threading import Thread

CONNECT, PUBLISH, DISCONNECT = 1, 3, 14


class TinyBroker:
    """Listens on a port of its own until `close`.

    Attributes:
        messages: (topic, payload) of all that was published, in order.
        clients: ids of the clients that came.
        logins: (user, password) of each.
        answer: to a client that comes; 0 accepts it, 0x87 says "not authorized".
        acknowledges: of how many messages it says that it has them, before it falls silent.
        hangs_up_after: how many messages it takes before it closes the connection, once.
        version: of MQTT that it speaks at most: 5, or 4, which is 3.1.1 and refuses the other.
        versions: that it was asked to speak, by each client that came.
        at_once: how many messages that it has not acknowledged it bears, and waits for; None: any.
        reasons: by the last part of a topic, what it says of such messages; 0 is that all is well.
    """

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.messages, self.clients, self.logins = [], [], []
        self.answer, self.acknowledges, self.hangs_up_after = 0, float("inf"), None
        self.version, self.versions, self.reasons = 5, [], {}
        self.at_once = None
        self._connections = []
        self._thread = Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self):
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._thread.join()

    def hang_up(self):
        """End all connections, as a broker does with clients that were silent for long."""
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _listen(self):
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with suppress(OSError, EOFError), connection.makefile("rb") as stream:
            owed = []
            while True:
                kind, body = _packet(stream)
                if kind == CONNECT:
                    version = self._greet(body)
                    connection.sendall(self._answer(version))
                    if version > self.version:
                        break
                elif kind == PUBLISH:
                    if self.hangs_up_after == len(self.messages):
                        self.hangs_up_after = None
                        break
                    topic, rest = _text(body)
                    self.messages.append((topic, rest[3 if version == 5 else 2 :].decode()))
                    if len(self.messages) <= self.acknowledges:
                        reason = self.reasons.get(topic.rpartition("/")[2], 0)
                        said = rest[:2] + bytes([reason] if reason and version == 5 else [])
                        owed.append(bytes((0x40, len(said))) + said)
                    if len(owed) == (self.at_once or 1):
                        connection.sendall(b"".join(owed))
                        owed = []
                elif kind == DISCONNECT:
                    break
        connection.close()

    def _answer(self, version):
        if version > self.version:
            return bytes((0x20, 2, 0, 1))
        if version < 5:
            return bytes((0x20, 2, 0, {0x87: 5}.get(self.answer, self.answer)))
        limit = b"" if self.at_once is None else b"\x21" + self.at_once.to_bytes(2)
        return bytes((0x20, 3 + len(limit), 0, self.answer, len(limit))) + limit

    def _greet(self, body):
        _, rest = _text(body)
        version, flags, rest = rest[0], rest[1], rest[4:]
        if version == 5:
            rest = rest[1 + rest[0] :]
        texts = []
        while rest:
            text, rest = _text(rest)
            texts.append(text)
        self.versions.append(version)
        self.clients.append(texts[0])
        self.logins.append(tuple(texts[1:]) if flags & 0x80 else ())
        return version


def _packet(stream):
    first = stream.read(1)
    if not first:
        raise EOFError
    length, shift = 0, 0
    while True:
        byte = stream.read(1)[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return first[0] >> 4, stream.read(length)


def _text(body):
    end = 2 + int.from_bytes(body[:2])
    return body[2:end].decode(), body[end:]
