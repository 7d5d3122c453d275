"""What could be done otherwise, and what energy that would save, as far as it can be told."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import isclose
from typing import Any

from sweetspot.ask.advice.taken import Taken, take
from sweetspot.ask.lengths import UNCUT, Cut
from sweetspot.ask.rates import Rates, Row
from sweetspot.catalog import gpu
from sweetspot.config import MAX_GPUS, Precision
from sweetspot.errors import EngineError, InputError
from sweetspot.simulator.constants.intervals import LEVELS, Change, Interval, of_ratio
from sweetspot.simulator.deployment.deployment import Deployment, deploy

BOARDS = ("h100-sxm", "h200-sxm", "a100-80gb", "l40s")
"""Other boards that are looked at where none is named."""
LIMIT_SHARE = 0.7
"""Of a board's power limit, that is looked at where none is named."""
_ROUNDING = 1e-9
SAVES, COSTS, ALIKE = "saves", "costs more", "cannot be told apart"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """Which levers are looked at: those that are named, or where none is all, as is sensible there.

    Attributes:
        truncate_input: prompt tokens at most.
        limit_output: generated tokens at most.
        limit_batch: requests in flight at most.
        cap_power_w: power limit of each board.
        other_gpus: boards; `2xl40s` for two that share the model.
    """

    truncate_input: int | None = None
    limit_output: int | None = None
    limit_batch: int | None = None
    cap_power_w: float | None = None
    other_gpus: Sequence[str] | None = None

    @property
    def names_some(self) -> bool:
        """Whether any is named."""
        numbers = (self.truncate_input, self.limit_output, self.limit_batch, self.cap_power_w)
        return bool(self.other_gpus) or any(each is not None for each in numbers)


def boards_of(name: str) -> tuple[int | None, str]:
    """Return how many boards share the model, None for as many as now, and which.

    Raises:
        InputError: nobody knows such a board, or so many cannot share a model.
    """
    several = re.fullmatch(r"(\d+)x(.+)", name)
    count, board = (int(several[1]), several[2]) if several else (None, name)
    gpu(board)
    if count is not None and not 1 <= count <= MAX_GPUS:
        raise InputError(f"{name}: from 1 to {MAX_GPUS} boards share a model, not {count}")
    return count, board


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to be done otherwise.

    Attributes:
        name: what.
        make: returns what serves then; None: what serves now.
        cut: what requests are cut to.
        change: what differs within one deployment; None where another serves.
        unchanged: why there is no answer where that, or the energy, stays as it is; empty where
            there always is one.
    """

    name: str
    make: Callable[[], Deployment] | None = None
    cut: Cut = UNCUT
    change: Change | None = None
    unchanged: str = ""


@dataclass(frozen=True, kw_only=True)
class Lever:
    """One thing done otherwise. All of it is simulated.

    Attributes:
        name: what is done.
        why_not: why it cannot be, or changes nothing; empty where there is an answer.
        base: what requests take as they are served now.
        taken: what they take then; None without an answer.
        interval: how far the ratio of both energies may be off.
        evidence: what the answer rests on: your fit, your calibration, published numbers, a data
            sheet, or no measurement at all.
    """

    name: str
    base: Taken = field(repr=False)
    why_not: str = ""
    taken: Taken | None = field(default=None, repr=False)
    interval: Interval | None = None
    evidence: str = ""

    @property
    def ratio(self) -> float | None:
        """Energy of a request then, over that now."""
        taken, base = self.taken, self.base
        if taken is None:
            return None
        if taken.own and base.own:
            return taken.energy_per_request_j / base.energy_per_request_j
        return taken.simulated_per_request_j / base.simulated_per_request_j

    @property
    def verdict(self) -> str:
        """Whether it saves energy, as far as that can be told; empty without an answer."""
        if self.ratio is None or self.interval is None:
            return ""
        low, high = self.interval.around(self.ratio)
        return SAVES if high < 1 else COSTS if low > 1 else ALIKE

    def values(self, rates: Rates) -> Row:
        """Return a row of the answer; savings are of a day's requests as they are served now."""
        row: Row = {"lever": self.name, "why_not": self.why_not, "verdict": self.verdict}
        if self.taken is None or self.ratio is None or self.interval is None:
            return row
        base, (low, high) = self.base, self.interval.around(self.ratio)
        saved_j = (1 - self.ratio) * base.energy_per_request_j * base.requests_per_day
        return row | {
            "energy_per_request_j": self.ratio * base.energy_per_request_j,
            "saved_percent": 100 * (1 - self.ratio),
            "saved_low_percent": 100 * (1 - high),
            "saved_high_percent": 100 * (1 - low),
            "interval_level": self.interval.level,
            "interval_models": self.interval.models,
            "saved_energy_j": saved_j,
            **{f"saved_{name}": each for name, each in rates.priced(saved_j).items()},
            **speed(self.taken),
            "evidence": self.evidence,
            "interval_rests_on": self.interval.rests_on,
        }


