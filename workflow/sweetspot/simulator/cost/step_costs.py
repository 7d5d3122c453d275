"""The cost of single segments, fast: what `work` and `cost` say, laid out in tables.

`cost` takes arrays; called for one segment at a time, as arrivals demand, it would spend all its
time in numpy. But at a given clock an iteration's time and energy are sums of a term of its tokens,
one of its output rows, and products with counts, so all of them can be asked for once. Nothing of
the physics is repeated here: the terms are differences of what `Iterations.at` says, and a test
holds that what is made of them are `cost`'s answers again. What full and sliding layers read goes
in as their mean.
"""

from dataclasses import replace
from typing import NamedTuple, Self

import numpy as np

from sweetspot.catalog.architecture import Architecture
from sweetspot.catalog.gpus import Gpu
from sweetspot.simulator.constants.constants import Constants
from sweetspot.simulator.cost.clocks import clocks, headroom_w, waiting_power_w
from sweetspot.simulator.cost.decode_steps import DecodeSteps, Line, Pace, Piece, largest, sum_of
from sweetspot.simulator.cost.iterations import iterations
from sweetspot.simulator.cost.kernel_times import kernel_times
from sweetspot.simulator.cost.work import FloatArray, work
from sweetspot.simulator.deployment.deployment import Deployment
from sweetspot.simulator.deployment.scheduler_limits import SchedulerLimits
from sweetspot.simulator.deployment.shard import as_shard
from sweetspot.simulator.schedule.identical import IntArray, Schedule
from sweetspot.simulator.schedule.segments import Ran, Segment

# Slopes are differences over this many, beside which the constant part is rounding only.
FAR = 2**40

# Looked up once: in an enum that takes as long as a product.
_LIMIT, _HOST = Pace.LIMIT, Pace.HOST


class _Terms(NamedTuple):
    """Time in s, or dynamic energy in J, of an iteration at one clock.

    Iterations of decode alone have a table by requests, those with prompts by tokens and by rows.
    """

    decode: list[float]
    tokens: list[float]
    rows: list[float]
    per_decode: float
    per_context: float
    per_pair: float
    per_prompt_context: float
    per_prompt: float


class _AtClock(NamedTuple):
    """The terms of an iteration's time and of its energy, at one clock."""

    time: _Terms
    energy: _Terms

    def with_prompts(
        self, counts: tuple[int, int, int, int], context: float, pairs: float, earlier: float
    ) -> tuple[float, float]:
        """Return what an iteration with prompts takes, with attention as a layer has it.

        Args:
            counts: tokens, output rows, requests in decode, prompts.
            context: tokens that decode reads.
            pairs: query-key pairs of prompts.
            earlier: tokens that prompts read.
        """
        tokens, rows, decodes, prompts = counts
        _, tokens_s, rows_s, decode_s, context_s, pair_s, earlier_s, prompt_s = self[0]
        _, tokens_j, rows_j, decode_j, context_j, pair_j, earlier_j, prompt_j = self[1]
        seconds = (
            tokens_s[tokens]
            + rows_s[rows]
            + decode_s * decodes
            + context_s * context
            + pair_s * pairs
            + earlier_s * earlier
            + prompt_s * prompts
        )
        joules = (
            tokens_j[tokens]
            + rows_j[rows]
            + decode_j * decodes
            + context_j * context
            + pair_j * pairs
            + earlier_j * earlier
            + prompt_j * prompts
        )
        return seconds, joules


