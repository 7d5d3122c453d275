"""A prediction corrected by a few measured cells, of the model itself and of others."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import exp, log1p, pi, sqrt

import numpy as np
import pandas as pd
from scipy import stats

from sweetspot.analysis.batch_cells import CELL, LOAD, cell_means
from sweetspot.ask.own_cells import cells_of
from sweetspot.ask.own_forms import BATCH, EQ5, FormAnswer, batch_answer, eq5_answer, of_asked_load
from sweetspot.ask.predict import Prediction
from sweetspot.catalog import load_model
from sweetspot.errors import InputError
from sweetspot.simulator.correction import Correction, Point
from sweetspot.simulator.deployment.deployment import Deployment
from sweetspot.simulator.run import Sent, simulate_each
from sweetspot.words import counted

LEVEL = 0.9
MEAN_OF_ABSOLUTE = sqrt(2 / pi)  # of a normal variable, in deviations
MIN_CELLS_OF_FORM = 7  # that Eq. 5 takes, one more than its coefficients
_SIMULATOR = "simulator, corrected"
_UNIT_TIMES = 50.0  # so far is no board from the simulator; units differ by a thousand and more


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedPrediction:
    """Energy per output token as simulated, and as measured cells correct it.

    Attributes:
        energy_per_token_j: corrected, in J per output token.
        energy_per_token_low_j, energy_per_token_high_j: between which a measurement is expected,
            90 % of the time.
        simulated_per_token_j: what was simulated, without correction.
        basis: `simulator, corrected`; or a form that misses the model's own cells by less when they
            are left out: `Eq. 5`, fitted to those of the asked load, or `batch form`, to all.
        own_cells: of the model, that the basis rests on.
        other_cells: of others, on the same board with the same engine.
        other_models: their names.
        left_out_percent: mean error of the model's cells, each left out; None of fewer than two.
        simulated_left_out_percent: the same of the simulator without correction.
        others_left_out_percent: the same, on the same cells, of each basis that was not taken.
        left_out: which cells these are, and what was left out at once.
        notes: how the cells were understood, which were not used, and why forms say nothing.
    """

    energy_per_token_j: float
    energy_per_token_low_j: float
    energy_per_token_high_j: float
    simulated_per_token_j: float
    basis: str
    own_cells: int
    other_cells: int
    other_models: tuple[str, ...]
    left_out_percent: float | None = None
    simulated_left_out_percent: float | None = None
    others_left_out_percent: Mapping[str, float] = field(default_factory=dict)
    left_out: str = ""
    notes: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What it rests on, and why on that."""
        cells = f"{counted(self.own_cells, 'cell')} of this model"
        if self.basis != _SIMULATOR:
            found = f"{_NAMES[self.basis]} fitted to {cells}"
        else:
            found = (
                f"simulated × {self.energy_per_token_j / self.simulated_per_token_j:.3f} by {cells}"
            )
            if self.other_cells:
                models = len(self.other_models)
                found += f" and {self.other_cells} of {counted(models, 'other')}"
        if self.left_out_percent is not None:
            others = self.others_left_out_percent.items()
            found += "".join(
                [
                    f"; left out in turn, {self.left_out} are missed by",
                    f" {self.left_out_percent:.1f} %",
                    *(f", by {_NAMES[name]} by {percent:.1f} %" for name, percent in others),
                    f", by the simulator alone by {self.simulated_left_out_percent:.1f} %",
                ]
            )
        return found


