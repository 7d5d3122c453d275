"""The output length with the least energy per token: a range, and a length to rely on.

N requests of which k fit at once run in ⌈N/k⌉ waves, and a last wave of few requests costs nearly
as much as a full one. k falls with the output length O, so e(O) of exactly N requests is a
sawtooth: it falls as the last wave fills, and has a cliff where one token more begins another wave.
Where its least value lies says more about N than about the model. So what is looked for here is the
least of the curve *with whole waves*: at each O, of as many requests as fill the last one. It
hardly depends on N, and the sawtooth touches it at the end of each tooth.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import ceil, sqrt

import numpy as np

from sweetspot.ask.workload import Workload
from sweetspot.cliffs import CLIFF, MARGIN, TOLERANCE, Cliff
from sweetspot.energy_models import sweet_spot_output_tokens
from sweetspot.words import counted

# Lengths are looked at so many times per doubling; every so many of them for the best one, and
# within the range.
_PER_DOUBLING, _STRIDE, _STEP = 32, 8, 4
_WHOLE_WAVES = 4  # more of them change the curve with whole waves by nothing that matters
_TOLD_WAVES = 100  # at most: of w waves one more costs 1 / w of the energy, or less
_TEETH = 8  # the first of them are looked at wherever they end
_EQ6_DOUBLINGS = 2  # to each side, that Eq. 5 is fitted to


@dataclass(frozen=True, slots=True, kw_only=True)
class SweetSpot:
    """The sweet spot of a simulated workload at its input length.

    Attributes:
        output_tokens: recommended: inside the range, more than 3 % away from each cliff, and as
            good with some more or fewer requests.
        tokens_per_j: efficiency there, of these requests.
        low_tokens_per_j, high_tokens_per_j: between which a measurement there is expected.
        range2_low, range2_high: lengths around the least energy per token with whole waves, between
            which it is at most 2 % more.
        eq6_tokens: Eq. 6 of Eq. 5 fitted to the same curve from a quarter to four times its best
            length; not rounded, None where the fit has no minimum.
        at_bound: whether the curve is least, or the recommended length is, at the shortest or the
            longest length there is; then the sweet spot is the bound's and not the model's.
        longest_output_tokens: that were looked at.
        bound: what allows no more of them, in words.
        waves: that the requests run in at the recommended length.
        cliffs: inside the range and at its ends, the first one first.
        least_output_tokens: with the least energy per token of exactly these requests, mostly the
            last length before a cliff.
        least_waves: that they run in there.
        lost_percent: by how much the recommended length costs more than that one.
        beyond_native_context: the recommended sequence is longer than the model was published for.
    """

    output_tokens: int
    tokens_per_j: float
    low_tokens_per_j: float
    high_tokens_per_j: float
    range2_low: int
    range2_high: int
    eq6_tokens: float | None
    at_bound: bool
    longest_output_tokens: int
    bound: str
    waves: int
    cliffs: tuple[Cliff, ...]
    least_output_tokens: int
    least_waves: int
    lost_percent: float
    beyond_native_context: bool

    @property
    def notes(self) -> list[str]:
        """What to know before relying on the recommended length, in sentences."""
        said = []
        if self.at_bound and self.range2_high == self.longest_output_tokens:
            said.append(
                f"the sweet spot is at the bound of the search: {self.bound} allows no more than"
                f" {self.longest_output_tokens} output tokens at this input"
            )
        elif self.at_bound:
            said.append(
                "the sweet spot is at the bound of the search: a token costs more with each"
                " output token, from the first on"
            )
        elif self.range2_high == self.longest_output_tokens:
            said.append(f"the range ends with what {self.bound} allows at this input")
        if self.cliffs:
            said.append("waves of requests: " + "; ".join(each.words for each in self.cliffs))
        if self.lost_percent > 100 * CLIFF and self.least_waves != self.waves:
            said.append(
                f"exactly these requests cost {self.lost_percent:.1f} % more at"
                f" {self.output_tokens} output tokens, in {_waves(self.waves)}, than at"
                f" {self.least_output_tokens}, in {_waves(self.least_waves)}; that length moves"
                " with their number"
            )
        if self.beyond_native_context:
            said.append(
                "input and recommended output are beyond the context this model was published for"
            )
        return said


def find_sweet_spot(workload: Workload) -> SweetSpot:
    """Search up to the longest sequence that the engine's limit and the KV cache allow."""
    curve = _Curve(workload)
    best = curve.best
    low, high = curve.reach(best, curve.lengths[0]), curve.reach(best, curve.longest)
    cliffs = list(curve.cliffs(low, high))
    least = curve.least(low, high, cliffs)
    recommended = _recommended(curve, low, high, cliffs, least)
    tokens_per_j = workload.requests * recommended / workload.simulate(recommended).energy_j
    low_tokens_per_j, high_tokens_per_j = workload.deployment.intervals.energy.around(tokens_per_j)
    return SweetSpot(
        output_tokens=recommended,
        tokens_per_j=tokens_per_j,
        low_tokens_per_j=low_tokens_per_j,
        high_tokens_per_j=high_tokens_per_j,
        range2_low=low,
        range2_high=high,
        eq6_tokens=curve.eq6_tokens,
        at_bound=not {best, recommended}.isdisjoint((curve.lengths[0], curve.longest)),
        longest_output_tokens=curve.longest,
        bound=curve.bound,
        waves=workload.waves(recommended),
        cliffs=tuple(each for each in cliffs if low - 1 <= each.output_tokens <= high),
        least_output_tokens=least,
        least_waves=workload.waves(least),
        lost_percent=100 * (curve.exact(recommended) / curve.exact(least) - 1),
        beyond_native_context=workload.input_tokens + recommended
        > workload.deployment.model.max_positions,
    )


