"""Command lines of containers, run by synthetic runtimes that refuse what the real ones do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sweetspot.config import Container
from sweetspot.engines.process.container import in_container
from sweetspot.errors import InputError

SHOW = "import json, os, sys; print(json.dumps([dict(os.environ), os.getcwd(), sys.argv[1:]]))"


@pytest.fixture
def runtimes(container_runtimes, tmp_path, monkeypatch):
    """Synthetic runtimes, in a working directory of their own."""
    container_runtimes.write_text("export LIBRARIES=/usr/local/tensorrt/lib\n")
    monkeypatch.setenv("SWEETSPOT_JOB", "a token")
    monkeypatch.setenv("PYTHONPATH", "/of/the/host")
    here = tmp_path / "here"
    (here / "inner").mkdir(parents=True)
    monkeypatch.chdir(here)
    return here


def command(runtime, *more, folders=(Path("inner"),), environment=None):
    return in_container(
        Container(runtime=runtime, image="" if runtime == "none" else "an-image"),
        [sys.executable, "-c", SHOW, *more],
        folders=folders,
        gpu_uuid="GPU-7",
        environment=environment,
    )


@pytest.fixture
def inside(runtimes, tmp_path):
    """Return a function that runs a program in a container and answers what both have seen."""

    def run(runtime, *more, **options):
        done = subprocess.run(
            command(runtime, *more, **options), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), json.loads((tmp_path / "seen").read_text())

    return run


def values(seen, flag):
    return [value for name, *rest in seen["options"] if name == flag for value in rest]


def test_without_a_container_the_command_stays_as_it_is(runtimes):
    assert command("none", "a b") == [sys.executable, "-c", SHOW, "a b"]


@pytest.mark.parametrize("runtime", ["apptainer", "docker"])
def test_program_sees_what_it_is_given_and_nothing_of_the_host(inside, runtimes, runtime):
    words = ("a b", 'c"d', "$HOME", "")
    (environment, folder, arguments), seen = inside(
        runtime, *words, environment={"MODE": "x,y=z 1"}
    )
    assert arguments == list(words)
    assert folder == str(runtimes)
    assert seen["image"] == "an-image"
    assert environment["MODE"] == "x,y=z 1"
    assert environment["PYTHONUNBUFFERED"] == "1"
    assert environment["SWEETSPOT_JOB"] == "a token"  # else its processes are taken for strangers
    assert environment["LIBRARIES"] == "/usr/local/tensorrt/lib"  # what only bash reads
    assert "PYTHONPATH" not in environment


@pytest.mark.parametrize(("runtime", "flag"), [("apptainer", "--bind"), ("docker", "--mount")])
def test_folders_and_working_directory_are_at_the_same_paths(inside, runtimes, runtime, flag):
    elsewhere = runtimes.parent
    _, seen = inside(runtime, folders=(Path("inner"), elsewhere, Path("inner")))
    shown = [
        bind.split(":")[0] if runtime == "apptainer" else bind.split(",")[1].removeprefix("src=")
        for bind in values(seen, flag)
    ]
    assert shown == [str(runtimes), str(runtimes / "inner"), str(elsewhere)]


def test_apptainer_is_told_of_the_gpu_by_its_variable(inside):
    (environment, *_), seen = inside("apptainer", environment={"CUDA_VISIBLE_DEVICES": "0"})
    assert environment["CUDA_VISIBLE_DEVICES"] == "GPU-7"
    assert ["--nv"] in seen["options"]


def test_docker_is_given_the_gpu_alone(inside):
    (environment, *_), seen = inside("docker", environment={"CUDA_VISIBLE_DEVICES": "GPU-7"})
    assert values(seen, "--gpus") == ["device=GPU-7"]
    assert "CUDA_VISIBLE_DEVICES" not in environment
    assert values(seen, "--user") == [f"{os.getuid()}:{os.getgid()}"]
    assert environment["HOME"] == "/tmp"  # noqa: S108 - where such a user may write
    assert values(seen, "--ulimit") == ["memlock=-1", "stack=67108864"]


def test_each_docker_container_has_a_name_of_its_own(runtimes):
    names = {line[line.index("--name") + 1] for line in (command("docker"), command("docker"))}
    assert len(names) == 2


@pytest.mark.parametrize("runtime", ["apptainer", "docker"])
@pytest.mark.parametrize("name", ["a,b", "a:b"])
def test_folder_that_no_option_can_name_is_refused(runtimes, runtime, name):
    with pytest.raises(InputError, match=f"a container cannot have .*{name}"):
        command(runtime, folders=(Path(name),))
