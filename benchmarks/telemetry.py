"""What sending samples costs the meter: CPU time, gaps between samples, and how many wait.

    python benchmarks/telemetry.py [SECONDS] [ROUNDS]

A meter samples a board of the fake driver, alone and with each sink: mosquitto and influxd where
they are installed, the tests' server of IoTDB's protocol in another process (`make
.venv-iotdb/ready`), the page for Prometheus, a port where nobody listens, one that never answers.
The driver takes 600 us of CPU time for a field value, as an H200's. CPU time is that of this
process, meter and sending together, without the broker's and the store's; of some rounds, one sink
after the other, the least counts, of the gaps as well.
"""

import ctypes
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pynvml

from sweetspot.config import TelemetrySink
from sweetspot.markdown import table
from sweetspot.metering.meter import Observer
from sweetspot.metering.nvml import Board
from sweetspot.metering.sampler import NvmlMeter
from sweetspot.metering.samples import Look
from sweetspot.telemetry.connect import open_sink
from sweetspot.telemetry.contracts import Sink
from sweetspot.telemetry.publisher import Publisher
from sweetspot.telemetry.sample import Sample, Source

ROOT = Path(__file__).absolute().parents[1]
FAKE = ROOT / "tests" / "fake_nvml" / "nvml.c"
INTERVALS_S = (0.1, 0.02)  # as cells are metered, and the shortest that there is
NOWHERE = "nowhere"
HEADER = ("CPU, % of a core", "ratio", "gap p50, ms", "p99, ms", "most that waited", "close, s")


@dataclass(slots=True)
class Counted:
    """A sink and an observer in one, between a publisher and what it takes and sends."""

    sink: Sink
    name: str
    unit_ns: int
    kept_at: str = ""
    caveat: str = ""
    taken: int = 0
    acknowledged: int = 0
    most_waiting: int = 0

    def send(self, source: Source, samples: Sequence[Sample]) -> None:
        """Send, and count what was acknowledged."""
        self.sink.send(source, samples)
        self.acknowledged += len(samples)

    def close(self) -> None:
        """Close the sink."""
        self.sink.close()

    def put(self) -> None:
        """Count a sample that was taken, and how many wait then."""
        self.taken += 1
        self.most_waiting = max(self.most_waiting, self.taken - self.acknowledged)


@dataclass(frozen=True, slots=True)
class Counting:
    """An observer that counts what another is given."""

    within: Observer
    counted: Counted

    def put(self, look: Look) -> None:
        """Hand a sample on."""
        self.within.put(look)
        self.counted.put()

    def close(self) -> None:
        """Hand the end on."""
        self.within.close()


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run of the meter took.

    Attributes:
        cpu_share: of one core, all threads of this process.
        gaps_s: times between samples.
        most_waiting: samples that waited at once, at most; of a sink.
        close_s: how long the publisher's end took.
    """

    cpu_share: float
    gaps_s: np.ndarray
    most_waiting: int = 0
    close_s: float = 0.0


def run(board: Board, interval_s: float, seconds: float, where: TelemetrySink | None) -> Cost:
    """Meter for some seconds, with a sink or without."""
    meter = NvmlMeter(board, interval_s)
    publisher = counted = observe = None
    if where is not None:
        sink = open_sink(where)
        counted = Counted(sink, sink.name, sink.unit_ns)
        publisher = Publisher([counted], "node01")
        observe = partial(counting, publisher, counted)
    begun_s, cpu_s = time.monotonic(), time.process_time()
    meter.start(None, observe)
    time.sleep(seconds)
    readings = meter.stop()
    share = (time.process_time() - cpu_s) / (time.monotonic() - begun_s)
    begun_s = time.monotonic()
    if publisher is not None:
        publisher.close()
    gaps_s = np.diff(readings.trace.t_s)[:-1]  # the last look is made as it stops
    waiting = counted.most_waiting if counted else 0
    return Cost(share, gaps_s, waiting, time.monotonic() - begun_s)


def counting(publisher: Publisher, counted: Counted, uuid: str, name: str) -> Counting:
    """Return what observes a trace, and counts."""
    return Counting(publisher.observe(uuid, name), counted)


@contextmanager
def fake_board() -> Iterator[Board]:
    """Yield a board of the fake driver."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, "libnvidia-ml.so.1")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, FAKE, "-lm"], check=True)
        Path(folder, "boards").write_text(
            "origin=0 uuid=GPU-0 name=NVIDIA_H200 low=300 field_us=600\n"
        )
        os.environ["FAKE_NVML"] = f"{folder}/boards"
        pynvml.nvmlLib = ctypes.CDLL(str(library))
        with Board("GPU-0") as board:
            yield board


