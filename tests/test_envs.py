"""Images: what they pin is what the engines are known by, and their recipe works."""

import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from sweetspot.config import DeepSpeed, Transformers, Vllm
from sweetspot.config.engines import TensorRtLlm
from sweetspot.engines.trtllm.versions import trtllm_version

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "envs/Dockerfile").read_text(encoding="utf-8")
DEFINITION = (ROOT / "envs/sweetspot.def").read_text(encoding="utf-8")
NAMES = (
    *("pipeline", "tensorrt-llm-0.21.0", "tensorrt-llm-1.2.1", "vllm", "transformers"),
    "deepspeed",
)
INSTALL = "sh /opt/sweetspot/envs/install.sh"


@pytest.fixture
def build(tmp_path):
    """Return a function that gives what a builder is called with, and the files that it gets."""
    for name in ("docker", "apptainer"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{tmp_path}/said\ncat >{tmp_path}/in\n')
        program.chmod(0o755)

    def run(*arguments, **environment):
        done = subprocess.run(
            ["sh", ROOT / "envs/build.sh", *arguments],
            env=os.environ | environment | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said = (tmp_path / "said").read_text().splitlines()
        given = dict(line.split("=", 1) for line in said if re.match("(BASE|PACKAGES)=", line))
        archive = tmp_path / "in" if arguments[0] == "docker" else ROOT / "build/sweetspot.tar"
        with tarfile.open(archive) as files:
            return given["BASE"], given["PACKAGES"].split(), said, set(files.getnames())

    return run


@pytest.mark.parametrize("builder", ["docker", "apptainer"])
@pytest.mark.parametrize("name", NAMES)
def test_image_has_the_version_that_its_engine_is_known_by(builder, name, build):
    base, packages, _, _ = build(builder, name)
    if name.startswith("tensorrt-llm"):
        version = name.removeprefix("tensorrt-llm-")
        assert trtllm_version(version).version == version
        assert (base, packages) == (f"nvcr.io/nvidia/tensorrt-llm/release:{version}", [])
    elif name == "vllm":
        assert (base, packages) == (f"docker.io/vllm/vllm-openai:v{Vllm().version}", [])
    else:
        minor = int(re.fullmatch(r"docker.io/library/python:3\.(\d+)\.\d+-slim-bookworm", base)[1])
        assert minor >= 11
    if name in ("transformers", "deepspeed"):
        assert packages[1] == f"transformers=={Transformers().version}"
        assert packages[2:] == [f"deepspeed=={DeepSpeed().version}"] * (name == "deepspeed")
        tested = (ROOT / "tests/requirements-torch.txt").read_text()
        assert set(packages) <= {line.partition("+")[0] for line in tested.splitlines()}
    assert " ".join(packages) in (ROOT / "docs/measuring.md").read_text(encoding="utf-8")


def test_default_versions_have_an_image():
    assert f"tensorrt-llm-{TensorRtLlm().version}" in NAMES


def test_base_can_be_named_by_its_digest(build):
    digest = f"example.org/some@sha256:{'0' * 64}"
    assert build("docker", "vllm", BASE=digest)[0] == digest


@pytest.mark.parametrize(
    ("builder", "recipe"), [("docker", "envs/Dockerfile"), ("apptainer", "envs/sweetspot.def")]
)
def test_builder_gets_the_recipe_and_all_that_it_installs(builder, recipe, build):
    _, _, said, files = build(builder, "pipeline")
    assert recipe in said
    assert "sweetspot:pipeline" in said or "sweetspot-pipeline.sif" in said
    assert files > {"envs/install.sh", "envs/Dockerfile", "scripts/setup.sh", "requirements.lock"}
    assert files > {"Snakefile", "workflow/sweetspot/__init__.py", "pyproject.toml", "README.md"}


def test_unknown_image_is_answered_with_those_that_there_are():
    done = subprocess.run(
        ["sh", ROOT / "envs/build.sh", "docker", "sglang"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.strip().endswith(", ".join(NAMES))


def test_both_recipes_do_the_same():
    assert re.findall(r"^RUN (.*)$", DOCKERFILE, re.MULTILINE) == [
        f'PACKAGES="${{PACKAGES}}" {INSTALL}'
    ]
    assert f'    PACKAGES="{{{{ PACKAGES }}}}" {INSTALL}\n\n' in DEFINITION
    path = "/opt/sweetspot/.venv/bin:"
    assert f'PATH="{path}' in DOCKERFILE
    assert f'PATH="{path}' in DEFINITION
