"""Energy of a workload that nobody measured, from the model's shape and the GPU's data sheet."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, cast, get_args

from sweetspot.catalog import Architecture, Gpu, load_model
from sweetspot.catalog import gpu as catalog_gpu
from sweetspot.cells.cell import MAX_REQUESTS
from sweetspot.config import MAX_GPUS, Limits, Precision, Stored
from sweetspot.errors import EngineError, InputError
from sweetspot.simulator.constants.calibration_file import load_calibration
from sweetspot.simulator.constants.constants import Constants
from sweetspot.simulator.deployment.deployment import chosen_traits, honoured
from sweetspot.simulator.deployment.shard import shard
from sweetspot.simulator.run import Simulation, scheduler_limits, simulate
from sweetspot.simulator.schedule.identical import SchedulerLimits

# The sweet spot is searched over the lengths up to the engine's limit: first at this many lengths
# per doubling, then at about this many between the neighbours of the best.
LENGTHS_PER_DOUBLING = 8
FINE_LENGTHS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What the simulator says of one workload. All of it is simulated.

    Attributes:
        energy_per_token_j: J per output token, e = E / (N·O).
        tokens_per_j: its reciprocal.
        throughput_tokens_per_s: output tokens per second, all requests together.
        duration_s: from the first request to the end of the measured window.
        mean_power_w: of all boards together over that window.
        max_concurrency: most requests in flight that batch limit and KV cache allow.
        sweet_spot_output_tokens: output length with the least energy per token at this input
            length, other things equal, up to sequences of max_seq_len.
        sweet_spot_tokens_per_j: efficiency there.
        max_seq_len: longest sequence considered.
        beyond_native_context: I + O is more than the model was published for.
        calibration, calibration_level: which constants, and what they rest on.
        tensor_parallel: GPUs that share the model.
        weights, kv_cache: what they are stored in, `model` (the checkpoint's 16 bits) or `fp8`.
        sliding_windows: whether the model has sliding layers and they attend to their window only.
        cuda_graphs: whose graphs pad steps: `none`, `vllm` or `tensorrt-llm`.
    """

    model: str
    gpu: str
    input_tokens: int
    output_tokens: int
    requests: int
    max_batch_size: int
    energy_per_token_j: float
    tokens_per_j: float
    throughput_tokens_per_s: float
    duration_s: float
    mean_power_w: float
    max_concurrency: int
    sweet_spot_output_tokens: int
    sweet_spot_tokens_per_j: float
    max_seq_len: int
    beyond_native_context: bool
    calibration: str
    calibration_level: str
    tensor_parallel: int
    weights: str
    kv_cache: str
    sliding_windows: bool
    cuda_graphs: str
    simulated: bool = True


