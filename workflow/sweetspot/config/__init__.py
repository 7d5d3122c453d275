"""The configuration: an experiment and its sections, each with what its keys may hold and mean.

A name is loaded when it is first used, so that a question of the simulator, which takes some
sections, does without the experiment.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sweetspot.config.analysis import Analysis, FitWeights
    from sweetspot.config.endpoint import Endpoint
    from sweetspot.config.engines import (
        Container,
        DeepSpeed,
        NodeSettings,
        Noise,
        Simulator,
        TensorRtLlm,
        Transformers,
        Vllm,
        Weights,
    )
    from sweetspot.config.experiment import (
        CAMPAIGN_KEYS,
        PAPER_BATCH_SIZES,
        PAPER_LENGTHS,
        PAPER_MODELS,
        Engine,
        Experiment,
        Sweep,
        paper_sweeps,
        parse_experiment,
        parse_style,
    )
    from sweetspot.config.figure_style import MIN_FONT_PT, FigureStyle
    from sweetspot.config.sections import (
        MAX_GPUS,
        Adaptive,
        BlockSize,
        ChosenTraits,
        Dataset,
        DesignName,
        GpuSettings,
        GraphSizes,
        Limits,
        Measure,
        Metering,
        Precision,
        Remeasure,
        Section,
        Stored,
        Traits,
        parse_section,
    )
    from sweetspot.config.telemetry import Telemetry, TelemetrySink

__all__ = [
    "CAMPAIGN_KEYS",
    "MAX_GPUS",
    "MIN_FONT_PT",
    "PAPER_BATCH_SIZES",
    "PAPER_LENGTHS",
    "PAPER_MODELS",
    "Adaptive",
    "Analysis",
    "BlockSize",
    "ChosenTraits",
    "Container",
    "Dataset",
    "DeepSpeed",
    "DesignName",
    "Endpoint",
    "Engine",
    "Experiment",
    "FigureStyle",
    "FitWeights",
    "GpuSettings",
    "GraphSizes",
    "Limits",
    "Measure",
    "Metering",
    "NodeSettings",
    "Noise",
    "Precision",
    "Remeasure",
    "Section",
    "Simulator",
    "Stored",
    "Sweep",
    "Telemetry",
    "TelemetrySink",
    "TensorRtLlm",
    "Traits",
    "Transformers",
    "Vllm",
    "Weights",
    "paper_sweeps",
    "parse_experiment",
    "parse_section",
    "parse_style",
]

_MODULES = (
    "sections",
    "analysis",
    "endpoint",
    "engines",
    "figure_style",
    "telemetry",
    "experiment",
)

if not TYPE_CHECKING:  # type checkers would take any name for one of ours

    def __getattr__(name: str) -> object:
        for module in _MODULES if name in __all__ else ():
            found = vars(import_module(f"{__name__}.{module}"))
            if name in found:
                return found[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
