"""What GPUs that share a model send one another: time and energy of all-reduces and all-gathers.

Every iteration adds up the parts' outputs twice a layer, after attention and after the FFN, and
once for embeddings; the logits of each GPU's vocabulary are gathered. Nothing else runs meanwhile.
"""

import numpy as np
import numpy.typing as npt

from sweetspot.catalog.gpus import Gpu
from sweetspot.simulator.cost.work import FloatArray, Work

BoolArray = npt.NDArray[np.bool_]

# TensorRT-LLM 1.2.0rc1 all-reduces of 256 B to 1 GB on 2 and 4 H100 SXM (NVIDIA AIConfigurator
# repository, h100_sxm/trtllm/1.2.0rc1/custom_allreduce_perf.txt.bak): these four numbers meet the
# 45 latencies within 5 % on average and 18 % at most. With 8 GPUs they are an extrapolation.
ONE_SHOT_S = 3.4e-6
ONE_SHOT_SHARE = 0.70  # of the link's peak
RING_S = 16e-6
RING_SHARE = 0.68
# Larger messages are never sent in one shot, and over PCIe none is: TensorRT-LLM's own kernels need
# NVLink.
ONE_SHOT_BYTES = 2**20
# A ring's share over PCIe, where all GPUs' traffic meets at the host: meets Llama 3.1 70B on 4 L40S
# within 2 % on average (TensorRT-LLM 0.17, nine cells). Those on 8, within 3 %, are a prediction.
PCIE_RING_SHARE = 0.55
# What an all-reduce takes in a model beyond its kernel, for every GPU after the first: all have to
# wait for the last one. Fitted to Llama 3.1 70B and 405B on 2 to 8 H200 (TensorRT-LLM
# 0.17 and 1.0, 46 cells): without it long outputs come out 4 to 21 % too fast on 4 and 8 of them.
# Those on H100, where 7 µs is best as well, and on A100 are predictions.
WAIT_S = 7e-6
# The smallest message of these cells. Steps of fewer tokens were not seen: what they wait is taken
# to fall with them, or one sequence alone would spend most of its time waiting.
WAIT_FROM_BYTES = 400_000
# Per byte that a GPU sends, reads and writes of memory included: the same table's power of messages
# beyond 100 MB, 262 to 287 W at 290 to 340 GB/s, less 160 W of those that send hardly any. Bounds:
# 290e-12 to 380e-12.
LINK_BYTE_ENERGY_J = 320e-12


def link_s(work: Work, gpu: Gpu) -> FloatArray | float:
    """Return the time that each segment's iterations take for sending; 0 on one GPU."""
    if not work.all_reduces.any():
        return 0.0
    small_s, large_s = _one_shot_s(work, gpu), _ring_s(_ring_bytes(work), gpu)
    gather_s = np.where(work.gather_bytes > 0, _ring_s(work.gather_bytes, gpu), 0.0)
    all_reduce_s = np.where(_one_shot(work, gpu), small_s, large_s)
    seconds: FloatArray = work.all_reduces * all_reduce_s + gather_s
    return seconds


def wait_s(work: Work) -> FloatArray:
    """Return the time that each segment's iterations wait for the last GPU; 0 on one."""
    share = np.minimum(work.message_bytes / WAIT_FROM_BYTES, 1.0)
    seconds: FloatArray = WAIT_S * share * work.all_reduces * (work.gpus - 1)
    return seconds


def link_bytes(work: Work, gpu: Gpu) -> FloatArray | float:
    """Return the bytes that each GPU sends in each iteration; 0 on one GPU."""
    if not work.all_reduces.any():
        return 0.0
    each = np.where(_one_shot(work, gpu), _one_shot_bytes(work), _ring_bytes(work))
    sent: FloatArray = work.all_reduces * each + work.gather_bytes
    return sent


def _one_shot(work: Work, gpu: Gpu) -> BoolArray:
    """Return where every GPU sends all of its part to all others: few bytes, or few GPUs."""
    if gpu.nvlink_bytes_per_s is None:
        return np.zeros(work.message_bytes.shape, dtype=bool)
    quicker = _one_shot_s(work, gpu) < _ring_s(_ring_bytes(work), gpu)
    chosen: BoolArray = (work.message_bytes <= ONE_SHOT_BYTES) & quicker
    return chosen


def _one_shot_s(work: Work, gpu: Gpu) -> FloatArray:
    return ONE_SHOT_S + _one_shot_bytes(work) / (ONE_SHOT_SHARE * gpu.link_bytes_per_s)


def _ring_s(sent_bytes: FloatArray, gpu: Gpu) -> FloatArray:
    share = PCIE_RING_SHARE if gpu.nvlink_bytes_per_s is None else RING_SHARE
    return RING_S + sent_bytes / (share * gpu.link_bytes_per_s)


def _one_shot_bytes(work: Work) -> FloatArray:
    sent: FloatArray = (work.gpus - 1) * work.message_bytes
    return sent


def _ring_bytes(work: Work) -> FloatArray:
    sent: FloatArray = 2 * (work.gpus - 1) / work.gpus * work.message_bytes
    return sent
