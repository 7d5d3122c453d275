"""What is held out, beside what is simulated of it: the intervals that ship, and what they cover.

A domain is a set of numbers of one origin. Of each there are predictions by constants that saw
nothing of it, or nothing of the model: every such pair is evidence for one class of calibrations.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from sweetspot import published
from sweetspot.catalog import gpu
from sweetspot.cells.sure import assumption
from sweetspot.simulator.accuracy.evaluation import Evaluation
from sweetspot.simulator.accuracy.measured import Measured
from sweetspot.simulator.accuracy.throughput import serving_errors
from sweetspot.simulator.calibration.to_published import THROUGHPUT_MODEL, THROUGHPUT_VERSION
from sweetspot.simulator.conformal import interval
from sweetspot.simulator.constants.calibration_file import PAPER_ENGINE, load_calibration
from sweetspot.simulator.constants.constants import Constants, stated_on, transfer
from sweetspot.simulator.constants.intervals import (
    CHANGES,
    LEVELS,
    QUANTITIES,
    WIDEST,
    Change,
    Class,
    ClassIntervals,
    Interval,
    IntervalsFile,
    OfChange,
    Quantity,
)
from sweetspot.simulator.cost.work import FloatArray

SURFACES = "Table 5's surfaces"
MEASURED_GPU = "h200-sxm"
DATA_SHEET_FACTOR = 1.4
"""Where a data sheet is all there is, no interval is narrower, until more boards are measured."""
TIMES = (2, 4, 8, 64)
"""How many times as long, or as many, one of two cells may be whose ratio is looked at."""
_CELL = ("model", *CHANGES)
COLUMNS = ("domain", "level", "same_engine", "same_gpu", "quantity", *_CELL, "log_ratio")
_CLASS = ["level", "same_engine", "same_gpu"]
OWN = Class("own measurements", same_engine=True, same_gpu=True)
PUBLISHED = Class("published numbers", same_engine=True, same_gpu=True)
ELSEWHERE = Class("published numbers", same_engine=False, same_gpu=False)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a domain an interval holds that knows nothing of the domain.

    Attributes:
        domain: which numbers.
        of: what the constants that predicted them rest on.
        interval: of the other domains; of a wider class where this one has no others.
        covered: share of the cells.
    """

    domain: str
    of: Class
    quantity: Quantity
    cells: int
    interval: Interval
    covered: float


def held_out_ratios(e: Evaluation, campaigns: Sequence[Measured]) -> pd.DataFrame:
    """Return the logarithm of simulated over observed for every prediction of what was held out.

    Columns: COLUMNS; `log_ratio` to five decimals.
    """
    frames = [*_of_surfaces(e), *_of_throughput()]
    for campaign in campaigns:
        frames += _of_campaign(campaign)
    found = pd.concat(frames, ignore_index=True)
    return found.assign(log_ratio=found["log_ratio"].round(5))[[*COLUMNS]]


def class_intervals(found: pd.DataFrame, changes: Sequence[Change] = CHANGES) -> IntervalsFile:
    """Return each class's intervals, the widest first, with those of ratios by what changes."""
    known = []
    for of, rows in _by_class(found):
        intervals = {
            quantity: _interval(of, rows[rows["quantity"] == quantity]) for quantity in QUANTITIES
        }
        energies = rows[rows["quantity"] == "energy"]
        ratios = [each for what in changes for each in _of_changes(what, energies)]
        known.append(ClassIntervals(of=of, **intervals, changes=ratios))
    return IntervalsFile(classes=sorted(known, key=lambda each: _narrowness(each.of)))


def coverages(found: pd.DataFrame) -> list[Coverage]:
    """Return what the intervals of all other domains cover of each domain."""
    covered = []
    for domain, own in found.groupby("domain", sort=False):
        others = class_intervals(found[found["domain"] != domain], changes=())
        for of, rows in _by_class(own):
            for quantity in QUANTITIES:
                each = rows[rows["quantity"] == quantity]
                known = others.nearest(of, quantity)
                if each.empty or known is None:
                    continue
                errors = each["log_ratio"].abs()
                covered.append(
                    Coverage(
                        domain=str(domain),
                        of=of,
                        quantity=quantity,
                        cells=len(each),
                        interval=known,
                        covered=float((errors <= np.log(known.factor)).mean()),
                    )
                )
    return covered


def change_coverages(found: pd.DataFrame) -> Iterator[tuple[str, Class, Change, int, float]]:
    """Yield what intervals of ratios hold that know nothing of the domain.

    Yields:
        The domain, what its constants rest on, what differs, how many pairs of cells there are that
        others were as far apart as, and which share of them is within.
    """
    energies = found[found["quantity"] == "energy"]
    for domain, own in energies.groupby("domain", sort=False):
        others = class_intervals(found[found["domain"] != domain])
        for of, rows in _by_class(own):
            for what in CHANGES:
                pairs = _pairs(what, rows)
                within: list[bool] = []
                for times, alike in pairs.groupby("times"):
                    known = others.of_change(of, what, float(str(times)))
                    if known is not None:
                        within += (alike["log_ratio"].abs() <= np.log(known.factor)).tolist()
                if within:
                    yield str(domain), of, what, len(within), float(np.mean(within))


def _by_class(found: pd.DataFrame) -> Iterable[tuple[Class, pd.DataFrame]]:
    for of, rows in found.groupby(_CLASS):
        yield Class(*of), rows  # type: ignore[arg-type]


def _narrowness(of: Class) -> tuple[int, bool, bool]:
    return LEVELS.index(of.level), of.same_engine, of.same_gpu


