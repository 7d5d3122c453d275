"""A node without a GPU that has TensorRT-LLM: its programs and its Python package are synthetic."""

import gzip
import os
import stat
import sys
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sweetspot.config import Container, parse_experiment
from sweetspot.engines.base import Node
from sweetspot.measure.measure import measure_block
from sweetspot.measure.record import read_block
from sweetspot.plan.dataset import dataset_writer
from sweetspot.plan.plan import plan

SYNTHETIC = Path(__file__).parent / "synthetic"
SITE = SYNTHETIC / "trtllm_site"
PROGRAMS = {
    "bin/trtllm-bench": "commands.bench import main",
    "bin/trtllm-build": "commands.build import main",
    "opt/convert_checkpoint.py": "commands.build import convert as main",
}


@dataclass
class SyntheticTensorRtLlm:
    """What a test may change of it; $FAULT says what goes wrong."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch

    @property
    def opt_examples(self):
        return self.folder / "opt"

    def set_version(self, version):
        """Make it another version, for its programs and for Python's own records."""
        self.monkeypatch.setenv("TRTLLM_VERSION", version)
        records = self.folder / "records" / version / "tensorrt_llm.dist-info"
        records.mkdir(parents=True, exist_ok=True)
        (records / "METADATA").write_text(f"Name: tensorrt_llm\nVersion: {version}\n")
        others = filter(None, [os.environ.get("PYTHONPATH")])
        self.monkeypatch.setenv(
            "PYTHONPATH", os.pathsep.join([str(SITE), str(records.parent), *others])
        )


@pytest.fixture
def tensorrt_llm(tmp_path, monkeypatch):
    """Put the synthetic TensorRT-LLM on PATH and into Pythons that are started from here.

    $WORKER says where a program that hangs names its worker.
    """
    folder = tmp_path / "tensorrt_llm"
    for name, what in PROGRAMS.items():
        program = folder / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!{sys.executable}\nfrom tensorrt_llm.{what}\nmain()\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("WORKER", str(tmp_path / "worker"))
    installed = SyntheticTensorRtLlm(folder, monkeypatch)
    installed.set_version("0.21.0")
    return installed


@pytest.fixture
def container_runtimes(tmp_path, monkeypatch):
    """Put synthetic apptainer and docker on PATH; $SEEN says where they write what they were told.

    Return the file of their image's settings, which bash reads.
    """
    folder = tmp_path / "runtimes"
    for name in ("apptainer", "docker"):
        program = folder / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(
            f"#!{sys.executable}\n{(SYNTHETIC / 'container_runtime.py').read_text()}"
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    settings = folder / "image_settings"
    monkeypatch.setenv("IMAGE_ENV", str(settings))
    return settings


@pytest.fixture(scope="session")
def is_alive():
    """Return a function that says whether a process is there and has not ended."""

    def answer(pid):
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except FileNotFoundError:
            return False

    return answer


def without_the_meters(record):
    """Return a record whose remarks are the engine's alone: this board has no energy counter."""
    of_the_engine = record.remarks.replace("no energy counter on this GPU: power is integrated", "")
    return replace(record, remarks=of_the_engine.removesuffix("; "))


@pytest.fixture
def measure_with(tmp_path, fake_nvml):
    """Return a function that measures an experiment's only block on a synthetic GPU of 300 W.

    `make_engine` makes the engine of settings and node; the records are the answer.
    """
    fake_nvml({"absent": "83,nvmlDeviceGetTotalEnergyConsumption"})  # windows are too short for it

    def measure(make_engine, experiment, *, checkpoint=None, **of_node):
        (block,) = plan(parse_experiment(experiment)).blocks
        node = Node(
            **{
                "checkpoint": checkpoint,
                "model_reference": block.model_reference,
                "workspace": tmp_path / "engines",
                "datasets": tmp_path / "datasets",
                "reports": tmp_path / "reports",
                "timeout_s": 60,
                "python": sys.executable,
                "container": Container(),
                "opt_examples": tmp_path,
            }
            | of_node
        )
        out = tmp_path / "block.jsonl"
        engine = make_engine(block.settings, node)
        prepare = dataset_writer(node.datasets, block.settings.dataset)
        measure_block(block, engine, tmp_path / "records", out, remeasure="all", prepare=prepare)
        return [without_the_meters(record) for record in read_block(out)]

    return measure


PLANTED = b"s3cr3t"
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "s3cr3t/aws+U6b3V1",
    "GITHUB_TOKEN": "s3cr3t_ghp_9f2K77",
    "HF_TOKEN": "s3cr3t_hf_aX81mQ",
    "MQTT_PASSWORD": "s3cr3t-mqtt-x9R2",
    "NGC_API_KEY": "s3cr3t-ngc-Zm9vYm",
    "WANDB_API_KEY": "s3cr3t40f7e1c3",
    "PIP_INDEX_URL": "https://me:s3cr3t-pip-77@packages.example/simple",
    "http_proxy": "http://me:s3cr3t-proxy-12@proxy.example:3128",
}


@pytest.fixture
def planted_in(monkeypatch):
    """Put secrets into the environment; return a function that says which files below have one."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)

    def search(folder):
        found, looked_at = [], 0
        for path in folder.rglob("*"):
            if not path.is_file():
                continue
            content = path.read_bytes()
            contents = [os.fsencode(path.name), content]
            if path.suffix == ".gz":
                contents.append(gzip.decompress(content))
            if path.suffix == ".zip":
                with zipfile.ZipFile(path) as archive:
                    contents += map(archive.read, archive.namelist())
            looked_at += 1
            found += [path] * any(PLANTED in each for each in contents)
        assert looked_at > 10
        return found

    return search
