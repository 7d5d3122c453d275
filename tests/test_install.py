"""The wheel alone, as pip installs it: the core answers, and names the extra of what it lacks."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import sweetspot
from sweetspot.cli.extras import ANALYSIS, CORE, ENDPOINT

ROOT = Path(__file__).parent.parent
FILE = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = FILE["project"]


def names(requirements):
    return {Requirement(each).name for each in requirements}


def test_packages_that_commands_name_are_those_of_the_project():
    extras = PROJECT["optional-dependencies"]
    assert set(CORE.values()) == names(PROJECT["dependencies"])
    assert names(extras["analysis"]) == ANALYSIS
    assert names(extras["endpoint"]) == ENDPOINT
    [everything] = map(Requirement, extras["all"])
    assert everything.name == PROJECT["name"]
    assert everything.extras == extras.keys() - {"all", "iotdb"}


def closure(requirements):
    """Return the names of all distributions that the requirements draw in, extras left out."""
    found = set()
    waiting = list(map(Requirement, requirements))
    while waiting:
        each = waiting.pop()
        if each.name not in found and (each.marker is None or each.marker.evaluate({"extra": ""})):
            found.add(each.name)
            waiting += map(Requirement, distribution(each.name).requires or ())
    return found


def run(*command, folder):
    return subprocess.run(
        command,
        cwd=folder,
        env={k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV_CORE"))},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    """Return a function that runs `sweetspot` in an environment of the wheel and what it requires.

    Packages are links to those of this environment, so that nothing is fetched; that they suffice
    is what pip says, which gets no index.
    """
    folder = tmp_path_factory.mktemp("core")
    built = run(
        sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, folder=ROOT
    )
    assert built.returncode == 0, built.stderr
    [wheel] = folder.glob("sweetspot_llm-*.whl")
    made = run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", folder=folder)
    assert made.returncode == 0, made.stderr
    [site] = folder.glob("venv/lib/python*/site-packages")
    for name in closure(PROJECT["dependencies"]):
        found = distribution(name)
        for top in {file.parts[0] for file in found.files} - {"..", "__pycache__"}:
            (site / top).symlink_to(found.locate_file(top))
    pip = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check"]
    there = ["--python", folder / "venv/bin/python"]
    installed = run(*pip, *there, "install", "--no-index", wheel, folder=folder)
    assert installed.returncode == 0, installed.stderr
    assert (site / "sweetspot/py.typed").exists()
    return lambda *arguments: run(folder / "venv/bin/sweetspot", *arguments, folder=folder)


DEPLOYED = "--model opt-1.3b --gpu h100-sxm"
LOAD = "--requests 20 --rate 9 --input-tokens 64 --output-tokens 8"


@pytest.mark.slow(reason="a wheel is built and installed")
@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("models", "b200"),
        (f"predict {DEPLOYED} --input 64 --output 64", "energy_per_token_j"),
        (f"simulate {DEPLOYED} {LOAD}", "end_to_end"),
    ],
    ids=["models", "predict", "simulate"],
)
def test_core_answers(core, command, said):
    done = core(*command.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout


@pytest.mark.slow(reason="a wheel is built and installed")
def test_command_of_an_extra_names_it_in_one_line(core, tmp_path):
    done = core("fit", tmp_path / "cells.csv")
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line == (
        "sweetspot: error: this command needs the extra `analysis` (pandas is missing):"
        " pip install '.[analysis]' in a clone, or 'WHEEL[analysis]' with the wheel's file"
    )


@pytest.mark.slow(reason="packages come from an index")
def test_recipe_of_images_works_where_there_is_python_alone(tmp_path):
    """Of the lock only what the core needs: `make env` installs all of it, by the same script."""
    packed = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True)
    subprocess.run(["tar", "-x", "-C", tmp_path], input=packed.stdout, check=True)
    lock = tmp_path / "requirements.lock"
    entries = re.findall(r"^\S+==.*(?:\n .*)*", lock.read_text(encoding="utf-8"), re.MULTILINE)
    wanted = closure(PROJECT["dependencies"] + FILE["dependency-groups"]["build"])
    kept = [each for each in entries if canonicalize_name(each.partition("==")[0]) in wanted]
    lock.write_text("\n".join(kept) + "\n", encoding="utf-8")
    python = Path(sys.base_prefix) / "bin/python3"
    done = subprocess.run(
        ["sh", tmp_path / "envs/install.sh"],
        cwd="/",
        env={k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        | {"PATH": f"{python.parent}:/usr/bin:/bin", "PIP_NO_COMPILE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"sweetspot {sweetspot.__version__}"
    assert (tmp_path / "engine-python").resolve() == python.resolve()