def predict(
    model: str | os.PathLike[str] | Mapping[str, Any],
    gpu: str,
    input_tokens: int,
    output_tokens: int,
    requests: int = 1000,
    max_batch_size: int = 1024,
    *,
    calibration: str | os.PathLike[str] | None = None,
    tensor_parallel: int = 1,
    weights: str = "model",
    kv_cache: str = "model",
    sliding_windows: bool = False,
    cuda_graphs: str = "none",
) -> Prediction:
    """Simulate `requests` identical requests, sent at once to TensorRT-LLM's in-flight batching.

    Args:
        model: catalog id, path of a Hugging Face `config.json` or its folder, or the parsed file.
        gpu: catalog id.
        input_tokens: prompt length I of each request.
        output_tokens: generated tokens O of each request.
        requests: N.
        max_batch_size: the engine's limit of requests in flight.
        calibration: the simulator's constants; None for those that ship.
        tensor_parallel: GPUs that share each layer, 1 to 8; energy is that of all of them.
        weights: `model` for the checkpoint's 16 bits, `fp8` for the layers' matrices in FP8.
        kv_cache: `model` or `fp8`.
        sliding_windows: whether sliding layers attend to, and keep, their window only, as with
            vLLM; trtllm-bench sets no window.
        cuda_graphs: whose CUDA graphs pad steps to their captured sizes: `none`, `vllm` or
            `tensorrt-llm` (its PyTorch backend).

    Raises:
        InputError: an unknown model or GPU, a number that is not a positive integer, a sequence
            beyond the model's context, a model that does not fit in the GPU's memory or that so
            many GPUs cannot share, FP8 on a GPU without it, or a word that is none of those above.
        EngineError: the KV cache cannot hold one request.
    """
    input_tokens = _positive("input_tokens", input_tokens)
    output_tokens = _positive("output_tokens", output_tokens)
    requests = _positive("requests", requests)
    max_batch_size = _positive("max_batch_size", max_batch_size)
    if requests > MAX_REQUESTS:
        raise InputError(
            f"requests {requests} is more than {MAX_REQUESTS}; energy per token no longer changes"
            " with so many, so ask for fewer"
        )
    tensor_parallel = _positive("tensor_parallel", tensor_parallel)
    if tensor_parallel > MAX_GPUS:
        raise InputError(
            f"tensor_parallel {tensor_parallel} is more than {MAX_GPUS}, the GPUs that a node's"
            " switch joins; ask for fewer"
        )
    precision = Precision(
        weights=_stored("weights", weights), kv_cache=_stored("kv_cache", kv_cache)
    )
    board = catalog_gpu(gpu)
    whole = load_model(model)
    traits = honoured(chosen_traits(sliding_windows, cuda_graphs), whole)
    architecture = shard(whole, tensor_parallel, precision, sliding_windows=traits.sliding_windows)
    sequence = input_tokens + output_tokens
    longest = max(Limits().max_seq_len, architecture.max_positions)
    if sequence > longest:
        raise InputError(
            f"input_tokens {input_tokens} + output_tokens {output_tokens} = {sequence} is more"
            f" than the {longest} tokens that {architecture.id} is simulated for; shorten one"
        )
    limits = Limits(
        max_seq_len=max(Limits().max_seq_len, sequence),
        max_batch_size=max_batch_size,
        max_num_tokens=max(Limits().max_num_tokens, max_batch_size),
        tensor_parallel=tensor_parallel,
    )
    chosen = load_calibration(board, None if calibration is None else Path(calibration))
    bounds = scheduler_limits(architecture, board, limits, max_batch_size, traits.cuda_graphs)
    run = _Workload(architecture, board, chosen.constants, bounds, requests, input_tokens)
    asked = run.simulate(output_tokens)
    energy_j = asked.energy_j
    best = _sweet_spot(run, limits.max_seq_len - input_tokens)
    return Prediction(
        model=architecture.id,
        gpu=board.id,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        requests=requests,
        max_batch_size=max_batch_size,
        energy_per_token_j=energy_j / asked.output_tokens,
        tokens_per_j=asked.output_tokens / energy_j,
        throughput_tokens_per_s=asked.output_tokens / asked.duration_s,
        duration_s=asked.duration_s,
        mean_power_w=energy_j / asked.duration_s,
        max_concurrency=asked.max_concurrency,
        sweet_spot_output_tokens=best,
        sweet_spot_tokens_per_j=run.tokens_per_j(best),
        max_seq_len=limits.max_seq_len,
        beyond_native_context=sequence > architecture.max_positions,
        calibration=chosen.name,
        calibration_level=chosen.level,
        tensor_parallel=tensor_parallel,
        weights=weights,
        kv_cache=kv_cache,
        sliding_windows=traits.sliding_windows,
        cuda_graphs=traits.cuda_graphs,
    )


def _positive(name: str, value: object) -> int:
    """Return a count as Python's own integer; those of numpy and pandas are welcome."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 1:
        raise InputError(f"{name} must be a positive integer, not {value!r}")
    return int(value)


def _stored(name: str, value: str) -> Stored:
    if value in get_args(Stored):
        return cast("Stored", value)
    raise InputError(f"{name} must be {' or '.join(map(repr, get_args(Stored)))}, not {value!r}")


@dataclass(frozen=True, slots=True)
class _Workload:
    """Everything of a run but its output length."""

    architecture: Architecture
    board: Gpu
    constants: Constants
    bounds: SchedulerLimits
    requests: int
    input_tokens: int

    def simulate(self, output_tokens: int) -> Simulation:
        return simulate(
            self.architecture,
            self.board,
            self.constants,
            self.bounds,
            requests=self.requests,
            input_tokens=self.input_tokens,
            output_tokens=output_tokens,
        )

    def tokens_per_j(self, output_tokens: int) -> float:
        """Return the efficiency; 0 where the KV cache cannot hold one request."""
        try:
            run = self.simulate(output_tokens)
        except EngineError:
            return 0.0
        return run.output_tokens / run.energy_j


def _sweet_spot(run: _Workload, longest: int) -> int:
    """Return the output length of up to `longest` tokens with the highest efficiency."""
    steps = range(longest.bit_length() * LENGTHS_PER_DOUBLING + 1)  # the last one is `longest`
    lengths: set[int] = {round(2.0 ** (k / LENGTHS_PER_DOUBLING)) for k in steps}
    coarse = sorted({min(longest, length) for length in lengths})
    place: int = max(range(len(coarse)), key=lambda k: run.tokens_per_j(coarse[k]))
    low, high = coarse[max(place - 1, 0)], coarse[min(place + 1, len(coarse) - 1)]
    stride = max(1, (high - low) // FINE_LENGTHS)
    fine: list[int] = [*range(low, high + 1, stride), coarse[place]]
    return max(fine, key=run.tokens_per_j)
