"""The workflow as a user runs it: snakemake and sweetspot, each in a process of its own."""

import csv
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

REPO = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

# A model that no catalog knows; small, so that its cells are simulated at once.
MINE = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 8,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "vocab_size": 32000,
    "max_position_embeddings": 4096,
    "torch_dtype": "float16",
    "tie_word_embeddings": False,
}
SMALL = {
    "run": "small",
    "engine": "simulator",
    "models": ["llama-3.2-1b", "models/mine"],
    "sweeps": {
        "grid": {
            "input_tokens": [64, 256, 1024],
            "output_tokens": [64, 256, 1024],
            "requests": [100],
        }
    },
    "figures": {"dpi": 72},
}


@dataclass(frozen=True)
class Outcome:
    """What a command left on the terminal."""

    code: int
    out: str
    err: str

    @property
    def text(self):
        return f"{self.out}\n{self.err}"

    @property
    def errors(self):
        """Our own lines of error."""
        return [line for line in self.err.splitlines() if line.startswith("sweetspot: error:")]

    @property
    def complaints(self):
        """All that stands on standard error, but for Snakemake's word on the profile."""
        lines = self.err.splitlines()
        return [line for line in lines if line and "workflow specific profile" not in line]

    @property
    def jobs(self):
        """Snakemake's job counts by rule; empty where there is nothing to do."""
        table = re.search(r"Job stats:\njob +count\n[ -]+\n(.*?)\ntotal ", self.text, re.DOTALL)
        rows = table[1].splitlines() if table else []
        return {rule: int(count) for rule, count in map(str.split, rows)}

    @property
    def new_cells(self):
        """Cells without a record, by the blocks of each planned job."""
        found = re.findall(
            r"\n    output: (\S.*?)\n(?: .*\n)*?    resources:.*new_cells=(\d+)", self.text
        )
        blocks = re.compile(r"blocks/(\S+)\.jsonl")
        return {" ".join(blocks.findall(output)): int(count) for output, count in found}


@dataclass(frozen=True)
class Project:
    """A folder that a user works in: an experiment, models, and what its runs made."""

    folder: Path
    forked: Callable[..., CompletedProcess[str]]
    snakefile: Path = REPO / "Snakefile"
    python: Path = Path(sys.executable)

    @property
    def results(self):
        return self.folder / "results/small"

    def write(self, **changes):
        """Write the experiment: the small one with some keys changed."""
        (self.folder / "experiment.yaml").write_text(yaml.safe_dump(SMALL | changes))

    def write_sweep(self, **changes):
        """Write the experiment with a change in its one sweep."""
        self.write(sweeps={"grid": SMALL["sweeps"]["grid"] | changes})

    def at(self, folder):
        """Return a copy of the project, as it is now, in another folder."""
        shutil.copytree(self.folder, folder)  # keeps times, which Snakemake compares
        return replace(self, folder=folder)

    def add_model(self, name, **changes):
        """Put a Hugging Face config.json into models/."""
        folder = self.folder / "models" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(MINE | changes))

    def command(self, *arguments):
        """Return the command line; without an experiment it is that of the repository."""
        options = ["--snakefile", self.snakefile, "--directory", self.folder, "--cores", "2"]
        experiment = self.folder / "experiment.yaml"
        configured = ["--configfile", experiment] if experiment.exists() else []
        # Arguments stand first: a --config among the options would take the targets as its own.
        return [self.python, "-m", "snakemake", *arguments, *options, *configured]

    def snakemake(self, *arguments, environment=None):
        command = self.command(*arguments)
        if self.python != Path(sys.executable):
            return run_command(command, environment)
        return outcome_of(self.forked(command[3:], environment))

    def start(self, *arguments):
        """Start Snakemake, to be interrupted."""
        return self.forked.start(self.command(*arguments)[3:])

    def plan(self, *arguments, environment=None):
        """Say what would be done, with what there is to say of each job."""
        return self.snakemake("--dry-run", "-p", *arguments, environment=environment)

    def records(self, run="small"):
        """Return when each cell record was written, in ns."""
        folder = self.folder / "results" / run / "records"
        return {path: path.stat().st_mtime_ns for path in folder.rglob("*.json")}

    def cells(self, run="small"):
        """Return the rows of cells.csv."""
        with (self.folder / "results" / run / "cells.csv").open(newline="") as file:
            return list(csv.DictReader(file))


def outcome_of(done):
    return Outcome(done.returncode, done.stdout, done.stderr)


def run_command(command, environment=None):
    done = subprocess.run(
        command,
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return outcome_of(done)


@pytest.fixture(scope="session")
def sweetspot():
    """Return a function that runs the installed `sweetspot` command."""
    return lambda *arguments: run_command([BIN / "sweetspot", *arguments])


@pytest.fixture
def other_snakemake(forked_snakemake_here):
    """Return a function that runs Snakemake in a project beside one that runs."""
    return lambda project, *arguments: replace(project, forked=forked_snakemake_here).snakemake(
        *arguments
    )


@pytest.fixture(scope="session")
def repository():
    return REPO


@pytest.fixture
def project(tmp_path, forked_snakemake):
    """Return a new project: the small experiment, nothing run yet."""
    new = Project(tmp_path / "project", forked_snakemake)
    new.add_model("mine")
    new.write()
    return new


@pytest.fixture(scope="session")
def finished(tmp_path_factory, forked_snakemake):
    """Return the small experiment after a full run; shared, so only to be read.

    Made once even if several pytest processes share the tests (pytest-xdist): a full run takes
    longer than all that is done with it.
    """
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    made = Project(base / "finished", forked_snakemake)
    done = base / "finished.ok"
    with (base / "finished.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(made.folder, ignore_errors=True)
            made.add_model("mine")
            made.write()
            outcome = made.snakemake()
            assert outcome.code == 0, outcome.text
            done.touch()
    return made


@pytest.fixture
def again(finished, tmp_path):
    """Return a copy of the finished project, to change and run again."""
    return finished.at(tmp_path / "project")
