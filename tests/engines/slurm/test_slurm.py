"""The workflow through profiles/slurm on a real SLURM: whole, and after all that ends a job."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sweetspot.config import parse_experiment
from sweetspot.engines.simulated import SimulatorEngine
from sweetspot.measure.cells_table import write_cells
from sweetspot.measure.measure import measure_block
from sweetspot.plan.plan import plan

ROOT = Path(__file__).parents[3]
PROFILE = ROOT / "profiles" / "slurm" / "config.yaml"
UNSET = 'slurm_partition: ""'

pytestmark = pytest.mark.slow

SIMULATED = {
    "run": "small",
    "engine": "simulator",
    "models": ["llama-3.2-1b", "opt-1.3b"],
    "sweeps": {"grid": {"input_tokens": [64, 256], "output_tokens": [64, 256], "requests": [100]}},
}


class Head:
    """`snakemake` as it is run on a login node, in a folder of its own."""

    def __init__(self, folder, experiment, partition="gpu", **changes):
        self.folder, self.table = folder, folder / "results" / experiment["run"] / "cells.csv"
        (folder / "profile").mkdir(parents=True)
        (folder / "experiment.yaml").write_text(yaml.safe_dump(experiment))
        text = PROFILE.read_text(encoding="utf-8")
        assert text.count(UNSET) == 1
        text = text.replace(UNSET, f"slurm_partition: {json.dumps(partition)}")
        for old, new in changes.items():
            text = re.sub(
                rf"^{old.replace('_', '-')}: .*$",
                f"{old.replace('_', '-')}: {new}",
                text,
                flags=re.MULTILINE,
            )
        (folder / "profile" / "config.yaml").write_text(text, encoding="utf-8")

    @property
    def command(self):
        return [
            *(sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile"),
            *("--directory", self.folder, "--configfile", self.folder / "experiment.yaml"),
            *("--workflow-profile", self.folder / "profile"),
        ]

    def run(self, *targets):
        return subprocess.run(
            [*self.command, *targets],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )


@pytest.fixture
def slurm(a_slurm, monkeypatch):
    """The cluster with nothing in its queue, found by all that is started."""
    for name, value in a_slurm.environment.items():
        monkeypatch.setenv(name, value)
    yield a_slurm
    a_slurm("scancel", "--user=root")


def table_of(experiment, folder):
    """Return the table of the simulated experiment, computed here."""
    experiment = parse_experiment(experiment)
    lines = []
    for number, block in enumerate(plan(experiment).blocks):
        lines.append(folder / f"{number}.jsonl")
        measure_block(block, SimulatorEngine(), folder / "records", lines[-1])
    write_cells(experiment, lines, folder / "cells.csv")
    return (folder / "cells.csv").read_bytes()


def test_simulated_experiment_runs_as_jobs_and_gives_the_same_table(slurm, tmp_path):
    head = Head(tmp_path / "head", SIMULATED)
    done = head.run("results/small/cells.csv")
    assert done.returncode == 0, done.stderr
    assert head.table.read_bytes() == table_of(SIMULATED, tmp_path)
    jobs = slurm.jobs().values()
    assert [job["state"] for job in jobs] == ["COMPLETED"] * 2
