"""docs/cluster.md word for word: its commands, in their order, on the SLURM of the tests."""

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import shown

PAGE = shown.read("docs/cluster.md")
VLLM_SITE = Path(__file__).parents[1] / "synthetic" / "vllm_site"
THEIRS = "/shared/vllm/bin/python"


@pytest.fixture
def clone(tmp_path, torch_python):
    """A folder like a clone of this repository, with the page's experiment."""
    folder = tmp_path / "clone"
    shutil.copytree(shown.ROOT / "profiles", folder / "profiles")
    for name in ("Snakefile", "workflow"):
        (folder / name).symlink_to(shown.ROOT / name)
    (experiment,) = shown.blocks("yaml", PAGE)
    assert experiment.count(THEIRS) == 1
    (folder / "first.yaml").write_text(experiment.replace(THEIRS, torch_python))
    return folder


@pytest.mark.slow(reason="a SLURM of its own")
def test_first_campaign_goes_as_the_page_says(slurm, clone, node_boards, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"{VLLM_SITE}:{os.environ.get('PYTHONPATH', '')}")
    programs = [slurm.folder / "bin", Path(sys.executable).parent, os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, programs)))
    said = {}
    for command, output in shown.commands(PAGE).items():
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=clone,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        assert not output or done.stdout == output
        said[command.split()[0], "-n" in command] = done.stdout + done.stderr
    asked = re.findall(r"block=\S+\n *resources: .*runtime=(\d+)", said["snakemake", True])
    assert len(asked) == 2
    assert said["snakemake", True].count("gpu_model=h100") == 2
    assert all(15 < int(minutes) < 30 for minutes in asked)
    assert said["squeue", False].count("COMPLETED") == 2
    with (clone / "results/first/cells.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["ok"] * 4
    assert (clone / "results/first/manifest.json").is_file()
