"""The cost of single segments, fast: what `work` and `cost` say, laid out in tables.

`cost` takes arrays; called for one segment at a time, as arrivals demand, it would spend all its
time in numpy. But before the power limit an iteration's time and energy are sums of a term of its
tokens, one of its output rows, and products with counts, so all of them can be asked for once.
Nothing of the physics is repeated here: the terms are differences of `cost`'s answers, and a test
holds that the sums are its answers again. What full and sliding layers read goes in as their mean.
"""

from dataclasses import replace
from math import inf
from typing import NamedTuple, Self

import numpy as np

from sweetspot.catalog.architecture import Architecture
from sweetspot.catalog.gpus import Gpu
from sweetspot.simulator.constants.constants import Constants
from sweetspot.simulator.cost.decode_steps import DecodeSteps
from sweetspot.simulator.cost.roofline import cost, headroom_w
from sweetspot.simulator.cost.work import FloatArray, work
from sweetspot.simulator.deployment.deployment import Deployment
from sweetspot.simulator.deployment.scheduler_limits import SchedulerLimits
from sweetspot.simulator.deployment.shard import as_shard
from sweetspot.simulator.schedule.identical import IntArray, Schedule
from sweetspot.simulator.schedule.segments import Ran, Segment

# Slopes are differences over this many, beside which the constant part is rounding only.
FAR = 2**40


class _Terms(NamedTuple):
    """Time in s, or dynamic energy in J, of an iteration before the power limit.

    Iterations of decode alone have tables by requests, those with prompts by tokens and by rows.
    """

    decode: list[float]
    decode_per_context: list[float]
    tokens: list[float]
    rows: list[float]
    per_decode: float
    per_context: float
    per_pair: float
    per_prompt_context: float
    per_prompt: float

    def with_prompts(
        self, segment: Segment, context: float, pairs: float, prompt_context: float
    ) -> float:
        """Return what an iteration with prompts takes, with attention as a layer has it."""
        decodes = segment.decodes
        return (
            self.tokens[decodes + segment.prompt_tokens]
            + self.rows[decodes + segment.prompts_finished]
            + self.per_decode * decodes
            + self.per_context * context
            + self.per_pair * pairs
            + self.per_prompt_context * prompt_context
            + self.per_prompt * segment.prompts
        )


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
        """Ask `cost` for every term that iterations within the limits have."""
        part = as_shard(architecture)
        self._active_w = constants.active_power_w
        self._gpus = part.gpus
        self._sliding_share = part.sliding_layers / part.attention_layers
        self._headroom_w = headroom_w(gpu, constants)
        full = replace(part, sliding_window=None, sliding_layers=0)
        self._time_s, self._dynamic_j = _probed(full, gpu, constants, limits)

    def run(self, segment: Segment, now_s: float) -> Ran:
        """Return what the segment takes if it begins at `now_s`; a wait draws active power."""
        context: float = segment.decode_context
        growth: float = segment.decodes
        pairs: float = segment.prompt_pairs
        earlier: float = segment.prompt_context
        if share := self._sliding_share:
            context += share * (segment.sliding_context - context)
            growth += share * (segment.sliding_decodes - growth)
            pairs += share * (segment.sliding_pairs - pairs)
            earlier += share * (segment.sliding_prompt_context - earlier)
        if segment.prompt_tokens:
            dynamic_j = self._dynamic_j.with_prompts(segment, context, pairs, earlier)
            time_s = self._time_s.with_prompts(segment, context, pairs, earlier)
            return self._ran(1, max(time_s, dynamic_j / self._headroom_w), dynamic_j)
        wait_s = segment.wake_s - now_s
        if not segment.iterations:
            return self._ran(0, wait_s, 0.0)
        decodes = segment.decodes
        per_context_s = self._time_s.decode_per_context[decodes]
        per_context_j = self._dynamic_j.decode_per_context[decodes]
        first_j = self._dynamic_j.decode[decodes] + per_context_j * context
        growth_j = per_context_j * growth
        count, duration_s = DecodeSteps(
            self._time_s.decode[decodes] + per_context_s * context,
            per_context_s * growth,
            first_j / self._headroom_w,
            growth_j / self._headroom_w,
        ).until(wait_s, segment.iterations)
        dynamic_j = count * first_j + growth_j * (count * (count - 1) / 2)
        return self._ran(count, duration_s, dynamic_j)

    def _ran(self, iterations: int, duration_s: float, dynamic_j: float) -> Ran:
        """Return what came of a segment, from the dynamic energy of one GPU."""
        energy_j = self._gpus * (self._active_w * duration_s + dynamic_j)
        return Ran(iterations, duration_s, energy_j)


def _probed(
    architecture: Architecture, gpu: Gpu, constants: Constants, limits: SchedulerLimits
) -> tuple[_Terms, _Terms]:
    """Return the terms of time and of dynamic energy."""
    # No power limit leaves the roofline's time, no active power the dynamic energy.
    unlimited, dynamic = replace(gpu, power_limit_w=inf), replace(constants, active_power_w=0.0)

    def probe(size: int = 1, **columns: int | IntArray) -> FloatArray:
        """Return time and energy, (2, size), of iterations that have these counts and no other."""
        found = cost(
            work(architecture, _iterations(size, columns), limits.graphs), unlimited, dynamic
        )
        return np.stack([found.duration_s, found.energy_j])

    batch = limits.max_batch_size
    by_batch, by_tokens = np.arange(batch + 1), np.arange(max(limits.max_num_tokens, batch + 1) + 1)
    decode = probe(batch + 1, decodes=by_batch)
    far = probe(batch + 1, decodes=by_batch, decode_context=FAR)
    tokens = probe(by_tokens.size, prompt_tokens=by_tokens)
    rows = probe(batch + 1, prompts_finished=by_batch) - probe()
    one = tokens[:, 1:2]
    decodes = probe(decodes=batch, prompt_tokens=1)
    slopes = [
        (decodes - tokens[:, batch + 1 : batch + 2] - rows[:, -1:]) / batch,
        (probe(decodes=batch, prompt_tokens=1, decode_context=FAR) - decodes) / FAR,
        (probe(prompt_tokens=1, prompt_pairs=FAR) - one) / FAR,
        (probe(prompt_tokens=1, prompt_context=FAR) - one) / FAR,
        (probe(prompt_tokens=1, prompts=FAR) - one) / FAR,
    ]
    time_s, dynamic_j = (
        _Terms(
            decode[i].tolist(),
            ((far - decode)[i] / FAR).tolist(),
            tokens[i].tolist(),
            rows[i].tolist(),
            *(slope[i].item() for slope in slopes),
        )
        for i in range(2)
    )
    return time_s, dynamic_j


def _iterations(size: int, columns: dict[str, int | IntArray]) -> Schedule:
    """Return single iterations with the given counts; those not given are 0."""
    counts = dict.fromkeys(Schedule.__dataclass_fields__, 0) | {"iterations": 1} | columns
    return Schedule(**{name: np.full(size, value) for name, value in counts.items()})
