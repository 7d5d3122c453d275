"""What cells and fits mean, in three sentences made of their numbers, with what is not known."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd

from sweetspot.analysis.cells import GROUP, groups, mean_over_repeats, ok_cells
from sweetspot.cells.intervals import widest_interval
from sweetspot.cells.sure import factor_of_ratio
from sweetspot.figures.words import quantity
from sweetspot.metering.energy import SENSOR_ACCURACY
from sweetspot.report.scatter import Scatter, scatter_of
from sweetspot.report.spots import Group, group_names, spot
from sweetspot.words import counted, listed

_SENSOR = f"±{100 * SENSOR_ACCURACY:.0f} %"
_LENGTHS = ["input_tokens", "output_tokens"]
_PAIRS = 4  # that are named


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The most efficient cell of one group.

    Attributes:
        name: of the group.
        input_tokens, output_tokens: I and O of the cell.
        energy_per_token_j: its mean over repeats.
        low_j, high_j: between which it lies.
        span: least over most energy per token of the group's cells.
        repeats: how many the mean is of.
        board: UUID of the one that measured all of them; "" where that is not known.
    """

    name: str
    input_tokens: int
    output_tokens: int
    energy_per_token_j: float
    low_j: float
    high_j: float
    span: float
    repeats: int
    board: str

    @property
    def tokens_per_j(self) -> str:
        """The efficiency with its interval: 109 (99.4 to 120)."""
        found, low, high = (
            quantity(1 / joules) for joules in (self.energy_per_token_j, self.high_j, self.low_j)
        )
        return f"{found} ({low} to {high})"


def best_cells(cells: pd.DataFrame) -> dict[Group, Best]:
    """Return the most efficient cell of each group, the most efficient group first.

    Raises:
        InputError: the cells cannot be compared.
    """
    return _best_of(_means(cells))


def _best_of(means: pd.DataFrame) -> dict[Group, Best]:
    found = {}
    names = group_names(list(dict.fromkeys(means[GROUP].itertuples(index=False, name=None))))
    for key, of_group in groups(means, GROUP):
        row = of_group.sort_values("energy_per_token_j").iloc[0]
        found[key] = Best(
            name=names[key],
            input_tokens=int(row["input_tokens"]),
            output_tokens=int(row["output_tokens"]),
            energy_per_token_j=float(row["energy_per_token_j"]),
            low_j=float(row["low_j"]),
            high_j=float(row["high_j"]),
            span=float(of_group["energy_per_token_j"].max() / row["energy_per_token_j"]),
            repeats=int(row["repeats"]),
            board=str(row["gpu_uuid"]),
        )
    return dict(sorted(found.items(), key=lambda each: each[1].energy_per_token_j))


def findings(cells: pd.DataFrame, spots: pd.DataFrame) -> list[str]:
    """Return the sentences; of the load that most cells are of, the larger of equal ones.

    Args:
        cells: of `read_cells`; `gpu_uuid` is the board that measured each, where it is known.
        spots: of `analysis.sweet_spots`; may be empty.

    Raises:
        InputError: the cells cannot be compared.
    """
    ok = cells[cells["status"] == "ok"]
    if ok.empty:
        return [f"None of {counted(len(cells), 'cell')} has a number: see the reasons below."]
    loads = groups(ok, ["requests", "max_batch_size"])
    (requests, limit), _ = max(loads, key=lambda each: (len(each[1]), each[0]))
    cells = _of_load(cells, requests, limit)
    means = _means(cells)
    best = list(_best_of(means).values())
    load = f"With {counted(int(requests), 'request')} at once, "
    return [
        load + _efficiency(best),
        _lengths(means, _of_load(spots, requests, limit)),
        _apart(best, cells),
    ]


def _of_load(frame: pd.DataFrame, requests: int, limit: int) -> pd.DataFrame:
    return frame[(frame["requests"] == requests) & (frame["max_batch_size"] == limit)]


