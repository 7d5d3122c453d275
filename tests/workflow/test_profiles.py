"""Every profile that ships: what its keys are, and what is planned with it."""

from pathlib import Path

import pytest
import yaml

PROFILES = Path(__file__).parents[2] / "profiles"
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


@pytest.mark.parametrize("name", ALL)
def test_profile_plans(name, project):
    outcome = project.plan("--workflow-profile", PROFILES / name)
    assert outcome.code == 0, outcome.text
    assert outcome.jobs["measure"] == 2


def test_profile_without_a_gpu_simulates_beside_what_is_measured(project):
    project.write(engine="vllm", vllm={"weights": "random"}, models=["llama-3.2-1b"])
    outcome = project.plan("--workflow-profile", PROFILES / "simulated")
    assert outcome.code == 0, outcome.text
    assert "results/simulated/cells.csv" in outcome.text
    assert "gpu=1" not in outcome.text