class StepCosts:
    """A `Clock` for one model: the numbers of `cost`, one segment at a time.

    Of a part of a model (`shard`), energy is that of all GPUs that share the model.
    """

    @classmethod
    def of(cls, deployment: Deployment) -> Self:
        """Return the clock of a deployment."""
        d = deployment
        return cls(d.part, d.gpu, d.constants, d.bounds)

    def __init__(
        self, architecture: Architecture, gpu: Gpu, constants: Constants, limits: SchedulerLimits
    ) -> None:
        """Ask for every term that iterations within the limits have."""
        part = as_shard(architecture)
        self._gpus = part.gpus
        self._sliding_share = part.sliding_layers / part.attention_layers
        self._limit_w = headroom_w(gpu, constants.board, gpu.clock_share)
        self._waiting_w = waiting_power_w(constants.board, gpu.clock_share)
        self._shares = clocks(gpu)
        self._lowest_w = headroom_w(gpu, constants.board, self._shares[-1])
        full = replace(part, sliding_window=None, sliding_layers=0)
        self._clocks = _probed(full, gpu, constants, limits, self._shares)
        self._ahead = bool(constants.engine.host_ahead)
        self._step_s = constants.engine.step_overhead_s
        self._sequence_s = constants.engine.sequence_overhead_s
        self._paces: dict[int, list[Piece]] = {}

    def run(self, segment: Segment, now_s: float) -> Ran:
        """Return what the segment takes if it begins at `now_s`; a wait draws waiting power."""
        context = float(segment.decode_context)
        growth = float(segment.decodes)
        pairs = float(segment.prompt_pairs)
        earlier = float(segment.prompt_context)
        if share := self._sliding_share:
            context += share * (segment.sliding_context - context)
            growth += share * (segment.sliding_decodes - growth)
            pairs += share * (segment.sliding_pairs - pairs)
            earlier += share * (segment.sliding_prompt_context - earlier)
        if tokens := segment.prompt_tokens:
            decodes, prompts = segment.decodes, segment.prompts
            rows = decodes + segment.prompts_finished
            counts = decodes + tokens, rows, decodes, prompts
            return self._with_prompts(counts, context, pairs, earlier)
        wait_s = segment.wake_s - now_s
        if not segment.iterations:
            energy_j = self._gpus * self._waiting_w * wait_s
            return Ran(0, wait_s, energy_j, self._shares[0] * wait_s, 0.0)
        return self._decode(segment, context, growth, wait_s)

    def _with_prompts(
        self, counts: tuple[int, int, int, int], context: float, pairs: float, earlier: float
    ) -> Ran:
        """Return what one iteration with prompts takes; arguments as `_AtClock.with_prompts`."""
        limit_w, clocks = self._limit_w, self._clocks
        top_s, top_j = clocks[0].with_prompts(counts, context, pairs, earlier)
        longest_s, share = top_s, self._shares[0]
        upper_s, over_j = top_s, top_j - limit_w * top_s
        clock = 0
        # the first two neighbours that the limit lies between, or the lowest
        while over_j > 0:
            clock += 1
            if clock == len(clocks):
                longest_s, share = upper_s + over_j / self._lowest_w, self._shares[-1]
                break
            lower_s, lower_j = clocks[clock].with_prompts(counts, context, pairs, earlier)
            under_j = lower_j - limit_w * lower_s
            if under_j <= 0:
                of_lower = over_j / (over_j - under_j)
                longest_s = upper_s + (lower_s - upper_s) * of_lower
                share = self._shares[clock - 1]
                share += (self._shares[clock] - share) * of_lower
                break
            upper_s, over_j = lower_s, under_j
        host_s = self._host_s(counts[2] + counts[3])
        waited_s = host_s
        if self._ahead:
            waited_s = 0.0
            if host_s > longest_s:
                waited_s, longest_s, share = host_s - top_s, host_s, self._shares[0]
        dynamic_j = min(top_j, limit_w * longest_s)
        energy_j = self._gpus * (self._waiting_w * longest_s + dynamic_j)
        return Ran(1, longest_s, energy_j, share * longest_s, waited_s)

    def _decode(self, segment: Segment, context: float, growth: float, wait_s: float) -> Ran:
        """Return what iterations of decode alone take, until a wake."""
        most, decodes, limit_w = segment.iterations, segment.decodes, self._limit_w
        pieces = self._paces.get(decodes)
        if pieces is None:
            pieces = self._paces[decodes] = self._pace(decodes)
        steps = DecodeSteps(pieces, context, growth, most)
        count = steps.until(wait_s, most)
        time_terms, energy_terms = self._clocks[0]
        first_j = energy_terms.decode[decodes] + energy_terms.per_context * context
        growth_j = energy_terms.per_context * growth
        duration_s = full_clock_s = dynamic_j = waited_s = 0.0
        for begin, last, first_s, growth_s, share, pace in steps.parts:
            if begin >= count:
                break
            end = min(count, last)
            taken_s = sum_of(first_s, growth_s, begin, end)
            duration_s += taken_s
            if share.growth:
                full_clock_s += share.sum_of_product(Line(first_s, growth_s), begin, end)
            else:
                full_clock_s += share.first * taken_s
            if pace is _LIMIT:
                dynamic_j += limit_w * taken_s
                continue
            dynamic_j += sum_of(first_j, growth_j, begin, end)
            if pace is _HOST:
                over_j = Line(first_j - limit_w * first_s, growth_j)
                dynamic_j -= over_j.sum_of_positive_part(begin, end)
                top_s = Line(
                    time_terms.decode[decodes] + time_terms.per_context * context,
                    time_terms.per_context * growth,
                )
                waited_s += taken_s - top_s.sum(begin, end)
        if not self._ahead:
            waited_s = count * self._host_s(decodes)
        energy_j = self._gpus * (self._waiting_w * duration_s + dynamic_j)
        return Ran(count, duration_s, energy_j, full_clock_s, waited_s)

    def _host_s(self, sequences: int) -> float:
        return self._step_s + self._sequence_s * sequences

    def _pace(self, decodes: int) -> list[Piece]:
        """Return what a step of so many requests takes, by the context that it reads."""
        limit_w = self._limit_w
        by_clock = [
            [Line(terms.decode[decodes], terms.per_context) for terms in both]
            for both in self._clocks
        ]
        over = [
            Line(j.first - limit_w * s.first, j.growth - limit_w * s.growth) for s, j in by_clock
        ]
        lines = [(by_clock[0][0], Line(self._shares[0], 0.0), Pace.CLOCK)]
        for k in range(len(by_clock) - 1):
            (upper, _), (lower, _) = by_clock[k], by_clock[k + 1]
            saved_j = max(over[k].first - over[k + 1].first, np.finfo(np.float64).tiny)
            slower, lower_share = lower.first - upper.first, self._shares[k + 1] - self._shares[k]
            lines.append(
                (
                    _along(upper, slower / saved_j, over[k]),
                    _along(Line(self._shares[k], 0.0), lower_share / saved_j, over[k]),
                    Pace.LIMIT,
                )
            )
        lowest = Line(self._shares[-1], 0.0)
        lines.append((_along(by_clock[-1][0], 1 / self._lowest_w, over[-1]), lowest, Pace.LIMIT))
        if self._ahead:
            lines.append((Line(self._host_s(decodes), 0.0), Line(self._shares[0], 0.0), Pace.HOST))
        return largest(lines)


