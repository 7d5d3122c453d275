"""Cells of a campaign beside what the simulator says of them, with and without a fit to others."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

import numpy as np

from sweetspot.errors import InputError
from sweetspot.simulator.accuracy.evaluation import Figure, Row
from sweetspot.simulator.calibration.fit import Fit, Target, fit_from_several
from sweetspot.simulator.calibration.layout import BoolArray
from sweetspot.simulator.calibration.own_cells import OwnCells, read_own_cells
from sweetspot.simulator.calibration.to_cells import (
    fit_own,
    held_out_cells,
    own_constants,
    own_targets,
)
from sweetspot.simulator.constants.calibration_file import shipped_boards
from sweetspot.simulator.constants.constants import (
    CHOSEN_IN_VIEW,
    LIMIT_SHARE,
    REFERENCE_GPU,
    Constants,
    stated_on,
    transfer,
)
from sweetspot.simulator.cost.work import FloatArray

RECORDS = "records.jsonl"
FOLDS = 5


@dataclass(frozen=True, eq=False)
class Measured:
    """The cells of one campaign: energy per token and throughput, one of each per cell."""

    name: str
    own: OwnCells
    targets: list[Target]

    @property
    def not_in_view(self) -> Mapping[str, float]:
        """What stands in tests for constants that were chosen with these cells in sight."""
        return CHOSEN_IN_VIEW.get(f"data/{self.name}", {})

    @property
    def as_stated(self) -> Constants:
        """What is stated of board and engine, by whatever was in sight."""
        return own_constants(self.own, stated_on(self.own.board, self.own.engine))

    @property
    def waiting(self) -> tuple[str, ...]:
        """What of the board that waits was taken from this campaign."""
        of_first = ("idle_power_w: the board before its first cell",) if self.not_in_view else ()
        return ("active_power_w: the board before each cell", *of_first)

    @cached_property
    def other_models(self) -> dict[str, Fit]:
        """The fit to all models but one, by the name of that one."""
        models = self.own.cells["model"]
        return {
            str(model): self.fitted_without((models == model).to_numpy())
            for model in models.unique()
        }

    def errors_percent(self, constants: Constants) -> list[FloatArray]:
        """Return absolute relative errors of each target, in %, one per cell."""
        return [target.errors_percent(self.own.board, constants) for target in self.targets]

    def fitted_without(self, left_out: BoolArray) -> Fit:
        """Return the fit to the other cells, those aside that no fit may see."""
        kept = [target.only(~left_out & ~self.own.unseen) for target in self.targets]
        return fit_own(self.own, kept, fit_from_several, self.not_in_view)


def read_measured(folder: Path) -> Measured:
    """Return the cells of a campaign's data, such as data/h200-vllm.

    Raises:
        InputError: it has too few measured cells, those of several GPUs, or of an engine without
            in-flight batching.
    """
    records = folder / RECORDS
    if not records.is_file():
        raise InputError(f"{folder} holds no {RECORDS}; name a folder such as data/h200-vllm")
    own = read_own_cells(records)
    return Measured(folder.name, own, own_targets(own))


def measured_tests(measured: Measured) -> Iterator[tuple[str, Callable[[], Row]]]:
    """Yield the tests on a campaign's data, each with its name."""
    yield f"measured-{measured.name}", lambda: nothing_fitted(measured)
    if measured.not_in_view:
        yield f"measured-{measured.name}-in-view", lambda: chosen_in_view(measured)
    yield f"measured-{measured.name}-power", lambda: power_at_measured_time(measured)
    if "idle_before_w" in measured.own.cells:
        yield f"measured-{measured.name}-idle", lambda: idle_power(measured)
    yield f"measured-{measured.name}-other-cells", lambda: from_other_cells(measured)
    yield f"measured-{measured.name}-other-models", lambda: from_other_models(measured)


def nothing_fitted(measured: Measured) -> Row:
    """Constants that data sheets, kernel tables and others' profiles state, and the idle board.

    Those that were chosen with the cells in sight are as they are had without them.
    """
    constants = measured.as_stated.having(**measured.not_in_view)
    return Row(
        f"{_what(measured)}: nothing fitted to them, nor chosen with them in sight",
        "data sheet",
        measured.waiting,
        True,
        _figures(measured, measured.errors_percent(constants), (8.0, 10.0)),
    )


