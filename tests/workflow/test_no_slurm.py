"""What profiles/slurm plans by what SLURM says, and where jobs cannot be submitted: one line."""

import re
from pathlib import Path

import pytest

COMMANDS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo", "sacct")
ANSWERS = {"scontrol": "MinJobAge = 300 sec", "sinfo": "lab|19:30|gpu:h100:4(S:0-1)"}


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
    assert [path.name for path in project.results.rglob("*") if path.is_file()] == [".lock"]

    planned = project.plan(*profile, environment=login_node)
    assert planned.code == 0
    assert planned.jobs["measure"] == 2


def test_blocks_are_split_at_the_partitions_limit_and_ask_for_the_board(
    project, repository, login_node
):
    project.write(engine="vllm", vllm={"weights": "random"}, models=["llama-3.2-1b"])
    profile = ("--workflow-profile", repository / "profiles" / "slurm")
    there = ("--set-resources", "measure:slurm_partition=lab")
    outcome = project.plan(*profile, *there, environment=login_node)
    assert outcome.code == 0, outcome.text
    assert (
        "sweetspot: 1 of 1 blocks would take longer than the 19 min that a job may, so they are"
        " split: 3 jobs in all"
    ) in outcome.complaints
    assert outcome.new_cells == {f"llama-3.2-1b/b1024/n100_i{i}": 3 for i in (64, 256, 1024)}
    assert outcome.text.count("gpu_model=h100") == 3


def test_measuring_alone_is_submitted(repository):
    snakefile = (repository / "Snakefile").read_text(encoding="utf-8")
    files = [snakefile, *(p.read_text() for p in (repository / "workflow/rules").glob("*.smk"))]
    rules = {name for text in files for name in re.findall(r"^rule (\w+):", text, re.MULTILINE)}
    local = re.search(r"^localrules:\n((?: {4}\w+,\n)+)", snakefile, re.MULTILINE)
    assert rules - set(re.findall(r"\w+", local[1])) == {"measure"}
