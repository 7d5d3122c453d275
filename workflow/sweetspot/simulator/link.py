"""What GPUs that share a model send one another: time and energy of all-reduces and all-gathers.

Every iteration adds up the parts' outputs twice a layer, after attention and after the FFN, and
once for embeddings; the logits of each GPU's vocabulary are gathered. Nothing else runs meanwhile.
"""

import numpy as np

from sweetspot.catalog.gpus import Gpu
from sweetspot.simulator.work import FloatArray, Work

# TensorRT-LLM 1.2.0rc1 all-reduces of 256 B to 1 GB on 2 and 4 H100 SXM (NVIDIA AIConfigurator
# repository, h100_sxm/trtllm/1.2.0rc1/custom_allreduce_perf.txt.bak): these four numbers meet the
# 45 latencies within 5 % in the mean and 18 % at most. With 8 GPUs they are an extrapolation.
ONE_SHOT_S = 3.4e-6
ONE_SHOT_SHARE = 0.70  # of the link's peak
RING_S = 16e-6
RING_SHARE = 0.68
# Larger messages are never sent in one shot, and over PCIe none is: TensorRT-LLM's own kernels need
# NVLink.
ONE_SHOT_BYTES = 2**20
# Per byte that a GPU sends, reads and writes of memory included: the same table's power of messages
# beyond 100 MB, 262 to 287 W at 290 to 340 GB/s, less 160 W of those that send hardly any. Bounds:
# 290e-12 to 380e-12.
LINK_BYTE_ENERGY_J = 320e-12


def link_s(work: Work, gpu: Gpu) -> FloatArray | float:
    """Return the time that each segment's iterations take for sending; 0 on one GPU."""
    if not work.all_reduces.any():
        return 0.0
    peak = gpu.link_bytes_per_s
    one_shot = _one_shot(work, gpu)
    ring_s = RING_S + _ring_bytes(work) / (RING_SHARE * peak)
    one_shot_s = ONE_SHOT_S + _one_shot_bytes(work) / (ONE_SHOT_SHARE * peak)
    gather_s = np.where(
        work.gather_bytes > 0, RING_S + work.gather_bytes / (RING_SHARE * peak), 0.0
    )
    seconds: FloatArray = work.all_reduces * np.where(one_shot, one_shot_s, ring_s) + gather_s
    return seconds


def link_bytes(work: Work, gpu: Gpu) -> FloatArray | float:
    """Return the bytes that each GPU sends in each iteration; 0 on one GPU."""
    if not work.all_reduces.any():
        return 0.0
    each = np.where(_one_shot(work, gpu), _one_shot_bytes(work), _ring_bytes(work))
    sent: FloatArray = work.all_reduces * each + work.gather_bytes
    return sent


def _one_shot(work: Work, gpu: Gpu) -> np.ndarray:
    """Return where every GPU sends all of its part to all others: few bytes, or few GPUs."""
    peak = gpu.link_bytes_per_s
    quicker = ONE_SHOT_S + _one_shot_bytes(work) / (ONE_SHOT_SHARE * peak) < RING_S + _ring_bytes(
        work
    ) / (RING_SHARE * peak)
    small = (work.message_bytes <= ONE_SHOT_BYTES) & quicker
    return small if gpu.nvlink_bytes_per_s else np.zeros_like(small)


def _one_shot_bytes(work: Work) -> FloatArray:
    sent: FloatArray = (work.gpus - 1) * work.message_bytes
    return sent


def _ring_bytes(work: Work) -> FloatArray:
    sent: FloatArray = 2 * (work.gpus - 1) / work.gpus * work.message_bytes
    return sent
