"""The engine tensorrt-llm: an engine is built, then run by `trtllm-bench` or in one worker."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from sweetspot.config import Metering, TensorRtLlm
from sweetspot.engines.base import Node, Session
from sweetspot.engines.preflight import require
from sweetspot.engines.trtllm.build import Build, build_engine
from sweetspot.engines.trtllm.programs import Programs
from sweetspot.engines.trtllm.session import TensorRtLlmSession
from sweetspot.engines.trtllm.versions import TrtLlmVersion, trtllm_version
from sweetspot.engines.weights.checkpoint import hub_name, is_opt, require_checkpoint, require_dtype
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
        """Build the model's engine for the block's limits, or take the one that was built.

        A model that cannot be built is not an error here: each of its cells then fails with the
        reason, and the table has a row for them.

        Raises:
            EngineError: this node cannot measure.
            InputError: the checkpoint is missing, another model's, or of another type than the
                engine's; or this node has another version of TensorRT-LLM.
            MeterError: the GPU cannot be read.
        """
        node, checkpoint, metering = self.node, self.node.checkpoint, settings.metering
        if checkpoint is None or metering is None:
            raise EngineError(f"{self.name} measures checkpoints: it needs one, and a metering")
        require(self.name, settings.gpu, node.python, node.container, [checkpoint])
        require_checkpoint(checkpoint, settings.model)
        require_dtype(checkpoint, settings.model.dtype)
        build = _build(self.trtllm, settings, node, checkpoint)
        for folder in (build.place, node.reports):
            make_folder(folder)  # a container can only be shown what is there
        held = ExitStack()
        board = held.enter_context(leased_board(settings.gpu))  # building keeps the GPU busy, too
        try:
            return self._session(settings, metering, build, board, held)
        except BaseException:
            held.close()
            raise

    def _session(
        self, settings: Settings, metering: Metering, build: Build, board: Board, held: ExitStack
    ) -> Session:
        """Build, and return what runs cells with it."""
        node = self.node
        options = converted(TensorRtLlm, {**settings.options, "version": self.version})
        programs = Programs(
            container=node.container,
            gpu_uuid=board.uuid(),
            folders=(WORKERS, node.datasets, node.reports, *build.folders),
            python=node.python,
            timeout_s=node.timeout_s,
        )
        log = f"{settings.model.id}/b{settings.limits.max_batch_size}-build.log"
        unbuilt = None
        try:
            build_engine(build, programs, log_path=node.reports / log)
        except EngineError as error:
            unbuilt = error
        if options.mode == "llm-api" and unbuilt is None:
            program = _program(settings, build, options.warmup)
            return WorkerSession(board, metering, node, program, held)
        return TensorRtLlmSession(
            board=board,
            metering=metering,
            node=node,
            programs=programs,
            build=build,
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


def _program(settings: Settings, build: Build, warmup: int) -> Program:
    """Return the worker that keeps an engine loaded."""
    limits, trtllm = settings.limits, build.trtllm
    return Program(
        module="trtllm_llm_worker",
        requires={"tensorrt_llm": trtllm.version},
        install="`node.python` has to be the Python that has TensorRT-LLM (docs/measuring.md)",
        log=f"{settings.model.id}/b{limits.max_batch_size}-llm",
        load={
            "engine_dir": str(build.engine_dir.absolute()),
            "llm_module": trtllm.llm_module,
            "max_batch_size": limits.max_batch_size,
            "max_num_tokens": limits.max_num_tokens,
            "kv_cache_memory_fraction": limits.kv_cache_memory_fraction,
            "vocabulary": settings.model.vocab,
        },
        warmup=warmup,
        folders=build.folders,
        facts=build.facts | quantized_facts(settings.model),
        remarks=(
            "one engine load for all cells of the block, not one for each as in the paper",
            *quantized_remarks(settings.model),
        ),
    )
