"""sweetspot: measure, model and predict the energy of LLM inference.

What a notebook needs is here; docs/python.md shows each at work. A name loads what it needs when it
is first used, so that planning a workflow imports this package without numpy or pandas:

- `predict`, `simulate_load`: ask the simulator, of a workload or of a server's load (`Request`,
  `Limits`, `Precision`, `Traits` and `GpuSettings` are what the latter takes)
- `corrected`: a prediction, corrected by a few measured cells
- `advise`: what tokens cost along the output length, and what would save energy
- `cost`: what a log of requests takes by hour, in J, kWh, money and gCO2e
- `choose`: which model on which boards serves a load within targets of latency at least energy
- `explore`: a page to look around in, of models on boards over lengths, loads and batches
- `estimate`: what an experiment takes before it is started, in GPU hours and kWh
- `models`, `gpus`, `load_model`: what it knows, and the architecture of any model
- `fit`: from measurements of one's own, in whatever columns, to energy models and sweet spots;
  `read_observations` only reads them
- `compare_runs`: two tables of cells side by side
- `read_cells`, `fit_forms`, `sweet_spot`: the same step by step, from a run's cells.csv
"""

TYPE_CHECKING = False  # to type checkers it is true; importing it from typing takes 20 ms

if TYPE_CHECKING:
    from sweetspot.analysis.batch_tables import batch_fit
    from sweetspot.analysis.beside import compare_runs
    from sweetspot.analysis.fit import Fit, fit
    from sweetspot.analysis.fits import Fits, fit_forms
    from sweetspot.analysis.sweet_spots import sweet_spot
    from sweetspot.ask.advice.advise import Advice, advise
    from sweetspot.ask.choose import Choice, choose
    from sweetspot.ask.corrected import CorrectedPrediction, corrected
    from sweetspot.ask.cost import Cost, cost
    from sweetspot.ask.load import Simulated, simulate_load
    from sweetspot.ask.predict import Prediction, predict
    from sweetspot.ask.sweet_spot import SweetSpot
    from sweetspot.catalog import gpu_ids as gpus
    from sweetspot.catalog import load_model
    from sweetspot.catalog import model_ids as models
    from sweetspot.cells.observations import read_observations
    from sweetspot.cells.read import read_cells
    from sweetspot.config import GpuSettings, Limits, Precision, Traits
    from sweetspot.explorer.explore import explore
    from sweetspot.measure.estimate import RunEstimate, estimate
    from sweetspot.simulator.schedule.requests import Request

__version__ = "0.1.0"
__all__ = [
    "Advice",
    "Choice",
    "CorrectedPrediction",
    "Cost",
    "Fit",
    "Fits",
    "GpuSettings",
    "Limits",
    "Precision",
    "Prediction",
    "Request",
    "RunEstimate",
    "Simulated",
    "SweetSpot",
    "Traits",
    "__version__",
    "advise",
    "batch_fit",
    "choose",
    "compare_runs",
    "corrected",
    "cost",
    "estimate",
    "explore",
    "fit",
    "fit_forms",
    "gpus",
    "load_model",
    "models",
    "predict",
    "read_cells",
    "read_observations",
    "simulate_load",
    "sweet_spot",
]

_HOMES = {
    "Advice": "ask.advice.advise",
    "Choice": "ask.choose",
    "CorrectedPrediction": "ask.corrected",
    "Cost": "ask.cost",
    "Fit": "analysis.fit",
    "Fits": "analysis.fits",
    "GpuSettings": "config",
    "Limits": "config",
    "Precision": "config",
    "Prediction": "ask.predict",
    "Request": "simulator.schedule.requests",
    "RunEstimate": "measure.estimate",
    "Simulated": "ask.load",
    "SweetSpot": "ask.sweet_spot",
    "Traits": "config",
    "advise": "ask.advice.advise",
    "batch_fit": "analysis.batch_tables",
    "choose": "ask.choose",
    "compare_runs": "analysis.beside",
    "corrected": "ask.corrected",
    "cost": "ask.cost",
    "estimate": "measure.estimate",
    "explore": "explorer.explore",
    "fit": "analysis.fit",
    "fit_forms": "analysis.fits",
    "gpus": "catalog.gpus:gpu_ids",
    "load_model": "catalog.loading",
    "models": "catalog.models:model_ids",
    "predict": "ask.predict",
    "read_cells": "cells.read",
    "read_observations": "cells.observations",
    "simulate_load": "ask.load",
    "sweet_spot": "analysis.sweet_spots",
}

if not TYPE_CHECKING:  # type checkers would take any name for one of ours

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, _, within = _HOMES[name].partition(":")
        return getattr(import_module(f"{__name__}.{module}"), within or name)


def __dir__() -> list[str]:
    return __all__
