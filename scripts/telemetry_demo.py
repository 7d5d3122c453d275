"""Telemetry from end to end on this machine: `make telemetry-demo`.

A broker and a store are started on loopback, in a temporary folder. Four cells are metered, and
sent to both while they are; another run is simulated, and replayed. What both kept is then compared
with records and traces. A demonstration of telemetry, not a measurement: the board is that of the
tests (tests/fake_nvml), whatever runs. That is Transformers on the CPU, a small model with random
weights, where `make .venv-torch/ready` made an environment for it, or $SWEETSPOT_TORCH_PYTHON names
one; else a server of the tests (tests/support/openai_server.py). Needs Debian's packages mosquitto,
mosquitto-clients and influxdb, and a C compiler; ends all that it started.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import BinaryIO

ROOT = Path(__file__).absolute().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import tiny  # noqa: E402 - of the tests, as these are
from influxd import configured  # noqa: E402
from ports import held_port  # noqa: E402

PROGRAMS = {
    "mosquitto": "mosquitto",
    "mosquitto_pub": "mosquitto-clients",
    "mosquitto_sub": "mosquitto-clients",
    "influxd": "influxdb",
    "cc": "gcc",
}
FIGURE = ROOT / "results" / "telemetry-demo"
PATIENCE_S, ENDING_S = 60.0, 20.0

SIMULATED = {
    "run": "simulated",
    "engine": "simulator",
    "models": ["llama-3.2-1b"],
    "sweeps": {"s": {"input_tokens": [64, 256], "output_tokens": [64, 256], "requests": [100]}},
}
METERED = {
    "run": "metered",
    "sweeps": {"s": {"input_tokens": [16], "output_tokens": [8, 16, 24, 32], "requests": [4]}},
    "measure": {"min_window_s": 2, "idle_s": 0.5, "interval_s": 0.1},
}
BOARD = {"name": "NVIDIA_H100_80GB_HBM3", "low": 250, "high": 450, "period": 1.5, "high_s": 0.8}


def main() -> None:
    """Run all of it; the exit code is not 0 where anything differs."""
    missing = sorted({package for name, package in PROGRAMS.items() if not shutil.which(name)})
    if missing:
        raise SystemExit(
            f"the demo needs {', '.join(missing)}: apt-get install {' '.join(missing)}"
        )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    FIGURE.parent.mkdir(exist_ok=True)
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="telemetry-demo-")))
        broker, store = (held.enter_context(held_port()) for _ in range(2))
        log = folder / "examon.log"
        held.enter_context(_started(folder, "influxd", "-config", configured(folder, store)))
        held.enter_context(_started(folder, "mosquitto", "-p", broker))
        _wait(lambda: _listens(broker) and _listens(store), "the broker and the store listen")
        to_file = ("mosquitto_sub", "-p", broker, "-q", 1, "-t", "#", "-F", "%t %p")
        with log.open("wb") as out:
            held.enter_context(_started(folder, *to_file, out=out))
        _mark(broker, log, "demo/begin")
        influx = f"influx+http://127.0.0.1:{store}/sweetspot"
        print(f"a broker at mqtt://127.0.0.1:{broker}, a store at {influx}", flush=True)

        print("\n# Four cells are metered; samples go to both meanwhile", flush=True)
        sinks = [{"url": f"mqtt://127.0.0.1:{broker}"}, {"url": influx}]
        node = {"telemetry": {"sinks": sinks}}
        if python := _torch_python():
            print(
                "Transformers runs on the CPU, the board is pretended: cells are invalid",
                flush=True,
            )
            experiment = _on_cpu(folder) | {"node": node | {"python": python}}
            changed = _pretended_board(folder)
        else:
            print("the server and the board are pretended", flush=True)
            url, pid = held.enter_context(_server(folder))
            served = {"engine": "endpoint", "models": ["llama-3.2-1b"], "endpoint": {"url": url}}
            experiment, changed = served | {"node": node}, _pretended_board(folder, pids=pid)
        _snakemake(folder, METERED | experiment, changed)
        _mark(broker, log, "demo/end")

        print("\n# A run is simulated, and replayed", flush=True)
        _snakemake(folder, SIMULATED, {})
        codes = [_telemetry(folder, "replay", "results/simulated", "--to", influx)]

        print("\n# What the store and the broker's subscriber have, beside the records", flush=True)
        codes += [
            _telemetry(folder, "query", "results/simulated", "--from", influx),
            _telemetry(folder, "query", "results/metered", "--from", influx, "--figure", FIGURE),
            _telemetry(folder, "query", "results/metered", "--from", log),
        ]
        print(f"\n{FIGURE}.png: power as stored, beside the traces")
    if any(codes):
        raise SystemExit("what came back differs from the records")


def _telemetry(folder: Path, action: str, *arguments: object) -> int:
    words = ["telemetry", action, *map(str, arguments)]
    print(f"$ sweetspot {' '.join(words)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "sweetspot", *words], cwd=folder, check=False)
    return done.returncode


def _snakemake(folder: Path, experiment: Mapping[str, object], changed: Mapping[str, str]) -> None:
    """Run an experiment up to its cells, quietly unless it fails."""
    path = folder / f"{experiment['run']}.json"
    path.write_text(json.dumps(experiment))
    words = ["--snakefile", ROOT / "Snakefile", "--directory", folder, "--configfile", path]
    words += ["--cores", "1", f"results/{experiment['run']}/cells.csv"]
    words = [sys.executable, "-m", "snakemake", *words]
    said = folder / f"{experiment['run']}.log"
    with (
        said.open("wb") as out,
        _started(folder, *words, out=out, changed=changed, by=signal.SIGINT) as process,
    ):
        code = process.wait()
    for line in said.read_text().splitlines():
        if code or line.startswith(("cell ", "telemetry")):
            print(line, flush=True)
    if code:
        raise SystemExit(f"the run {experiment['run']} failed")


def _torch_python() -> str:
    """Return the Python that has PyTorch and Transformers; "" if there is none."""
    of_tests = ROOT / ".venv-torch" / "bin" / "python"
    python = os.environ.get("SWEETSPOT_TORCH_PYTHON", str(of_tests))
    return python if Path(python).is_file() else ""


def _on_cpu(folder: Path) -> dict[str, object]:
    """Return an experiment with a small model on the CPU, without its node."""
    model = folder / "tiny-llama"
    model.mkdir()
    (model / "config.json").write_text(json.dumps(tiny.LLAMA | {"vocab_size": 1024}))
    return {
        "engine": "transformers",
        "models": [str(model)],
        "transformers": {"device": "cpu", "weights": "random"},
    }


def _pretended_board(folder: Path, **more: object) -> dict[str, str]:
    """Return the environment in which a board is there; `more` is what it can do besides."""
    library = folder / "libnvidia-ml.so.1"
    source = ROOT / "tests" / "fake_nvml" / "nvml.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-lm"], check=True)
    board = BOARD | {"uuid": "GPU-pretended", "origin": repr(time.monotonic())} | more
    (folder / "boards").write_text(" ".join(f"{k}={v}" for k, v in board.items()) + "\n")
    paths = [str(folder), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    return {
        "LD_LIBRARY_PATH": ":".join(paths),
        "FAKE_NVML": str(folder / "boards"),
        "SWEETSPOT_LOCKS": str(folder),  # it is nobody else's board
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),  # or PyTorch leaves one behind
    }


@contextmanager
def _server(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield the URL and the process of a server that answers completions."""
    program = ROOT / "tests" / "support" / "openai_server.py"
    said = folder / "server.url"
    with (
        said.open("wb") as out,
        _started(folder, sys.executable, program, "", 0, out=out) as process,
    ):
        _wait(lambda: said.read_bytes().endswith(b"\n"), "the server listens")
        yield said.read_text().strip(), process.pid


