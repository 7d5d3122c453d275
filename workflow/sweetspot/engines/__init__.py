"""Inference engines, by the name that the configuration gives them."""

from sweetspot.engines.base import Engine
from sweetspot.errors import EngineError


def engine(name: str) -> Engine:
    """Return the engine of that name.

    Raises:
        EngineError: if this version cannot drive it.
    """
    if name == "simulator":
        from sweetspot.engines.simulator import SimulatorEngine

        return SimulatorEngine()
    raise EngineError(f"engine {name!r} cannot be driven by this version")
