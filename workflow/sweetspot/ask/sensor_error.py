"""How much of the paper's alpha5 its way of reading power makes: read over simulated traces.

Cells are simulated without the end of a benchmark's window, as that stands for what reading adds
already. Their exact energy is the truth; the paper's sensor (`simulator/sensor.py`)
reads the same trace. Eq. 5 is fitted to both.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from sweetspot import published
from sweetspot.analysis.least_squares import fit_form
from sweetspot.catalog import Gpu
from sweetspot.energy_models import form
from sweetspot.simulator.constants.constants import Constants
from sweetspot.simulator.deployment.deployment import Deployment, deploy
from sweetspot.simulator.run import Simulation, simulate
from sweetspot.simulator.sensor import PAPER_SENSOR, mean_read_energy_j, read_energy_j

PHASES = 16
NO_TAIL = replace(PAPER_SENSOR, tail_s=0.0)
# Energies of a cell in J, by column: the truth and what the sensor reads, on average over when
# the first reading falls, and at the phases that give the least and the most.
TRUTH, TAIL, NONE = "truth_j", "with_tail_j", "without_tail_j"
LEAST, MOST = "least_phase_j", "most_phase_j"


@dataclass(frozen=True, eq=False, slots=True)
class GridReadings:
    """What the sensor makes of the paper's grid.

    Attributes:
        cells: one row a cell: model, input_tokens, output_tokens, duration_s, and the energies.
        alpha5: by model, in J: published, of the truth without a request's own energy
            (`physics`), of the truth, and read with and without a tail.
        idle_w: power before a run and in the tail.
        request_energy_j: the calibration's energy of a request beyond its tokens.
    """

    cells: pd.DataFrame
    alpha5: pd.DataFrame
    idle_w: float
    request_energy_j: float

    @property
    def models(self) -> list[str]:
        """The models of `alpha5`, in order."""
        return [str(model) for model in self.alpha5.index]

    def as_json(self, calibration: str) -> str:
        """Return alpha5 and the cells as one JSON object."""
        return json.dumps(
            {
                "simulated": True,
                "calibration": calibration,
                "idle_w": self.idle_w,
                "alpha5_j": self.alpha5.to_dict("index"),
                "cells": self.cells.to_dict("records"),
            }
        )


def read_grid(
    board: Gpu, constants: Constants, progress: Callable[[str], None] = lambda model: None
) -> GridReadings:
    """Return the sensor's readings of 13 x 49 cells; `progress` is called with each model."""
    idle_w = constants.engine.run_overhead_w
    rows = []
    for model in published.table5()["model"]:
        progress(model)
        deployment = deploy(model, board).with_constants(constants)
        physics = deployment.with_constants(constants.having(request_energy_j=0.0))
        rows += [
            {
                "model": model,
                "input_tokens": i,
                "output_tokens": o,
                **_energies(_run(deployment, i, o), idle_w),
                "physics_j": _run(physics, i, o).energy_j,
            }
            for i in published.GRID
            for o in published.GRID
        ]
    cells = pd.DataFrame(rows)
    stated = published.table5().set_index("model")["alpha5"]
    alpha5 = pd.DataFrame(
        {
            "published": stated,
            "physics": _alpha5(cells, "physics_j"),
            "truth": _alpha5(cells, TRUTH),
            "with_tail": _alpha5(cells, TAIL),
            "without_tail": _alpha5(cells, NONE),
        }
    )
    return GridReadings(cells, alpha5.loc[stated.index], idle_w, constants.engine.request_energy_j)


def _run(deployment: Deployment, inputs: int, outputs: int) -> Simulation:
    return simulate(
        deployment, requests=published.REQUESTS, input_tokens=inputs, output_tokens=outputs
    )


def _energies(run: Simulation, idle_w: float) -> dict[str, float]:
    phases = [
        read_energy_j(run.trace, PAPER_SENSOR, idle_w=idle_w, phase=k / PHASES)
        for k in range(PHASES)
    ]
    return {
        "duration_s": run.duration_s,
        TRUTH: run.energy_j,
        TAIL: mean_read_energy_j(run.trace, PAPER_SENSOR, idle_w=idle_w),
        NONE: mean_read_energy_j(run.trace, NO_TAIL, idle_w=idle_w),
        LEAST: min(phases),
        MOST: max(phases),
    }


def _alpha5(cells: pd.DataFrame, energy: str) -> pd.Series:
    """Return alpha5 of Eq. 5, fitted to one column of energies, by model."""
    eq5 = form("memory_flops")
    found = {}
    for model, of in cells.groupby("model", sort=False):
        lengths = [of[name].to_numpy(np.float64) for name in ("input_tokens", "output_tokens")]
        energy_per_token_j = of[energy].to_numpy(np.float64) / (published.REQUESTS * lengths[1])
        found[model] = float(fit_form(eq5, lengths[0], lengths[1], energy_per_token_j).values[5])
    return pd.Series(found)
