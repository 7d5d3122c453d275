"""Engines that run in a worker of their own Python."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import ClassVar

from sweetspot.engines.base import Node
from sweetspot.engines.preflight import require
from sweetspot.engines.weights.checkpoint import require_checkpoint
from sweetspot.engines.worker.session import Program, WorkerSession
from sweetspot.errors import EngineError
from sweetspot.metering.lease import leased_board
from sweetspot.plan.block import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerEngine:
    """An Engine whose model stays loaded in a worker for all cells of a block.

    Attributes:
        name: engine id, as in cells.
        version: of the engine's software; the worker refuses any other.
        node: what decides no value.
        program: makes the worker's program of a block's settings.
    """

    name: str
    version: str
    node: Node
    program: Callable[[Settings, Node], Program]
    simulated: ClassVar[bool] = False

    def load(self, settings: Settings) -> WorkerSession:
        """Take a board and load the model on it.

        A model that cannot be loaded is not an error here: each of its cells then fails with the
        reason.

        Raises:
            EngineError: this node cannot measure.
            InputError: the checkpoint is missing or another model's, or the engine's Python lacks
                the engine or has another version of it.
            MeterError: the GPU cannot be read.
        """
        node = self.node
        if settings.metering is None:
            raise EngineError(f"{self.name} measures; plan the block with a metering")
        weights = [] if node.checkpoint is None else [node.checkpoint]
        require(self.name, settings.gpu, node.python, node.container, weights)
        for folder in weights:
            require_checkpoint(folder, settings.model)
        program = self.program(settings, node)
        held = ExitStack()
        board = held.enter_context(leased_board(settings.gpu))
        try:
            return WorkerSession(board, settings.metering, node, program, held)
        except BaseException:
            held.close()
            raise