@contextmanager
def sinks() -> Iterator[dict[str, TelemetrySink | None]]:
    """Yield what there is to send to, by name; None is nothing."""
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    from influxd import influxd
    from mosquitto import Mosquitto, is_installed
    from ports import held_port

    found: dict[str, TelemetrySink | None] = {NOWHERE: None}
    with ExitStack() as held:
        if is_installed():
            broker = Mosquitto(Path(held.enter_context(tempfile.TemporaryDirectory()))).start()
            held.callback(broker.end)
            url = f"mqtt://127.0.0.1:{broker.port}"
            found["MQTT, ExaMon's messages"] = TelemetrySink(url=url)
            found["MQTT, IoTDB's JSON"] = TelemetrySink(url=url, format="iotdb-json")
        if shutil.which("influxd"):
            folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
            port, _ = held.enter_context(influxd(folder))
            found["InfluxDB"] = TelemetrySink(url=f"influx+http://127.0.0.1:{port}/power")
        client = ROOT / ".venv-iotdb"
        if (client / "ready").exists():
            sys.path.append(str(client))
            serve = [sys.executable, str(ROOT / "tests/support/iotdb_server.py")]
            store = held.enter_context(
                subprocess.Popen(
                    serve,
                    env=os.environ | {"PYTHONPATH": str(client)},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            port = store.stdout.readline().strip()
            found["IoTDB's protocol"] = TelemetrySink(url=f"iotdb://127.0.0.1:{port}")
        found["Prometheus"] = TelemetrySink(
            url=f"prometheus://127.0.0.1:{held.enter_context(held_port())}"
        )
        found["a port where nobody listens"] = TelemetrySink(
            url=f"mqtt://127.0.0.1:{held.enter_context(held_port())}"
        )
        mute = held.enter_context(socket.create_server(("127.0.0.1", 0)))
        found["one that never answers"] = TelemetrySink(
            url=f"mqtt://127.0.0.1:{mute.getsockname()[1]}"
        )
        yield found


def main() -> None:
    """Print a table for each interval."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with fake_board() as board, sinks() as there:
        for interval_s in INTERVALS_S:
            costs: dict[str, list[Cost]] = {name: [] for name in there}
            for _ in range(rounds):
                for name, where in there.items():
                    costs[name].append(run(board, interval_s, seconds, where))
            alone = least(costs[NOWHERE])
            sink = f"a sample every {interval_s:g} s, to"
            print(f"\n{rounds} rounds of {seconds:g} s\n")
            print(
                table((sink, *HEADER), [words(name, each, alone) for name, each in costs.items()])
            )


def least(costs: Sequence[Cost]) -> float:
    """Return the least share of a core that a sink took."""
    return min(cost.cpu_share for cost in costs)


def words(name: str, costs: Sequence[Cost], alone: float) -> tuple[str, ...]:
    """Return the row of a sink; `alone` is the meter's share of a core without any."""
    gaps_ms = [1e3 * np.percentile(cost.gaps_s, [50, 99]) for cost in costs]
    return (
        name,
        f"{100 * least(costs):.2f}",
        f"{least(costs) / alone:.2f}",
        *(f"{min(gaps[i] for gaps in gaps_ms):.1f}" for i in (0, 1)),
        str(max(cost.most_waiting for cost in costs)) if name != NOWHERE else "",
        f"{max(cost.close_s for cost in costs):.1f}" if name != NOWHERE else "",
    )


if __name__ == "__main__":
    main()
