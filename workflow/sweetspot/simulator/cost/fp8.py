"""FP8 FLOPs as the 16-bit FLOPs that take as long and cost as much."""

from sweetspot.catalog.gpus import Gpu
from sweetspot.simulator.constants.kernels import KernelConstants


def gain(gpu: Gpu, kernels: KernelConstants) -> float:
    """Return how many FP8 FLOPs take the time and the energy of one 16-bit FLOP; 1 without FP8.

    The energy is an assumption: large GEMMs of either kind hold the board at its power limit, so
    that joules per FLOP are as the rates at which they run there.
    """
    if gpu.fp8_flops is None or kernels.fp8_share is None:
        return 1.0
    return kernels.fp8_share * gpu.fp8_flops / gpu.fp16_flops


def saved_share(gpu: Gpu, kernels: KernelConstants) -> float:
    """Return the share of 16-bit FLOPs that FP8 saves."""
    return 1 - 1 / gain(gpu, kernels)
