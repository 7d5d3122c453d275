"""Energy of a workload that nobody measured, from the model's shape and the GPU's data sheet."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal

from sweetspot.ask.counts import positive
from sweetspot.ask.sweet_spot import SweetSpot, find_sweet_spot
from sweetspot.ask.workload import Workload
from sweetspot.catalog import load_model
from sweetspot.cells.cell import MAX_REQUESTS
from sweetspot.config import ChosenTraits, GpuSettings, Precision, parse_section
from sweetspot.errors import InputError
from sweetspot.simulator.constants.intervals import Bounds
from sweetspot.simulator.deployment.deployment import Deployment, asked_limits, deploy

BoundedBy = Literal["requests", "max_batch_size", "KV cache", "max_num_tokens"]


@dataclass(frozen=True, kw_only=True)
class Prediction(Bounds):
    """What the simulator says of one workload, and how sure that is. All of it is simulated.

    Attributes:
        energy_per_token_low_j, energy_per_token_high_j: between which a measurement is expected,
            and so on (`Bounds`).
        engine, engine_version: whose habits and overheads; the version where it is known.
        energy_per_token_j: J per output token, e = E / (N·O).
        tokens_per_j: its reciprocal.
        throughput_tokens_per_s: output tokens per second, all requests together.
        duration_s: from the first request to the last token.
        mean_power_w: of all boards together over that time.
        mean_clock_mhz: of the multiprocessors, while iterations run.
        host_bound_share: share of that time in which the GPU waits for the host.
        max_concurrency: most requests in flight that batch limit and KV cache allow.
        bounded_by: what bounds the batch: `requests` where all of them are in flight at once, else
            `max_batch_size`, `KV cache`, or `max_num_tokens` of a static batch.
        max_seq_len: longest sequence considered.
        beyond_native_context: I + O is more than the model was published for.
        calibration, calibration_level: which constants, and what they rest on.
        power_limit_w: of each board.
        clock_mhz: that each is locked at; None where it is free to run at its highest.
        gpu_settings: what of these is not the data sheet's, in words; empty if nothing is. No
            measurement stands behind such settings.
        tensor_parallel: GPUs that share the model.
        weights, kv_cache: as asked for, `model` (as the checkpoint has them) or `fp8`.
        quantization: what they are stored in, in words; empty for 16 bits.
        sliding_windows: whether the model has sliding layers and they attend to their window only.
        energy_per_token_in_windows_j: J per output token if they did; None where they do, or where
            no request is longer than the window.
        cuda_graphs: whose graphs pad steps: `none`, `vllm` or `tensorrt-llm`.
        static_batching: whether each batch runs until it is done, before the next begins.
    """

    model: str
    gpu: str
    engine: str
    engine_version: str
    input_tokens: int
    output_tokens: int
    requests: int
    max_batch_size: int
    energy_per_token_j: float
    tokens_per_j: float
    throughput_tokens_per_s: float
    duration_s: float
    mean_power_w: float
    mean_clock_mhz: float
    host_bound_share: float
    max_concurrency: int
    bounded_by: BoundedBy
    max_seq_len: int
    beyond_native_context: bool
    calibration: str
    calibration_level: str
    power_limit_w: float
    clock_mhz: float | None
    gpu_settings: str
    tensor_parallel: int
    weights: str
    kv_cache: str
    quantization: str
    sliding_windows: bool
    energy_per_token_in_windows_j: float | None
    cuda_graphs: str
    static_batching: bool
    simulated: bool = True
    workload: Workload = field(repr=False, compare=False)

    @cached_property
    def sweet_spot(self) -> SweetSpot:
        """Which output length has the least energy per token at this input length.

        Other things equal, and up to sequences of max_seq_len; it is searched when it is first
        asked for, in some 200 simulations.
        """
        return find_sweet_spot(self.workload)

    @property
    def sweet_spot_output_tokens(self) -> int:
        """The length that `sweet_spot` recommends."""
        return self.sweet_spot.output_tokens

    @property
    def sweet_spot_tokens_per_j(self) -> float:
        """Efficiency there."""
        return self.sweet_spot.tokens_per_j

    def values(self) -> dict[str, Any]:
        """Return all that is known without a search, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "workload"}


