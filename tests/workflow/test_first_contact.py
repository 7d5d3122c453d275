"""What a first run meets: folders with spaces, a configuration with a mistake, progress."""

import os
import pty
import re
import shutil
import subprocess
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


@pytest.mark.slow(reason="a whole run of Snakemake")
def test_quiet_run_in_folders_with_spaces_shows_progress_only(project, tmp_path):
    folder = tmp_path / "my project"
    shutil.move(project.folder, folder)
    spaced = replace(project, folder=folder, python=put_python(tmp_path / "my python"))
    grid = {"input_tokens": [64, 256], "output_tokens": [64], "requests": [10]}
    spaced.write(models=["models/mine", "opt-1.3b"], sweeps={"grid": grid})
    outcome = spaced.snakemake("results/small/cells.csv", "--quiet", "all")
    assert outcome.code == 0, outcome.text
    *cells, last = outcome.complaints
    assert sorted(line.split(":")[0] for line in cells) == [
        f"cell ok {model}/b1024/n10/i{length}_o64/r0"
        for model in ("mine", "opt-1.3b")
        for length in (256, 64)
    ]
    assert [re.search(r"\((\d) of 4", line)[1] for line in cells] == list("1234")
    assert last.startswith("4/4 cells simulated")
    assert len(spaced.cells()) == 4


@pytest.mark.slow(reason="two starts of Snakemake and Python")
def test_terminal_shows_one_line_that_updates(project):
    project.write(models=["models/mine"])
    command = project.command("results/small/cells.csv", "--quiet", "all")
    controller, end = pty.openpty()
    with subprocess.Popen(
        command, stdout=end, stderr=end, env=os.environ | {"TERM": "xterm"}, close_fds=True
    ) as run:
        os.close(end)
        sent = b""
        try:
            while part := os.read(controller, 65536):
                sent += part
        except OSError:  # all that had it open have ended
            pass
    os.close(controller)
    assert run.returncode == 0, sent
    assert b"\r\x1b[K0/9 cells simulated" in sent
    *_, last = sent.decode().splitlines()
    assert last.rpartition("\x1b[K")[2].startswith("9/9 cells simulated, ")
    assert b"cell ok" not in sent


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
