"""Which model on which boards: candidates for one load, their energy, and what misses a target."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from sweetspot.ask.candidates import Candidate, Setup, serve
from sweetspot.ask.counts import positive
from sweetspot.ask.lengths import Drawn
from sweetspot.ask.offered import Arrivals, Backlog, Logged, Offered
from sweetspot.ask.rates import Rates
from sweetspot.ask.targets import POWER, Targets
from sweetspot.catalog import Architecture, Gpu, load_model, model_ids
from sweetspot.catalog import gpu as catalog_gpu
from sweetspot.config import GpuSettings, Precision, parse_section
from sweetspot.errors import InputError
from sweetspot.simulator.constants.calibration_file import load_calibration
from sweetspot.simulator.constants.intervals import of_ratio
from sweetspot.simulator.deployment.deployment import asked_limits, longest_sequence
from sweetspot.simulator.schedule.requests import Lengths, Shape

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
Model = str | os.PathLike[str] | Mapping[str, Any] | Architecture


@dataclass(frozen=True, eq=False, kw_only=True)
class Choice:
    """Candidates for a load, the best first. All of it is simulated.

    Attributes:
        candidates: those on the front by energy, then others that meet the targets, then those that
            miss some, the least first, then overloaded ones, likewise, then those that cannot be.
        offered: the load, in words.
        targets: of latency and power.
        rates: what a kWh costs.
        told_of: what kWh, cost and gCO2e are of: `day` or `1000 requests`.
        front_latency: which latency the front is of: `e2e_p95_s`, of a backlog `tpot_p95_s`.
        notes: how a log was understood.
    """

    candidates: tuple[Candidate, ...]
    offered: str
    targets: Targets
    rates: Rates
    told_of: Literal["day", "1000 requests"]
    front_latency: str
    notes: tuple[str, ...] = ()

    @property
    def front(self) -> tuple[Candidate, ...]:
        """Those that meet the targets and have no better, by energy."""
        return tuple(each for each in self.candidates if each.on_front)

    @property
    def best(self) -> Candidate | None:
        """The one that takes the least energy within the targets; None where none meets them."""
        return next(iter(self.front), None)

    @cached_property
    def table(self) -> "pd.DataFrame":
        """All candidates, a row each."""
        import pandas as pd

        rows = [each.values() for each in self.candidates]
        for row in rows:
            over = row.pop("over")
            row |= {f"{name}_over": over.get(name, 0.0) for name in self.targets.given}
        return pd.DataFrame(rows)


def choose(
    models: Model | Iterable[Model] | None = None,
    gpus: str | Gpu | Iterable[str | Gpu] = "h100-sxm",
    *,
    input_tokens: float | None = None,
    output_tokens: float | None = None,
    rate_per_s: float | None = None,
    trace: str | os.PathLike[str] | None = None,
    ttft_p95_s: float | None = None,
    tpot_p95_s: float | None = None,
    e2e_p95_s: float | None = None,
    max_power_w: float | None = None,
    tensor_parallel: int | Sequence[int] = 1,
    max_batch_size: int | Sequence[int] = 1024,
    weights: str | Sequence[str] = "model",
    power_limit_w: float | Sequence[float | None] | None = None,
    replicas: int | Sequence[int] | Literal["auto"] = 1,
    kv_cache: str = "model",
    engine: str | None = None,
    calibration: str | os.PathLike[str] | None = None,
    input_stdev: float = 0.0,
    output_stdev: float = 0.0,
    lengths: Shape = "normal",
    columns: Mapping[str, str] | None = None,
    requests: int | None = None,
    seed: int = 0,
    price_per_kwh: float | None = None,
    gco2_per_kwh: float | None = None,
    pue: float | None = None,
    progress: Callable[[str], None] | None = None,
) -> Choice:
    """Simulate every combination under one load, and say which meets the targets at what energy.

    The load is a Poisson process (`rate_per_s`), a log (`trace`), or neither: a backlog, which is
    worked off as fast as it goes. What may be several is tried with each of the others; a
    combination that cannot be, such as a model that does not fit, is a candidate with its reason.

    Args:
        models: each as of `predict`; None for the catalog's.
        gpus: each a catalog id, or path of a GPU file.
        input_tokens: prompt length of each request, or its mean.
        output_tokens: generated tokens of each, or their mean.
        rate_per_s: requests per s that come, of all replicas together.
        trace: log of requests, as of `cost`, in place of lengths and rate.
        ttft_p95_s: what the 95th percentile of the time to the first token must not pass.
        tpot_p95_s: the same of the time per output token after the first.
        e2e_p95_s: the same of the time to the last token.
        max_power_w: the same of the mean power of all boards of a candidate, hosts left out.
        tensor_parallel: GPUs that share a model.
        max_batch_size: the engine's limit of requests in flight.
        weights: `model` or `fp8`, as of `predict`.
        power_limit_w: of each board, as of `predict`; None for the data sheet's.
        replicas: servers alike among which the load is shared; `auto` for as few as meet the
            targets of latency, 1024 at most.
        kv_cache: `model` or `fp8`.
        engine: as of `predict`.
        calibration: as of `predict`.
        input_stdev: standard deviation of prompt lengths.
        output_stdev: of generated tokens.
        lengths: distribution of lengths that have one.
        columns: of the log, as of `cost`.
        requests: how many are simulated of each candidate, or the first of a log; None for as many
            as 95th percentiles take, or all.
        seed: of arrivals and lengths.
        price_per_kwh: money; None for no cost.
        gco2_per_kwh: g of CO2 equivalents; None for no emissions.
        pue: energy of the site per energy of the boards; None for that of the boards alone.
        progress: called now and then with how far it is, in words.

    Raises:
        InputError: an unknown model, GPU or engine, a number out of range, a load that is none of
            these, or a target of what a backlog has not.
    """
    targets = Targets(
        ttft_p95_s=ttft_p95_s, tpot_p95_s=tpot_p95_s, e2e_p95_s=e2e_p95_s, max_power_w=max_power_w
    )
    rates = Rates(price_per_kwh=price_per_kwh, gco2_per_kwh=gco2_per_kwh, pue=pue)
    architectures = _once(
        each if isinstance(each, Architecture) else load_model(each)
        for each in _several("models", model_ids() if models is None else models)
    )
    boards = _once(
        each if isinstance(each, Gpu) else catalog_gpu(each) for each in _several("gpus", gpus)
    )
    _require_constants(boards, engine, calibration)
    setups = [
        Setup(
            model=model,
            gpu=board,
            tensor_parallel=tp,
            max_batch_size=batch,
            # unknown words are no candidate's reason
            precision=parse_section(Precision, {"weights": stored, "kv_cache": kv_cache}),
            gpu_settings=parse_section(GpuSettings, {"power_limit_w": limit_w}),
        )
        for model, board, tp, batch, stored, limit_w in product(
            architectures,
            boards,
            _counts("tensor_parallel", tensor_parallel),
            _counts("max_batch_size", max_batch_size),
            _once(_several("weights", weights)),
            _once(_several("power_limit_w", power_limit_w)),
        )
    ]
    for setup in setups:  # nor are numbers out of range
        asked_limits(
            setup.model,
            max_batch_size=setup.max_batch_size,
            tensor_parallel=setup.tensor_parallel,
        )
    if requests is not None:
        requests = positive("requests", requests)
    offered: Offered
    if trace is not None:
        if any(each is not None for each in (input_tokens, output_tokens, rate_per_s)):
            raise InputError("a trace says what requests come; leave out lengths and rate")
        offered = Logged(
            path=trace,
            max_seq_len=min(map(longest_sequence, architectures)),
            columns=columns,
            requests=requests,
        )
    else:
        if input_tokens is None or output_tokens is None:
            raise InputError("give input_tokens and output_tokens of requests, or a trace of them")
        of = Drawn(
            inputs=Lengths(mean=input_tokens, stdev=input_stdev, shape=lengths),
            outputs=Lengths(mean=output_tokens, stdev=output_stdev, shape=lengths),
        )
        offered = (
            Backlog(lengths=of, seed=seed, requests=requests)
            if rate_per_s is None
            else Arrivals(rate_per_s=rate_per_s, lengths=of, seed=seed, requests=requests)
        )
    as_few = isinstance(replicas, str) and replicas == "auto"
    counts = [None] if as_few else _counts("replicas", replicas, ", or 'auto' alone")
    if not offered.waits and (counts != [1] or {*targets.given} - {"tpot_p95_s", POWER}):
        raise InputError(
            "replicas and targets of TTFT and E2E are of requests that come over time; give"
            " rate_per_s or a trace"
        )
    found = []
    asked = list(product(setups, counts))
    for index, (setup, count) in enumerate(asked, 1):
        where = f"candidate {index} of {len(asked)}: {setup.words}"
        if progress is not None:
            progress(where)
        found.append(
            serve(
                setup,
                offered,
                targets,
                rates,
                replicas=count,
                engine=engine,
                calibration=calibration,
                progress=_within(progress, where),
            )
        )
    latency = "e2e_p95_s" if offered.waits else "tpot_p95_s"
    return Choice(
        candidates=ranked(found, latency),
        offered=offered.words,
        targets=targets,
        rates=rates,
        told_of="day" if offered.waits else "1000 requests",
        front_latency=latency,
        notes=(
            *(offered.notes if isinstance(offered, Logged) else ()),
            *rates.doubts,
            *targets.doubts,
        ),
    )


def ranked(candidates: Iterable[Candidate], latency: str) -> tuple[Candidate, ...]:
    """Return candidates in the order of `Choice`, with numbers and with who is on the front.

    Args:
        candidates: as they were simulated.
        latency: which of them the front is of.
    """

    def place(each: Candidate) -> tuple[Any, ...]:
        kind = 3 if each.reason else 2 if each.overloaded else 0 if each.meets else 1
        missed = max(each.over.values(), default=0.0)
        if each.overloaded:
            missed = (each.offered_per_s or 0.0) / (each.served_per_s or 1.0)
        return kind, missed, each.energy_per_request_j or 0.0

    def goals(each: Candidate) -> tuple[float, ...]:
        """Return what is better where it is less."""
        return (
            each.energy_per_request_j or 0.0,
            getattr(each, latency) or 0.0,
            -(each.throughput_per_gpu_tokens_per_s or 0.0),
        )

    front: list[Candidate] = []
    others = []
    for each in sorted(candidates, key=lambda each: (*place(each), *goals(each)[1:])):
        # no later one is better in energy, and those like it follow at once
        better = next((one for one in front if _no_worse(goals(one), goals(each))), None)
        if each.meets and better is None:
            front.append(replace(each, on_front=True, number=len(front) + 1))
        else:
            others.append((each, better if each.meets else None))
    best = front[0] if front else None
    numbered = list(front)
    for each, better in others:
        same = better is not None and goals(better) == goals(each)
        number = better.number if better is not None else None
        numbered.append(
            replace(
                each,
                number=len(numbered) + 1,
                same_as=number if same else None,
                dominated_by=None if same else number,
            )
        )
    return tuple(
        replace(each, told_apart=_told_apart(best, each)) if each.meets and best else each
        for each in numbered
    )


def _no_worse(goals: tuple[float, ...], others: tuple[float, ...]) -> bool:
    return all(one <= other for one, other in zip(goals, others, strict=True))


def _told_apart(best: Candidate, other: Candidate) -> bool:
    """Return whether two energies differ by more than their ratio may be off."""
    one, another = best.load, other.load
    if one is None or another is None or not best.energy_per_request_j:
        return False
    known = of_ratio(one.deployment.intervals.energy, another.deployment.intervals.energy)
    return (other.energy_per_request_j or 0.0) / best.energy_per_request_j > known.factor


def _several(name: str, values: Any) -> list[Any]:
    """Return what is one or several as a list."""
    one = isinstance(values, str | os.PathLike | Mapping | Architecture | Gpu | Real | None)
    listed = [values] if one else list(values)
    if not listed:
        raise InputError(f"{name} must name at least one")
    return listed


def _once(values: Iterable[T]) -> list[T]:
    """Return each of some values once; not all of them can be hashed."""
    kept: list[T] = []
    for each in values:
        if each not in kept:
            kept.append(each)
    return kept


def _counts(name: str, values: Any, other: str = "") -> list[int]:
    """Return one or several counts as Python's own integers, each once."""
    return _once(positive(name, each, other) for each in _several(name, values))


def _require_constants(
    boards: Iterable[Gpu], engine: str | None, calibration: str | os.PathLike[str] | None
) -> None:
    """Refuse an engine, or a file of constants, that is of none of the boards."""
    error = None
    for board in boards:
        try:
            load_calibration(board, None if calibration is None else Path(calibration), engine)
        except InputError as refused:
            error = error or refused
        else:
            return
    if error is not None:
        raise error


def _within(progress: Callable[[str], None] | None, where: str) -> Callable[[int], None] | None:
    if progress is None:
        return None
    return lambda ended: progress(f"{where}, {ended} requests have ended")