def _recommended(curve: "_Curve", low: int, high: int, cliffs: list[Cliff], least: int) -> int:
    """Return the length of a range that is best with whole waves, where the sawtooth is low, too.

    That is away from cliffs, and within 2 % of the least for exactly these requests, or of what can
    be had of it in the range.
    """
    at = [each.output_tokens for each in cliffs]

    def is_clear(length: int) -> bool:
        return not any(cliff.is_near(length) for cliff in cliffs)

    at_most_j = (1 + TOLERANCE) * curve.exact(least)
    if is_clear(curve.best) and curve.exact(curve.best) <= at_most_j:
        return curve.best
    middles = (sqrt(a * b) for a, b in zip([low, *at], [*at, high], strict=True))
    lengths = {*curve.between(low, high), low, high, *(round(each) for each in middles)}
    inside = sorted(each for each in lengths if low <= each <= high)
    clear = [each for each in inside if is_clear(each)] or inside
    had_j = curve.exact(curve.least_exact(clear))
    at_most_j = at_most_j if had_j <= at_most_j else (1 + TOLERANCE) * had_j
    return curve.least_whole(each for each in clear if curve.exact(each) <= at_most_j)


def _waves(number: int) -> str:
    return counted(number, "wave")


class _Curve:
    """Energy per output token of a workload against its output length, in J."""

    def __init__(self, workload: Workload) -> None:
        """Begin with nothing simulated."""
        self._workload = workload
        self._known: dict[tuple[int, int], float] = {}
        self._batches: dict[int, int] = {}
        limits = workload.deployment.limits
        by_limit = limits.max_seq_len - workload.input_tokens
        self.longest, self.bound = by_limit, f"max_seq_len {limits.max_seq_len}"
        if not self._batch(by_limit):
            # the last length of which the KV cache holds a request
            self.longest = bisect_left(range(1, by_limit), True, key=lambda n: not self._batch(n))
            self.bound = "what the KV cache holds"
        steps = range((self.longest.bit_length() + 1) * _PER_DOUBLING)
        found = sorted({min(self.longest, round(2 ** (k / _PER_DOUBLING))) for k in steps})
        self.lengths: list[int] = found

    def exact(self, length: int) -> float:
        """Return that of these requests; of very many waves, with whole ones."""
        return self._at([self._exact_run(length)])[0]

    def whole(self, length: int) -> float:
        """Return that of as many requests as fill the last wave, of four waves if there are more.

        Requests that all run at once stay as many as they are.
        """
        return self._at([self._whole_run(length)])[0]

    def least_exact(self, lengths: Iterable[int]) -> int:
        """Return the length at which that of these requests is least; the shortest of equals."""
        return self._least(lengths, self._exact_run)

    def least_whole(self, lengths: Iterable[int]) -> int:
        """Return the length at which that with whole waves is least; the shortest of equals."""
        return self._least(lengths, self._whole_run)

    @cached_property
    def best(self) -> int:
        """The length with the least energy per token with whole waves."""
        coarse = [*self.lengths[::_STRIDE], self.longest]
        first = self.lengths.index(self.least_whole(coarse))
        around = self.lengths[max(0, first - _STRIDE) : first + _STRIDE + 1]
        return self.least_whole(around)

    @property
    def eq6_tokens(self) -> float | None:
        """Eq. 6 of Eq. 5 fitted around the best length, at the one input length."""
        low, high = (self.best * 2.0 ** (side * _EQ6_DOUBLINGS) for side in (-1, 1))
        near = [each for each in self.lengths[::_STRIDE] if low <= each <= high]
        if len(near) < 4:  # one more than there are terms
            return None
        outputs = np.array(near, dtype=np.float64)
        terms = np.column_stack([np.ones_like(outputs), 1 / outputs, outputs])
        alpha0, alpha5, alpha4 = np.linalg.lstsq(terms, np.array([*map(self.whole, near)]))[0]
        found = sweet_spot_output_tokens((alpha0, 0, 0, 0, alpha4, alpha5), 0)
        return None if np.isnan(found) else found

    @cached_property
    def _told_waves(self) -> int:
        """So many waves that one more, of a single request, is no cliff; where more run, none is.

        Taken at the best length, and twice as many for those where it costs more.
        """
        at_once = self._batch(self.best)
        alone_j, full_j = self._at([(self.best, 1), (self.best, at_once)])
        return min(_TOLD_WAVES, 1 + ceil(2 * alone_j / (at_once * full_j) / CLIFF))

    def least(self, low: int, high: int, cliffs: list[Cliff]) -> int:
        """Return the length with the least energy per token of exactly these requests.

        In a range, or where one of the first waves ends.
        """
        inside = self.between(low, high)
        ends = {low, high, *self._teeth(), *(each.output_tokens for each in cliffs)}
        first = self.least_exact({*inside[::_STEP], *ends, self.best})
        if first in ends:
            return first
        place = bisect_left(self.lengths, first)
        return self.least_exact(self.lengths[max(0, place - _STEP) : place + _STEP + 1])

    def between(self, low: int, high: int) -> list[int]:
        """Return the lengths that are looked at from one to another."""
        return [each for each in self.lengths if low <= each <= high]

    def reach(self, best: int, end: int) -> int:
        """Return the length towards an end up to which it is within 2 % of the least."""
        at_most_j = (1 + TOLERANCE) * self.whole(best)
        place = self.lengths.index(best)
        towards = self.lengths[place::-1] if end < best else self.lengths[place:]
        inside = outside = best
        self._at(map(self._whole_run, towards[: 4 * _STEP : _STEP]))  # most ranges end within these
        for outside in (*towards[::_STEP], end):
            if self.whole(outside) > at_most_j:
                break
            inside = outside
        while abs(outside - inside) > 1:
            middle = (outside + inside) // 2
            if self.whole(middle) <= at_most_j:
                inside = middle
            else:
                outside = middle
        return inside

    def cliffs(self, low: int, high: int) -> Iterator[Cliff]:
        """Yield the cliffs of these requests in a range, and those that are near its ends."""
        first, last = int((1 - MARGIN) * low) - 1, int((1 + MARGIN) * high) + 1
        steps, length = [], max(1, first)
        while (length := self._last_of_batch(length)) < min(last, self.longest):
            steps += [length] if self._changes(length) else []
            length += 1
        self._at(self._exact_run(each) for last in steps for each in (last, last + 1))
        for last in steps:
            step = self.exact(last + 1) / self.exact(last) - 1
            if abs(step) > CLIFF:
                waves, after = (self._workload.waves(each) for each in (last, last + 1))
                yield Cliff(last, 100 * step, waves, after)

    def _teeth(self) -> Iterable[int]:
        """Yield where the first waves end: the last length of one, of two and so on."""
        for waves in range(1, _TEETH + 1):
            at_once = -(-self._workload.requests // waves)
            if self._batch(1) >= at_once:
                shorter = range(1, self.longest + 1)
                yield bisect_left(shorter, True, key=lambda n: self._batch(n) < at_once)

    def _changes(self, length: int) -> bool:
        """Return whether more waves, or the smaller batch, behind a length could be a cliff."""
        waves, after = (self._workload.waves(each) for each in (length, length + 1))
        if waves != after and waves < self._told_waves:
            return True
        requests, sizes = self._workload.requests, self._workload.deployment.bounds.graphs.sizes
        at_once, after = (min(requests, self._batch(each)) for each in (length, length + 1))
        padded = bisect_left(sizes, at_once) != bisect_left(sizes, after)
        return padded or after < (1 - CLIFF) * at_once

    def _last_of_batch(self, length: int) -> int:
        """Return the longest length of which as many requests run at once as of this one."""
        at_once = self._batch(length)
        longer = range(length + 1, self.longest + 1)
        return length + bisect_left(longer, True, key=lambda n: self._batch(n) < at_once)

    def _batch(self, length: int) -> int:
        if length not in self._batches:
            self._batches[length] = self._workload.batch(length)
        return self._batches[length]

    def _exact_run(self, length: int) -> tuple[int, int]:
        at_once = self._batch(length)
        return length, min(self._workload.requests, self._told_waves * at_once)

    def _whole_run(self, length: int) -> tuple[int, int]:
        requests, at_once = self._workload.requests, self._batch(length)
        waves = min(-(-requests // at_once), _WHOLE_WAVES)
        return length, requests if requests <= at_once else waves * at_once

    def _least(self, lengths: Iterable[int], run: Callable[[int], tuple[int, int]]) -> int:
        shortest_first = sorted(lengths)
        energies = self._at(map(run, shortest_first))
        return shortest_first[energies.index(min(energies))]

    def _at(self, runs: Iterable[tuple[int, int]]) -> list[float]:
        """Return what runs of these output tokens and requests say; new ones are simulated."""
        asked = list(runs)
        new = sorted({run for run in asked if run not in self._known})
        found = self._workload.energies_per_token_j(new)
        self._known.update(zip(new, found, strict=True))
        return [self._known[run] for run in asked]
