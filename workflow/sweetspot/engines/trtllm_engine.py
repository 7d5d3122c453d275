"""The engine tensorrt-llm: each cell is one run of `trtllm-bench` beside an NVML meter."""

from contextlib import ExitStack

from sweetspot.dataset import dataset_name
from sweetspot.engines.base import Node, Run
from sweetspot.engines.checkpoint import hub_name, require_checkpoint
from sweetspot.engines.preflight import require
from sweetspot.engines.trtllm_bench import (
    VERSION,
    Benchmark,
    Build,
    MeasuredPass,
    build_engine,
    run_benchmark,
)
from sweetspot.errors import EngineError, InputError
from sweetspot.metering.lease import leased
from sweetspot.metering.nvml import Board
from sweetspot.metering.sampler import NvmlMeter
from sweetspot.plan import Settings
from sweetspot.workload import Cell


class TensorRtLlmSession:
    """One built engine on one board; every run loads it anew, as the paper's runs did."""

    def __init__(
        self,
        board: Board,
        node: Node,
        settings: Settings,
        build: Build,
        unbuilt: EngineError | None,
        held: ExitStack,
    ) -> None:
        """Meter `board`; `unbuilt` says why there is no engine, and `held` is what close frees."""
        self.meter = NvmlMeter(board)
        self._board, self._node, self._settings = board, node, settings
        self._build, self._unbuilt, self._held = build, unbuilt, held

    def run(self, cell: Cell) -> Run:
        """Run a cell's data set; the window is [first request sent, last response].

        Raises:
            EngineError: the model has no engine, or trtllm-bench failed, hung, or ran something
                else.
            InputError: the data set is missing.
        """
        if self._unbuilt is not None:
            raise self._unbuilt
        dataset = self._node.datasets / dataset_name(cell)
        if not dataset.is_file():
            raise InputError(f"there is no data set {dataset}; `sweetspot dataset` writes it")
        benchmark = Benchmark(
            build=self._build,
            dataset=dataset,
            report=self._node.reports / f"{cell.id}.json",
            requests=cell.requests,
            input_tokens=cell.input_tokens,
            output_tokens=cell.output_tokens,
            warmup=self._settings.warmup,
            kv_cache_memory_fraction=self._settings.limits.kv_cache_memory_fraction,
        )
        measured = run_benchmark(
            benchmark,
            log_path=self._node.reports / f"{cell.id}.log",
            timeout_s=self._node.timeout_s,
        )
        return self._run(measured)

    def close(self) -> None:
        """Let go of the board; no process of the engine outlives its run."""
        self._held.close()

    def _run(self, measured: MeasuredPass) -> Run:
        engine, asked = measured.report.engine, measured.report.request_info
        if engine.version not in ("", VERSION):
            raise EngineError(f"TensorRT-LLM {engine.version} ran instead of {VERSION}")
        return Run(
            start_s=measured.start_s,
            end_s=measured.end_s,
            requests=asked.num_requests,
            input_tokens=round(asked.num_requests * asked.avg_input_length),
            output_tokens=round(asked.num_requests * asked.avg_output_length),
            facts=self._board.facts()
            | {"checkpoint": str(self._build.checkpoint), "engine_dtype": engine.dtype or ""},
        )


class TensorRtLlmEngine:
    """TensorRT-LLM as its own benchmark drives it: in-flight batching, all requests at once."""

    name = "tensorrt-llm"
    version = VERSION
    simulated = False

    def __init__(self, node: Node) -> None:
        """Take what decides no value; all else comes with the settings."""
        self._node = node

    def load(self, settings: Settings) -> TensorRtLlmSession:
        """Build the model's engine for the block's limits, or take the one that was built.

        A model that cannot be built is no error here: each of its cells then fails with the
        reason, and the table has a row for them.

        Raises:
            EngineError: this node cannot measure.
            InputError: the checkpoint is missing, another model's, or of a type that gives no
                16-bit engine; or this node has another version of TensorRT-LLM.
            MeterError: the GPU cannot be read.
        """
        require(self.name, settings.gpu.id)
        require_checkpoint(self._node.checkpoint, settings.model)
        limits = settings.limits
        place = (VERSION, settings.gpu.id, f"b{limits.max_batch_size}")
        workspace = self._node.workspace.joinpath(*place)
        build = Build(
            name=hub_name(settings.model.id),
            checkpoint=self._node.checkpoint,
            workspace=workspace,
            max_seq_len=limits.max_seq_len,
            max_batch_size=limits.max_batch_size,
            max_num_tokens=limits.max_num_tokens,
        )
        log_path = self._node.reports / settings.model.id / f"b{limits.max_batch_size}-build.log"
        unbuilt = None
        with ExitStack() as held:
            board = held.enter_context(Board.open())
            held.enter_context(leased(board.uuid()))  # building keeps the GPU busy, too
            try:
                build_engine(build, log_path=log_path, timeout_s=self._node.timeout_s)
            except EngineError as error:
                unbuilt = error
            return TensorRtLlmSession(board, self._node, settings, build, unbuilt, held.pop_all())
