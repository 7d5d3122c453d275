"""Every profile that ships: what its keys are, and what is planned with it."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROFILES = ROOT / "profiles"
DEFAULT = yaml.safe_load((PROFILES / "default" / "profile.yaml").read_text(encoding="utf-8"))
ALL = sorted(path.parent.name for path in PROFILES.glob("*/profile.yaml"))


@pytest.mark.parametrize("name", ALL)
def test_profile_holds_what_it_takes_the_place_of(name):
    keys = yaml.safe_load((PROFILES / name / "profile.yaml").read_text(encoding="utf-8"))
    assert keys.items() >= {k: v for k, v in DEFAULT.items() if k != "resources"}.items()


@pytest.mark.parametrize("name", ALL)
def test_profile_says_what_each_key_is(name):
    lines = (PROFILES / name / "profile.yaml").read_text(encoding="utf-8").splitlines()
    for above, line in zip(["", *lines], lines, strict=False):
        is_key = line and line[0] not in " #" and not line.startswith("__")
        groups = line.endswith(":")  # its own keys say what they are
        assert not is_key or groups or "# " in line or above.startswith("#"), line


@pytest.mark.parametrize("name", sorted({*ALL} - {"kubernetes"}))
def test_profile_plans(name, project):
    outcome = project.plan("--workflow-profile", PROFILES / name)
    assert outcome.code == 0, outcome.text
    assert (
        outcome.jobs.items() >= ({"measure": 2} if name == "slurm" else {"simulate_1": 1}).items()
    )


@pytest.fixture(scope="session")
def kubernetes_plugins():
    """Return the folder of Snakemake's plugins for Kubernetes."""
    folder = ROOT / ".venv-kubernetes"
    if not (folder / "ready").exists():
        why = "no plugins of Snakemake for Kubernetes: `make .venv-kubernetes/ready`"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    return folder


@pytest.mark.slow(reason="plugins from an environment of their own")
def test_pods_measure_and_nothing_else(project, kubernetes_plugins):
    project.write(engine="vllm", vllm={"weights": "random"}, models=["llama-3.2-1b"])
    done = subprocess.run(  # not forked: Snakemake looks for its plugins once
        project.command("--dry-run", "-p", "--workflow-profile", PROFILES / "kubernetes"),
        env=os.environ | {"PYTHONPATH": f"{kubernetes_plugins}:{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert re.search(r"^measure +1\ntotal +1$", said, re.MULTILINE)
    (asked,) = re.findall(r"^ *resources: (.*)$", said, re.MULTILINE)
    assert {"gpu=1", "gpu_manufacturer=nvidia", "scale=0"} <= set(asked.split(", "))
    assert "/sweetspot/storage/results/small/blocks/llama-3.2-1b/b1024.jsonl" in said


def test_profile_without_a_gpu_simulates_beside_what_is_measured(project):
    project.write(engine="vllm", vllm={"weights": "random"}, models=["llama-3.2-1b"])
    outcome = project.plan("-p", "--workflow-profile", PROFILES / "simulated")
    assert outcome.code == 0, outcome.text
    assert "results/simulated/cells.csv" in outcome.text
    assert "gpu=1" not in outcome.text
