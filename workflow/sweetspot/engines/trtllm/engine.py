"""The engine tensorrt-llm: a built engine, or PyTorch; by `trtllm-bench` or in one worker."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from sweetspot.config import Metering, TensorRtLlm
from sweetspot.engines.base import Node, Session
from sweetspot.engines.packages import packages_of
from sweetspot.engines.preflight import require
from sweetspot.engines.trtllm.build import Build, build_engine
from sweetspot.engines.trtllm.programs import Programs
from sweetspot.engines.trtllm.pytorch import PyTorchModel
from sweetspot.engines.trtllm.session import TensorRtLlmSession
from sweetspot.engines.trtllm.versions import TrtLlmVersion, trtllm_version
from sweetspot.engines.weights.checkpoint import hub_name, is_opt, require_checkpoint, require_dtype
from sweetspot.engines.weights.random_model import random_model_folder
from sweetspot.engines.weights.weights import quantized_facts, quantized_remarks
from sweetspot.engines.worker.client import WORKERS
from sweetspot.engines.worker.session import Program, WorkerSession
from sweetspot.errors import EngineError
from sweetspot.files import make_folder
from sweetspot.metering.lease import leased_board
from sweetspot.metering.nvml import Board
from sweetspot.plan.block import Settings
from sweetspot.schema.reading import converted


def tensorrt_llm_engine(settings: Settings, node: Node) -> "TensorRtLlmEngine":
    """Return the engine in the version that a block asks for.

    Raises:
        InputError: it is not a version that can be driven.
    """
    return TensorRtLlmEngine(trtllm=trtllm_version(settings.engine_version), node=node)


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorRtLlmEngine:
    """An Engine: TensorRT-LLM with in-flight batching, all requests of a cell at once.

    Attributes:
        trtllm: the version, and how it is driven.
        node: what decides no value.
    """

    trtllm: TrtLlmVersion
    node: Node
    name: ClassVar[str] = "tensorrt-llm"
    simulated: ClassVar[bool] = False

    @property
    def version(self) -> str:
        """Version of TensorRT-LLM; any other is refused."""
        return self.trtllm.version

    def load(self, settings: Settings) -> Session:
        """Take a board, and build the model's engine on it where the backend is TensorRT.

        One that was built for the block's limits is taken. A model that cannot be built is not an
        error here: each of its cells then fails with the reason, and the table has a row for them.

        Raises:
            EngineError: this node cannot measure.
            InputError: the checkpoint is missing, another model's, or of another type than the
                engine's; or this node has another version of TensorRT-LLM.
            MeterError: the GPU cannot be read.
        """
        node, metering = self.node, settings.metering
        options = converted(TensorRtLlm, {**settings.options, "version": self.version})
        read = [] if node.checkpoint is None else [node.checkpoint]
        if metering is None or bool(read) != (options.weights == "checkpoint"):
            raise EngineError(f"{self.name} measures checkpoints: it needs one, and a metering")
        require(self.name, settings.gpu, node.python, node.container, read)
        for folder in read:
            require_checkpoint(folder, settings.model)
            require_dtype(folder, settings.model.dtype)
        if options.backend == "pytorch":
            model: Build | PyTorchModel = _pytorch_model(self.trtllm, settings, node)
        else:
            model = _build(self.trtllm, settings, node, read[0])
            make_folder(model.place)  # a container can only be shown what is there
        make_folder(node.reports)
        held = ExitStack()
        board = held.enter_context(leased_board(settings.gpu))  # building keeps the GPU busy, too
        try:
            return self._session(settings, options, metering, model, board, held)
        except BaseException:
            held.close()
            raise

    def _session(
        self,
        settings: Settings,
        options: TensorRtLlm,
        metering: Metering,
        model: Build | PyTorchModel,
        board: Board,
        held: ExitStack,
    ) -> Session:
        """Build what is to be built, and return what runs cells with it."""
        node = self.node
        programs = Programs(
            container=node.container,
            gpu_uuid=board.uuid(),
            folders=(WORKERS, node.datasets, node.reports, *model.folders),
            python=node.python,
            timeout_s=node.timeout_s,
        )
        log = f"{settings.model.id}/b{settings.limits.max_batch_size}-build.log"
        unbuilt = None
        if isinstance(model, Build):
            try:
                build_engine(model, programs, log_path=node.reports / log)
            except EngineError as error:
                unbuilt = error
        if options.mode == "llm-api" and unbuilt is None:
            program = _program(settings, model, options)
            return WorkerSession(board, metering, node, program, held)
        return TensorRtLlmSession(
            board=board,
            metering=metering,
            node=node,
            programs=programs,
            model=model,
            warmup=options.warmup,
            unbuilt=unbuilt,
            remarks=quantized_remarks(settings.model),
            held=held,
        )


def _build(trtllm: TrtLlmVersion, settings: Settings, node: Node, checkpoint: Path) -> Build:
    return Build(
        name=hub_name(settings.model.id),
        checkpoint=checkpoint,
        dtype=settings.model.dtype,
        quantization=settings.model.quantization,
        trtllm=trtllm,
        limits=settings.limits,
        place=node.workspace / trtllm.version / settings.gpu.id,
        opt_examples=node.opt_examples if is_opt(checkpoint) else None,
    )


def _pytorch_model(trtllm: TrtLlmVersion, settings: Settings, node: Node) -> PyTorchModel:
    model, limits = settings.model, settings.limits
    if node.checkpoint is None:
        folder = random_model_folder(
            node.model_reference, model, limits.max_seq_len, node.workspace
        )
        weights = {"weights": "random: TensorRT-LLM's load_format dummy"}
    else:
        folder, weights = node.checkpoint, {"checkpoint": str(node.checkpoint)}
    return PyTorchModel(
        name=hub_name(model.id), checkpoint=folder, trtllm=trtllm, limits=limits, weights=weights
    )


def _program(settings: Settings, model: Build | PyTorchModel, options: TensorRtLlm) -> Program:
    """Return the worker that keeps a model loaded."""
    limits = settings.limits
    return Program(
        module="trtllm_llm_worker",
        requires=packages_of(options),
        install="`node.python` has to be the Python that has TensorRT-LLM (docs/measuring.md)",
        log=f"{settings.model.id}/b{limits.max_batch_size}-llm",
        load={
            **_what_is_loaded(model),
            "max_batch_size": limits.max_batch_size,
            "max_num_tokens": limits.max_num_tokens,
            "kv_cache_memory_fraction": limits.kv_cache_memory_fraction,
            "vocabulary": settings.model.vocab,
        },
        warmup=options.warmup,
        folders=model.folders,
        facts={**model.facts, **quantized_facts(settings.model)},
        remarks=(
            "one engine load for all cells of the block, not one for each as in the paper",
            *([f"weights {model.facts['weights']}"] if "weights" in model.facts else []),
            *quantized_remarks(settings.model),
        ),
    )


def _what_is_loaded(model: Build | PyTorchModel) -> dict[str, Any]:
    """Return what a worker's order says of the model and of the class that runs it."""
    if isinstance(model, Build):
        module = model.trtllm.engine_llm_module
        return {"model": str(model.engine_dir.absolute()), "llm_module": module}
    return {
        "model": str(model.checkpoint.absolute()),
        "llm_module": "tensorrt_llm",
        "pytorch": {
            "max_seq_len": model.limits.max_seq_len,
            "load_format": "dummy" if "weights" in model.weights else "auto",
        },
    }
