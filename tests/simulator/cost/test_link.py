"""All-reduces against the table that they were fitted to, and directions."""

from dataclasses import replace

import numpy as np
import pytest

from sweetspot.catalog import catalog_entry, gpu, gpu_ids
from sweetspot.simulator.cost import kernel_times
from sweetspot.simulator.cost.link import LINK_BYTE_ENERGY_J, link_bytes, link_s, wait_s
from sweetspot.simulator.cost.roofline import cost
from sweetspot.simulator.cost.work import work
from sweetspot.simulator.deployment.scheduler_limits import SchedulerLimits
from sweetspot.simulator.deployment.shard import shard
from sweetspot.simulator.schedule.identical import schedule

LLAMA = catalog_entry("llama-3.1-8b").architecture
LIMITS = SchedulerLimits(
    max_batch_size=256, max_num_tokens=8192, kv_blocks=100_000, tokens_per_block=32
)


PLAN = schedule(requests=200, input_tokens=300, output_tokens=40, limits=LIMITS)


def work_of(gpus=1):
    return work(shard(LLAMA, gpus), PLAN)


# (GPUs, bytes, seconds): every fourth row of AIConfigurator's custom_allreduce_perf.txt.bak, H100
# SXM, TensorRT-LLM 1.2.0rc1; its message sizes count elements of two bytes.
MEASURED = [
    (2, 256, 3.02e-6),
    (2, 4096, 3.25e-6),
    (2, 65536, 3.54e-6),
    (2, 1048576, 6.62e-6),
    (2, 16777216, 79.7e-6),
    (2, 268435456, 884e-6),
    (4, 256, 3.62e-6),
    (4, 4096, 3.64e-6),
    (4, 65536, 4.04e-6),
    (4, 1048576, 13.2e-6),
    (4, 16777216, 113e-6),
    (4, 268435456, 1180e-6),
]


@pytest.mark.parametrize(("gpus", "message_bytes", "seconds"), MEASURED)
def test_all_reduce_takes_what_was_measured(board, gpus, message_bytes, seconds):
    one = work_of(2)
    ones = np.ones_like(one.iterations)
    alone = replace(
        one,
        gpus=gpus * ones,
        all_reduces=ones,
        message_bytes=message_bytes * ones,
        gather_bytes=0 * ones,
    )
    assert link_s(alone, board) == pytest.approx(seconds * ones, rel=0.2)


def test_all_reduce_over_pcie_is_a_ring_at_about_half_the_peak():
    """Of 1 GB on 4 GPUs each sends 1.5 GB, at 32 GB/s in one direction."""
    l40s = gpu("l40s")
    one = work_of(4)
    ones = np.ones_like(one.iterations)
    alone = replace(one, all_reduces=ones, message_bytes=1e9 * ones, gather_bytes=0 * ones)
    expected_s = 1.5e9 / (0.55 * 32e9)
    assert link_s(alone, l40s) == pytest.approx(expected_s * ones, rel=1e-3)


def test_one_gpu_sends_nothing(board):
    assert link_s(work_of(), board) == 0.0
    assert link_bytes(work_of(), board) == 0.0


def test_all_gpus_wait_for_the_last_one():
    """7 µs an all-reduce and GPU after the first, 65 all-reduces an iteration of 32 layers."""
    assert not wait_s(work_of()).any()
    found = work_of(8)
    small = found.message_bytes < 400_000
    assert small.any()
    np.testing.assert_allclose(wait_s(found)[~small], 7 * 65 * 7e-6)
    np.testing.assert_allclose(
        wait_s(found)[small], 7 * 65 * 7e-6 * found.message_bytes[small] / 400_000
    )


def test_message_counts_of_a_layer():
    found = work_of(4)
    assert set(found.all_reduces) == {2 * 32 + 1}
    tokens = PLAN.prompt_tokens + PLAN.decodes
    np.testing.assert_array_equal(found.message_bytes, 2 * 4096 * tokens)
    # three of four quarters of the logits arrive at each GPU
    rows = found.logits / LLAMA.vocab
    np.testing.assert_allclose(found.gather_bytes, 0.75 * rows * LLAMA.vocab * 2)


@pytest.mark.parametrize("gpu_id", gpu_ids())
def test_slower_links_and_more_gpus_take_longer(gpu_id):
    board = gpu(gpu_id)
    seconds = [np.sum(link_s(work_of(gpus), board)) for gpus in (2, 4, 8)]
    assert seconds == sorted(seconds)
    slower = replace(board, nvlink_bytes_per_s=None, pcie_bytes_per_s=board.pcie_bytes_per_s / 2)
    assert (link_s(work_of(4), slower) > link_s(work_of(4), board)).all()


def test_sent_bytes_cost_time_and_energy(board, constants, monkeypatch):
    part, limitless = work_of(4), replace(board, power_limit_w=1e9)
    waiting_w = constants.board.active_power_w
    with_link = cost(part, limitless, constants)
    more_s, sent = (
        part.iterations * law(part, limitless)
        for law in (kernel_times.link_s, kernel_times.link_bytes)
    )
    for name in ("link_s", "link_bytes"):
        monkeypatch.setattr(kernel_times, name, lambda *_: 0.0)
    free = cost(part, limitless, constants)
    np.testing.assert_allclose(with_link.duration_s - free.duration_s, more_s, rtol=1e-6)
    more_j = with_link.energy_j - free.energy_j - waiting_w * more_s
    np.testing.assert_allclose(more_j, LINK_BYTE_ENERGY_J * sent, rtol=1e-5)
    # an iteration that its energy holds up at the power limit has time to send
    limited = cost(part, board, constants)
    monkeypatch.undo()
    assert (cost(part, board, constants).duration_s >= limited.duration_s).all()
