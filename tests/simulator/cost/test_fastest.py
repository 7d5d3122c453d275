"""Boards below their data sheet's power limit: array by array, step by step, and against locks."""

import pytest

from sweetspot.config import GpuSettings
from sweetspot.simulator.cost.fastest import clock_of
from sweetspot.simulator.deployment.deployment import deploy
from sweetspot.simulator.run import simulate
from sweetspot.simulator.schedule.in_flight import InFlightBatching
from sweetspot.simulator.schedule.requests import Request
from sweetspot.simulator.serve import serve

MODEL = "llama-3.1-8b"


def board(engine="vllm", **settings):
    return deploy(MODEL, "h200-sxm", engine=engine, gpu_settings=GpuSettings(**settings))


@pytest.mark.parametrize("engine", ["vllm", "tensorrt-llm"])
@pytest.mark.parametrize("settings", [{"power_limit_w": 200}, {"power_limit_w": 450}])
@pytest.mark.parametrize("lengths", [(2048, 16), (256, 600)])
def test_segments_one_by_one_take_what_arrays_of_them_do(engine, settings, lengths):
    deployment = board(engine, **settings, clock_mhz=1800)
    run = simulate(deployment, requests=90, input_tokens=lengths[0], output_tokens=lengths[1])
    found = serve(
        InFlightBatching([Request(0.0, *lengths)] * 90, deployment.bounds), clock_of(deployment)
    )
    assert found.duration_s == pytest.approx(run.duration_s, rel=1e-9)
    assert found.energy_j == pytest.approx(run.energy_j, rel=1e-9)
    assert found.clock_share == pytest.approx(run.clock_share, rel=1e-9)


@pytest.mark.parametrize("clock_mhz", [500, 800, 1200])
@pytest.mark.parametrize("lengths", [(2048, 16), (64, 512), (256, 1024)])
def test_limit_is_as_fast_as_a_lock_that_draws_as_much(clock_mhz, lengths):
    """Iterations differ in power, so that a lock leaves some of the limit."""
    runs = {"requests": 100, "input_tokens": lengths[0], "output_tokens": lengths[1]}
    locked = simulate(board(clock_mhz=clock_mhz), **runs)
    limit_w = locked.energy_j / locked.duration_s / 0.988
    limited = simulate(board(power_limit_w=limit_w), **runs)
    assert limited.duration_s == pytest.approx(locked.duration_s, rel=0.08)
    assert limited.energy_j == pytest.approx(locked.energy_j, rel=0.08)


def test_limit_that_nothing_comes_near_changes_nothing():
    runs = {"requests": 1, "input_tokens": 64, "output_tokens": 64}
    limited, full = (simulate(board(**s), **runs) for s in ({"power_limit_w": 600}, {}))
    assert limited.duration_s == full.duration_s
    assert limited.energy_j == full.energy_j