def _along(line: Line, by: float, how_far: Line) -> Line:
    return Line(line.first + by * how_far.first, line.growth + by * how_far.growth)


def _probed(
    architecture: Architecture,
    gpu: Gpu,
    constants: Constants,
    limits: SchedulerLimits,
    shares: tuple[float, ...],
) -> list[_AtClock]:
    """Return the terms of time and of dynamic energy at each clock."""

    def probe(size: int = 1, **columns: int | IntArray) -> FloatArray:
        """Return time and energy, (clocks, 2, size), of iterations of these counts and no other."""
        done = work(architecture, _iterations(size, columns), limits.graphs)
        times = kernel_times(done, gpu, constants.kernels)
        column = np.array(shares)[:, np.newaxis]
        found = iterations(times, constants).at(column, times.computing_s(slice(None)))
        return np.stack([found.time_s.first, found.dynamic_j.first], axis=1)

    batch = limits.max_batch_size
    by_batch, by_tokens = np.arange(batch + 1), np.arange(max(limits.max_num_tokens, batch + 1) + 1)
    tokens = probe(by_tokens.size, prompt_tokens=by_tokens)
    decode = probe(batch + 1, decodes=by_batch)
    rows = probe(batch + 1, prompts_finished=by_batch) - probe()
    one = tokens[:, :, 1:2]
    decodes = probe(decodes=batch, prompt_tokens=1)
    slopes = [
        (decodes - tokens[:, :, batch + 1 : batch + 2] - rows[:, :, -1:]) / batch,
        (probe(decodes=batch, prompt_tokens=1, decode_context=FAR) - decodes) / FAR,
        (probe(prompt_tokens=1, prompt_pairs=FAR) - one) / FAR,
        (probe(prompt_tokens=1, prompt_context=FAR) - one) / FAR,
        (probe(prompt_tokens=1, prompts=FAR) - one) / FAR,
    ]

    def terms(clock: int, quantity: int) -> _Terms:
        return _Terms(
            decode[clock, quantity].tolist(),
            tokens[clock, quantity].tolist(),
            rows[clock, quantity].tolist(),
            *(slope[clock, quantity].item() for slope in slopes),
        )

    return [_AtClock(terms(k, 0), terms(k, 1)) for k in range(len(shares))]


def _iterations(size: int, columns: dict[str, int | IntArray]) -> Schedule:
    """Return single iterations with the given counts; those not given are 0."""
    counts = dict.fromkeys(Schedule.__dataclass_fields__, 0) | {"iterations": 1} | columns
    return Schedule(**{name: np.full(size, value) for name, value in counts.items()})
