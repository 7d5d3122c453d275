"""A model on one board; each cell is one run of `trtllm-bench` beside an NVML meter."""

from contextlib import ExitStack
from dataclasses import dataclass, field

from sweetspot.cells.cell import Cell
from sweetspot.config import Metering
from sweetspot.engines.base import Node, Run
from sweetspot.engines.trtllm.bench import Benchmark, run_benchmark
from sweetspot.engines.trtllm.programs import Programs
from sweetspot.engines.trtllm.runnable import Runnable
from sweetspot.errors import EngineError
from sweetspot.files import make_folder
from sweetspot.metering.host import Host
from sweetspot.metering.nvml import Board
from sweetspot.metering.sampler import NvmlMeter
from sweetspot.plan.dataset import dataset_name


@dataclass(slots=True, kw_only=True)
class TensorRtLlmSession:
    """A Session whose every run loads the engine anew, as the paper's runs did.

    Attributes:
        warmup: requests that run before each window.
        unbuilt: why there is no engine; None if there is one.
        remarks: what stands beside every number.
        held: what close frees, the board's lease among it.
        meter: watches `board`.
    """

    board: Board
    metering: Metering
    node: Node
    programs: Programs
    model: Runnable
    warmup: int
    unbuilt: EngineError | None
    remarks: tuple[str, ...]
    held: ExitStack
    meter: NvmlMeter = field(init=False)

    def __post_init__(self) -> None:
        """Get the meter ready."""
        host = Host()
        self.held.callback(host.close)
        self.meter = NvmlMeter(self.board, self.metering.interval_s, host)

    def run(self, cell: Cell) -> Run:
        """Run a cell's data set, again and again until the window is long enough.

        Raises:
            EngineError: the model has no engine, or trtllm-bench failed, hung, or ran something
                else.
        """
        if self.unbuilt is not None:
            raise self.unbuilt
        dataset = self.node.datasets / dataset_name(cell)
        report_path = self.node.reports / f"{cell.id}.json"
        make_folder(report_path.parent)
        benchmark = Benchmark(
            model=self.model,
            cell=cell,
            dataset=dataset,
            report=report_path,
            warmup=self.warmup,
            min_window_s=self.metering.min_window_s,
        )
        window, report = run_benchmark(benchmark, self.programs)
        passes = len(window.passes)
        return Run(
            start_s=window.start_s,
            end_s=window.end_s,
            requests=passes * cell.requests,  # of each pass, as both it and the report say
            input_tokens=passes * cell.requests * cell.input_tokens,
            output_tokens=passes * cell.total_output_tokens,
            passes=passes,
            untrusted=window.untrusted,
            reported_energy_j=report.total_energy_j,
            remarks=(*self.remarks, *window.remarks),
            facts={
                **self.board.facts(),
                **self.model.facts,
                **report.engine.facts,
                "scheduling_policy": report.world_info.scheduling_policy,
                "window": window.source,
            },
        )

    def close(self) -> None:
        """Let go of the board; no process of the engine outlives its run."""
        self.held.close()
