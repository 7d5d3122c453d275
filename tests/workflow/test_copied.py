"""Results that were brought from elsewhere: with other times, or without Snakemake's notes."""

import json
import os
import random
import shutil

import pytest


def scramble_times(folder):
    """Give each file a time of its own, as a clone or a plain copy does."""
    chance = random.Random(1)
    for path in sorted(folder.rglob("*")):
        at_s = 1.7e9 + chance.uniform(0, 1e6)
        if path.is_file():
            os.utime(path, (at_s, at_s))


@pytest.fixture
def without_notes(again):
    """Return the finished project as only its experiment, models and results are brought along."""
    shutil.rmtree(again.folder / ".snakemake")
    return again


def test_other_times_make_nothing_again(again):
    for name in ("results", "models"):
        scramble_times(again.folder / name)
    outcome = again.plan()
    assert outcome.jobs == {}, outcome.text


def test_other_times_without_notes_measure_nothing_again(without_notes):
    scramble_times(without_notes.results)
    outcome = without_notes.plan()
    assert outcome.code == 0
    assert not {"measure", "simulate_1"} & outcome.jobs.keys()


def test_finished_results_without_notes_are_not_made_again(without_notes):
    outcome = without_notes.plan()
    assert outcome.jobs == {}, outcome.text


def test_results_of_another_experiment_without_notes_are_made_again(without_notes):
    without_notes.write(figures={"dpi": 80})
    jobs = without_notes.plan().jobs
    assert not {"measure", "simulate_1"} & jobs.keys()
    assert {"cells", "analyse", "figures", "tables", "manifest"} <= jobs.keys()

    without_notes.write_sweep(output_tokens=[64, 256, 2048])
    outcome = without_notes.plan("-p")
    assert outcome.new_cells == {"llama-3.2-1b/b1024 mine/b1024": 6}
    assert outcome.jobs["cells"] == 1


def test_page_that_snakemake_made_of_an_earlier_run_is_made_again(without_notes):
    path = without_notes.results / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["files"]["report.html"]
    path.write_text(json.dumps(manifest))
    assert without_notes.plan().jobs == {"page": 1, "manifest": 1, "all": 1}