def _means(cells: pd.DataFrame) -> pd.DataFrame:
    """Return a row a cell, means over its repeats, with the ends `low_j` and `high_j` of each."""
    ok = _with_boards(ok_cells(cells))
    energy_j = ok["energy_per_token_j"]
    bounds = {}
    for end, sensor in (("low", 1 - SENSOR_ACCURACY), ("high", 1 + SENSOR_ACCURACY)):
        name = f"energy_per_token_{end}_j"
        known = pd.to_numeric(ok[name], errors="coerce") if name in ok else float("nan") * energy_j
        bounds[f"{end}_j"] = known.fillna(energy_j * sensor)
    one_for_all = ok["gpu_uuid"].nunique() == 1  # no need to look at each cell's
    board = "first" if one_for_all else _only_board
    return mean_over_repeats(ok.assign(**bounds), **dict.fromkeys(bounds, "mean"), gpu_uuid=board)


def _only_board(boards: "pd.Series[str]") -> str:
    return boards.iloc[0] if boards.nunique() == 1 else ""


def _with_boards(ok: pd.DataFrame) -> pd.DataFrame:
    known = ok["gpu_uuid"].astype(object).fillna("") if "gpu_uuid" in ok else ""
    return ok.assign(gpu_uuid=known)


def _efficiency(best: Sequence[Best]) -> str:
    first, last = best[0], best[-1]
    at = f"at {first.input_tokens} input and {first.output_tokens} output tokens"
    if len(best) == 1:
        return (
            f"{first.name} is most efficient {at}: {first.tokens_per_j} tokens per joule,"
            f" {quantity(first.span)} times what its least efficient cell gives."
        )
    times = quantity(last.energy_per_token_j / first.energy_per_token_j)
    return (
        f"the most efficient of {len(best)} models is {first.name} with {first.tokens_per_j} tokens"
        f" per joule, {at}; the least efficient is {last.name}, whose best cell gives"
        f" {last.tokens_per_j}, {times} times less."
    )


def _lengths(means: pd.DataFrame, spots: pd.DataFrame) -> str:
    """Say where the sweet spots lie at the shortest input, and what other lengths cost."""
    shortest = means["input_tokens"].min()
    curves = means[means["input_tokens"] == shortest]
    costs = _costs(curves)
    at = f"At {shortest} input tokens"
    here = spots[spots["input_tokens"] == shortest].dropna(subset=["estimated_output_tokens"])
    if here.empty:
        return f"{at} the least energy per token was found {_observed(curves)}{costs}."
    rows = here.sort_values("estimated_output_tokens")
    first, last = rows.iloc[0], rows.iloc[-1]
    if len(rows) == 1:
        return (
            f"{at} its energy per token is least with {spot(first)} output tokens, and at most 2 %"
            f" above that from {quantity(first['range2_low'])} to {quantity(first['range2_high'])}"
            f"{costs}."
        )
    names = group_names(list(rows[GROUP].itertuples(index=False, name=None)))
    ends = (f"{spot(row)} for {names[tuple(row[GROUP])]}" for row in (first, last))
    same = first["estimated_high"] >= last["estimated_low"]
    apart = ", which their intervals cannot tell apart" if same else ""
    return f"{at} the best output length lies between {' and '.join(ends)}{apart}{costs}."


def _observed(curves: pd.DataFrame) -> str:
    order = curves.sort_values("energy_per_token_j").drop_duplicates(GROUP)
    lengths = sorted({int(length) for length in order["output_tokens"]})
    return f"with {listed(map(str, lengths[:_PAIRS]))} output tokens"


