"""What an engine needs of this node, checked before anything is planned on it."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from sweetspot.catalog import Gpu, gpu
from sweetspot.config import Container, Experiment, TensorRtLlm
from sweetspot.engines.packages import TIMEOUT_S, missing_package
from sweetspot.engines.weights.checkpoint import what_is_missing
from sweetspot.errors import EngineError, MeterError, one_line, unknown_name
from sweetspot.plan.block import Block

# How people come by each engine that measures; the simulator needs neither program nor GPU.
_INSTALL = {
    "tensorrt-llm": "TensorRT-LLM (in NVIDIA's container: section `node.container`)",
    "vllm": "vLLM (in a Python of its own: `node.python`)",
    "transformers": "PyTorch and Transformers (in a Python of their own: `node.python`)",
    "deepspeed": "PyTorch, Transformers and DeepSpeed (in a Python of their own: `node.python`)",
    "endpoint": "the server running",
    "simulator": "",
}


def require(
    engine: str,
    board: str | Gpu,
    python: str = "python3",
    container: Container | None = None,
    checkpoints: Sequence[Path] = (),
    packages: Mapping[str, str] | None = None,
) -> None:
    """Check that `engine` can measure on such a board here; a simulator needs nothing.

    `python` and `container` are those of the experiment's section `node`, `checkpoints` the
    folders of the models that are to be measured, `packages` what that Python needs
    (`packages_of`); what an image holds shows only when it runs.

    Raises:
        InputError: there is no such engine or GPU.
        EngineError: something is missing; the message names it and both ways out. Nothing is ever
            simulated in place of a measurement.
    """
    if engine not in _INSTALL:
        raise unknown_name("engine", engine, _INSTALL)
    wanted = board if isinstance(board, Gpu) else gpu(board)
    install = _INSTALL[engine]
    if not install:
        return
    reasons = (
        _missing_gpu(wanted),
        _missing_program(engine, python, container or Container(), packages or {}),
        _missing_weights(checkpoints),
    )
    page = "docs/serving-measure.md" if engine == "endpoint" else "docs/measuring.md"
    missing = [reason for reason in reasons if reason]
    if missing:
        name = wanted.name if wanted.kernels_of else f"an {wanted.name}"  # one's own, or NVIDIA's
        raise EngineError(
            f"cannot measure with {engine} here: {'; '.join(missing)}."
            f" Either run this on a node with {name} and {install}, see {page},"
            " or simulate the experiment: `snakemake` with"
            " `--config engine=simulator run=NAME`, under a name of its own"
        )


def require_models(experiment: Experiment, blocks: Iterable[Block]) -> None:
    """Check that an engine has the models of blocks, as far as it is known without running it.

    Raises:
        InputError: it lacks some; the message names them.
    """
    section = experiment.engine_section
    if isinstance(section, TensorRtLlm) and section.backend == "pytorch":
        from sweetspot.engines.trtllm.pytorch import require_pytorch_models

        require_pytorch_models(section.version, blocks)


def _missing_gpu(wanted: Gpu) -> str:
    """Return why no GPU of this node will do; "" if one will, whichever comes first."""
    # a simulation starts without NVML's bindings
    from sweetspot.metering.nvml import allowed_boards
    from sweetspot.metering.visible import why_none_is

    try:
        boards = allowed_boards()
    except MeterError as error:
        return f"no usable NVIDIA GPU or driver ({error})"
    return why_none_is(wanted, boards, os.environ)


def _missing_program(
    engine: str, python: str, container: Container, packages: Mapping[str, str]
) -> str | None:
    """Return which program, image or package is not there."""
    if container.runtime != "none":
        if not shutil.which(container.runtime):
            return f"{container.runtime} is not on PATH (node.container.runtime)"
        if container.runtime == "apptainer" and not Path(container.image).exists():
            return f"there is no image {container.image} (node.container.image)"
        return _missing_in_docker(container.image) if container.runtime == "docker" else None
    if engine == "endpoint":
        lacks = find_spec("aiohttp") is None
        return "aiohttp is missing here: pip install '.[endpoint]'" if lacks else None
    if engine == "tensorrt-llm" and not shutil.which("trtllm-bench"):
        return "trtllm-bench is not on PATH"
    program = shlex.split(python)[0]
    if engine != "tensorrt-llm" and not shutil.which(program):
        return f"{program} is not on PATH (node.python)"
    return missing_package(python, packages)


def _missing_in_docker(image: str) -> str | None:
    """Return why docker cannot run an image; None where it does not answer in time."""
    command = ["docker", "image", "inspect", "--format", "{{.Id}}", "--", image]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode == 0:
        return None
    if "no such image" in done.stderr.lower():
        return f"docker has no image {image} (node.container.image): `docker pull {image}`"
    why = one_line(done.stderr) or f"exit code {done.returncode}"
    return f"docker cannot look for the image {image} (node.container): {why}"


def _missing_weights(checkpoints: Sequence[Path]) -> str | None:
    """Return which checkpoint cannot be used, and how many more."""
    missing = [reason for reason in map(what_is_missing, checkpoints) if reason]
    if not missing:
        return None
    others = len(missing) - 1
    more = f" (and {others} other models lack theirs)" if others else ""
    return f"{missing[0]}{more}"
