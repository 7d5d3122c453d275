"""Metered runs without a board, brokers and stores real and in memory, listeners that are none."""

import os
import shutil
import socket
import sys
import threading
import warnings
from contextlib import ExitStack, suppress
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from in_memory import InMemory
from looks import NEVER_S
from mosquitto import is_installed
from shown import ROOT

from sweetspot.files import write_bytes_atomic
from sweetspot.measure.record import CellRecord, record_bytes
from sweetspot.metering.samples import CHANNELS, Samples
from sweetspot.metering.trace import PowerTrace, write_trace
from sweetspot.metering.window import Window
from sweetspot.telemetry.kept import readings_of
from sweetspot.telemetry.publisher import Publisher

UTC_S = 1_790_000_000.25


@pytest.fixture
def memory():
    """Return a broker and store that counts milliseconds."""
    return InMemory()


@pytest.fixture
def publish():
    """Return a function that begins a publisher, which is closed with the test."""
    begun = []

    def begin(*sinks, interval_s=NEVER_S, **options):
        begun.append(Publisher(sinks, "n1", interval_s=interval_s, **options))
        return begun[-1]

    yield begin
    for publisher in begun:
        publisher.close(0)


@pytest.fixture
def deaf():
    """Return a function that gives the address of a listener whose queue is full."""
    with ExitStack() as held:

        def listen():
            listener = held.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for _ in range(3):
                waiting = held.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
            return listener.getsockname()

        yield listen


@pytest.fixture
def named(monkeypatch):
    """Return a function that makes all names have these addresses."""

    def name(*addresses):
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", each) for each in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    return name


@pytest.fixture
def saying():
    """Return a function that begins a listener for one who comes, and gives its address.

    It says the same whatever it is told, and then ends the connection; or, where it `drips`, goes
    on a byte at a time, for ever.
    """
    ended, threads, listeners = threading.Event(), [], []
    with ExitStack() as held:

        def listen(said, *, drips=False):
            listening = held.enter_context(socket.create_server(("127.0.0.1", 0)))
            listeners.append(listening)

            def answer():
                with suppress(OSError), listening.accept()[0] as sock:
                    sock.recv(4096)
                    sock.sendall(said)
                    while drips and not ended.wait(0.02):
                        sock.sendall(b"\0")
                    sock.shutdown(socket.SHUT_WR)
                    sock.recv(4096)

            threads.append(threading.Thread(target=answer))
            threads[-1].start()
            return listening.getsockname()

        yield listen
        ended.set()
        for listening, thread in zip(listeners, threads, strict=True):
            with suppress(OSError):  # nobody came
                listening.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.fixture(scope="session")
def client():
    """Load what needs Apache's client, and return the module of the server."""
    folder = ROOT / ".venv-iotdb"
    if not (folder / "ready").exists():
        lacks("client of IoTDB", "`make .venv-iotdb/ready`")
    before = list(warnings.filters)
    sys.path.append(str(folder))
    try:
        import_module("sweetspot.telemetry.iotdb.session")
        assert warnings.filters == before  # the client itself would show all deprecations
        return import_module("iotdb_server")
    finally:
        sys.path.remove(str(folder))


def lacks(what, how):
    """Skip a test, which CI may not."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no {what}: {how}")


@pytest.fixture(params=["mosquitto", "influxd", "iotdb"])
def real_server(request, tmp_path):
    """Return a function that makes a server, which is ended with the test."""
    from real_servers import IotdbProtocol, RealInfluxd, RealMosquitto

    made = []

    def make(**options):
        folder = tmp_path / f"server{len(made)}"
        folder.mkdir()
        if request.param == "mosquitto":
            is_installed() or lacks("mosquitto", "scripts/telemetry.sh installs it")
            made.append(RealMosquitto(folder, **options))
        elif request.param == "influxd":
            shutil.which("influxd") or lacks("influxd", "scripts/telemetry.sh installs it")
            made.append(RealInfluxd(folder, **options))
        else:
            client = request.getfixturevalue("client")
            made.append(IotdbProtocol(folder, client, **options))
        return made[-1]

    yield make
    for each in made:
        each.end()


@pytest.fixture
def simulated_run(small_run, tmp_path):
    """Return the folder of a simulated run of nine cells, to be written to."""
    return shutil.copytree(small_run, tmp_path / "simulated")


@pytest.fixture
def metered_run(tmp_path):
    """Return a function that writes the folder of a run of so many metered cells, 20 s each.

    Cells of one board follow each other every 30 s; the power of looks `unread` could not be read;
    `changes` are of all records.
    """

    def build(cells=2, samples=200, unread=(), **changes):
        folder = tmp_path / "metered"
        for number in range(cells):
            begun_s = 5000.0 + 30 * number
            t_s = begun_s + np.linspace(0, 20, samples) + np.arange(samples) % 7 * 1.3e-4
            power_w = 300 + 100 * np.sin(t_s) + np.arange(samples) % 3 * 20.0
            read_w = power_w.copy()
            read_w[list(unread)] = np.nan
            channels = dict.fromkeys(CHANNELS, np.full(samples, np.nan)) | {
                "t_s": t_s,
                "power_instant_w": read_w,
                "power_usage_w": np.round(power_w, 1),
                "counter_j": np.cumsum(np.append(0, np.diff(t_s)) * power_w),
                "sm_mhz": np.full(samples, 1980.0),
                "utc_s": np.append(UTC_S + 30 * number, np.full(samples - 1, np.nan)),
            }
            of_board = Samples(**channels)
            readings = readings_of(PowerTrace(t_s, of_board.power()[1]), of_board)
            window = Window(readings, begun_s + 2.0003, begun_s + 18.0007)
            energy_j = window.energy.integration_j / 4
            path = folder / f"records/tiny/b8/n10/i16_o{8 + number}/r0.{number:016x}.json"
            write_trace(path.with_suffix(".trace.csv.gz"), readings)
            record = CellRecord(
                key=f"{number:016x}",
                cell=f"tiny/b8/n10/i16_o{8 + number}/r0",
                model="tiny",
                engine="vllm",
                engine_version="0",
                gpu="h200-sxm",
                input_tokens=16,
                output_tokens=8 + number,
                requests=10,
                max_batch_size=8,
                repeat=0,
                status="ok",
                simulated=False,
                energy_j=energy_j,
                energy_source="integration",
                energy_integration_j=energy_j,
                energy_counter_j=window.energy.counter_j / 4,
                energy_sum_500ms_j=window.energy.sum_500ms_j / 4,
                passes=4,
                window_start_s=window.start_s,
                window_end_s=window.end_s,
                trace_utc_s=UTC_S + 30 * number,
                beyond_native_context=False,
                provenance={"gpu_uuid": "GPU-1", "gpu_name": "NVIDIA H200", "host": "node-1.it"},
            )
            write_bytes_atomic(path, record_bytes(replace(record, **changes)))
        return folder

    return build
