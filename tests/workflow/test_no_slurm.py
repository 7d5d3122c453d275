"""profiles/slurm where jobs cannot be submitted: one line before any job or data set."""

import re
from pathlib import Path

import pytest

COMMANDS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo", "sacct")
ANSWERS = {"scontrol": "MinJobAge = 300 sec", "sinfo": "lab|1:00:00"}


@pytest.fixture
def login_node(tmp_path):
    """Return the environment of a machine with SLURM's commands, which only answer."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in COMMANDS:
        (folder / name).write_text(f"#!/bin/sh\necho '{ANSWERS.get(name, '')}'\n")
        (folder / name).chmod(0o755)
    for name in ("sh", "bash", "which", "tail"):
        (folder / name).symlink_to(f"/bin/{name}" if name != "tail" else "/usr/bin/tail")
    return {"PATH": str(folder)}


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("sbatch", "cannot submit to SLURM: sbatch not on PATH"),
        ("sacct", "cannot submit to SLURM: sacct not on PATH"),
        (None, "no partition is set; write the one whose nodes have your GPUs"),
    ],
)
def test_submitting_stops_before_any_job(missing, said, project, repository, login_node):
    project.write(engine="vllm", vllm={"weights": "random"})
    if missing:
        (Path(login_node["PATH"]) / missing).unlink()
    profile = ("--workflow-profile", repository / "profiles" / "slurm")
    outcome = project.snakemake(*profile, environment=login_node)
    assert outcome.code == 2, outcome.text
    [line] = outcome.errors
    assert said in line
    assert "Traceback" not in outcome.text
    assert not [path for path in project.results.rglob("*") if path.is_file()]

    planned = project.plan(*profile, environment=login_node)
    assert planned.code == 0
    assert planned.jobs["measure"] == 2


def test_measuring_alone_is_submitted(repository):
    snakefile = (repository / "Snakefile").read_text(encoding="utf-8")
    files = [snakefile, *(p.read_text() for p in (repository / "workflow/rules").glob("*.smk"))]
    rules = {name for text in files for name in re.findall(r"^rule (\w+):", text, re.MULTILINE)}
    local = re.search(r"^localrules:\n((?: {4}\w+,\n)+)", snakefile, re.MULTILINE)
    assert rules - set(re.findall(r"\w+", local[1])) == {"measure"}
