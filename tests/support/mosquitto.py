"""mosquitto for real, as a process of its own that tests may stop, kill and start again."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from threading import Event
from uuid import uuid4

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from ports import hold_port

PROGRAM = shutil.which("mosquitto") or "/usr/sbin/mosquitto"  # not in every user's PATH
SELF_SIGNED = Path(__file__).with_name("self_signed.pem")
USER, PASSWORD = "me", "s3cr3t-of-the-broker"


def is_installed():
    return Path(PROGRAM).exists()


class Mosquitto:
    """A broker on a port that it keeps.

    `guarded` asks for a password, `tls` for TLS; `acl` says who may publish and read what.
    """

    def __init__(self, folder, *, guarded=False, tls=False, acl=""):
        self._held = hold_port()
        self.port = self._held.getsockname()[1]
        lines = [f"listener {self.port} 127.0.0.1", f"allow_anonymous {str(not guarded).lower()}"]
        lines.append("max_queued_messages 1000000")  # a subscriber that is slow misses none
        if os.getuid() == 0:  # it would become somebody who may not look into our folder
            lines.append("user root")
        if guarded:
            passwords = folder / "passwords"
            passwords.write_text(f"{USER}:{PASSWORD}\n")
            passwords.chmod(0o600)
            subprocess.run(["mosquitto_passwd", "-U", passwords], check=True)
            lines.append(f"password_file {passwords}")
        if tls:
            lines += [f"certfile {SELF_SIGNED}", f"keyfile {SELF_SIGNED}"]
        if acl:
            (folder / "acl").write_text(acl)
            lines.append(f"acl_file {folder / 'acl'}")
        self._file, self._log, self.process = folder / "mosquitto.conf", folder / "log", None
        self._file.write_text("".join(f"{line}\n" for line in lines))

    def start(self):
        with self._log.open("ab") as log:
            self.process = subprocess.Popen([PROGRAM, "-c", self._file], stdout=log, stderr=log)
        end_s = time.monotonic() + 60
        while time.monotonic() < end_s:
            assert self.process.poll() is None, self._log.read_text()
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.02)
        raise AssertionError("mosquitto does not listen")

    def hang(self):
        self.process.send_signal(signal.SIGSTOP)

    def kill(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None

    def end(self):
        """Kill it, and let its port go."""
        self.kill()
        self._held.close()


class Subscriber:
    """Takes what is published on a port: `messages` are (topic, payload), in order."""

    def __init__(self, port, topic="#", user="", *, tls=False):
        self.messages, self._is_there = [], Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        if user:
            self._client.username_pw_set(user, PASSWORD)
        if tls:
            self._client.tls_set(SELF_SIGNED)
        self._client.on_message = lambda _, __, message: self.messages.append(
            (message.topic, message.payload.decode())
        )
        self._client.on_subscribe = lambda *_: self._is_there.set()
        self._client.connect("127.0.0.1", port)
        self._client.subscribe(topic, qos=1)
        self._client.loop_start()
        assert self._is_there.wait(60)

    def settle(self):
        """Wait for all that the broker has acknowledged: a message that comes after it is sent."""
        mark = ("mark", str(uuid4()))
        self._client.publish(*mark, qos=1)
        end_s = time.monotonic() + 60
        while mark not in self.messages[-1000:]:
            assert time.monotonic() < end_s, "the subscriber hears nothing"
            time.sleep(0.005)
        self.messages.remove(mark)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()