def _interval(of: Class, rows: pd.DataFrame) -> Interval | None:
    if rows.empty:
        return None
    by_model = {
        str(model): each.tolist() for model, each in rows["log_ratio"].groupby(rows["model"])
    }
    at_least = DATA_SHEET_FACTOR if of.level == WIDEST.level else 1.0
    found = interval(by_model, ", ".join(rows["domain"].unique()), at_least)
    if found.factor > DATA_SHEET_FACTOR or at_least == 1:
        return found
    return replace(found, rests_on=f"{assumption(DATA_SHEET_FACTOR)}; {found.rests_on}")


def _of_changes(what: Change, rows: pd.DataFrame) -> Iterable[OfChange]:
    """Yield the intervals of ratios of cells that differ in one thing, the nearest cells first."""
    every = _pairs(what, rows)
    nearer = 1.0
    for most in TIMES:
        if not every["times"].between(nearer, most, inclusive="right").any():
            continue
        pairs = every[every["times"] <= most]
        by_model = {str(m): each.tolist() for m, each in pairs.groupby("model")["log_ratio"]}
        domains = ", ".join(pairs["domain"].unique())
        yield OfChange(
            what=what, at_most_times=most, interval=interval(by_model, domains, what="pair")
        )
        nearer = most


def _pairs(what: Change, rows: pd.DataFrame) -> pd.DataFrame:
    """Return every two cells of a model and a domain that differ in one thing only.

    Columns: domain, model, `times`: by how much, and `log_ratio`: the difference of their errors.
    """
    same = ["domain", "model", *(each for each in CHANGES if each != what)]
    errors, at = rows["log_ratio"].to_numpy(), rows[what].to_numpy(np.float64)
    ends = [
        places[np.array(np.triu_indices(len(places), 1))]
        for places in rows.groupby(same, sort=False).indices.values()
        if len(places) > 1
    ]
    one, other = np.concatenate(ends, axis=1) if ends else np.zeros((2, 0), dtype=np.int64)
    times = np.maximum(at[one], at[other]) / np.minimum(at[one], at[other])
    every = rows[["domain", "model"]].iloc[one].reset_index(drop=True)
    every = every.assign(times=times, log_ratio=errors[one] - errors[other])
    return every[every["times"] > 1]


def _of_surfaces(e: Evaluation) -> list[pd.DataFrame]:
    def ratios(constants: Constants) -> FloatArray:
        return np.log(e.surfaces.ratios(e.board, constants))

    left_out = np.empty(len(e.models))
    for model, fit in e.left_out.items():
        own = e.of([model])
        left_out[own] = ratios(fit.constants)[own]
    stated = stated_on(e.board, PAPER_ENGINE)
    cells = published.surface_cells().assign(model=e.models)
    # of the same generation and power limit, so that data sheets scale nothing
    elsewhere = load_calibration(gpu(MEASURED_GPU)).constants.board
    return [
        _frame(SURFACES, of, "energy", cells, found)
        for of, found in (
            (PUBLISHED, left_out),
            (ELSEWHERE, ratios(replace(stated, board=elsewhere))),
            (WIDEST, ratios(stated)),
        )
    ]


def _of_campaign(campaign: Measured) -> list[pd.DataFrame]:
    """Return those of a campaign's cells.

    By a fit to its other models, by the paper's board with what is stated of the engine, and by
    what is stated of both; nowhere by what was chosen with its cells in sight.
    """
    board, models = campaign.own.board, campaign.own.cells["model"].astype(str)
    stated = stated_on(board, campaign.own.engine).having(**campaign.not_in_view)
    papers = transfer(load_calibration(gpu("h100-sxm")).constants.board, board)
    elsewhere = replace(stated, board=papers).having(**campaign.not_in_view)
    domain = campaign.name
    frames = []
    for target in campaign.targets:
        if target.name not in _OF_TARGETS:
            continue
        left_out = np.empty(len(models))
        for model, fit in campaign.other_models.items():
            own = (models == model).to_numpy()
            left_out[own] = target.only(own).ratios(board, fit.constants)
        frames += [
            _frame(domain, of, _OF_TARGETS[target.name], campaign.own.cells, np.log(found))
            for of, found in (
                (OWN, left_out),
                (ELSEWHERE, target.ratios(board, elsewhere)),
                (WIDEST, target.ratios(board, stated)),
            )
        ]
    return frames


_OF_TARGETS: Mapping[str, Quantity] = {"energy_per_token": "energy", "throughput": "throughput"}


def _of_throughput() -> list[pd.DataFrame]:
    """Return those of published throughput, by what ships and by what is stated."""
    shipped = serving_errors(lambda board: load_calibration(board).constants)
    frames = []
    for found, ships in ((shipped, True), (serving_errors(), False)):
        fitted_to = (
            (found["engine_version"] == THROUGHPUT_VERSION)
            & (found["precision"] == "fp16")
            & (found["model"] == THROUGHPUT_MODEL)
        )
        for gpu_id, rows in found[~fitted_to & ~found["seen"]].groupby("gpu"):
            domain = f"NVIDIA's throughput on {gpu_id}"
            of = load_calibration(gpu(str(gpu_id))).intervals.of if ships else WIDEST
            frames.append(_frame(domain, of, "throughput", rows, np.log(rows["ratio"].to_numpy())))
    return frames


def _frame(
    domain: str, of: Class, quantity: Quantity, cells: pd.DataFrame, log_ratios: FloatArray
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "domain": domain,
            "level": of.level,
            "same_engine": of.same_engine,
            "same_gpu": of.same_gpu,
            "quantity": quantity,
            **{name: cells[name].to_numpy() for name in _CELL},
            "log_ratio": log_ratios,
        }
    )
