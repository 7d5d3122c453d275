"""Inference engines, by the name that the configuration gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweetspot.errors import InputError, unknown_name

if TYPE_CHECKING:  # a workflow is planned without numpy, which meters need
    from sweetspot.engines.base import Engine, Node
    from sweetspot.plan.block import Settings


def engine(settings: Settings, node: Node | None = None) -> Engine:
    """Return the engine of a block's settings; those that measure need to know their node.

    Raises:
        InputError: there is no such engine, or the node is missing.
    """
    if settings.engine == "simulator":
        from sweetspot.engines.simulated import SimulatorEngine

        return SimulatorEngine()
    known = ("tensorrt-llm", "vllm", "transformers", "deepspeed", "endpoint", "simulator")
    if settings.engine not in known:
        raise unknown_name("engine", settings.engine, known)
    if node is None:
        raise InputError(f"engine {settings.engine} measures: give --node")
    if settings.engine == "tensorrt-llm":
        from sweetspot.engines.trtllm.engine import tensorrt_llm_engine

        return tensorrt_llm_engine(settings, node)
    if settings.engine == "vllm":
        from sweetspot.engines.vllm import vllm_engine

        return vllm_engine(settings, node)
    if settings.engine == "endpoint":
        from sweetspot.engines.endpoint.engine import endpoint_engine

        return endpoint_engine(settings, node)
    from sweetspot.engines import transformers

    if settings.engine == "deepspeed":
        return transformers.deepspeed_engine(settings, node)
    return transformers.transformers_engine(settings, node)
