"""sweetspot: measure, model and predict the energy of LLM inference.

`sweetspot.predict` answers from Python what `sweetspot predict` answers on the command line.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweetspot.ask.predict import Prediction, predict

__version__ = "0.1.0"
__all__ = ["Prediction", "__version__", "predict"]


def __getattr__(name: str) -> Any:
    # Loaded on first use: planning a workflow imports this package without numpy.
    if name in ("Prediction", "predict"):
        from importlib import import_module

        return getattr(import_module("sweetspot.ask.predict"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
