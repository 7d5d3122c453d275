"""What tests of several subjects share: boards, constants, and a small experiment."""

import json
import os
import random
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from ctypes import CDLL
from pathlib import Path
from subprocess import PIPE, CompletedProcess
from typing import Any

import psutil
import pynvml
import pytest
from hypothesis import HealthCheck, settings

from sweetspot.catalog import Gpu, gpu
from sweetspot.config import Experiment, parse_experiment
from sweetspot.schema.writing import plain
from sweetspot.simulator.constants.calibration_file import (
    load_calibration,
    shipped_boards,
    shipped_engine,
)
from sweetspot.simulator.constants.constants import ENGINE, Constants

LLAMA_70B = {
    "model_type": "llama",
    "vocab_size": 128256,
    "hidden_size": 8192,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "intermediate_size": 28672,
    "max_position_embeddings": 131072,
    "tie_word_embeddings": False,
}

# Matrices here are small: BLAS threads of two workers on two cores would only wait for each other.
# Read when numpy is loaded, which nothing above does.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Every worker, and each of many programs that are started, loads the same modules: they are
# compiled once, even where the environment would have it done each time.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

ENVIRONMENT = dict(os.environ)  # before any test changes it

# How many examples a property is tried on; --hypothesis-profile chooses. A deadline, or a complaint
# that examples are made slowly, would time the machine, not the code. The suite tries the same ones
# each time, nightly others.
TIMELESS = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("ci", max_examples=50, derandomize=True, database=None, **TIMELESS)
settings.register_profile("nightly", max_examples=500, derandomize=False, **TIMELESS)
settings.load_profile("ci")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)

# A shell has its background jobs ignore Ctrl-C, and all that they start; some of it is tested.
signal.signal(signal.SIGINT, signal.default_int_handler)


# What `make test-slow` alone sets up.
APART = {
    "browser",
    "forgetful_slurm",
    "kubernetes_plugins",
    "real_server",
    "slurm",
    "torch_python",
    "vllm_python",
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a test that is slow for no reason, or that `make test` could not run."""
    reasons = [mark.kwargs.get("reason") for mark in item.iter_markers("slow")]
    if not all(reasons):
        pytest.fail("why is it slow? @pytest.mark.slow(reason=...)", pytrace=False)
    needed = APART.intersection(getattr(item, "fixturenames", ()))
    if needed and not reasons:
        pytest.fail(f"it needs {', '.join(sorted(needed))}: mark it as slow", pytrace=False)


@pytest.fixture(scope="session")
def board() -> Gpu:
    return gpu("h100-sxm")


@pytest.fixture(scope="session")
def constants(board: Gpu) -> Constants:
    return load_calibration(board).constants


@pytest.fixture(scope="session")
def small_experiment() -> Callable[..., Experiment]:
    """Return a function that gives an experiment of one model and four cells, with changes."""

    def build(**changes: Any) -> Experiment:
        base: dict[str, Any] = {
            "run": "small",
            "engine": "simulator",
            "models": ["llama-3.2-1b"],
            "sweeps": {
                "grid": {"input_tokens": [64, 128], "output_tokens": [8, 16], "requests": [10]}
            },
        }
        return parse_experiment(base | changes)

    return build


@pytest.fixture(scope="session")
def small_run(
    tmp_path_factory: pytest.TempPathFactory, small_experiment: Callable[..., Experiment]
) -> Path:
    """Return the folder of a simulated run of nine cells, made without Snakemake.

    It is shared, so only to be read.
    """
    from sweetspot.analysis.run_files import analyse
    from sweetspot.engines.simulated import SimulatorEngine
    from sweetspot.measure.cells_table import write_cells
    from sweetspot.measure.manifest import write_manifest
    from sweetspot.measure.measure import measure_block
    from sweetspot.plan.plan import plan
    from sweetspot.tables import make_table, write_table

    folder = tmp_path_factory.mktemp("results") / "small"
    lengths = [64, 128, 256]
    grid = {"input_tokens": lengths, "output_tokens": lengths, "requests": [1000]}
    experiment = small_experiment(sweeps={"grid": grid})
    (block,) = plan(experiment).blocks
    blocks = folder / f"blocks/{block.id}.jsonl"
    cells, fits, comparison = (folder / name for name in ("cells.csv", "fits", "comparison.csv"))
    measure_block(block, SimulatorEngine(), folder / "records", blocks)
    write_cells(experiment, [blocks], cells)
    limit = experiment.limits.max_num_tokens
    analyse(cells, fits, max_num_tokens=limit, comparison=comparison)
    tables = {
        "table1_forms": {},
        "table2_models": {"models": experiment.models},
        "comparison": {"comparison": comparison},
        **{f"table{name}": {"fits": fits} for name in ("3_mape", "4_significance")},
        "table5_coefficients": {"fits": fits},
    }
    for name, of in tables.items():
        write_table(make_table(name, **of), folder / "tables" / name)
    (folder / "figures").mkdir()  # what is drawn there is no matter of these tests
    (folder / "figures/figure2_output_length.png").write_bytes(b"PNG 0.25")
    made = [cells, comparison]
    made += [path for name in ("fits", "tables", "figures") for path in (folder / name).iterdir()]
    write_manifest(experiment, made, folder / "manifest.json")
    return folder


@pytest.fixture(scope="session")
def write_model() -> Callable[..., str]:
    """Return a function that writes Llama 3 70B's config.json, with changes, into a folder."""

    def write(folder: Path, **changes: Any) -> str:
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps(LLAMA_70B | changes), encoding="utf-8")
        return str(folder)

    return write