def _costs(curves: pd.DataFrame) -> str:
    """Say what the shortest and the longest output cost against the best one of each curve."""
    said = []
    for length in (curves["output_tokens"].min(), curves["output_tokens"].max()):
        ratios = [
            float(at["energy_per_token_j"].iloc[0] / curve["energy_per_token_j"].min())
            for _, curve in groups(curves, GROUP)
            if len(at := curve[curve["output_tokens"] == length])
        ]
        low, high = quantity(min(ratios)), quantity(max(ratios))
        if high == "1":  # the best one of every curve
            continue
        times = low if low == high else f"{low} to {high}"
        said.append(f"{length} output tokens cost {times} times the best length's energy per token")
    first, *others = dict.fromkeys(said) or [""]
    return (
        f"; {', '.join([first, *(each.removesuffix(_SAME) for each in others)])}" if first else ""
    )


_SAME = " the best length's energy per token"


def _apart(best: Sequence[Best], cells: pd.DataFrame) -> str:
    """Say how sure the numbers are, and which models they cannot tell apart."""
    scatter = scatter_of(_with_boards(ok_cells(cells)))
    if len(best) == 1:
        return f"{_how_sure(cells, best, scatter)}, {_of_one(best[0], scatter)}"
    sure = _how_sure(cells, best, scatter)
    pairs = [
        f"{first.name} and {second.name}"
        for first, second in pairwise(best)
        if second.energy_per_token_j / first.energy_per_token_j
        <= _ratio_factor(first, second, scatter)
    ]
    if not pairs:
        return f"{sure}, all neighbours in the ranking by efficiency are told apart."
    more = len(pairs) - _PAIRS
    named = [*pairs[:_PAIRS], *([f"{more} more"] if more > 0 else [])]
    return (
        f"{sure}, {len(pairs)} of {counted(len(best) - 1, 'pair')} of neighbours in the ranking by"
        f" efficiency cannot be told apart: {'; '.join(named)}."
    )


def _of_one(best: Best, scatter: Scatter) -> str:
    """Say how small a difference from what else there may be proves nothing."""
    factor = quantity(_ratio_of_strangers(best, best))
    if not best.board:
        return (
            f"a difference of less than a factor of {factor} from another model, board or setting"
            " that is known as well proves nothing."
        )
    here = quantity(_ratio_factor(best, best, scatter))
    return (
        f"a difference of less than a factor of {factor} from another board that is known as well"
        f" proves nothing; on this one, of less than {here} from another model or setting, by"
        f" {scatter.words}."
    )


def _ratio_factor(lower: Best, higher: Best, scatter: Scatter) -> float:
    """Return how far the ratio of two energies may be off: on one board, by chance alone."""
    if lower.board and lower.board == higher.board:
        return factor_of_ratio(scatter.factor(lower.repeats), scatter.factor(higher.repeats))
    return _ratio_of_strangers(lower, higher)


def _ratio_of_strangers(lower: Best, higher: Best) -> float:
    """Return the same where errors say nothing of one another."""
    return factor_of_ratio(
        lower.high_j / lower.energy_per_token_j, higher.energy_per_token_j / higher.low_j
    )


def _how_sure(cells: pd.DataFrame, best: Sequence[Best], scatter: Scatter) -> str:
    ok = cells[cells["status"] == "ok"]
    known = widest_interval(ok)
    if known is not None and known.assumed:
        return f"By an assumption ({known.rests_on})"
    if known is not None:
        judges = known.rests_on or counted(known.models, "model")
        return (
            f"By the simulator's own intervals, which hold {100 * known.level:.0f} % of the cells"
            f" of a new model (judged by {judges})"
        )
    if ok["simulated"].any():
        return f"By {_SENSOR}, as the simulator's error is not known here"
    on_one = [bool(a.board) and a.board == b.board for a, b in pairwise(best)]
    if on_one and all(on_one):
        return (
            f"On one board, whose sensor's error ({_SENSOR}) is in all cells alike, by"
            f" {scatter.words}"
        )
    sensor = f"By {_SENSOR}, which is what boards' sensors are good to"
    if any(on_one):
        return f"{sensor}, between boards, and on one by {scatter.words}"
    once = int(ok.groupby([*GROUP, *_LENGTHS]).size().max()) == 1
    return f"{sensor}{' (each cell was measured once)' * once}"
