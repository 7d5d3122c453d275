"""Constants fitted to a user's own measured cells, with the error on cells held out of the fit."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from sweetspot.catalog import gpu, load_model
from sweetspot.errors import InputError
from sweetspot.simulator.calibration.fit import Fit, Target, fit_constants, fit_from_several
from sweetspot.simulator.calibration.layout import BoolArray, lay_out
from sweetspot.simulator.calibration.own_cells import MIN_CELLS, OwnCells, read_own_cells
from sweetspot.simulator.conformal import interval
from sweetspot.simulator.constants.calibration_file import CalibrationFile, engine_traits
from sweetspot.simulator.constants.constants import CHOSEN_IN_VIEW, Constants, stated_on
from sweetspot.simulator.constants.intervals import Class, Intervals, Level

log = logging.getLogger(__name__)

_SETTING = ["model", "max_batch_size", "requests", "input_tokens", "output_tokens"]
_SEED = 0
_CLOCK = "mean_sm_mhz"
# Clocks move by a quarter where energies move by a hundredfold, and are metered within 1 %.
CLOCK_WEIGHT = 0.5
OF_ENGINE = ("layer_overhead_s", "step_overhead_s", "sequence_overhead_s", "logit_bytes")
OF_BOARD = ("flop_energy_j", "byte_energy_j", "kv_byte_energy_j")
OF_REQUESTS = ("request_energy_j",)
# Less than this share of the cheapest request's energy is lost in the noise of cells.
REQUEST_SHARE = 0.02


def calibrate_to_cells(
    path: Path,
    gpu_id: str,
    *,
    hold_out: int = 5,
    engine: str | None = None,
    columns: Mapping[str, str] | None = None,
    allow_simulated: bool = False,
    published: str = "",
) -> CalibrationFile:
    """Return the calibration fitted to energy and duration of a run's measured cells.

    One cell in `hold_out` is kept out of the fit; the error on these is the calibration's
    evidence. The search begins at, and constants that the cells do not determine stay at, the
    published calibration and the stated values. A measured window ends with the last response,
    so `run_overhead_s` is 0.

    A fit to simulated cells shows that the fit works, and nothing of a GPU: its level is the
    lowest there is, and its name and `seen` say what it is.

    Args:
        path: cells.csv of a run; a manifest.json beside it says the engine's limits.
        gpu_id: the GPU whose cells are taken.
        hold_out: 5 keeps a fifth of the cells out of the fit.
        engine: of cells that name none.
        columns: as of `sweetspot.read_observations`, of a table that is none of a run.
        allow_simulated: whether cells may be simulated ones.
        published: under which name anybody finds the cells; that is the calibration's level then.

    Raises:
        InputError: the file cannot be read, lacks a column or a number, has too few measured
            cells on this GPU, or cells of several engines.
    """
    if hold_out < 2:
        raise InputError(f"hold_out must be 2 or more, not {hold_out}")
    board = gpu(gpu_id)
    own = read_own_cells(
        path, board, engine=engine, columns=columns, allow_simulated=allow_simulated
    )
    unseen = own.unseen
    held_out = held_out_cells(own.cells, hold_out) & ~unseen
    fitted = ~held_out & ~unseen
    if int((~unseen).sum()) < MIN_CELLS:
        raise InputError(
            f"{path} has {int((~unseen).sum())} cells besides those of {', '.join(own.holdout)},"
            f" which no fit may see (`holdout`); it needs {MIN_CELLS} or more"
        )
    if not held_out.any():
        raise InputError(
            f"hold_out {hold_out} keeps none of {held_out.size} cells out of the fit; choose fewer"
        )
    targets = own_targets(own)
    seen, not_in_view = [t.only(fitted) for t in targets], CHOSEN_IN_VIEW.get(published, {})
    fit = fit_own(own, seen, fit_from_several)
    judged = fit_own(own, seen, fit_from_several, not_in_view) if not_in_view else fit

    def errors_of(kept: BoolArray, fit: Fit) -> dict[str, float]:
        return {t.name: t.only(kept).mean_error_percent(own.board, fit.constants) for t in targets}

    errors = {"fitted to": errors_of(fitted, fit), "held out": errors_of(held_out, judged)}
    for model in own.holdout:
        of_model = (own.cells["model"].astype(str) == model).to_numpy()
        if of_model.any():
            errors_of_it = errors_of(of_model, judged).items()
            found = ", ".join(f"{name} {e:.1f} %" for name, e in errors_of_it)
            name = load_model(model).id
            log.info("%s is held out (`holdout`), not fitted to; mean errors: %s", name, found)
    what = published or f"{path}: {int(fitted.sum())} of {held_out.size} cells"
    level: Level = "published numbers" if published else "own measurements"
    kind = "simulated-cells" if own.simulated else "published" if published else "own"
    return CalibrationFile.of(
        fit.constants,
        engine=own.engine,
        traits=own.deployments[0].traits if own.simulated else engine_traits(own.engine),
        version=own.version,
        name=f"{board.id}-{kind}",
        gpu=board.id,
        level="data sheet" if own.simulated else level,
        seen=[f"SIMULATED, no measurement: {what}" if own.simulated else what],
        errors_percent=errors["fitted to"],
        held_out_errors_percent=errors["held out"],
        held_out_intervals=(
            None if own.simulated else _held_out_intervals(own, targets, level, not_in_view)
        ),
        fitted=list(fit.fitted),
        at_bound=list(fit.at_bound),
        search=fit.search,
        starts=fit.starts,
    )


def _held_out_intervals(
    own: OwnCells, targets: Sequence[Target], level: Level, not_in_view: Mapping[str, float]
) -> Intervals:
    """Return how far each model's cells are from what a fit to the other models says of them.

    Of one model alone, each fifth of its cells from a fit to the rest; that is one model's word.
    """
    models = own.cells["model"].astype(str)
    unseen = own.unseen
    turns = [(models == model).to_numpy() for model in models.unique()]
    words = "each model by a fit to the others"
    if models[~unseen].nunique() == 1:
        turns = [held_out_cells(own.cells, 5, turn) & ~unseen for turn in range(5)]
        turns = [turn for turn in [*turns, unseen] if turn.any()]
        words = "each fifth by a fit to the others"
    ratios = {target.quantity: np.full(len(models), np.nan) for target in targets}
    for left_out in turns:
        kept = ~left_out & ~unseen
        seen = [target.only(kept) for target in targets]
        constants = fit_own(own, seen, not_in_view=not_in_view).constants
        for target in targets:
            found = target.only(left_out).ratios(own.board, constants)
            ratios[target.quantity][left_out] = np.log(found)
    energy, throughput = (
        interval({str(m): each.tolist() for m, each in pd.Series(ratios[q]).groupby(models)}, words)
        for q in ("energy_per_token_j", "throughput_tokens_per_s")
    )
    return Intervals(Class(level, True, True), energy, throughput)


def own_targets(own: OwnCells) -> list[Target]:
    """Return energy per token, throughput and clocks of these cells, as a fit is to meet them.

    Clocks only where all cells have them.
    """
    runs = lay_out(own.cells, own.deployments)
    energy_j, duration_s = (
        own.cells[name].to_numpy(np.float64) for name in ("energy_j", "duration_s")
    )
    tokens = runs.total_output_tokens
    targets = [
        Target("energy_per_token", runs, energy_j / tokens, "energy_per_token_j"),
        Target("throughput", runs, tokens / duration_s, "throughput_tokens_per_s"),
    ]
    if _CLOCK in own.cells and (own.cells[_CLOCK] > 0).all():
        share = own.cells[_CLOCK].to_numpy(np.float64) / own.board.max_clock_mhz
        targets.append(Target("clock", runs, share, "clock_share", CLOCK_WEIGHT))
    return targets


def own_constants(own: OwnCells, found: Constants) -> Constants:
    """Return constants as these cells' board and windows have them.

    A measured window ends with the last response, and the board was looked at before: with clocks
    up and nothing to do it drew `active_power_w`.
    """
    if own.simulated:
        return found
    waiting_w = own.cells.get("idle_before_w", pd.Series(dtype=float)).median()
    if not np.isnan(waiting_w) and waiting_w > found.board.idle_power_w:
        found = found.having(active_power_w=float(waiting_w))
    return found.having(run_overhead_s=0.0)


def fit_own(
    own: OwnCells,
    targets: Sequence[Target],
    fit: Callable[..., Fit] = fit_constants,
    not_in_view: Mapping[str, float] = MappingProxyType({}),
) -> Fit:
    """Return the fit to these targets, which are some of those that the cells give.

    The engine's constants are fitted first, to throughput alone, as they are times; the board's
    beside them where the cells can tell them apart, and what a request costs once where that shows
    (`determine_requests`). What an engine's weights cost beyond the board's bytes is held: cells
    know the sum of both alone. Nothing of the files that ship goes in, which may have been fitted
    to the same cells; nor need what is stated with them in sight, where `not_in_view` says what
    stands instead (`CHOSEN_IN_VIEW`).
    """
    stated = own_constants(own, stated_on(own.board, own.engine)).having(**not_in_view)
    quick = [t.condensed() for t in targets]
    times = [t for t in quick if t.quantity == "throughput_tokens_per_s"]
    engine = fit_constants(own.board, times, names=OF_ENGINE, prior=stated)
    if not determines_board(own.cells):
        return engine
    requests = OF_REQUESTS if determine_requests(own.cells, stated) else ()
    names = (*OF_ENGINE, *requests, *OF_BOARD)
    return fit(own.board, quick, names=names, start=engine.constants, prior=stated)


def determines_board(cells: pd.DataFrame) -> bool:
    """Return whether cells have several batch sizes, input lengths and output lengths."""
    batch = cells[["requests", "max_batch_size"]].min(axis=1)
    lengths = (cells["input_tokens"], cells["output_tokens"])
    return all(each.nunique() > 1 for each in (batch, *lengths))


def determine_requests(cells: pd.DataFrame, stated: Constants) -> bool:
    """Return whether some requests are so short that what each costs once shows.

    Of an engine of which nothing is stated, nothing is fitted: 0 is a bound.
    """
    cheapest_j = float((cells["energy_j"] / cells["requests"]).min())
    return stated.engine.request_energy_j > REQUEST_SHARE * cheapest_j


def held_out_cells(cells: pd.DataFrame, one_in: int, turn: int = -1) -> BoolArray:
    """Return which cells are held out: drawn, as a step through a grid would take one length.

    Repeats of a cell go the same way, as one of them would give away the others. In turns 0 to
    `one_in` - 1, each is held out once.
    """
    setting = cells.groupby(_SETTING, sort=True).ngroup().to_numpy()
    rank = np.random.default_rng(_SEED).permutation(int(setting.max()) + 1)
    held_out: BoolArray = rank[setting] % one_in == turn % one_in
    return held_out