@contextmanager
def _started(
    folder: Path,
    *words: object,
    out: BinaryIO | None = None,
    changed: Mapping[str, str] | None = None,
    by: signal.Signals = signal.SIGTERM,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program beside this, in a session of its own: Ctrl-C is ours to pass on.

    Args:
        folder: where its log goes.
        words: its command.
        out: where its output goes; into the log where none is named.
        changed: of its environment.
        by: what asks it to end, and all that it started.
    """
    process = None
    try:
        with (
            (folder / f"{Path(str(words[0])).name}.log").open("ab") as log,
            _uninterrupted(),
        ):
            process = subprocess.Popen(
                [str(word) for word in words],
                env=os.environ | (changed or {}),
                stdin=subprocess.DEVNULL,
                stdout=out or log,
                stderr=log if out is None or changed is None else out,
                start_new_session=True,
            )
        yield process
    finally:
        if process is not None:
            if process.poll() is None:
                process.send_signal(by)
            try:
                process.wait(ENDING_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put off Ctrl-C: a program that is just being started would be left behind."""
    came: list[int] = []
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {each: signal.signal(each, lambda number, _: came.append(number)) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        for number in came[:1]:
            signal.raise_signal(number)


def _mark(broker: int, log: Path, topic: str) -> None:
    """Publish until a subscriber has it: what was published before has then come, too."""
    words = ["mosquitto_pub", "-p", str(broker), "-q", "1", "-t", topic, "-m", "0;0"]

    def has_come() -> bool:
        subprocess.run(words, check=True)
        return f"{topic} 0;0\n".encode() in log.read_bytes()

    _wait(has_come, "the subscriber answers")


def _wait(until: Callable[[], bool], what: str) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not until():
        if time.monotonic() > end_s:
            raise SystemExit(f"waited for {PATIENCE_S:g} s, in vain, until {what}")
        time.sleep(0.05)


def _listens(port: int) -> bool:
    with closing(socket.socket()) as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
