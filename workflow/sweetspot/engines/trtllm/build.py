"""Engines of TensorRT-LLM: built once for a model, version, limits and kind of GPU, then kept.

Source: tensorrt_llm/bench/build/build.py, tensorrt_llm/commands/build.py,
examples/models/contrib/opt/README.md.
"""

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweetspot.catalog.quantization import Quantization
from sweetspot.config import Limits
from sweetspot.engines.trtllm.programs import BENCH, Programs
from sweetspot.engines.trtllm.runnable import named
from sweetspot.engines.trtllm.versions import TrtLlmVersion
from sweetspot.engines.weights.checkpoint import folders_of
from sweetspot.errors import EngineError, InputError
from sweetspot.files import make_folder, write_text_atomic
from sweetspot.reading import read_json

_LIMITS = ("max_seq_len", "max_batch_size", "max_num_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One engine to build, and then a Runnable.

    Attributes:
        name: Hugging Face name of the model, which also names its folder in the workspace.
        checkpoint: folder with the model's config.json and safetensors.
        dtype: 16-bit type that the engine shall compute in.
        quantization: of the checkpoint; None where it is in 16 bits.
        place: where engines of this version and kind of GPU are put.
        opt_examples: folder of the conversion script, for a model of the family OPT; else None.
    """

    name: str
    checkpoint: Path
    dtype: str
    trtllm: TrtLlmVersion
    limits: Limits
    place: Path
    quantization: Quantization | None = None
    opt_examples: Path | None = None
    backend_reported: str = "TRT"

    @property
    def workspace(self) -> Path:
        """One for each set of limits: trtllm-bench puts a model's engines all in one folder."""
        limits = self.limits
        return self.place / (
            f"b{limits.max_batch_size}_s{limits.max_seq_len}_t{limits.max_num_tokens}"
        )

    @property
    def engine_dir(self) -> Path:
        """Where trtllm-bench puts the engine, with tp = pp = 1."""
        return self.workspace / self.name / "tp_1_pp_1"

    @property
    def bench(self) -> tuple[str, ...]:
        """The arguments of trtllm-bench that stand before any of its commands."""
        return named(self.name, self.checkpoint)

    @property
    def throughput(self) -> tuple[str, ...]:
        """The arguments of `trtllm-bench throughput` that choose it."""
        return (*self.trtllm.engine_flags, "--engine_dir", str(self.engine_dir))

    @property
    def converted(self) -> Path:
        """Where the weights of an OPT lie between conversion and build."""
        return self.workspace / self.name / "converted"

    @property
    def folders(self) -> tuple[Path, ...]:
        """What builds and runs read and write, which a container has to show them."""
        return (self.place, *folders_of(self.checkpoint))

    @property
    def facts(self) -> dict[str, str]:
        """What records say of their engine."""
        way = f"{BENCH} build" if self.opt_examples is None else "convert_checkpoint, trtllm-build"
        return {"checkpoint": str(self.checkpoint), "engine_built_by": way}

    def commands(self, python_command: list[str]) -> dict[str, list[str]]:
        """Return what builds the engine, one after the other, by what errors call it.

        Limits are explicit, so that no data set tunes the engine. For OPT, which `trtllm-bench
        build` has no loader for, `trtllm-build` is given the same limits and the two settings that
        trtllm-bench makes.
        """
        limits = [
            part for name in _LIMITS for part in (f"--{name}", str(getattr(self.limits, name)))
        ]
        if self.opt_examples is None:
            group = [BENCH, *self.bench, "--workspace", str(self.workspace), "build"]
            return {f"{BENCH} build": [*group, "--tp_size", "1", "--pp_size", "1", *limits]}
        script = self.opt_examples / "convert_checkpoint.py"
        return {
            script.name: [
                *(*python_command, str(script), "--model_dir", str(self.checkpoint)),
                *("--dtype", self.dtype, "--output_dir", str(self.converted)),
            ],
            "trtllm-build": [
                *("trtllm-build", "--checkpoint_dir", str(self.converted)),
                *("--output_dir", str(self.engine_dir), *limits),
                *("--multiple_profiles", "enable", "--use_paged_context_fmha", "enable"),
            ],
        }


def build_engine(build: Build, programs: Programs, *, log_path: Path) -> Path:
    """Build an engine, or keep the one that the same commands built; return its folder.

    Of several jobs that want the same engine, one builds it and the others wait.

    Raises:
        EngineError: a program is missing, fails, hangs, or leaves no engine.
        InputError: the engine is of another version of TensorRT-LLM, or of another type.
    """
    commands = build.commands(programs.python_command)
    made_by = build.engine_dir / "sweetspot_build.json"
    stored = () if build.quantization is None else (build.quantization.words,)
    recipe = json.dumps([commands, build.dtype, *stored])
    with _alone(build.workspace):
        if made_by.is_file() and made_by.read_text() == recipe:
            return build.engine_dir
        if build.engine_dir.parent.exists():  # half of an engine, or one of another recipe
            shutil.rmtree(build.engine_dir.parent)
        for number, (name, command) in enumerate(commands.items(), start=1):
            path = log_path.with_stem(f"{log_path.stem}-{number}")
            programs.run(command, name=name, log_path=path)
        if not (build.engine_dir / "config.json").is_file():
            raise EngineError(f"{name} left no engine in {build.engine_dir}; see {path}")
        _require_engine(build)
        shutil.rmtree(build.converted, ignore_errors=True)
        write_text_atomic(made_by, recipe)  # last: it says that the engine is whole
    return build.engine_dir


@contextmanager
def _alone(workspace: Path) -> Iterator[None]:
    """Wait until no other job builds in a workspace, and keep it; any end of ours frees it.

    Raises:
        InputError: it cannot be written to, or its file system has no locks.
    """
    make_folder(workspace)
    path = workspace / ".lock"
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            raise InputError(
                f"cannot lock {path}: {error.strerror}; choose another `node.workspace`"
            ) from error
        yield


def _require_engine(build: Build) -> None:
    """Check what an engine says of itself; what it does not say is taken to be right.

    Raises:
        EngineError: it says nothing that can be read, or has other limits than asked for.
        InputError: it is not what the experiment asks for, and the node or checkpoint is why.
    """
    wanted = build.trtllm.version
    try:
        config = read_json(build.engine_dir / "config.json", "engine config")
        version = config.get("version", wanted)
        made: dict[str, Any] = config.get("pretrained_config", {})
        dtype, stored = made.get("dtype", build.dtype), made.get("quantization")
        in_engine = (
            None if stored is None else (stored["quant_algo"], stored["kv_cache_quant_algo"])
        )
        built: dict[str, Any] = config.get("build_config", {})
        wrong = [
            f"{name} {built[name]} instead of {getattr(build.limits, name)}"
            for name in _LIMITS
            if built.get(name) not in (None, getattr(build.limits, name))
        ]
    except (InputError, AttributeError, TypeError, KeyError) as error:
        raise EngineError(
            f"TensorRT-LLM left no valid config.json in {build.engine_dir}"
        ) from error
    if version != wanted:
        raise InputError(
            f"this node has TensorRT-LLM {version}; the experiment asks for {wanted}"
            " (tensorrt_llm.version)"
        )
    if dtype != build.dtype:
        raise InputError(
            f"the engine of {build.name} computes in {dtype}; set torch_dtype in"
            f" {build.checkpoint / 'config.json'} to {build.dtype}"
        )
    if in_engine is not None and tuple(map(bool, in_engine)) != _quantized(build.quantization):
        words = build.quantization.words if build.quantization else "16 bits"
        raise InputError(
            f"the engine of {build.name} has quant_algo {in_engine[0]} and kv_cache_quant_algo"
            f" {in_engine[1]}, while its checkpoint says {words}; TensorRT-LLM"
            f" {build.trtllm.version} does not take it as it is"
        )
    if wrong:
        raise EngineError(f"the engine in {build.engine_dir} was built with {', '.join(wrong)}")


def _quantized(quantization: Quantization | None) -> tuple[bool, bool]:
    """Return whether weights and KV cache are other than 16 bits."""
    return (quantization.weights, quantization.fp8_kv_cache) if quantization else (False, False)
