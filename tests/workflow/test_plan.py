"""What `snakemake -n` says of the paper's experiment, and what it takes to say it."""

import re
import subprocess
import sys

import pytest

from sweetspot import estimate

PAPER = {
    "cells": 1,
    "analyse": 1,
    "tables": 1,
    "figures": 1,
    "fit_figures": 1,
    "page": 1,
    "explorer": 1,
    "manifest": 1,
    "all": 1,
}

# Runs a command; says most KiB of memory.
USED_BY = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_maxrss)
"""


@pytest.fixture
def paper(project, repository):
    """Return a project with the experiment that ships."""
    (project.folder / "experiment.yaml").write_text((repository / "config.yaml").read_text())
    return project


def test_plan_of_paper_simulated(paper):
    outcome = paper.plan("--config", "engine=simulator")
    assert (outcome.code, outcome.complaints) == (0, [])
    assert outcome.jobs == PAPER | {f"simulate_{share}": 1 for share in (1, 2, 3, 4)}
    assert sum(outcome.new_cells.values()) == 13 * 49 + 2 * 49 + 10 * 7 - 7


def test_plan_without_any_option_is_the_paper_and_needs_no_gpu(project, repository):
    (project.folder / "experiment.yaml").unlink()
    outcome = project.plan(environment={"CUDA_VISIBLE_DEVICES": "99", "PATH": "/usr/bin:/bin"})
    assert (outcome.code, outcome.complaints) == (0, [])
    assert str(repository / "config.yaml") in outcome.text
    assert outcome.jobs == PAPER | {"measure": 17}
    assert "results/paper/cells.csv" in outcome.text


@pytest.mark.parametrize("gpus", [1, 2])
def test_plan_is_short_and_ends_with_the_total_of_sweetspot_plan(project, monkeypatch, gpus):
    project.write(engine="vllm")
    outcome = project.snakemake("--dry-run", "--resources", f"gpu={gpus}")
    assert (outcome.code, outcome.complaints) == (0, [])
    assert "rule measure" not in outcome.text
    assert outcome.jobs["measure"] == 2
    monkeypatch.chdir(project.folder)
    found = estimate("experiment.yaml", gpus=gpus)
    assert outcome.out.splitlines()[-1] == found.in_words
    assert f"{found.total.gpu_hours.in_words} GPU hours" in found.in_words
    assert f"{gpus} GPU{'s' * (gpus > 1)} done after" in found.in_words


@pytest.mark.slow(reason="10,290 cells")
def test_plan_of_ten_thousand_cells_takes_little_memory(project):
    models = [f"models/m{place:02d}" for place in range(70)]
    for place, model in enumerate(models):
        project.add_model(model.removeprefix("models/"), num_hidden_layers=8 + place)
    lengths = [64, 128, 256, 512, 1024, 2048, 4096]
    grid = {"input_tokens": lengths, "output_tokens": lengths, "requests": [10, 100, 1000]}
    project.write(models=models, sweeps={"grid": grid})
    # By a process between, as one that starts here is told the memory of this one, too.
    command = [sys.executable, "-c", USED_BY, *project.command("--dry-run")]
    said = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    )
    *_, last, used = said.stdout.splitlines()
    assert last == "10290 of 10290 cells to do; simulated: no GPU hours, no kWh"
    assert int(used) < 300 * 1024


def test_plan_imports_nothing_heavy(repository):
    rules = (repository / "workflow/rules/common.smk").read_text()
    imports = re.findall(r"^ *(from sweetspot\S* import .*)$", rules, re.MULTILINE)
    program = "\n".join(
        (
            *imports,
            "figures_of(list(plan(parse_experiment({'engine': 'simulator'})).cells))",
            "import sys",
            "print(*sorted({name.split('.')[0] for name in sys.modules}))",
        )
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "sweetspot" in loaded
    heavy = {"numpy", "pandas", "scipy", "matplotlib", "pynvml"}
    assert heavy.isdisjoint(loaded)
