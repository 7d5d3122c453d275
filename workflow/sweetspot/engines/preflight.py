"""What an engine needs of this node, checked before anything is planned on it."""

import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from sweetspot.catalog import Gpu, gpu, gpu_ids
from sweetspot.config import Container
from sweetspot.engines.weights.checkpoint import what_is_missing
from sweetspot.errors import EngineError, MeterError, unknown_name

# How people come by each engine that measures; the simulator needs neither program nor GPU.
_INSTALL = {
    "tensorrt-llm": "TensorRT-LLM (in NVIDIA's container: section `node.container`)",
    "vllm": "vLLM (in a Python of its own: `node.python`)",
    "transformers": "PyTorch and Transformers (in a Python of their own: `node.python`)",
    "simulator": "",
}


def require(
    engine: str,
    board: str | Gpu,
    python: str = "python3",
    container: Container | None = None,
    checkpoints: Sequence[Path] = (),
) -> None:
    """Check that `engine` can measure on such a board here; a simulator needs nothing.

    `python` and `container` are those of the experiment's section `node`, `checkpoints` the
    folders of the models that are to be measured.

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
        _missing_program(engine, python, container or Container()),
        _missing_weights(checkpoints),
    )
    missing = [reason for reason in reasons if reason]
    if missing:
        raise EngineError(
            f"cannot measure with {engine} here: {'; '.join(missing)}."
            f" Either run this on a node with an {wanted.name} and {install}"
            " (docs/measuring.md),"
            " or simulate: `make paper`, or"
            " `snakemake --cores 2 --config engine=simulator run=paper-simulated`"
        )


def _missing_gpu(wanted: Gpu) -> str | None:
    """Return what is wrong with this node's GPU, if anything is."""
    from sweetspot.metering.nvml import Board  # a simulation starts without NVML's bindings

    try:
        with Board.open() as board:
            found = board.name()
    except MeterError as error:
        return f"no usable NVIDIA GPU or driver ({error})"
    if wanted.is_called(found):
        return None
    if not wanted.nvml_name:
        return (
            f"the file of {wanted.id} has no nvml_name, by which the GPU here, {found!r}, is known"
        )
    same = next((each for each in gpu_ids() if gpu(each).is_called(found)), None)
    hint = f"; for this GPU set `gpu: {same}`" if same else ""
    return f"the GPU is {found!r}, while the config says {wanted.id} ({wanted.nvml_name!r}){hint}"


def _missing_program(engine: str, python: str, container: Container) -> str | None:
    """Return which program is not there; what an image holds shows only when it runs."""
    if container.runtime != "none":
        if not shutil.which(container.runtime):
            return f"{container.runtime} is not on PATH (node.container.runtime)"
        if container.runtime == "apptainer" and not Path(container.image).exists():
            return f"there is no image {container.image} (node.container.image)"
        return None
    if engine == "tensorrt-llm":
        return None if shutil.which("trtllm-bench") else "trtllm-bench is not on PATH"
    program = shlex.split(python)[0]
    return None if shutil.which(program) else f"{program} is not on PATH (node.python)"


def _missing_weights(checkpoints: Sequence[Path]) -> str | None:
    """Return which checkpoint cannot be used, and how many more."""
    missing = [reason for reason in map(what_is_missing, checkpoints) if reason]
    if not missing:
        return None
    others = len(missing) - 1
    more = f" (and {others} other models lack theirs)" if others else ""
    return f"{missing[0]}{more}"