@pytest.fixture(scope="session")
def write_calibration() -> Callable[..., dict[str, str]]:
    """Return a function that writes a file with other constants of a board or of an engine.

    It answers what `simulator` in a configuration then holds.
    """

    def write(folder: Path, **constants: float) -> dict[str, str]:
        of_engine = bool(constants.keys() & set(ENGINE))
        shipped = shipped_engine("tensorrt-llm") if of_engine else shipped_boards()["h100-sxm"]
        data = plain(shipped)
        data["engine" if of_engine else "board"]["constants"] |= constants
        path = folder / "calibration.json"
        path.write_text(json.dumps(data), encoding="utf-8")
        return {"calibration": str(path)}

    return write


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the fake libnvidia-ml.so.1."""
    source = Path(__file__).parent / "fake_nvml" / "nvml.c"
    library = tmp_path_factory.mktemp("nvml") / "libnvidia-ml.so.1"
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.fail("the fake NVML needs a C compiler: install one that is called `cc`")
    flags = ["-shared", "-fPIC", "-O1", "-Wall"]
    subprocess.run([compiler, *flags, "-o", library, source, "-lm"], check=True)
    return library


@pytest.fixture
def fake_nvml(
    nvml_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., float]:
    """Return a function that puts boards on this machine, here and for programs started later.

    Each board is a mapping of what fake_nvml/nvml.c can do; {} is an H100 that draws 300 W. The
    answer is the time on the monotonic clock that the boards count theirs from. They are there
    when NVML is next opened.
    """
    folder = tmp_path / "nvml"
    folder.mkdir()
    # a copy is another library to the loader, with state of its own
    library = shutil.copy(nvml_library, folder)
    others = os.environ.get("LD_LIBRARY_PATH")
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{folder}:{others}" if others else str(folder))
    monkeypatch.setenv("FAKE_NVML", str(folder / "boards"))
    monkeypatch.setattr(pynvml, "nvmlLib", CDLL(library))  # the loader has its path from the start
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    monkeypatch.setattr(pynvml, "_nvmlLib_refcount", 0)
    for variable in ("CUDA_VISIBLE_DEVICES", "SLURM_STEP_GPUS", "SLURM_JOB_GPUS"):
        monkeypatch.delenv(variable, raising=False)
    # its boards are not the next test's: no shared locks
    monkeypatch.setenv("SWEETSPOT_LOCKS", str(folder))

    def install(*boards: Mapping[str, Any]) -> float:
        origin = time.monotonic()
        name = "NVIDIA_H100_80GB_HBM3"  # words of a name are joined by _
        lines = [
            {"origin": repr(origin), "uuid": f"GPU-{index}", "name": name, "low": 300} | board
            for index, board in enumerate(boards)
        ]
        text = "".join(" ".join(f"{k}={v}" for k, v in line.items()) + "\n" for line in lines)
        (folder / "boards").write_text(text, encoding="utf-8")
        return origin

    return install


class Forks:
    """Runs `snakemake` in forks of a process that has it imported, which starts with the first."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._parent: subprocess.Popen[bytes] | None = None

    def start(
        self, arguments: Sequence[object], environment: Mapping[str, str] | None = None
    ) -> "Started":
        """Start it with these arguments; one at a time."""
        if self._parent is None:
            self._parent = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("forks.py"))],
                stdin=PIPE,
                stdout=PIPE,
                bufsize=0,  # or select would not see a line that has been read with another
                env=self._environment,
                umask=0,  # whatever may be forbidden by nobody: our files are not everybody's
            )
        outputs = tempfile.TemporaryDirectory()
        order = {
            "arguments": list(map(str, arguments)),
            "environment": os.environ | (environment or {}),
            "folder": str(Path.cwd()),
            "outputs": [str(Path(outputs.name) / name) for name in ("out", "err")],
        }
        assert self._parent.stdin is not None
        self._parent.stdin.write(f"{json.dumps(order)}\n".encode())
        return Started(self._parent, outputs)

    def __call__(
        self, arguments: Sequence[object], environment: Mapping[str, str] | None = None
    ) -> CompletedProcess[str]:
        """Run it to its end."""
        return self.start(arguments, environment).end()

    def close(self) -> None:
        """End the parent."""
        if self._parent is not None:
            self._parent.communicate()