def chosen_in_view(measured: Measured) -> Row:
    """What is stated of a board like this one, which was chosen with the cells in sight."""
    chosen = f"{', '.join(measured.not_in_view)}: chosen with these cells in sight"
    return Row(
        f"{_what(measured)}: by what is stated, some of it with them in sight",
        "data sheet",
        (chosen, *measured.waiting),
        False,
        _figures(measured, measured.errors_percent(measured.as_stated)),
    )


def power_at_measured_time(measured: Measured) -> Row:
    """Mean power with the times that were measured: joules alone, by the surfaces' constants."""
    own, (energy, *_) = measured.own, measured.targets
    reference = shipped_boards()[REFERENCE_GPU]
    assert reference.board is not None  # noqa: S101 - a board's file
    board = transfer(reference.board.to_constants(), own.board)
    constants = own_constants(own, replace(measured.as_stated, board=board))
    constants = constants.having(**measured.not_in_view)
    taken = energy.runs.taken(own.board, constants)
    duration_s, energy_j = (own.cells[n].to_numpy(np.float64) for n in ("duration_s", "energy_j"))
    waiting_w = constants.board.active_power_w
    dynamic_w = (taken.energy_j - waiting_w * taken.duration_s) / duration_s
    power_w = np.minimum(waiting_w + dynamic_w, LIMIT_SHARE * own.board.power_limit_w)
    errors = 100 * np.abs(power_w / (energy_j / duration_s) - 1)
    return Row(
        f"{_what(measured)}: mean power, with the times that were measured",
        "published numbers",
        (*reference.seen, *measured.waiting),
        True,
        (Figure("mean", float(errors.mean()), at_most=4.0),),
    )


def idle_power(measured: Measured) -> Row:
    """What a loaded board with nothing to do draws, as it is stated of the reference GPU."""
    own = measured.own
    stated_w = stated_on(own.board, own.engine).board.active_power_w
    measured_w = float(own.cells["idle_before_w"].median())
    return Row(
        f"{_what(measured)}: power of the loaded board before a cell",
        "data sheet",
        (f"measured-{measured.name}: this is where it is stated from",),
        False,
        (Figure("error", 100 * abs(stated_w / measured_w - 1), at_most=5.0),),
    )


def from_other_cells(measured: Measured) -> Row:
    """Each fifth of the cells, predicted by a fit to the rest."""
    turns = [held_out_cells(measured.own.cells, FOLDS, turn) for turn in range(FOLDS)]
    fits = [measured.fitted_without(left_out) for left_out in turns]
    words = "a fifth at a time, by a fit to the others"
    return _held_out(measured, turns, fits, words, "the others")


def from_other_models(measured: Measured) -> Row:
    """Each model's cells, predicted by a fit to those of the others."""
    models = measured.own.cells["model"]
    turns = [(models == model).to_numpy() for model in measured.other_models]
    fits = list(measured.other_models.values())
    words = "one model at a time, by a fit to the others"
    return _held_out(measured, turns, fits, words, "the other models", (6.0, 7.0))


def _held_out(
    measured: Measured,
    turns: Sequence[BoolArray],
    fits: Sequence[Fit],
    words: str,
    fitted_to: str,
    at_most: Sequence[float] = (),
) -> Row:
    errors = [np.full(target.values.size, np.nan) for target in measured.targets]
    for left_out, fit in zip(turns, fits, strict=True):
        found = measured.errors_percent(fit.constants)
        for every, each in zip(errors, found, strict=True):
            every[left_out] = each[left_out]
    return Row(
        f"{_what(measured)}: {words}",
        "own measurements",
        (f"measured-{measured.name}: {fitted_to}",),
        True,
        _figures(measured, errors, at_most),
        searches=tuple(fit.search for fit in fits),
    )


def _what(measured: Measured) -> str:
    cells = len(measured.own.cells)
    return f"{cells} cells measured with {measured.own.engine} on {measured.own.board.id}"


def _figures(
    measured: Measured, errors: list[FloatArray], at_most: Sequence[float] = ()
) -> tuple[Figure, ...]:
    """Return means over all cells, those of the first targets with a limit, and by model."""
    models = measured.own.cells["model"]
    figures = []
    for target, each, limit in zip_longest(measured.targets, errors, at_most):
        name = target.name.replace("_", " ")
        figures.append(Figure(f"{name}, mean", float(each.mean()), at_most=limit))
        figures += [
            Figure(f"{name}, {model}", float(each[(models == model).to_numpy()].mean()))
            for model in models.unique()
        ]
    return tuple(figures)
