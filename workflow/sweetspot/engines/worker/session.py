"""A model in a worker on one board, beside an NVML meter: one load, many cells."""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweetspot.cells.cell import Cell
from sweetspot.config import Metering
from sweetspot.engines.base import Node, Run
from sweetspot.engines.process.container import in_container
from sweetspot.engines.worker.client import WORKERS, Worker, worker_command
from sweetspot.errors import EngineError, InputError
from sweetspot.metering.host import Host
from sweetspot.metering.nvml import Board
from sweetspot.metering.sampler import NvmlMeter
from sweetspot.plan.dataset import dataset_name

CPU = "cpu"
"""What a worker calls its device where it only tries the pipeline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """In what one worker differs from another.

    Attributes:
        module: its file in workers/, without the suffix.
        requires: packages that its Python has to have, each with its version, or "" for any.
        install: what the user has to do where it lacks one.
        log: name of its log in the folder of reports; runs add to it.
        load: the order to load the model, as the module reads it.
        warmup: requests that run before each window.
        max_tokens: longest sequence that the model takes; None for any.
        folders: what it reads and writes, which a container has to show it.
        environment: variables that it needs.
        facts: what the records of its cells say besides what the worker itself does.
        remarks: what a reader of every cell should know.
    """

    module: str
    requires: Mapping[str, str]
    install: str
    log: str
    load: Mapping[str, Any]
    warmup: int
    folders: tuple[Path, ...]
    max_tokens: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


class WorkerSession:
    """A Session on a leased board; where the worker fails, the next cell gets a fresh one."""

    def __init__(
        self, board: Board, metering: Metering, node: Node, program: Program, held: ExitStack
    ) -> None:
        """Load the model on `board`; `held` is what close frees.

        A model that cannot be loaded is not an error here: each of its cells then fails with the
        reason, and the table has a row for them.

        Raises:
            InputError: the worker's Python lacks something, or its log cannot be written.
        """
        host = Host()
        held.callback(host.close)
        self.meter = NvmlMeter(board, metering.interval_s, host)
        self._board, self._node, self._program, self._held = board, node, program, held
        self._min_window_s = metering.min_window_s
        self._loaded: tuple[Worker, Mapping[str, str]] | None = None
        self._never: EngineError | None = None
        try:
            self._load()
        except EngineError as error:
            self._never = error

    def run(self, cell: Cell) -> Run:
        """Run a cell's data set, again and again until the window is long enough.

        Raises:
            EngineError: the model cannot be loaded, or the engine failed on this cell.
            InputError: something that the worker needs is missing.
        """
        if self._never is not None:
            raise self._never
        tokens, most = cell.input_tokens + cell.output_tokens, self._program.max_tokens
        if most is not None and tokens > most:
            raise EngineError(f"the model has positions for {most} tokens, not for {tokens}")
        dataset = (self._node.datasets / dataset_name(cell)).absolute()
        remarks = self._program.remarks
        worker, facts = self._loaded or (None, {})
        if worker is None or worker.ended:
            worker, facts = self._load()
            remarks += ("loaded anew for this cell, as the engine had failed before",)
        ran = worker.run(
            {
                "dataset": str(dataset),
                "requests": cell.requests,
                "input_tokens": cell.input_tokens,
                "output_tokens": cell.output_tokens,
                "warmup": self._program.warmup,
                "min_window_s": self._min_window_s,
            }
        )
        on_cpu = facts["device"] == CPU
        return Run(
            start_s=ran.start_s,
            end_s=ran.end_s,
            requests=ran.requests,
            input_tokens=ran.input_tokens,
            output_tokens=ran.output_tokens,
            passes=ran.passes,
            max_concurrency=ran.max_concurrency,
            untrusted="the model ran on the CPU while the GPU was metered" if on_cpu else "",
            remarks=(*remarks, *ran.remarks),
            facts={**self._board.facts(), **self._program.facts, **facts},
        )

    def close(self) -> None:
        """End the worker and let go of the board."""
        try:
            if self._loaded is not None:
                self._loaded[0].close()
        finally:
            self._held.close()

    def _load(self) -> tuple[Worker, Mapping[str, str]]:
        """Start a worker and have it load the model.

        Raises:
            EngineError: it cannot.
            InputError: its Python lacks something, or its log cannot be written.
        """
        node, program, uuid = self._node, self._program, self._board.uuid()
        # what the user has set for an engine counts
        environment = {name: os.environ.get(name, v) for name, v in program.environment.items()}
        log_path = (node.reports / f"{program.log}-{uuid}.log").absolute()
        command = in_container(
            node.container,
            worker_command(node.python, program.module),
            folders=(WORKERS, node.datasets.absolute(), *program.folders),
            gpu_uuid=uuid,
            environment=environment,
        )
        worker = Worker(
            command,
            environment={**environment, "CUDA_VISIBLE_DEVICES": uuid},
            log_path=log_path,
            timeout_s=node.timeout_s,
        )
        try:
            facts = worker.load({"requires": dict(program.requires), **program.load}).facts
            self._require_board(facts)
        except InputError as error:
            worker.close()
            raise InputError(f"{error}, in {node.python}; {program.install}") from error
        except BaseException:
            worker.close()
            raise
        self._loaded = worker, facts
        return self._loaded

    def _require_board(self, facts: Mapping[str, str]) -> None:
        """Raise EngineError unless the worker computes on the board that is metered."""
        device, uuid = facts.get("device"), facts.get("device_uuid", "")
        if device == CPU:
            return
        name = self._board.name()
        if device != name or not self._board.uuid().endswith(uuid):
            raise EngineError(
                f"the engine runs on {device} {uuid}, while {name} {self._board.uuid()} is metered"
            )