class Started:
    """A `snakemake` that runs, the leader of a process group."""

    def __init__(self, parent: subprocess.Popen[bytes], outputs: Any) -> None:
        self._parent, self._outputs = parent, outputs
        self.pid = int(self._line())

    def _line(self) -> bytes:
        assert self._parent.stdout is not None
        ended, _, _ = select.select([self._parent.stdout], [], [], 300)
        assert ended, "snakemake did not end within 300 s"
        return self._parent.stdout.readline()

    def end(self) -> CompletedProcess[str]:
        """Wait for its end."""
        code = int(self._line())
        texts = [(Path(self._outputs.name) / name).read_text() for name in ("out", "err")]
        self._outputs.cleanup()
        return CompletedProcess(["snakemake"], code, *texts)


@pytest.fixture(scope="session")
def forked_snakemake() -> Iterator[Forks]:
    """Return a function that runs `snakemake` with these arguments, in a process of its own."""
    forks = Forks(ENVIRONMENT)  # not as the test that happens to be the first has it
    yield forks
    forks.close()


@pytest.fixture
def forked_snakemake_here() -> Iterator[Forks]:
    """The same, where the loader finds what it finds for programs that this test starts."""
    forks = Forks(os.environ)
    yield forks
    forks.close()


def jobs_of(head: Started) -> list[psutil.Process]:
    """Return the steps that a head has running: the processes of `sweetspot`."""
    try:
        below = psutil.Process(head.pid).children(recursive=True)
        return [each for each in below if each.cmdline()[1:3] == ["-m", "sweetspot"]]
    except psutil.Error:
        return []


def interrupt(head: Started, chance: random.Random, left: Callable[[], int]) -> None:
    """Send one signal to the head, a job or all, at a moment while some job is at work.

    Up to two cells are waited for before, as long as some are left.
    """
    seen, wanted = set(), chance.randint(1, 2)
    number, target = chance.choice(SIGNALS), chance.choice(("head", "job", "group"))
    later_s = chance.uniform(0, 0.5)
    enough = left() and max(0, left() - chance.randint(0, 2))
    try:
        while psutil.Process(head.pid).status() != psutil.STATUS_ZOMBIE:
            jobs = jobs_of(head)
            seen |= {each.pid for each in jobs}
            if jobs and (len(seen) >= wanted or enough) and left() <= enough:
                time.sleep(later_s)
                if target == "group":
                    os.killpg(head.pid, number)
                elif target == "head":
                    os.kill(head.pid, number)
                else:
                    jobs_of(head)[0].send_signal(number)
                return
            time.sleep(0.05)
    except (psutil.NoSuchProcess, ProcessLookupError, IndexError):
        pass  # it has ended, or is between two jobs


@pytest.fixture(scope="session")
def interruptions() -> Callable[..., Iterator[None]]:
    """Return a function that starts runs by another, and yields after each that was interrupted.

    $INTERRUPTIONS says how many, where that is not as many as a test has. Where one job does many
    cells, `left_cells` says how many are left.
    """

    def rounds(
        start: Callable[[], Started], count: int = 10, left_cells: Callable[[], int] = int
    ) -> Iterator[None]:
        chance = random.Random(20261128)
        left = count = int(os.environ.get("INTERRUPTIONS", count))
        for _ in range(2 * count):
            head = start()
            interrupt(head, chance, left_cells)
            ended = head.end()
            # Python says so where Ctrl-C comes when all is done, and it is about to end.
            assert not ended.returncode or "Traceback" not in ended.stderr, ended.stderr
            left -= ended.returncode != 0
            yield
            if not left:
                return
        pytest.fail("most runs ended before they could be interrupted")

    return rounds


@pytest.fixture(scope="session")
def writable_by_others() -> Callable[[Path], list[Path]]:
    """Return a function that lists the files and folders below one that everybody may write to."""

    def search(folder: Path) -> list[Path]:
        everything = [path for path in folder.rglob("*") if not path.is_symlink()]
        assert len(everything) > 5
        return [path for path in everything if path.stat().st_mode & stat.S_IWOTH]

    return search


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., None]:
    """Return a function that waits for a condition, and fails where it does not come."""

    def wait(condition: Callable[[], object], timeout_s: float = 60) -> None:
        end_s = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end_s, "waited in vain"
            time.sleep(0.01)

    return wait


def python_of(engine: str, what: str) -> str:
    """Return the Python of an engine's own environment, or the one that a variable names."""
    own = Path(__file__).parents[1] / f".venv-{engine}" / "bin" / "python"
    variable = f"SWEETSPOT_{engine.upper()}_PYTHON"
    python = os.environ.get(variable) or (str(own) if own.exists() else "")
    if not python:
        pytest.fail(
            f"no Python with {what}: `make .venv-{engine}/ready` makes one, or name one that has"
            f" tests/requirements-{engine}.txt in ${variable}"
        )
    return python


@pytest.fixture(scope="session")
def torch_python() -> str:
    """Return the Python that has PyTorch, Transformers and DeepSpeed, for the CPU."""
    return python_of("torch", "PyTorch")


@pytest.fixture(scope="session")
def vllm_python() -> str:
    """Return the Python that has vLLM for CPUs."""
    return python_of("vllm", "vLLM")
