"""Signals at random moments to a run, a job and their process group: nothing is lost or differs."""

import os
import signal

import pytest

MADE = ("cells.csv", "comparison.csv", "fits/*", "tables/*", "figures/*")
FIRST = [f"results/small/{name}" for name in ("fits/quality.csv", "tables/table3_mape.md")]
LATER = [
    f"results/small/{name}" for name in ("comparison.csv", "figures/figure2_output_length.png")
]
EDITED = {"input_tokens": [64], "output_tokens": [64, 128, 256], "requests": [100]}


def contents(folder, *patterns):
    """Return when each of these files was written, for records, and what it holds."""
    paths = [path for pattern in patterns for path in folder.glob(pattern) if path.is_file()]
    return {
        path.relative_to(folder): (
            path.read_bytes(),
            path.stat().st_mtime_ns if "records" in path.parts else None,
        )
        for path in paths
    }


@pytest.mark.slow(reason="ten runs of Snakemake that are interrupted, and one that is not")
def test_interrupted_run_ends_as_one_that_was_not(project, finished, interruptions):
    project.write(measure={"block": "input"})  # six blocks, so that there are some to interrupt
    done = {}

    def start():
        # when all cells are there, as after a change of what is made of them
        more = ["--forcerun", "cells"] if len(done) == 18 else []
        return project.start(*FIRST, *more)

    for _ in interruptions(start):
        records = contents(project.results, "records/**/*.json")
        assert records.items() >= done.items()
        done = records
    last = project.snakemake(*FIRST, *LATER)
    assert last.code == 0, last.text
    made = contents(project.results, *MADE)
    assert len(made) == 44  # two, nine of fits, six tables in four forms, three figures in three
    assert made.items() <= contents(finished.results, *MADE).items()
    records = contents(project.results, "records/**/*.json")
    assert len(records) == 18
    assert records.items() >= done.items()


@pytest.mark.slow(reason="four runs of Snakemake")
def test_second_command_and_an_edit_leave_a_run_as_it_began(project, other_snakemake, wait_until):
    project.write(models=["models/mine"])
    head = project.start("results/small/cells.csv")
    wait_until(lambda: list(project.folder.glob(".snakemake/locks/*.output.lock")), timeout_s=240)
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
