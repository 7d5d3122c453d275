"""What a probe would find of a board whose constants are known."""

from dataclasses import asdict, replace

import numpy as np

from sweetspot.catalog import gpu
from sweetspot.probe.board import power_w
from sweetspot.probe.probed import Probed, Taken
from sweetspot.probe.steps import steps
from sweetspot.simulator.constants.constants import stated_on

GPU = gpu("h200-sxm")
PLANTED = {
    "idle_power_w": 71.0,
    "active_power_w": 115.0,
    "flop_energy_j": 0.8e-12,
    "voltage_share": 0.85,
    "byte_energy_j": 1.1e-10,
    "kv_byte_energy_j": 1.4e-10,
    "kv_energy_sharing": 0.1,
}
TRUTH = replace(stated_on(GPU).board, **PLANTED)


def took(step, noise=0.0):
    """A step on a board of these constants: at 80 % of what it can do, or its power limit."""
    rate = 1.0
    if step.flops or step.bytes or step.kv_bytes:
        moved = (step.bytes + step.kv_bytes) / (0.8 * GPU.bandwidth_bytes_per_s)
        rate = step.duty / max(step.flops / (0.8 * GPU.fp16_flops), moved)
    taken = Taken(
        **asdict(step),
        status="ok",
        flops=step.flops,
        bytes=step.bytes,
        kv_bytes=step.kv_bytes,
        queries_per_kv_head=step.queries_per_kv_head,
        passes=10**6,
        duration_s=10**6 / rate,
        max_sm_mhz=2000.0,
    )
    for share in np.linspace(1, 0.4, 61).tolist():
        found = replace(taken, mean_sm_mhz=2000.0 * share)
        if step.flops:  # computing slows with the clock
            found = replace(found, duration_s=10**6 / rate / share)
        watts = power_w(found, TRUTH)
        if watts <= GPU.power_limit_w:
            break
    watts = TRUTH.idle_power_w if step.kind == "cold" else watts
    return replace(found, energy_j=float(watts * (1 + noise) * found.duration_s))


def probed_board(noise, seed=0, board=GPU):
    rng = np.random.default_rng(seed)
    taken = [took(step, noise * rng.standard_normal()) for step in steps()]
    return Probed(
        gpu=board.id,
        measured_utc="2026-11-28T00:00:00+00:00",
        facts={"gpu_uuid": "GPU-0"},
        steps=taken,
    )
