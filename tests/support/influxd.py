"""InfluxDB as Debian has it, on loopback, with all that it keeps in a folder."""

import signal
import socket
import subprocess
import time
from contextlib import contextmanager, nullcontext

from ports import held_port

PATIENCE_S = 60.0


def configured(folder, port, *, guarded=False, certificate=None):
    """Write what a server at a port is to do, and return the file.

    Args:
        folder: where it keeps all.
        port: where it listens.
        guarded: whether it asks for a password; its first user may be made by anybody.
        certificate: a file of it and its key, for TLS.
    """
    tls = f'https-enabled = true\nhttps-certificate = "{certificate}"\n' if certificate else ""
    path = folder / "influxdb.conf"
    path.write_text(
        f"""reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
dir = "{folder}/influx/meta"
[data]
dir = "{folder}/influx/data"
wal-dir = "{folder}/influx/wal"
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
auth-enabled = {str(guarded).lower()}
{tls}"""
    )
    return path


@contextmanager
def influxd(folder, port=None, **options):
    """Run a server, at a port that is held or one of its own; yields it, and the process.

    What it stored before in that folder it has again; options are those of `configured`.
    """
    with (
        nullcontext(port) if port else held_port() as port,
        (folder / "influxd.log").open("wb") as log,
    ):
        words = ["influxd", "-config", str(configured(folder, port, **options))]
        process = subprocess.Popen(words, stdout=log, stderr=log)
        try:
            _until_it_listens(port, process)
            yield port, process
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


def _until_it_listens(port, process):
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        assert process.poll() is None, "influxd ended"
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"influxd does not listen after {PATIENCE_S:g} s")