def speed(taken: Taken) -> Row:
    """Return how fast requests are answered, and by how many boards."""
    served, waits = taken.load.served, taken.offered.waits
    per_token = served.per_output_token
    return {
        "boards": taken.boards,
        "requests_per_s": taken.requests_per_s,
        "ttft_p95_s": served.first_token.p95_s if waits else None,
        "tpot_p95_s": per_token.p95_s if per_token else None,
        "mean_batch": served.mean_batch,
        "mean_power_w": taken.power_w,
        "idle_share": served.idle_share,
    }


def evidence(taken: Taken) -> str:
    """Return what an answer rests on."""
    if taken.own:
        return "your fit"
    deployment = taken.deployment
    if deployment.no_energy_of:
        return "no measurement"
    level = deployment.calibration.level
    return "your calibration" if level == LEVELS[-1] else level


@dataclass(frozen=True, eq=False)
class Levers:
    """What is compared with: the requests as they are served now.

    Attributes:
        base: what they take.
        tried: which levers.
        calibration: file of somebody's own constants.
    """

    base: Taken
    tried: Tried
    calibration: str | os.PathLike[str] | None = None

    def steps(self) -> Iterator[Step]:
        """Yield what is looked at: what is named, or else all."""
        tried = self.tried if self.tried.names_some else self._sensible()
        if tried.truncate_input is not None:
            yield Step(
                name=f"truncate inputs to {tried.truncate_input}",
                cut=Cut(input_tokens=tried.truncate_input),
                change="input_tokens",
                unchanged="no input is longer",
            )
        if tried.limit_output is not None:
            yield Step(
                name=f"limit outputs to {tried.limit_output}",
                cut=Cut(output_tokens=tried.limit_output),
                change="output_tokens",
                unchanged="no output is longer",
            )
        if not self.tried.names_some:
            yield from self._fp8()
        if tried.limit_batch is not None:
            in_flight = self.base.load.served.max_batch
            yield Step(
                name=f"max_batch_size {tried.limit_batch}",
                make=partial(self._batched, tried.limit_batch),
                change="requests",
                unchanged=f"in flight are {in_flight} at most either way",
            )
        if tried.cap_power_w is not None:
            yield Step(
                name=f"power limit {tried.cap_power_w:g} W",
                make=partial(self._capped, tried.cap_power_w),
                unchanged="nothing draws as much",
            )
        for each in tried.other_gpus or ():
            yield Step(name=f"on {each}", make=partial(self._on, each))

    def _sensible(self) -> Tried:
        """Return what is looked at where nothing is named."""
        base, deployment = self.base, self.base.deployment
        now, in_flight = deployment.limits.max_batch_size, base.load.served.max_batch
        others = self.tried.other_gpus
        if others is None:
            others = [each for each in BOARDS if each != deployment.gpu.id]
        return Tried(
            truncate_input=self._shorter(base.input_tokens),
            limit_output=self._shorter(base.output_tokens),
            limit_batch=2 * now if in_flight >= now else max(1, in_flight // 2),
            cap_power_w=round(LIMIT_SHARE * deployment.gpu.power_limit_w, -1),
            other_gpus=others,
        )

    def _fp8(self) -> Iterator[Step]:
        deployment = self.base.deployment
        weights = Precision(weights="fp8", kv_cache=deployment.precision.kv_cache)
        if deployment.gpu.fp8_flops is not None:  # else one line says why not
            yield Step(name="FP8 weights", make=partial(self._stored, weights))
        both = Precision(weights="fp8", kv_cache="fp8")
        yield Step(name="FP8 weights and KV cache", make=partial(self._stored, both))

    def pull(self, step: Step) -> Lever:
        """Return what one of them would save."""
        base = self.base
        try:
            deployment = step.make() if step.make else base.deployment
            cut = base.offered.with_cut(step.cut)
            own = base.own if deployment is base.deployment else None
            taken = take(deployment, cut, own)
        except (InputError, EngineError) as error:
            return Lever(name=step.name, base=base, why_not=str(error))
        now, then = (_amount(step.change, each) for each in (base, taken))
        if step.unchanged and isclose(now, then, rel_tol=_ROUNDING):
            return Lever(name=step.name, base=base, why_not=step.unchanged)
        return Lever(
            name=step.name,
            base=base,
            taken=taken,
            interval=self._interval(taken, step.change, max(now / then, then / now)),
            evidence=evidence(taken),
        )

    def _interval(self, taken: Taken, change: Change | None, times: float) -> Interval:
        """Return how far the ratio of energies may be off.

        Args:
            taken: what requests take otherwise.
            change: what differs within the deployment; None where another serves.
            times: as much the larger one is.
        """
        base, within = self.base, None
        if base.own and taken.own:
            return base.own.interval_of_ratio(base.lengths, taken.lengths)
        # one server more or less is another thing that differs
        if change is not None and base.servers == taken.servers:
            within = base.deployment.interval_of_change(change, times)
        both = base.deployment.intervals.energy, taken.deployment.intervals.energy
        return within or of_ratio(*both)

    def _shorter(self, mean: float) -> int:
        """Return half of lengths that are all alike, and else their mean."""
        return max(1, round(mean / 2 if self.base.offered.are_alike else mean))

    def _stored(self, precision: Precision) -> Deployment:
        if precision == self.base.deployment.precision:
            raise InputError("it is served so")
        return replace(self.base.deployment, precision=precision)

    def _batched(self, most: int) -> Deployment:
        limits, in_flight = self.base.deployment.limits, self.base.load.served.max_batch
        if min(most, limits.max_batch_size) > in_flight:
            raise InputError(f"in flight are {in_flight} at most either way")
        tokens = max(limits.max_num_tokens, most)
        limits = replace(limits, max_batch_size=most, max_num_tokens=tokens)
        return replace(self.base.deployment, limits=limits)

    def _capped(self, limit_w: float) -> Deployment:
        deployment = self.base.deployment
        if limit_w == deployment.gpu.power_limit_w:
            raise InputError("it is set so")
        return replace(deployment, gpu=deployment.gpu.set_to(power_limit_w=limit_w))

    def _on(self, name: str) -> Deployment:
        now = self.base.deployment
        count, board = boards_of(name)
        limits = now.limits if count is None else replace(now.limits, tensor_parallel=count)

        def on(calibration: Any) -> Deployment:
            return deploy(
                now.model,
                board,
                limits=limits,
                precision=now.precision,
                engine=now.calibration.engine,
                traits=now.traits,
                calibration=calibration,
            )

        try:
            return on(self.calibration)
        except InputError:  # constants of one's own board are not those of another
            return on(None)


def _amount(change: Change | None, taken: Taken) -> float:
    """Return how much there is of what changes; where another serves, of energy."""
    if change is None:
        return taken.simulated_per_request_j
    if change == "requests":
        return taken.load.served.max_batch
    return taken.input_tokens if change == "input_tokens" else taken.output_tokens
