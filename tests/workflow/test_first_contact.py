"""What a first run meets: folders with spaces, a configuration with a mistake, progress."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest


def put_python(folder):
    """Put an environment that is this one into a folder; its Python is what is returned."""
    here = Path(sys.prefix)
    (folder / "bin").mkdir(parents=True)
    for part in ("lib", "pyvenv.cfg"):
        (folder / part).symlink_to(here / part)
    python = folder / "bin" / "python"
    python.symlink_to(here / "bin" / "python")
    return python


@pytest.mark.slow
def test_quiet_run_in_folders_with_spaces_shows_progress_only(project, tmp_path):
    folder = tmp_path / "my project"
    shutil.move(project.folder, folder)
    spaced = replace(project, folder=folder, python=put_python(tmp_path / "my python"))
    grid = {"input_tokens": [64, 256], "output_tokens": [64], "requests": [10]}
    spaced.write(models=["models/mine", "opt-1.3b"], sweeps={"grid": grid})
    outcome = spaced.snakemake("results/small/cells.csv", "--quiet", "all")
    assert outcome.code == 0, outcome.text
    first, last = outcome.complaints
    assert first.startswith("1 of 2 blocks")
    assert last == "2 of 2 blocks"
    assert len(spaced.cells()) == 4


def test_mistake_in_config_yaml_is_named_when_quiet(tmp_path, repository, project):
    copy = tmp_path / "clone"
    for part in ("rules", "report"):
        shutil.copytree(repository / "workflow" / part, copy / "workflow" / part)
    shutil.copy(repository / "Snakefile", copy)
    (copy / "config.yaml").write_text("run: small\nmodels: [opt-1.3b\nengine: simulator\n")
    outcome = replace(project, folder=copy, snakefile=copy / "Snakefile").snakemake(
        "--quiet", "all"
    )
    assert outcome.code == 2
    [line] = outcome.complaints
    assert line.startswith(f"sweetspot: error: configuration {copy / 'config.yaml'} is not valid")
    assert "line 3, column 7" in line
