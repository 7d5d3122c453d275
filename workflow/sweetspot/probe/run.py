"""A probe: as many steps as fit into some minutes, each durable as soon as it is done."""

import logging
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Literal

from sweetspot.catalog import Gpu, gpu_ids, known_gpu
from sweetspot.catalog import gpu as board_of
from sweetspot.config import NodeSettings
from sweetspot.engines.process.container import in_container
from sweetspot.engines.worker.client import WORKERS, Worker, worker_command
from sweetspot.errors import EngineError, InputError, MeterError, one_line
from sweetspot.files import make_folder
from sweetspot.metering.lease import leased_board
from sweetspot.metering.meter import Readings
from sweetspot.metering.nvml import Board
from sweetspot.metering.sampler import NvmlMeter
from sweetspot.metering.trace import write_trace
from sweetspot.metering.window import Window
from sweetspot.probe.probed import Probed, Taken, read_probed
from sweetspot.probe.steps import Step, small, steps
from sweetspot.running import held

INTERVAL_S = 0.1
WARM_UP_S = 1.0  # of each kernel, before its window
BESIDE_S = 1.5  # that, operands and samples; on the tests' fake driver 1.02 to 1.09
COMPILE_S = 15.0  # of a compiled kernel, once more
START_S = 10.0  # of the program, before it was started once; from a warm disk 4 on an H200
MOST_DRIFT_C = 40.0
TIMEOUT_S = 180.0  # for one step: it hangs

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How a board is to be probed.

    Attributes:
        minutes: to be done in.
        gpu: which board it must be; None for whichever is here.
        seconds: of each window.
        device: `cpu` tries the path; its numbers mean nothing.
        node: the Python that has torch, and its container.
        again: whether failed and invalid steps are tried again.
    """

    minutes: float
    gpu: str | None = None
    seconds: float = 5.0
    device: Literal["cuda", "cpu"] = "cuda"
    node: NodeSettings = NodeSettings()  # noqa: RUF009  nothing can change it
    again: bool = False


def run_probe(folder: Path, asked: Asked) -> Probed:
    """Measure the steps that a folder lacks, in their order, until the time is over.

    Raises:
        InputError: the folder is of another board, cannot be written to, or another command works
            on it; torch is missing; or nobody described the board.
        EngineError: the program fails.
        MeterError: this node has no such board, or it cannot be metered.
    """
    end_s = monotonic() + 60 * asked.minutes
    make_folder(folder)
    with held(folder), leased_board(_wanted(folder, asked)) as board:
        probed = _begin(folder, board, asked)
        done = {each.id for each in probed.steps if each.status == "ok" or not asked.again}
        missing = [step for step in steps() if step.id not in done]
        with _Program(folder, board, asked) as program:
            for place, step in enumerate(missing):
                starts = step.kind != "cold" and not program.is_started
                takes_s = asked.seconds + beside_s(step) + START_S * starts
                if end_s - monotonic() < takes_s:
                    log.info("%d of %d steps found no time", len(missing) - place, len(steps()))
                    break
                taken = program.measure(step)
                probed = replace(probed.having(taken), facts=probed.facts | program.facts)
                probed.write(folder)
                log.info("%s", in_words(taken))
    return probed


def beside_s(step: Step) -> float:
    """Return how long a step takes beside its window, about, in s."""
    return BESIDE_S + COMPILE_S * step.compiled


def in_words(taken: Taken) -> str:
    """Return one line about a step."""
    if taken.status != "ok":
        return f"step {taken.id} {taken.status}: {taken.reason}"
    rates = [
        f"{amount * taken.per_s / unit:.3g} {name}"
        for amount, unit, name in (
            (taken.flops, 1e12, "TFLOP/s"),
            (taken.bytes + taken.kv_bytes, 1e9, "GB/s"),
        )
        if amount
    ]
    clock = f", {taken.mean_sm_mhz:.0f} MHz" if taken.mean_sm_mhz else ""
    return f"step ok {taken.id}: {', '.join([f'{taken.power_w:.0f} W', *rates])}{clock}"


def _wanted(folder: Path, asked: Asked) -> Gpu | None:
    """Return which board it is to be: that asked for, else that of the folder; None for any."""
    if asked.gpu:
        return board_of(asked.gpu)
    before = read_probed(folder)
    return before.board if before else None


def _begin(folder: Path, board: Board, asked: Asked) -> Probed:
    here = _wanted(folder, asked) or known_gpu([board.name()], "--gpu my-gpu.yaml")
    described = None if here.id in gpu_ids() else here
    facts, on_cpu = board.facts(), asked.device == "cpu"
    before = read_probed(folder)
    if before is None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return Probed(
            gpu=here.id, described=described, measured_utc=now, facts=facts, on_cpu=on_cpu
        )
    if before.facts.get("gpu_uuid") != facts["gpu_uuid"] or before.on_cpu != on_cpu:
        raise InputError(
            f"{folder} is a probe of another board, or of the CPU; name another folder with --out"
        )
    return replace(before, gpu=here.id, described=described)


class _Program:
    """The program that runs kernels, started when the first one is asked for."""

    def __init__(self, folder: Path, board: Board, asked: Asked) -> None:
        """Start nothing yet."""
        self._folder, self._board, self._asked = folder, board, asked
        self._meter = NvmlMeter(board, INTERVAL_S)
        self._worker: Worker | None = None
        self.facts: dict[str, str] = {}

    @property
    def is_started(self) -> bool:
        return self._worker is not None and not self._worker.ended

    def __enter__(self) -> "_Program":
        return self

    def __exit__(self, *_: object) -> None:
        if self._worker is not None:
            self._worker.close()

    def measure(self, step: Step) -> Taken:
        """Run a step under the meter, and return what it took, or why it failed."""
        step = small(step) if self._asked.device == "cpu" else step
        found = Taken(
            **asdict(step),
            status="failed",
            flops=step.flops,
            bytes=step.bytes,
            kv_bytes=step.kv_bytes,
            queries_per_kv_head=step.queries_per_kv_head,
        )
        if step.kind != "cold" and not self.is_started:
            self._start()
        try:
            (start_s, end_s, passes), readings = self._metered(step)
        except (EngineError, MeterError) as error:
            return replace(found, reason=one_line(error)[:300])
        write_trace(self._folder / "samples" / f"{step.id}.csv.gz", readings)
        window = Window(readings, start_s, end_s)
        energy, seen, broken = window.energy, window.conditions, window.broken_gates(MOST_DRIFT_C)
        return replace(
            found,
            status="invalid" if broken else "ok",
            reason="; ".join(broken),
            start_s=start_s,
            duration_s=end_s - start_s,
            passes=passes,
            energy_j=energy.energy_j,
            energy_source=energy.source,
            mean_sm_mhz=seen.mean_sm_mhz,
            max_sm_mhz=readings.max_sm_mhz,
            power_cap_share=seen.power_cap_share,
            temperature_start_c=seen.temperature_start_c,
            temperature_end_c=seen.temperature_end_c,
            remarks=list(window.remarks),
        )

    def _metered(self, step: Step) -> tuple[tuple[float, float, int], Readings]:
        """Return what `_ran` does, and what the meter read; the next step finds it stopped."""
        self._meter.start()
        try:
            ran = self._ran(step)
        except BaseException:
            with suppress(MeterError):  # the step's own failure says more
                self._meter.stop()
            raise
        return ran, self._meter.stop()

    def _ran(self, step: Step) -> tuple[float, float, int]:
        """Return begin and end of the window on the monotonic clock, and passes in it."""
        if self._worker is None:  # a board without any program
            start_s = monotonic()
            time.sleep(self._asked.seconds)
            return start_s, monotonic(), 0
        ran = self._worker.run(
            {
                "kind": step.kind,
                "sizes": dict(step.sizes),
                "data": step.data,
                "precision": step.precision,
                "compiled": step.compiled,
                "duty": step.duty,
                "warm_up_s": min(WARM_UP_S, self._asked.seconds),
                "min_window_s": self._asked.seconds,
            }
        )
        return ran.start_s, ran.end_s, ran.passes

    def _start(self) -> None:
        """Start the program on the board that is metered.

        Raises:
            EngineError: it fails, or computes elsewhere.
            InputError: its Python has no torch, or it no GPU.
        """
        uuid, node = self._board.uuid(), self._asked.node
        environment = {"CUDA_VISIBLE_DEVICES": uuid}
        command = in_container(
            node.container,
            worker_command(node.python, "probe_worker"),
            folders=[WORKERS],
            gpu_uuid=uuid,
            environment=environment,
        )
        self._worker = Worker(
            command,
            environment=environment,
            log_path=self._folder / "probe.log",
            timeout_s=TIMEOUT_S,
        )
        try:
            order = {"requires": {"torch": ""}, "device": self._asked.device}
            self.facts = self._worker.load(order).facts
        except InputError as error:
            raise InputError(
                f"{error}, in {node.python}; --python names one that has it, node.python in a"
                " campaign's file"
            ) from error
        computed_on = self.facts.get("device_uuid", "")
        if computed_on and computed_on.removeprefix("GPU-") != uuid.removeprefix("GPU-"):
            raise EngineError(f"the kernels ran on GPU {computed_on}, and {uuid} was metered")
