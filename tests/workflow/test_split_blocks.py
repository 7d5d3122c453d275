"""Blocks that are split: the same records and table, and a job that finds its part."""

import pytest

MINUTES = ("--default-resources", "longest_job_min=16")
TABLE = "results/small/cells.csv"
PART = "llama-3.2-1b/b1024/n10_i16"


@pytest.mark.slow(reason="three runs of Snakemake, of sixty cells")
def test_split_run_gives_the_table_of_a_whole_one_and_its_jobs_find_their_part(project):
    lengths = {"input_tokens": [16, 32], "output_tokens": list(range(1, 32))}  # 62 cells: 17 min
    project.write(models=["llama-3.2-1b"], sweeps={"grid": lengths | {"requests": [10]}})
    outcome = project.snakemake(TABLE, *MINUTES)
    assert outcome.code == 0, outcome.text
    assert "1 of 1 blocks would take longer than the 16 min that a job may" in outcome.err
    blocks = project.results / "blocks"
    assert (blocks / f"{PART}.jsonl").is_file()
    assert len(list(blocks.rglob("*.jsonl"))) == 2
    table, records = (project.results / "cells.csv").read_bytes(), project.records()

    # what the executor of a cluster runs on a node: it knows of no limit
    of_part = ("--mode", "remote", "--nolock", "--force", "--allowed-rules", "measure")
    job = project.snakemake("--target-jobs", f"measure:block={PART}", *of_part)
    assert job.code == 0, job.text

    whole = project.snakemake(TABLE)
    assert whole.code == 0, whole.text
    assert (blocks / "llama-3.2-1b/b1024.jsonl").is_file()
    assert (project.results / "cells.csv").read_bytes() == table
    assert project.records() == records
