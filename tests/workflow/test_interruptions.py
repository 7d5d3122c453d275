"""Signals at random moments to a run, a job and their process group: nothing is lost or differs."""

import os
import random
import signal

import pytest

ROUNDS = 10
MADE = ("cells.csv", "comparison.csv", "fits", "tables", "figures")
FIRST = [f"results/small/{name}" for name in ("fits/quality.csv", "tables/table3_mape.md")]
LATER = [
    f"results/small/{name}" for name in ("comparison.csv", "figures/figure2_output_length.png")
]
EDITED = {"input_tokens": [64], "output_tokens": [64, 128, 256], "requests": [100]}


def contents(folder, names):
    """Return what each file below these holds, by its name."""
    paths = [path for name in names for path in (folder / name, *(folder / name).rglob("*"))]
    return {path.relative_to(folder): path.read_bytes() for path in paths if path.is_file()}


@pytest.mark.slow  # ten runs of Snakemake that are interrupted, and two that are not
def test_interrupted_run_ends_as_one_that_was_not(project, tmp_path, interrupt):
    chance = random.Random(20261128)
    # a job for each input length, so that there are some to interrupt
    project.write(models=["models/mine"], measure={"block": "input"})
    undisturbed = project.at(tmp_path / "undisturbed")
    assert undisturbed.snakemake(*FIRST, *LATER).code == 0
    codes, done = [], {}
    for _ in range(ROUNDS):
        # when all cells are there, as after a change of what is made of them
        more = ["--forcerun", "cells"] if len(done) == 9 else []
        head = project.start(*FIRST, *more)
        interrupt(head, chance)
        ended = head.end()
        assert "Traceback" not in ended.stderr, ended.stderr
        codes.append(ended.returncode)
        records = {path: (seen, path.read_bytes()) for path, seen in project.records().items()}
        assert records.items() >= done.items()
        done = records
    assert 0 not in codes, codes
    last = project.snakemake(*FIRST, *LATER)
    assert last.code == 0, last.text
    assert contents(project.results, MADE) == contents(undisturbed.results, MADE)
    assert len(project.records()) == 9
    assert project.records().items() >= {path: seen for path, (seen, _) in done.items()}.items()


@pytest.mark.slow  # four runs of Snakemake
def test_second_command_and_an_edit_leave_a_run_as_it_began(project, other_snakemake, wait_until):
    project.write(models=["models/mine"])
    head = project.start("results/small/cells.csv")
    wait_until(lambda: list(project.folder.glob(".snakemake/locks/*.output.lock")), timeout_s=60)
    os.killpg(head.pid, signal.SIGSTOP)
    try:
        second = other_snakemake(project, "results/small/cells.csv")
        assert second.code == 2
        [line] = second.errors
        assert f"another command (process {head.pid} on " in line
        assert "Traceback" not in second.text
        assert not (project.results / "cells.csv").exists()
        beside = other_snakemake(project, "results/other/cells.csv", "--config", "run=other")
        assert beside.code == 0, beside.text
        project.write(models=["models/mine"], sweeps={"grid": EDITED})
    finally:
        os.killpg(head.pid, signal.SIGCONT)
    first = head.end()
    assert first.returncode == 0, first.stderr
    table = (project.results / "cells.csv").read_text()
    assert table == (project.folder / "results/other/cells.csv").read_text()
    begun = project.records()
    assert len(begun) == 9

    outcome = project.snakemake("results/small/cells.csv")
    assert outcome.code == 0, outcome.text
    assert "mine/b1024: 3 cells, 2 of them reused" in outcome.text
    assert project.records().items() >= begun.items()
    assert [row["output_tokens"] for row in project.cells()] == ["64", "128", "256"]
