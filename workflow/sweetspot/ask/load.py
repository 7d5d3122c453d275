"""A server's load, answered by the simulator: any requests, at any times, under any policy."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Literal, get_args

from sweetspot.ask.counts import positive
from sweetspot.catalog import Architecture, load_model
from sweetspot.config import ChosenTraits, GpuSettings, Limits, Precision, Traits
from sweetspot.errors import InputError, shown, unknown_name
from sweetspot.schema.mistakes import MistakesError
from sweetspot.schema.reading import converted
from sweetspot.simulator.constants.intervals import Bounds
from sweetspot.simulator.cost.fastest import clock_of
from sweetspot.simulator.deployment.deployment import Deployment, asked_limits, deploy
from sweetspot.simulator.deployment.shard import shard
from sweetspot.simulator.hours import Hours
from sweetspot.simulator.schedule.in_flight import InFlightBatching, Policy
from sweetspot.simulator.schedule.requests import Request
from sweetspot.simulator.schedule.segments import Scheduler
from sweetspot.simulator.schedule.static import StaticBatching
from sweetspot.simulator.serve import Served, serve

Scheduling = Literal["guaranteed-no-evict", "max-utilization", "static"]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Simulated(Bounds):
    """What the simulator says of one load, and how sure that is. All of it is simulated.

    Attributes:
        energy_per_token_low_j, energy_per_token_high_j: between which a measurement is expected,
            and so on (`Bounds`). They were held against requests that all arrive at once.
        deployment: what served it; energy and power are those of all GPUs that share the model.
        scheduling: policy of in-flight batching, or static batching.
        chunked_prefill: whether prompts could be cut.
        prefix_cache: whether prompts were looked up in one.
        served: energy, time and latencies.
    """

    deployment: Deployment
    scheduling: Scheduling
    chunked_prefill: bool
    prefix_cache: bool
    served: Served
    simulated: bool = True

    @property
    def cache_without_windows(self) -> float | None:
        """How many times the KV cache of a mean request is what it were in the model's windows.

        None where its layers attend to their windows, or where no request is longer than these.
        """
        if not self.deployment.ignores_windows(self.served.max_sequence_tokens):
            return None
        served = self.served
        tokens = -(-(served.input_tokens + served.output_tokens) // served.requests)
        model = self.deployment.model
        kept = shard(model, sliding_windows=True).windows
        in_windows = kept.full_layers * tokens + kept.sliding_layers * kept.attended(tokens)
        return kept.layers * tokens / in_windows

    @property
    def prefix_hit_rate(self) -> float | None:
        """Share of the input tokens that the prefix cache had; None without one."""
        return self.served.cached_tokens / self.served.input_tokens if self.prefix_cache else None

    @property
    def mean_clock_mhz(self) -> float:
        """Mean clock of the multiprocessors over the time that was not idle."""
        return self.served.clock_share * self.deployment.gpu.max_clock_mhz

    @property
    def batch_limit_binds(self) -> bool:
        """Whether as many requests were ever in flight as max_batch_size allows."""
        return self.served.max_batch >= self.deployment.limits.max_batch_size

    @property
    def beyond_native_context(self) -> bool:
        """Whether some I + O is more than the model was published for."""
        return self.served.max_sequence_tokens > self.deployment.model.max_positions


def simulate_load(
    model: str | os.PathLike[str] | Mapping[str, Any] | Architecture,
    gpu: str,
    requests: Iterable[Request],
    *,
    engine: str | None = None,
    gpu_settings: GpuSettings | None = None,
    limits: Limits | None = None,
    precision: Precision | None = None,
    traits: ChosenTraits | Traits | None = None,
    scheduling: Scheduling | None = None,
    chunked_prefill: bool = True,
    prefix_cache: bool = False,
    calibration: str | os.PathLike[str] | None = None,
    power_grid: bool = False,
    hours: Hours | None = None,
    progress: Callable[[int], None] | None = None,
) -> Simulated:
    """Simulate a server that gets these requests, such as those of a `RequestLog` or `generated`.

    Args:
        model: catalog id, path of a Hugging Face `config.json` or its folder, the parsed file, or
            what was made of it.
        gpu: catalog id, or path of a GPU file.
        requests: in the order of arrival; read one at a time.
        engine: whose habits and overheads, such as `vllm`; None for the calibration's, or the
            paper's `tensorrt-llm`.
        gpu_settings: power limit and clock of each board; None for the data sheet's.
        limits: of the engine; None for the defaults of the configuration, with sequences as long as
            the model can hold.
        precision: what weights and KV cache are stored in; None for the checkpoint's 16 bits.
        traits: whether the engine honours sliding windows, and whose CUDA graphs pad its steps;
            what is None is as the engine does.
        scheduling: who runs when; None for the engine's own: static batches, or in-flight batching
            that evicts nobody.
        chunked_prefill: whether prompts may be cut; static batching never cuts any.
        prefix_cache: whether what a prompt has in common with earlier ones, by its requests'
            `prefix` or `cached_tokens`, is not processed anew; static batching has none.
        calibration: the simulator's constants; None for those that ship.
        power_grid: whether to keep power over time.
        hours: filled with what each hour takes, where that is asked for.
        progress: called now and then with the number of requests that have ended.

    Raises:
        InputError: an unknown model, GPU or engine, a model that does not fit, settings that the
            GPU cannot have, max_seq_len beyond what the model is simulated for, or a request beyond
            max_seq_len; and what reading them raises.
        EngineError: a request does not fit in the KV cache or in max_num_tokens.
        ValueError: there are no requests, or they are out of order.
    """
    architecture = model if isinstance(model, Architecture) else load_model(model)
    deployment = deploy(
        architecture,
        gpu,
        gpu_settings=gpu_settings,
        limits=limits or asked_limits(architecture),
        precision=precision,
        engine=engine,
        traits=traits,
        calibration=calibration,
    )
    return simulate_deployed(
        deployment,
        requests,
        scheduling=scheduling,
        chunked_prefill=chunked_prefill,
        prefix_cache=prefix_cache,
        power_grid=power_grid,
        hours=hours,
        progress=progress,
    )


def simulate_deployed(
    deployment: Deployment,
    requests: Iterable[Request],
    *,
    scheduling: Scheduling | None = None,
    chunked_prefill: bool = True,
    prefix_cache: bool = False,
    power_grid: bool = False,
    hours: Hours | None = None,
    progress: Callable[[int], None] | None = None,
) -> Simulated:
    """Simulate a server that is deployed; arguments and errors are those of `simulate_load`."""
    bounds = deployment.bounds
    deployment.require_simulated_length()
    if scheduling is None:
        scheduling = "static" if deployment.traits.static_batching else "guaranteed-no-evict"
    if scheduling not in get_args(Scheduling):
        raise unknown_name("scheduling", str(scheduling), get_args(Scheduling))
    deployment = deployment.with_traits(static_batching=scheduling == "static")
    if prefix_cache:
        _require_prefixes(deployment)
    scheduler: Scheduler
    requests = _within(requests, deployment.limits.max_seq_len)
    if scheduling == "static":
        scheduler = StaticBatching(requests, bounds)
    else:
        scheduler = InFlightBatching(
            requests,
            bounds,
            policy=Policy(scheduling),
            chunked_prefill=chunked_prefill,
            prefix_cache=prefix_cache,
        )
    served = serve(
        scheduler, clock_of(deployment), power_grid=power_grid, hours=hours, progress=progress
    )
    known = deployment.intervals
    return Simulated(
        **asdict(known.bounds(served.energy_per_token_j, served.throughput_tokens_per_s)),
        deployment=deployment,
        scheduling=scheduling,
        chunked_prefill=chunked_prefill and scheduling != "static",
        prefix_cache=prefix_cache,
        served=served,
    )


def _require_prefixes(deployment: Deployment) -> None:
    """Refuse a prefix cache where none is."""
    if deployment.traits.static_batching:
        raise InputError(
            "static batching keeps nothing of earlier prompts; leave out prefix_cache, or choose"
            " another engine or scheduling"
        )
    if deployment.model.state_layers:
        raise InputError(
            f"{deployment.model.id} has layers with a state, of which a prefix cache would need"
            " copies; that is not modelled; leave out prefix_cache"
        )


def _within(requests: Iterable[Request], max_seq_len: int) -> Iterator[Request]:
    """Yield the requests up to one that makes no sense, or is too long."""
    for number, given in enumerate(requests, 1):
        if not isinstance(given, Request):
            raise InputError(f"request {number} must be a sweetspot.Request, not {shown(given)}")
        plain = type(given.input_tokens) is type(given.output_tokens) is int
        plain = plain and type(given.arrival_s) is float
        request = given if plain else _own_numbers(number, given)
        arrival_s, inputs, outputs, _, cached = request
        if cached < 0:
            raise InputError(f"request {number}: cached_tokens must be 0 or more, not {cached}")
        if not isfinite(arrival_s):
            raise InputError(f"request {number}: arrival_s must be finite, not {arrival_s}")
        if inputs < 1 or outputs < 1:
            raise InputError(f"request {number} must have at least 1 token each way")
        if inputs + outputs > max_seq_len:
            raise InputError(
                f"request {number} of {inputs} + {outputs} tokens is"
                f" longer than max_seq_len {max_seq_len}; shorten it or raise max_seq_len"
            )
        yield request


def _own_numbers(number: int, request: Request) -> Request:
    """Return a request in Python's numbers: integers of numpy would overflow in sums."""
    inputs, outputs = (
        positive(f"request {number}: {name}", getattr(request, name))
        for name in ("input_tokens", "output_tokens")
    )
    try:
        arrival_s = converted(float, request.arrival_s)
    except MistakesError as error:
        why = f"arrival_s must be a number, not {shown(request.arrival_s)}"
        raise InputError(f"request {number}: {why}") from error
    return request._replace(arrival_s=arrival_s, input_tokens=inputs, output_tokens=outputs)
