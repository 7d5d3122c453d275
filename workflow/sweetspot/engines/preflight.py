"""What an engine needs of this node, checked before anything is planned on it."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from sweetspot.catalog import Gpu, gpu, gpu_ids
from sweetspot.engines.checkpoint import what_is_missing
from sweetspot.engines.trtllm_bench import PROGRAM, VERSION
from sweetspot.errors import EngineError, MeterError, unknown_name

# engine -> the program that runs it; None where the engine needs neither program nor GPU
_PROGRAMS = {"tensorrt-llm": PROGRAM, "simulator": None}

_INSTALL = (
    f"TensorRT-LLM {VERSION} (inside its NGC container nvidia/tensorrt-llm/release:{VERSION}, or by"
    f" `pip install tensorrt-llm=={VERSION}` from NVIDIA's package index)"
)


def require(engine: str, gpu_id: str, checkpoints: Sequence[Path] = ()) -> None:
    """Check that `engine` can measure on the GPU `gpu_id` here; a simulator needs nothing.

    `checkpoints` are the folders of the models that are to be measured.

    Raises:
        InputError: there is no such engine or GPU.
        EngineError: something is missing; the message names it and both ways out. Nothing is ever
            simulated in place of a measurement.
    """
    if engine not in _PROGRAMS:
        raise unknown_name("engine", engine, _PROGRAMS)
    program, wanted = _PROGRAMS[engine], gpu(gpu_id)
    if program is None:
        return
    reasons = (_missing_gpu(wanted), _missing_program(program), _missing_weights(checkpoints))
    missing = [reason for reason in reasons if reason]
    if missing:
        raise EngineError(
            f"cannot measure with {engine} here: {'; '.join(missing)}."
            f" Either run this on a node with an {wanted.name} and {_INSTALL}"
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
    if found.startswith(wanted.nvml_name):
        return None
    same = next((each for each in gpu_ids() if found.startswith(gpu(each).nvml_name)), None)
    hint = f"; for this GPU set `gpu: {same}`" if same else ""
    return f"the GPU is {found!r}, while the config says {wanted.id} ({wanted.nvml_name!r}){hint}"


def _missing_program(program: str) -> str | None:
    return None if shutil.which(program) else f"{program} is not on PATH"


def _missing_weights(checkpoints: Sequence[Path]) -> str | None:
    """Return which checkpoint cannot be used, and how many more."""
    missing = [reason for reason in map(what_is_missing, checkpoints) if reason]
    if not missing:
        return None
    others = len(missing) - 1
    more = f" (and {others} other models lack theirs)" if others else ""
    return f"{missing[0]}{more}"
