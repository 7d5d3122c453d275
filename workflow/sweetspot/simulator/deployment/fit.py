"""Whether a model fits in memory; where it does not, what is missing and what would help."""

from collections.abc import Iterator
from dataclasses import replace

from sweetspot.catalog.architecture import Architecture
from sweetspot.catalog.gpus import Gpu
from sweetspot.config import Limits, Precision
from sweetspot.errors import InputError
from sweetspot.simulator.deployment.memory import free_bytes
from sweetspot.simulator.deployment.shard import Shard, possible, require_supported, shard


def require_fit(
    part: Shard, whole: Architecture, gpu: Gpu, limits: Limits, precision: Precision
) -> None:
    """Refuse a model whose weights and activations leave nothing for the KV cache.

    Args:
        part: what each GPU has of the model.
        whole: the model.
        gpu: each of those that share it.
        limits: of the engine, and how many GPUs there are.
        precision: what it is stored in.

    Raises:
        InputError: says how much memory is missing and what fits, or that the GPU has no FP8.
    """
    require_supported(part, gpu)
    free = free_bytes(part, gpu, limits.max_num_tokens, limits.max_batch_size)
    if free > 0:
        return
    place = gpu.id if part.gpus == 1 else f"any of {part.gpus} x {gpu.id}"
    states = ", states" if part.state else ""
    beside = gpu.memory_bytes - free - part.weight_bytes
    offers = list(_offers(part, whole, gpu, limits, precision))
    fits = f"{' or '.join(offers)} fits, " if offers else ""
    raise InputError(
        f"model {whole.id} does not fit {place}: its weights take {_gb(part.weight_bytes)},"
        f" activations{states} and runtime {_gb(beside)} (max_batch_size {limits.max_batch_size},"
        f" max_num_tokens {limits.max_num_tokens}), and the board has {_gb(gpu.memory_bytes)}:"
        f" {_gb(-free)} are missing; {fits}{'or ' * bool(offers)}choose a smaller model or a GPU"
        " with more memory"
    )


def _offers(
    part: Shard, whole: Architecture, gpu: Gpu, limits: Limits, precision: Precision
) -> Iterator[str]:
    """Yield what of the same model would fit: more GPUs, FP8 weights, lower limits."""

    def holds(gpus: int, stored: Precision) -> bool:
        try:
            each = shard(whole, gpus, stored)
        except InputError:  # a checkpoint that is quantized otherwise
            return False
        return free_bytes(each, gpu, limits.max_num_tokens, limits.max_batch_size) > 0

    def fewest(stored: Precision) -> int | None:
        more = (gpus for gpus in possible(whole) if gpus >= part.gpus)
        return next((gpus for gpus in more if holds(gpus, stored)), None)

    as_stored = fewest(precision)
    if as_stored is not None:
        yield f"tensor_parallel {as_stored} (--tp {as_stored})"
    if gpu.fp8_flops is not None and precision.weights == "model":
        in_fp8 = fewest(replace(precision, weights="fp8"))
        if in_fp8 is not None and (as_stored is None or in_fp8 < as_stored):
            boards = f" --tp {in_fp8}" * (in_fp8 > part.gpus)
            yield f"weights in FP8 (--weights fp8{boards})"
    if free_bytes(part, gpu, max_num_tokens=1, max_batch_size=1) > 0:
        yield "a lower max_batch_size or max_num_tokens"


def _gb(amount_bytes: float) -> str:
    """Return bytes in GB with a digit that counts, however few they are."""
    gb = amount_bytes / 1e9
    return f"{gb:.1f} GB" if gb >= 1 else f"{gb:.2g} GB"