def predict(
    model: str | os.PathLike[str] | Mapping[str, Any],
    gpu: str,
    input_tokens: int,
    output_tokens: int,
    requests: int = 1000,
    max_batch_size: int = 1024,
    *,
    engine: str | None = None,
    power_limit_w: float | None = None,
    clock_mhz: float | None = None,
    calibration: str | os.PathLike[str] | None = None,
    max_num_tokens: int | None = None,
    max_seq_len: int | None = None,
    kv_cache_memory_fraction: float | None = None,
    tokens_per_block: int | None = None,
    tensor_parallel: int = 1,
    weights: str = "model",
    kv_cache: str = "model",
    sliding_windows: bool | None = None,
    cuda_graphs: str | None = None,
) -> Prediction:
    """Simulate `requests` identical requests, sent at once.

    What is None has the default of the configuration's section `limits` (docs/configuration.md),
    except that `max_num_tokens` grows with the batch and `max_seq_len` is the model's context.

    Args:
        model: catalog id, path of a Hugging Face `config.json` or its folder, or the parsed file.
        gpu: catalog id.
        input_tokens: prompt length I of each request.
        output_tokens: generated tokens O of each request.
        requests: N.
        max_batch_size: the engine's limit of requests in flight.
        engine: whose habits and overheads: `tensorrt-llm`, `vllm`, `vllm-uncompiled` or
            `transformers`; None for the calibration's, or the paper's `tensorrt-llm`.
        power_limit_w: of each board; None for the data sheet's.
        clock_mhz: that each board is locked at; None for none.
        calibration: the simulator's constants; None for those that ship.
        max_num_tokens: tokens of one iteration, prefill and decode together.
        max_seq_len: longest sequence that the sweet spot is looked for in, in tokens.
        kv_cache_memory_fraction: share of the free memory that the KV cache takes, 0 to 1.
        tokens_per_block: of the KV cache.
        tensor_parallel: GPUs that share each layer, 1 to 8; energy is that of all of them.
        weights: `model` for what the checkpoint holds, `fp8` for the layers' matrices in FP8.
        kv_cache: `model` or `fp8`.
        sliding_windows: whether sliding layers attend to, and keep, their window only, as with
            vLLM; trtllm-bench sets no window. None: as the engine does.
        cuda_graphs: whose CUDA graphs pad steps to their captured sizes: `none`, `vllm` or
            `tensorrt-llm` (its PyTorch backend). None: the engine's own.

    Raises:
        InputError: an unknown model, GPU or engine, a number that is not a positive integer, a
            sequence beyond the model's context, a model that does not fit in the GPU's memory or
            that so many GPUs cannot share, FP8 on a GPU without it, settings that the GPU cannot
            have, or a word that is none of those above.
        EngineError: the KV cache cannot hold one request.
    """
    input_tokens = positive("input_tokens", input_tokens)
    output_tokens = positive("output_tokens", output_tokens)
    requests = positive("requests", requests)
    if requests > MAX_REQUESTS:
        raise InputError(
            f"requests {requests} is more than {MAX_REQUESTS}; energy per token no longer changes"
            " with so many, so ask for fewer"
        )
    sequence = input_tokens + output_tokens
    architecture = load_model(model)
    limits = asked_limits(
        architecture,
        max_batch_size=positive("max_batch_size", max_batch_size),
        max_num_tokens=max_num_tokens,
        max_seq_len=max_seq_len,
        kv_cache_memory_fraction=kv_cache_memory_fraction,
        tokens_per_block=tokens_per_block,
        tensor_parallel=positive("tensor_parallel", tensor_parallel),
    )
    deployment = deploy(
        architecture,
        gpu,
        gpu_settings=parse_section(
            GpuSettings, {"power_limit_w": power_limit_w, "clock_mhz": clock_mhz}
        ),
        limits=limits,
        precision=parse_section(Precision, {"weights": weights, "kv_cache": kv_cache}),
        engine=engine,
        traits=parse_section(
            ChosenTraits, {"sliding_windows": sliding_windows, "cuda_graphs": cuda_graphs}
        ),
        calibration=calibration,
    )
    require_length(deployment, input_tokens, output_tokens)
    run = Workload(deployment, requests, input_tokens)
    answer = run.simulate(output_tokens)
    energy_j, board = answer.energy_j, deployment.gpu
    per_token_j, rate = energy_j / answer.output_tokens, answer.output_tokens / answer.duration_s
    return Prediction(
        **asdict(deployment.intervals.bounds(per_token_j, rate)),
        model=deployment.model.id,
        gpu=board.id,
        engine=deployment.calibration.engine,
        engine_version=deployment.calibration.engine_version,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        requests=requests,
        max_batch_size=limits.max_batch_size,
        energy_per_token_j=per_token_j,
        tokens_per_j=answer.output_tokens / energy_j,
        throughput_tokens_per_s=rate,
        duration_s=answer.duration_s,
        mean_power_w=energy_j / answer.duration_s,
        mean_clock_mhz=answer.clock_share * board.max_clock_mhz,
        host_bound_share=answer.host_bound_share,
        max_concurrency=answer.max_concurrency,
        bounded_by=_bounded_by(run, answer.max_concurrency),
        max_seq_len=limits.max_seq_len,
        beyond_native_context=sequence > deployment.model.max_positions,
        calibration=deployment.calibration.name,
        calibration_level=deployment.calibration.level,
        power_limit_w=board.power_limit_w,
        clock_mhz=board.clock_mhz,
        gpu_settings=board.settings,
        tensor_parallel=limits.tensor_parallel,
        **asdict(deployment.precision),
        quantization=deployment.quantization,
        energy_per_token_in_windows_j=_in_windows(run, output_tokens),
        **asdict(deployment.traits),
        workload=run,
    )


def require_length(deployment: Deployment, input_tokens: int, output_tokens: int) -> None:
    """Refuse a sequence that the engine's limit or the model's context does not hold."""
    sequence, longest = input_tokens + output_tokens, deployment.longest_sequence
    asked_for = f"input_tokens {input_tokens} + output_tokens {output_tokens} = {sequence}"
    if sequence > longest:
        raise InputError(
            f"{asked_for} is more than the {longest} tokens that {deployment.model.id} is"
            " simulated for; shorten one"
        )
    if sequence > deployment.limits.max_seq_len:
        raise InputError(
            f"{asked_for} is more than max_seq_len {deployment.limits.max_seq_len}; shorten one or"
            " raise max_seq_len"
        )
    deployment.require_simulated_length()


def _bounded_by(run: Workload, at_once: int) -> BoundedBy:
    bounds = run.deployment.bounds
    if at_once >= run.requests:
        return "requests"
    if at_once == bounds.max_batch_size:
        return "max_batch_size"
    static = bounds.static_batching and at_once == bounds.max_num_tokens // run.input_tokens
    return "max_num_tokens" if static else "KV cache"


def _in_windows(run: Workload, output_tokens: int) -> float | None:
    """Return J per output token with the model's windows, if that is another number."""
    deployment = run.deployment
    if not deployment.ignores_windows(run.input_tokens + output_tokens):
        return None
    honoured = replace(run, deployment=deployment.with_traits(sliding_windows=True)).simulate(
        output_tokens
    )
    return honoured.energy_j / honoured.output_tokens
