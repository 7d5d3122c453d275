"""What a change costs: jobs that a finished run is left with, and cells that are measured again."""

import shutil
from dataclasses import replace

import pytest

LAST = {"page": 1, "manifest": 1, "all": 1}
DRAWN = {"figures": 1, "fit_figures": 1}
ANALYSIS = {"cells": 1, "analyse": 1, "tables": 1, "explorer": 1} | DRAWN | LAST
BLOCKS = "llama-3.2-1b/b1024 mine/b1024"
LENGTHS = [64, 256, 1024]


@pytest.fixture
def own_tree(again, repository, tmp_path):
    """Return the finished project with its own copy of the workflow, and the means to import it."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("Snakefile", "config.yaml"):
        shutil.copy2(repository / name, tree)
    for name in ("workflow", "profiles"):
        shutil.copytree(
            repository / name, tree / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    environment = {"PYTHONPATH": str(tree / "workflow")}
    return replace(again, snakefile=tree / "Snakefile"), tree, environment


def test_same_command_again_finds_nothing_to_do(again):
    outcome = again.snakemake()
    assert outcome.code == 0
    assert outcome.jobs == {}
    assert "Nothing to be done" in outcome.text


def test_new_model_costs_its_own_cells(again):
    again.write(models=["llama-3.2-1b", "models/mine", "opt-1.3b"])
    outcome = again.plan()
    assert outcome.jobs == ANALYSIS | {"simulate_1": 1}
    assert outcome.new_cells == {f"{BLOCKS} opt-1.3b/b1024": 9}


@pytest.mark.slow(reason="four runs of Snakemake")
def test_new_input_length_costs_its_own_cells(again):
    again.write_sweep(input_tokens=[*LENGTHS, 2048])
    outcome = again.plan()
    assert outcome.jobs == ANALYSIS | {"simulate_1": 1}
    assert outcome.new_cells == {BLOCKS: 6}

    rows, records = again.cells(), again.records()
    outcome = again.snakemake("results/small/cells.csv")
    assert outcome.code == 0
    assert "llama-3.2-1b/b1024: 12 cells, 9 of them reused" in outcome.text
    later = again.records()
    assert len(later) == 24
    assert {path: later[path] for path in records} == records
    assert [row for row in again.cells() if row["input_tokens"] != "2048"] == rows


def test_few_cells_of_a_grid_are_all_that_is_measured_and_the_grid_adopts_them(again):
    lengths = {"input_tokens": [64, 128, 256, 1024], "output_tokens": [64, 128, 256, 512, 1024]}
    sweeps = {"grid": {**lengths, "requests": [100]}}
    again.write(sweeps=sweeps, models=["llama-3.2-1b"], measure={"design": "few"})
    outcome = again.snakemake("results/small/cells.csv")
    assert outcome.code == 0
    assert len(again.cells()) == 18
    again.write(sweeps=sweeps, models=["llama-3.2-1b"])
    # of the two lengths that were left out the finished run had measured one
    assert again.plan("results/small/cells.csv").new_cells == {"llama-3.2-1b/b1024": 1}


def test_new_request_count_costs_its_own_cells(again):
    again.write_sweep(requests=[100, 10])
    outcome = again.plan()
    assert outcome.jobs == ANALYSIS | {"simulate_1": 1}
    assert outcome.new_cells == {BLOCKS: 18}


def test_figure_style_redraws_figures_only(again):
    again.write(figures={"dpi": 72, "font_size_pt": 8})
    assert again.plan().jobs == LAST | DRAWN


def test_changed_model_redoes_that_model(again):
    again.add_model("mine", num_hidden_layers=9)
    outcome = again.plan()
    assert outcome.jobs == ANALYSIS | {"simulate_1": 1}
    assert outcome.new_cells == {BLOCKS: 9}


def test_changed_catalog_entry_redoes_that_model(own_tree):
    project, tree, environment = own_tree
    catalog = tree / "workflow/sweetspot/catalog/models.yaml"
    text = catalog.read_text()
    changed = text.replace("num_hidden_layers: 16", "num_hidden_layers: 17", 1)
    assert text.index("num_hidden_layers: 16") < text.index("opt-1.3b:")
    catalog.write_text(changed)
    outcome = project.plan(environment=environment)
    assert outcome.jobs == ANALYSIS | {"simulate_1": 1}
    assert outcome.new_cells == {BLOCKS: 9}


def test_comments_and_touched_files_redo_nothing(own_tree):
    project, tree, environment = own_tree
    commented = [
        project.folder / "experiment.yaml",
        tree / "Snakefile",
        *tree.rglob("*.yaml"),
        *tree.rglob("*.smk"),
        *tree.rglob("*.py"),
    ]
    assert len(commented) > 50
    for path in commented:
        path.write_text(f"{path.read_text()}\n# A comment.\n")
    outcome = project.plan(environment=environment)
    assert outcome.code == 0
    assert outcome.jobs == {}
    assert "Nothing to be done" in outcome.text


@pytest.mark.slow(reason="three runs of Snakemake")
def test_remeasure_reuses_nothing_each_time_that_it_is_asked_for(again):
    old = again.records()
    block = "results/small/blocks/mine/b1024.jsonl"
    remeasure = ("--config", "measure={remeasure: all}")
    outcome = again.snakemake(block, *remeasure)
    assert outcome.code == 0
    assert "of them reused" not in outcome.text
    new = again.records()
    assert new.keys() == old.keys()
    assert {path for path in old if new[path] > old[path]} == {p for p in old if "mine" in p.parts}
    outcome = again.plan(*remeasure)
    assert outcome.jobs == ANALYSIS | {"measure": 2}
    assert set(outcome.new_cells.values()) == {9}
