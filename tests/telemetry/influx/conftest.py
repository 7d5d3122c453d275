"""InfluxDB for real, where it is installed."""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import closing

import pytest


@pytest.fixture(scope="module")
def influxd(tmp_path_factory):
    """A running InfluxDB of Debian's: its port, and its process."""
    if not shutil.which("influxd"):
        if os.environ.get("CI"):
            pytest.fail("no influxd; scripts/telemetry.sh installs it")
        pytest.skip("no influxd here (Debian: influxdb)")
    folder = tmp_path_factory.mktemp("influx")
    port, other = _free_port(), _free_port()
    (folder / "influxdb.conf").write_text(
        f"""reporting-disabled = true
bind-address = "127.0.0.1:{other}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
"""
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["influxd", "-config", str(folder / "influxdb.conf")], stdout=log, stderr=log
        )
    try:
        _until_it_listens(port, process)
        yield port, process
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


def _until_it_listens(port, process):
    end_s = time.monotonic() + 60
    while time.monotonic() < end_s:
        assert process.poll() is None, "influxd ended"
        with closing(socket.socket()) as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("influxd does not listen")


def _free_port():
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]