_NAMES = {_SIMULATOR: "the corrected simulator", EQ5: "Eq. 5", BATCH: "the batch form"}


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
        InputError: the cells cannot be read, none is of this board and engine, or they are so far
            from the simulator that their unit must be another.
    """
    observed = cells_of(answer.workload.deployment, cells, columns)
    notes = list(observed.notes)
    used = _beside(observed.cells, answer, notes)
    if used.empty:
        why = "; ".join(notes[len(observed.notes) :]) or "they do not fit"
        raise InputError(
            f"none of these cells can be simulated: {why}; name their model as the catalog does or"
            " by its config.json, and where it stands, if not in the column `model` (--columns)"
        )
    times = used["energy_per_token_j"] / used["simulated_per_token_j"]
    if not 1 / _UNIT_TIMES < (median := float(times.median())) < _UNIT_TIMES:
        raise InputError(
            f"these cells are {median:.3g} times the simulator, at the median, which no board"
            f" explains: look at the unit; they were read so: {'; '.join(observed.notes)}"
        )
    points = [Point(*row) for row in used[list(Point._fields)].itertuples(index=False)]
    correction = Correction(points, np.log(times.to_numpy()))
    at = Point(answer.model, answer.input_tokens, answer.output_tokens, answer.requests)
    (found,) = correction.at([at])
    own = used[used["model"] == answer.model]
    value_j, factor = answer.energy_per_token_j * found.factor, found.times(LEVEL)
    known = CorrectedPrediction(
        energy_per_token_j=value_j,
        energy_per_token_low_j=value_j / factor,
        energy_per_token_high_j=value_j * factor,
        simulated_per_token_j=answer.energy_per_token_j,
        basis=_SIMULATOR,
        own_cells=len(own),
        other_cells=len(used) - len(own),
        other_models=tuple(dict.fromkeys(used.loc[used["model"] != answer.model, "model"])),
    )
    if not own.empty:
        known = _least_missed(known, answer, own, correction, notes)
    return replace(known, notes=tuple(notes))


def _least_missed(
    known: CorrectedPrediction,
    answer: Prediction,
    own: pd.DataFrame,
    correction: Correction,
    notes: list[str],
) -> CorrectedPrediction:
    """Return what misses the model's own cells, left out, by the least: a form, or what is known.

    All are compared on the same cells: on those of the asked load, where Eq. 5 has an answer. They
    are left out one by one, or all of a load at once where the asked load was not measured.
    """
    cells = cell_means(own.drop(columns="max_concurrency", errors="ignore"))
    cell = own.groupby(CELL, sort=False).ngroup().to_numpy()
    forms = _forms(answer, own, cells, notes) if len(cells) >= MIN_CELLS_OF_FORM else []
    at_once, unit = cell, "cell"
    if forms and not of_asked_load(answer, cells).any():
        at_once, unit = own.groupby(LOAD, sort=False).ngroup().to_numpy(), "load"

    def by_cell(errors: np.ndarray) -> np.ndarray:
        return pd.Series(np.abs(errors)).groupby(cell).mean().to_numpy()

    alone = (own["simulated_per_token_j"] / own["energy_per_token_j"]).to_numpy() - 1
    corrected_errors = by_cell(correction.left_out(answer.model, at_once))
    compared = ~np.isnan(np.sum([corrected_errors, *(each.errors for each in forms)], axis=0))
    if compared.sum() < 2:
        return known

    def percent(errors: np.ndarray) -> float:
        return 100 * float(np.mean(errors[compared]))

    missed = {_SIMULATOR: percent(corrected_errors)}
    missed |= {each.name: percent(each.errors) for each in forms}
    known = replace(
        known,
        left_out_percent=missed[_SIMULATOR],
        simulated_left_out_percent=percent(by_cell(alone)),
        left_out=_words_of(cells[compared], unit, len(cells)),
    )
    best = min(forms, key=lambda each: missed[each.name], default=None)
    if best is not None and missed[best.name] < missed[_SIMULATOR]:
        known = _by_form(known, best, missed[best.name], int(compared.sum()))
    others = {name: each for name, each in missed.items() if name != known.basis}
    return replace(known, others_left_out_percent=others)


def _forms(
    answer: Prediction, own: pd.DataFrame, cells: pd.DataFrame, notes: list[str]
) -> list[FormAnswer]:
    """Return what forms say; of those that say nothing, note why."""
    found = []
    for name, form in (
        (EQ5, eq5_answer(answer, cells)),
        (BATCH, batch_answer(answer, own, cells)),
    ):
        if isinstance(form, str):
            notes.append(f"{_NAMES[name]} says nothing: {form}")
        else:
            found.append(form)
    return found


def _words_of(cells: pd.DataFrame, unit: str, of_model: int) -> str:
    loads = len(cells.drop_duplicates(LOAD))
    if unit == "load":
        return f"{counted(loads, 'load')} with {len(cells)} cells"
    return f"{len(cells)} cells" + " of the asked load" * (loads == 1 and len(cells) < of_model)


def _by_form(
    known: CorrectedPrediction, form: FormAnswer, missed_percent: float, compared: int
) -> CorrectedPrediction:
    """Return what a form says, with an interval from how far cells are missed by it."""
    deviation = log1p(missed_percent / 100) / MEAN_OF_ABSOLUTE
    factor = exp(deviation * float(stats.t.ppf((1 + LEVEL) / 2, min(form.df, compared))))
    return replace(
        known,
        energy_per_token_j=form.energy_per_token_j,
        energy_per_token_low_j=form.energy_per_token_j / factor,
        energy_per_token_high_j=form.energy_per_token_j * factor,
        basis=form.name,
        own_cells=form.cells,
        left_out_percent=missed_percent,
    )


def _beside(cells: pd.DataFrame, answer: Prediction, notes: list[str]) -> pd.DataFrame:
    """Return the cells that can be simulated, with that and their loads, as of what was asked."""
    parts = []
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
        simulated_j = [
            np.nan if run is None else run.energy_j / run.output_tokens
            for run in simulate_each(deployment, sent)
        ]
        known = group.assign(model=deployment.model.id, simulated_per_token_j=simulated_j)
        parts.append(known[known["simulated_per_token_j"].notna()])
    if not parts:
        return cells.iloc[:0]
    found = pd.concat(parts, ignore_index=True)
    return found.assign(batch_limit=found[["requests", "max_batch_size"]].min(axis="columns"))


def _deployment(asked: Deployment, model: str, max_batch_size: int) -> Deployment:
    architecture = asked.model if model == asked.model.id else load_model(model)
    limits = replace(
        asked.limits,
        max_batch_size=max_batch_size,
        max_num_tokens=max(asked.limits.max_num_tokens, max_batch_size),
        max_seq_len=max(asked.limits.max_seq_len, architecture.max_positions),
    )
    return replace(asked, model=architecture, limits=limits)
