"""A prediction corrected by a few measured cells, of the model itself and of others."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import exp, log1p, pi, sqrt
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from sweetspot.analysis.fits import fit_forms
from sweetspot.ask.predict import Prediction
from sweetspot.catalog import gpu as board_of
from sweetspot.catalog import load_model
from sweetspot.cells.observations import read_observations
from sweetspot.errors import InputError
from sweetspot.simulator.correction import Correction, Point
from sweetspot.simulator.deployment.deployment import Deployment
from sweetspot.simulator.run import Sent, simulate_each

LEVEL = 0.9
MEAN_OF_ABSOLUTE = sqrt(2 / pi)  # of a normal variable, in deviations
_EQ5 = "memory_flops"
MIN_CELLS_OF_FORM = 7  # lengths that Eq. 5 takes, one more than its coefficients


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedPrediction:
    """Energy per output token as simulated, and as measured cells correct it.

    Attributes:
        energy_per_token_j: corrected, in J per output token.
        energy_per_token_low_j, energy_per_token_high_j: between which a measurement is expected,
            90 % of the time.
        simulated_per_token_j: what was simulated, without correction.
        basis: `simulator, corrected`, or `Eq. 5` where a fit to the model's own cells at this load
            misses them by less when each is left out.
        own_cells: of the model.
        other_cells: of others, on the same board with the same engine.
        other_models: their names.
        left_out_percent: mean error of the model's cells, each left out; None of fewer than two.
        simulated_left_out_percent: the same of the simulator without correction.
        notes: how the cells were understood, and which were not used.
    """

    energy_per_token_j: float
    energy_per_token_low_j: float
    energy_per_token_high_j: float
    simulated_per_token_j: float
    basis: str
    own_cells: int
    other_cells: int
    other_models: tuple[str, ...]
    left_out_percent: float | None
    simulated_left_out_percent: float | None
    notes: tuple[str, ...]

    @property
    def words(self) -> str:
        """What it rests on."""
        cells = f"{self.own_cells} cell{'s' * (self.own_cells != 1)} of this model"
        if self.basis == _FORM:
            found = f"{_FORM} fitted to {cells}"
        else:
            found = (
                f"simulated × {self.energy_per_token_j / self.simulated_per_token_j:.3f} by {cells}"
            )
            if self.other_cells:
                models = len(self.other_models)
                found += f" and {self.other_cells} of {models} other{'s' * (models > 1)}"
        if self.left_out_percent is not None:
            found += (
                f"; left out in turn, these are missed by {self.left_out_percent:.1f} %, by the"
                f" simulator alone by {self.simulated_left_out_percent:.1f} %"
            )
        return found


_SIMULATOR, _FORM = "simulator, corrected", "Eq. 5"


def corrected(
    answer: Prediction,
    cells: str | os.PathLike[str] | pd.DataFrame,
    *,
    columns: Mapping[str, str] | None = None,
) -> CorrectedPrediction:
    """Correct a prediction by measured cells: from one cell on, and more so by more.

    Cells that name another board or engine, or are simulated, are left out; of cells that name
    none it is believed that they are of the board and engine that were asked for.

    Args:
        answer: of `sweetspot.predict`.
        cells: as of `sweetspot.fit`: a DataFrame, a file, or the folder of a run or a campaign.
        columns: as of `sweetspot.fit`.

    Raises:
        InputError: the cells cannot be read, or none is of this board and engine.
    """
    observed = read_observations(cells, columns=columns)
    notes = list(observed.notes)
    used = _of_same(observed.cells, answer, notes)
    points, measured_j, simulated_j = _beside(used, answer, notes)
    if not points:
        raise InputError(
            f"no measured cell of {answer.gpu} with {answer.engine} is left to correct by:"
            f" {'; '.join(notes) or 'none can be simulated'}"
        )
    correction = Correction(points, np.log(measured_j / simulated_j))
    at = Point(answer.model, answer.input_tokens, answer.output_tokens, answer.requests)
    (found,) = correction.at([at])
    own = np.array([point.model == answer.model for point in points])
    many = int(own.sum()) > 1
    value_j, factor = answer.energy_per_token_j * found.factor, found.times(LEVEL)
    known = CorrectedPrediction(
        energy_per_token_j=value_j,
        energy_per_token_low_j=value_j / factor,
        energy_per_token_high_j=value_j * factor,
        simulated_per_token_j=answer.energy_per_token_j,
        basis=_SIMULATOR,
        own_cells=int(own.sum()),
        other_cells=int((~own).sum()),
        other_models=tuple(dict.fromkeys(p.model for p in points if p.model != answer.model)),
        left_out_percent=_mean_percent(correction.left_out(answer.model)) if many else None,
        simulated_left_out_percent=(
            _mean_percent(simulated_j[own] / measured_j[own] - 1) if many else None
        ),
        notes=tuple(notes),
    )
    return _by_form(known, used, answer) or known


def _mean_percent(errors: np.ndarray) -> float:
    return 100 * float(np.mean(np.abs(errors)))


def _of_same(cells: pd.DataFrame, answer: Prediction, notes: list[str]) -> pd.DataFrame:
    """Return the usable cells of the board and engine, and note how many are not."""
    usable = cells["status"] == "ok"
    engine = cells["engine"].astype(str)
    asked = answer.engine.removesuffix("-uncompiled")
    for name, wrong in (
        ("simulated", cells["simulated"]),
        (f"of another GPU than {answer.gpu}", ~cells["gpu"].map(lambda n: _is(n, answer.gpu))),
        (f"of another engine than {asked}", ~engine.isin(["", "nan", asked])),
    ):
        count = int((usable & wrong).sum())
        if count:
            notes.append(f"left out: {count} cell{'s' * (count > 1)}, {name}")
        usable &= ~wrong
    return cells[usable].reset_index(drop=True)


def _is(name: Any, gpu: str) -> bool:
    if not isinstance(name, str) or not name:
        return True
    try:
        return board_of(name).id == gpu
    except InputError:
        return False


def _beside(
    cells: pd.DataFrame, answer: Prediction, notes: list[str]
) -> tuple[list[Point], np.ndarray, np.ndarray]:
    """Return where cells are, their energies per token as measured, and as simulated."""
    points: list[Point] = []
    measured_j: list[float] = []
    simulated_j: list[float] = []
    asked = answer.workload.deployment
    for _, group in cells.groupby(["model", "max_batch_size"], sort=False):
        model, max_batch_size = group[["model", "max_batch_size"]].iloc[0]
        try:
            deployment = _deployment(asked, str(model), int(max_batch_size))
        except InputError as error:
            notes.append(f"left out: {len(group)} cells of {model}: {error}")
            continue
        lengths = group[["requests", "input_tokens", "output_tokens"]].astype(int)
        sent = [Sent(*row) for row in lengths.itertuples(index=False)]
        for each, run, energy_j in zip(
            sent, simulate_each(deployment, sent), group["energy_per_token_j"], strict=True
        ):
            if run is None:
                continue
            name = deployment.model.id
            points.append(Point(name, each.input_tokens, each.output_tokens, each.requests))
            measured_j.append(float(energy_j))
            simulated_j.append(run.energy_j / run.output_tokens)
    return points, np.array(measured_j), np.array(simulated_j)


def _deployment(asked: Deployment, model: str, max_batch_size: int) -> Deployment:
    architecture = asked.model if model == asked.model.id else load_model(model)
    limits = replace(
        asked.limits,
        max_batch_size=max_batch_size,
        max_num_tokens=max(asked.limits.max_num_tokens, max_batch_size),
        max_seq_len=max(asked.limits.max_seq_len, architecture.max_positions),
    )
    return replace(asked, model=architecture, limits=limits)


def _by_form(
    known: CorrectedPrediction, cells: pd.DataFrame, answer: Prediction
) -> CorrectedPrediction | None:
    """Return what Eq. 5 fitted to the model's cells at this load says, where it misses less."""
    in_flight = min(answer.requests, answer.max_batch_size)
    same = cells[
        (cells["model"] == answer.model)
        & (cells["requests"] == answer.requests)
        & (cells[["requests", "max_batch_size"]].min(axis=1) == in_flight)
    ].assign(max_batch_size=answer.max_batch_size)
    lengths = same[["input_tokens", "output_tokens"]].drop_duplicates()
    if len(lengths) < MIN_CELLS_OF_FORM or known.left_out_percent is None:
        return None
    for name in ("input_tokens", "output_tokens"):
        if not lengths[name].min() <= getattr(answer, name) <= lengths[name].max():
            return None
    fits = fit_forms(same, weights="relative")
    group = (answer.model, answer.requests, answer.max_batch_size)
    fit = fits.of_form(_EQ5).get(group)
    if fit is None:
        return None
    ((missed, df),) = fits.quality.loc[
        fits.quality["form"] == _EQ5, ["leave_one_cell_out_percent", "df"]
    ].to_numpy(float)
    if not missed < known.left_out_percent:
        return None
    value_j = float(fit.energy_per_token_j([answer.input_tokens], [answer.output_tokens])[0])
    deviation = log1p(missed / 100) / MEAN_OF_ABSOLUTE
    factor = exp(deviation * float(stats.t.ppf((1 + LEVEL) / 2, df)))
    return replace(
        known,
        energy_per_token_j=value_j,
        energy_per_token_low_j=value_j / factor,
        energy_per_token_high_j=value_j * factor,
        basis=_FORM,
        own_cells=len(same),
        left_out_percent=float(missed),
    )
