"""Advice: energy along the output length, and what would save some of it, model by model."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast

from sweetspot.ask.advice.along import WAVES, Along, along, along_fit
from sweetspot.ask.advice.levers import ALIKE, Lever, Levers, Tried, boards_of, evidence, speed
from sweetspot.ask.advice.taken import Taken, take
from sweetspot.ask.counts import positive
from sweetspot.ask.lengths import Drawn, RequestLengths, read_lengths
from sweetspot.ask.offered import Arrivals, Backlog, Logged, Offered
from sweetspot.ask.predict import require_length
from sweetspot.ask.rates import Rates, Row
from sweetspot.ask.workload import Workload
from sweetspot.catalog import Architecture, load_model
from sweetspot.config import ChosenTraits, GpuSettings, Precision
from sweetspot.errors import InputError
from sweetspot.simulator.constants.intervals import of_ratio
from sweetspot.simulator.deployment.deployment import Deployment, asked_limits, deploy
from sweetspot.simulator.schedule.requests import Lengths

if TYPE_CHECKING:
    import pandas as pd

LEAST, MORE = "least energy", "more"
Model = str | os.PathLike[str] | Mapping[str, Any] | Architecture


@dataclass(frozen=True, eq=False, kw_only=True)
class Advised:
    """What is said of one model.

    Attributes:
        along: energy along the output length.
        taken: what the requests take as they are served now.
        levers: what would save some of it, in no order of merit.
        evidence: what the numbers of `taken` rest on.
    """

    along: Along
    taken: Taken
    levers: tuple[Lever, ...]
    evidence: str

    @property
    def model(self) -> str:
        """Its id."""
        return self.taken.deployment.model.id


@dataclass(frozen=True, eq=False, kw_only=True)
class Advice:
    """What is said of all models. All of it is simulated, but for what rests on your own fit.

    Attributes:
        models: one by one, as they were asked for.
        rates: what a kWh costs.
        notes: what to know before relying on it, in sentences.
    """

    models: tuple[Advised, ...]
    rates: Rates
    notes: tuple[str, ...]

    @cached_property
    def curve(self) -> "pd.DataFrame":
        """Energy along the output length: a row a model and length."""
        import pandas as pd

        return pd.DataFrame(
            [
                {"model": each.model, "input_tokens": each.along.input_tokens, **row}
                for each in self.models
                for row in each.along.rows
            ]
        )

    @cached_property
    def levers(self) -> "pd.DataFrame":
        """What would save energy: a row a model and lever."""
        import pandas as pd

        return pd.DataFrame(
            [
                {"model": each.model, **lever.values(self.rates)}
                for each in self.models
                for lever in each.levers
            ]
        )

    @cached_property
    def in_all(self) -> "pd.DataFrame":
        """What the requests take of each model, as they are served now: a row a model."""
        import pandas as pd

        return pd.DataFrame(self.totals())

    def totals(self) -> list[Row]:
        """Return what the requests take, and whether a model can be told from the cheapest."""
        cheapest = min(self.models, key=lambda each: each.taken.energy_per_request_j)
        rows = []
        for each in self.models:
            taken, known = each.taken, each.taken.interval
            low_j, high_j = known.around(taken.energy_per_request_j)
            least = cheapest.taken
            ratio = taken.energy_per_request_j / least.energy_per_request_j
            apart, _ = of_ratio(known, least.interval).around(ratio)
            verdict = LEAST if each is cheapest else ALIKE if apart <= 1 else MORE
            verdict = verdict if len(self.models) > 1 else ""
            a_day_j = taken.energy_per_request_j * taken.requests_per_day
            rows.append(
                {
                    "model": each.model,
                    "gpu": taken.deployment.gpu.id,
                    "input_tokens": taken.input_tokens,
                    "output_tokens": taken.output_tokens,
                    "energy_per_request_j": taken.energy_per_request_j,
                    "energy_per_request_low_j": low_j,
                    "energy_per_request_high_j": high_j,
                    "interval_level": known.level,
                    "interval_models": known.models,
                    "energy_per_token_j": taken.energy_per_token_j,
                    "requests_per_day": taken.requests_per_day,
                    "energy_j": a_day_j,
                    **self.rates.priced(a_day_j),
                    **speed(taken),
                    "one_serves_per_s": taken.one_serves_per_s,
                    "verdict": verdict,
                    "evidence": each.evidence,
                    "interval_rests_on": known.rests_on,
                }
            )
        return rows

    def values(self) -> dict[str, Any]:
        """Return all of it as data for JSON."""
        totals = self.totals()
        return {
            "models": [
                total
                | {
                    "curve": each.along.rows,
                    "curve_simulated": each.along.simulated,
                    "sweet_spot": {"output_tokens": each.along.sweet_spot_tokens}
                    | each.along.found,
                    "asked_output_tokens": each.along.asked_output_tokens,
                    "lost_percent": each.along.lost_percent,
                    "lost_per_request_j": each.along.lost_per_request_j,
                    "levers": [lever.values(self.rates) for lever in each.levers],
                }
                for each, total in zip(self.models, totals, strict=True)
            ],
            "rates": asdict(self.rates),
            "notes": self.notes,
            "simulated": True,
        }


def advise(
    model: Model | Sequence[Model],
    gpu: str,
    *,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    trace: str | os.PathLike[str] | None = None,
    lengths: str | os.PathLike[str] | None = None,
    rate_per_s: float | None = None,
    output_range: tuple[int, int] | None = None,
    truncate_input: int | None = None,
    limit_output: int | None = None,
    limit_batch: int | None = None,
    cap_power_w: float | None = None,
    other_gpus: Sequence[str] | None = None,
    cells: "str | os.PathLike[str] | pd.DataFrame | None" = None,
    price_per_kwh: float | None = None,
    gco2_per_kwh: float | None = None,
    pue: float | None = None,
    columns: Mapping[str, str] | None = None,
    engine: str | None = None,
    gpu_settings: GpuSettings | None = None,
    limits: Mapping[str, Any] | None = None,
    precision: Precision | None = None,
    traits: ChosenTraits | None = None,
    calibration: str | os.PathLike[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Advice:
    """Say what tokens cost along the output length, and what would save some of it.

    Requests are all alike (`input_tokens`), those of a log at its times (`trace`), or of the
    lengths in a table (`lengths`). With a rate they come as a Poisson process, and boards wait in
    between; without one boards are kept full. Several models are set side by side, and what would
    save energy is then looked at where some of it is named (`truncate_input` and so on).

    Args:
        model: as of `simulate_load`, or several.
        gpu: as of `simulate_load`.
        input_tokens: prompt length of each request.
        output_tokens: generated tokens of each; None for the length that costs least per token.
        trace: a log, as of `cost`.
        lengths: a table of input and output lengths, with or without how often they are.
        rate_per_s: requests a second.
        output_range: shortest and longest output to look at; None: around the sweet spot.
        truncate_input: prompt tokens at most, to be looked at; where nothing is named, half of
            them, or of lengths that differ their mean.
        limit_output: generated tokens at most; likewise.
        limit_batch: another max_batch_size; where nothing is named, twice as much where it binds,
            or else half of the requests in flight.
        cap_power_w: power limit of each board; where nothing is named, 70 % of its own.
        other_gpus: other boards, `2xl40s` for two that share the model; where nothing is named,
            some of the catalog.
        cells: measurements of one's own, as of `sweetspot.fit`: Eq. 5 fitted to them says the
            energy along the output length, and with boards kept full what other lengths save.
        price_per_kwh: as of `cost`.
        gco2_per_kwh: as of `cost`.
        pue: as of `cost`.
        columns: as of `cost`.
        engine: as of `simulate_load`.
        gpu_settings: as of `simulate_load`.
        limits: of the engine, by name; what is not there has its default.
        precision: as of `simulate_load`.
        traits: as of `simulate_load`.
        calibration: as of `simulate_load`.
        progress: called with what is looked at next.

    Raises:
        InputError: as of `cost`, or what was asked makes no sense together.
        EngineError: a request does not fit in the KV cache.
    """
    rates = Rates(price_per_kwh=price_per_kwh, gco2_per_kwh=gco2_per_kwh, pue=pue)
    tried = Tried(
        truncate_input=_count("truncate_input", truncate_input),
        limit_output=_count("limit_output", limit_output),
        limit_batch=_count("limit_batch", limit_batch),
        cap_power_w=cap_power_w,
        other_gpus=other_gpus,
    )
    for board in other_gpus or ():
        boards_of(board)  # a mistyped name costs no simulation
    several = isinstance(model, Sequence) and not isinstance(model, str)
    models = cast("Sequence[Model]", model if several else [model])
    deployments: list[Deployment] = []
    for each in models:
        architecture = each if isinstance(each, Architecture) else load_model(each)
        deployments.append(
            deploy(
                architecture,
                gpu,
                gpu_settings=gpu_settings,
                limits=asked_limits(architecture, **(limits or {})),
                precision=precision,
                engine=engine,
                traits=traits,
                calibration=calibration,
            )
        )
    if not deployments:
        raise InputError("name at least one model")
    if cap_power_w is not None:
        deployments[0].gpu.set_to(power_limit_w=cap_power_w)  # a limit that the board has not
    _require_one(input_tokens=input_tokens, trace=trace, lengths=lengths)
    if output_tokens is not None and input_tokens is None:
        raise InputError("a trace or a table says how long outputs are; leave out output_tokens")
    if trace is not None and rate_per_s is not None:
        raise InputError(
            "a trace has times of its own; leave out the rate, or give the trace as lengths"
        )
    input_tokens = _count("input_tokens", input_tokens)
    output_tokens = _count("output_tokens", output_tokens)
    max_seq_len = min(each.limits.max_seq_len for each in deployments)
    source: Offered | None = None
    if trace is not None:
        source = Logged(path=trace, max_seq_len=max_seq_len, columns=columns)
    elif lengths is not None:
        of = read_lengths(lengths, max_seq_len=max_seq_len, columns=columns)
        source = _coming(of, rate_per_s)
    say = progress or (lambda what: None)
    advised: list[Advised] = []
    of_cells: tuple[str, ...] = ()
    for deployment in deployments:
        name = deployment.model.id
        say(f"{name}: energy along the output length")
        own = None
        if cells is not None:
            from sweetspot.ask.advice.own_fit import own_fit

            own = own_fit(cells, deployment, columns, alone=len(deployments) == 1)
            of_cells = own.found.notes  # the same for each model
        find = partial(along, deployment) if own is None else partial(along_fit, own)
        if source is None:
            assert input_tokens is not None  # noqa: S101 - as required
            require_length(deployment, input_tokens, output_tokens or 1)
            Workload(deployment, 1, input_tokens).simulate(output_tokens or 1)  # the cache holds it
            found = find(input_tokens, output_range, output_tokens)
            outputs = output_tokens or found.sweet_spot_tokens
            alike = Drawn(inputs=Lengths(mean=input_tokens), outputs=Lengths(mean=outputs))
            taken = take(deployment, _coming(alike, rate_per_s), own)
        else:
            taken = take(deployment, source, own)
            means = round(taken.input_tokens), round(taken.output_tokens)
            found = find(means[0], output_range, means[1])
        levers, pulled = Levers(taken, tried, calibration), []
        steps = list(levers.steps()) if len(deployments) == 1 or tried.names_some else []
        for number, step in enumerate(steps, 1):
            say(f"{name}: {step.name} ({number} of {len(steps)})")
            pulled.append(levers.pull(step))
        advised.append(
            Advised(along=found, taken=taken, levers=tuple(pulled), evidence=evidence(taken))
        )
    notes = (*of_cells, *_notes(advised, source), *rates.doubts)
    return Advice(models=tuple(advised), rates=rates, notes=notes)


def _coming(lengths: RequestLengths, rate_per_s: float | None) -> Offered:
    """Return requests at a rate, or so many that boards are kept full."""
    if rate_per_s is None:
        return Backlog(lengths=lengths, whole_batches=WAVES)
    return Arrivals(rate_per_s=rate_per_s, lengths=lengths)


def _count(name: str, value: object) -> int | None:
    return None if value is None else positive(name, value)


def _require_one(**sources: object) -> None:
    """Refuse none, or several, of what says which requests there are."""
    given = [name for name, value in sources.items() if value is not None]
    if len(given) != 1:
        named = f"not {' and '.join(given)}" if given else "and none was"
        raise InputError(
            f"requests are said by one of input_tokens, trace and lengths, {named}; name one"
        )


def _of_cells(advised: Advised) -> list[str]:
    """Return what measured cells say nothing of."""
    taken, along = advised.taken, advised.along
    if along.simulated:
        return []
    if taken.own is None:
        return [
            "Warning: energy of a request is simulated, without your cells, which are of boards"
            " kept full and of the lengths that were measured"
        ]
    measured, most = taken.own.in_flight, taken.load.served.max_batch
    # Fewer than measured may also be what the cache has room for.
    if measured and (most > measured or taken.deployment.limits.max_batch_size < measured):
        return [
            f"Warning: energy is of {measured} requests at once, as your cells, and requests a day"
            f" are of {most}; set max_batch_size to {measured} to have both of one load"
        ]
    return []


def _notes(advised: Sequence[Advised], source: Offered | None) -> list[str]:
    """Return what to know before relying on it."""
    notes = list(source.notes) if isinstance(source, Logged) else []
    for each in advised:
        taken = each.taken
        if taken.one_serves_per_s is not None:
            notes.append(
                f"overload: {each.model} gets {taken.requests_per_s:.4g} requests/s, and one server"
                f" answers {taken.one_serves_per_s:.3g}; {taken.servers} share them"
            )
        notes += [f"{each.model}: {note}" for note in (*each.along.notes, *_of_cells(each))]
    never = {
        kind: None
        for each in advised
        for taken in (each.taken, *(lever.taken for lever in each.levers))
        if taken is not None
        for kind in taken.deployment.no_energy_of
    }
    if never:
        notes.append(
            f"the simulator was held against no energy of {' or '.join(never)}: these lines rest on"
            " its laws alone"
        )
    speeds = [each.taken.deployment.intervals.throughput for each in advised]
    if any(each.taken.boards > 1 for each in advised) and advised[0].taken.offered.waits:
        worst = max(speeds, key=lambda each: each.factor)
        notes.append(f"how many boards keep up is as sure as throughput is: {worst.words}")
    if advised[0].taken.offered.waits:
        notes.append(
            "intervals are those of full batches; nothing was measured of boards that wait, but"
            " what one draws"
        )
    return notes
