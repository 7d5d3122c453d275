"""Inference engines, by the name that the configuration gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweetspot.errors import InputError, unknown_name

if TYPE_CHECKING:  # a workflow is planned without numpy, which meters need
    from sweetspot.engines.base import Engine, Node


def engine(name: str, node: Node | None = None) -> Engine:
    """Return the engine of that name; those that measure need to know their node.

    Raises:
        InputError: there is no such engine, or the node is missing.
    """
    if name == "simulator":
        from sweetspot.engines.simulator import SimulatorEngine

        return SimulatorEngine()
    if name == "tensorrt-llm":
        from sweetspot.engines.trtllm_engine import TensorRtLlmEngine

        if node is None:
            raise InputError(
                "engine tensorrt-llm measures: give --checkpoint, --workspace, --datasets,"
                " --reports and --timeout-s"
            )
        return TensorRtLlmEngine(node)
    raise unknown_name("engine", name, ("tensorrt-llm", "simulator"))
