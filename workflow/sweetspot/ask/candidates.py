"""A candidate: a model on boards within limits, and what it takes to serve a load; or why not."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from math import ceil
from typing import Any

from sweetspot.ask.load import Simulated
from sweetspot.ask.offered import DAY_S, Offered, Progress, energy_per_request_j
from sweetspot.ask.rates import Rates
from sweetspot.ask.targets import MOST_REPLICAS, POWER, Targets
from sweetspot.catalog import Architecture, Gpu
from sweetspot.config import GpuSettings, Precision
from sweetspot.errors import EngineError, InputError, one_line
from sweetspot.simulator.deployment.deployment import asked_limits, deploy

LATENCIES = {
    "ttft_p95_s": "first_token",
    "tpot_p95_s": "per_output_token",
    "e2e_p95_s": "end_to_end",
}
"""Latencies by the names that targets have, and what a server's run calls them."""
BACKLOG_UNIT = 1000
"""Requests that the energy of a backlog is told of, which has no days."""
_LIGHT = 1.05
"""Requests in an iteration, on average, below which more replicas make no answer come sooner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a candidate is made of."""

    model: Architecture
    gpu: Gpu
    tensor_parallel: int
    max_batch_size: int
    precision: Precision
    gpu_settings: GpuSettings = field(default_factory=GpuSettings)

    @property
    def words(self) -> str:
        """What it is."""
        return f"{self.model.id} on {self.gpu.id}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Candidate:
    """What serves a load, and what that takes. All of it is simulated.

    Numbers are None where nothing could be simulated; latencies also where the load is more than is
    served, or a backlog.

    Attributes:
        number: place in the answer, from 1.
        model, gpu, tensor_parallel, max_batch_size, weights: what it is made of.
        power_limit_w: that each board is set to; None for the data sheet's.
        replicas: servers alike that share the load, each on boards of its own.
        gpus: boards in all.
        reason: why it cannot be served so; empty where it can.
        energy_per_request_j: of all boards, the time included in which they wait.
        energy_per_request_low_j, energy_per_request_high_j: between which a measured one is
            expected.
        ttft_p95_s, tpot_p95_s, e2e_p95_s: latencies, as targets name them.
        throughput_per_gpu_tokens_per_s: output tokens per s and board, as the load comes; of a
            backlog as fast as it goes.
        overloaded: whether the queue grows as long as requests come.
        offered_per_s, served_per_s: requests that then come, and an estimate of how many of them
            are served.
        no_number_meets: whether any number of replicas up to `MOST_REPLICAS` misses targets of
            latency, where that was tried.
        over: by how much of it targets are missed, by their names: 0.2 for 20 %.
        mean_power_w: of all boards, in the steady state, or over a log; hosts are left out.
        idle_share: of the time in which a replica has no request.
        mean_batch: requests in an iteration of a replica.
        batch_limit_binds: whether max_batch_size was ever reached.
        beyond_native_context: whether some I + O is more than the model was published for.
        requests: that a replica was simulated with.
        energy_kwh, cost, gco2e: of a day, or of 1000 requests of a backlog, with PUE; the last two
            where their rate is known.
        engine: whose habits and overheads.
        calibration, calibration_level: constants, and what they rest on.
        interval_level, interval_rests_on: how often the interval of energy holds, and why.
        meets: whether it serves the load within the targets.
        on_front: whether it meets them, and nothing that does is better in one of energy, latency
            and throughput per board and as good in the others.
        same_as, dominated_by: number of a candidate on the front with the same numbers, or better
            ones; None where there is none.
        told_apart: whether its energy is above that of the best by more than their ratio may be
            off, errors of both being independent; None for what misses a target.
        load: the simulated replica.
    """

    number: int = 0
    model: str
    gpu: str
    tensor_parallel: int
    max_batch_size: int
    weights: str
    power_limit_w: float | None = None
    replicas: int
    gpus: int
    reason: str = ""
    energy_per_request_j: float | None = None
    energy_per_request_low_j: float | None = None
    energy_per_request_high_j: float | None = None
    ttft_p95_s: float | None = None
    tpot_p95_s: float | None = None
    e2e_p95_s: float | None = None
    throughput_per_gpu_tokens_per_s: float | None = None
    overloaded: bool = False
    offered_per_s: float | None = None
    served_per_s: float | None = None
    no_number_meets: bool = False
    over: dict[str, float] = field(default_factory=dict)
    mean_power_w: float | None = None
    idle_share: float | None = None
    mean_batch: float | None = None
    batch_limit_binds: bool | None = None
    beyond_native_context: bool | None = None
    requests: int | None = None
    energy_kwh: float | None = None
    cost: float | None = None
    gco2e: float | None = None
    engine: str = ""
    calibration: str = ""
    calibration_level: str = ""
    interval_level: float | None = None
    interval_rests_on: str = ""
    meets: bool = False
    on_front: bool = False
    same_as: int | None = None
    dominated_by: int | None = None
    told_apart: bool | None = None
    load: Simulated | None = field(default=None, repr=False)

    @property
    def in_time(self) -> bool:
        """Whether it serves the load within targets of latency, whatever it draws."""
        return not self.overloaded and not {*self.over} - {POWER}

    @property
    def replicas_needed(self) -> int | None:
        """How many a load that is too much needs, at least, by what each serves; else None."""
        if not self.offered_per_s or not self.served_per_s:
            return None
        return ceil(self.replicas * self.offered_per_s / self.served_per_s)

    def values(self) -> dict[str, Any]:
        """Return all but the load, by name."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "load"}


def serve(
    setup: Setup,
    offered: Offered,
    targets: Targets,
    rates: Rates,
    *,
    replicas: int | None,
    engine: str | None,
    calibration: str | os.PathLike[str] | None,
    progress: Progress | None = None,
) -> Candidate:
    """Return what a setup takes to serve a load.

    Args:
        setup: of one server.
        offered: the load.
        targets: of latency and power.
        rates: what a kWh costs.
        replicas: servers that share it; None for as few as meet the targets of latency.
        engine: as of `simulate_load`.
        calibration: as of `simulate_load`.
        progress: as of `Offered.serve`.
    """
    plain = Candidate(
        model=setup.model.id,
        gpu=setup.gpu.id,
        tensor_parallel=setup.tensor_parallel,
        max_batch_size=setup.max_batch_size,
        weights=setup.precision.weights,
        power_limit_w=setup.gpu_settings.power_limit_w,
        replicas=replicas or 1,
        gpus=(replicas or 1) * setup.tensor_parallel,
    )
    try:
        deployment = deploy(
            setup.model,
            setup.gpu,
            gpu_settings=setup.gpu_settings,
            limits=asked_limits(
                setup.model,
                max_batch_size=setup.max_batch_size,
                tensor_parallel=setup.tensor_parallel,
            ),
            precision=setup.precision,
            engine=engine,
            calibration=calibration,
        )
    except InputError as error:
        return replace(plain, reason=one_line(error))
    if too_long := offered.too_long(deployment):
        return replace(plain, reason=too_long)

    def of(count: int) -> Candidate:
        found = offered.serve(deployment, count, progress)
        return _answered(plain, found, offered, targets, rates, count)

    try:
        return fewest(of) if replicas is None else of(replicas)
    except EngineError as error:  # a request that the KV cache cannot hold
        return replace(plain, reason=one_line(error))


def fewest(of: Callable[[int], Candidate]) -> Candidate:
    """Return the candidate with the fewest replicas that meets the targets of latency.

    Where no number does, that with the fewest that are not overloaded: one more makes answers come
    sooner until hardly two requests meet. Each more draws power while it waits, so what draws too
    much with the fewest is not tried with more.
    """
    known: dict[int, Candidate] = {}

    def at(count: int) -> Candidate:
        if count not in known:
            known[count] = of(count)
        return known[count]

    def is_enough(found: Candidate) -> bool:
        return found.in_time or (no_number_meets and not found.overloaded)

    count, no_number_meets = 1, False
    while not (found := at(count)).in_time and not no_number_meets:
        is_light = not found.overloaded and (found.mean_batch or 0.0) < _LIGHT
        no_number_meets = is_light or count == MOST_REPLICAS
        if not no_number_meets:
            more = 2.0
            if found.overloaded and found.offered_per_s and found.served_per_s:
                more = max(more, found.offered_per_s / found.served_per_s)
            count = min(int(count * more), MOST_REPLICAS)
    failed = max((each for each in known if not is_enough(known[each])), default=0)
    while count - failed > 1:
        middle = (failed + count) // 2
        if is_enough(at(middle)):
            count = middle
        else:
            failed = middle
    return replace(at(count), no_number_meets=no_number_meets)


def _answered(
    plain: Candidate,
    found: Simulated,
    offered: Offered,
    targets: Targets,
    rates: Rates,
    replicas: int,
) -> Candidate:
    """Return a candidate with what the simulated replica, one of so many, says."""
    served, known = found.served, found.deployment.intervals.energy
    overload = offered.overload(served, replicas)
    overloaded = overload is not None
    latencies: dict[str, float | None] = {}
    for name, of_run in LATENCIES.items():
        latency = getattr(served, of_run)
        # that of a queue that grows says how long the run was, and no more
        counts = name == "tpot_p95_s" or (offered.waits and not overloaded)
        latencies[name] = latency.p95_s if counts and latency is not None else None
    counted = offered.counted(served)
    mean_power_w = replicas * counted.mean_power_w
    over = {
        name: value / target - 1
        for name, target in targets.given.items()
        if (value := {**latencies, POWER: mean_power_w}[name]) is not None and value > target
    }
    energy_j = energy_per_request_j(offered, served, replicas)
    low_j, high_j = known.around(energy_j)
    offered_per_s, served_per_s = overload or (None, None)
    per_s = offered.requests_per_s(served, replicas)
    tokens_per_s = per_s * served.output_tokens / served.requests
    told = DAY_S * per_s if offered.waits else BACKLOG_UNIT
    money = {} if overloaded else rates.priced(told * energy_j)
    gpus = replicas * plain.tensor_parallel
    return replace(
        plain,
        replicas=replicas,
        gpus=gpus,
        energy_per_request_j=energy_j,
        energy_per_request_low_j=low_j,
        energy_per_request_high_j=high_j,
        ttft_p95_s=latencies["ttft_p95_s"],
        tpot_p95_s=latencies["tpot_p95_s"],
        e2e_p95_s=latencies["e2e_p95_s"],
        throughput_per_gpu_tokens_per_s=tokens_per_s / gpus,
        offered_per_s=offered_per_s,
        served_per_s=served_per_s,
        overloaded=overloaded,
        over=over,
        mean_power_w=mean_power_w,
        idle_share=served.idle_share,
        mean_batch=counted.mean_batch,
        batch_limit_binds=found.batch_limit_binds,
        beyond_native_context=found.beyond_native_context,
        requests=served.requests,
        energy_kwh=money.get("energy_kwh"),
        cost=money.get("cost"),
        gco2e=money.get("gco2e"),
        engine=found.deployment.calibration.engine,
        calibration=found.deployment.calibration.name,
        calibration_level=found.deployment.calibration.level,
        interval_level=known.level,
        interval_rests_on=known.rests_on,
        meets=not overloaded and not over,
        load=found,
    )
