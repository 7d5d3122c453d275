"""A server's run: the sums, its clock, and the power over time."""

import tracemalloc

import pytest

from sweetspot.metering.trace import window_energy_j
from sweetspot.simulator.cost.step_costs import StepCosts
from sweetspot.simulator.deployment.deployment import deploy
from sweetspot.simulator.deployment.scheduler_limits import SchedulerLimits
from sweetspot.simulator.run import simulate
from sweetspot.simulator.schedule.in_flight import InFlightBatching
from sweetspot.simulator.schedule.requests import Lengths, Request, generated
from sweetspot.simulator.schedule.segments import Ran
from sweetspot.simulator.serve import serve

LLAMA = deploy("llama-3.1-8b", "h100-sxm")
CONSTANTS, BOUNDS = LLAMA.constants, LLAMA.bounds
CLOCK = StepCosts.of(LLAMA)
SMALL = SchedulerLimits(max_batch_size=4, max_num_tokens=64, kv_blocks=99, tokens_per_block=4)


class PlainClock:
    """Every iteration takes 1 s and 10 J, every second of a wait 3 J."""

    def run(self, segment, now_s):
        if not segment.iterations:
            wait_s = segment.wake_s - now_s
            return Ran(0, wait_s, 3 * wait_s)
        wait_s = segment.wake_s - now_s
        made = segment.iterations if wait_s > segment.iterations else max(1, -int(-wait_s // 1))
        return Ran(made, float(made), 10.0 * made)


def test_sums_by_hand():
    """Prompt, 4 decodes, 5 s of nothing, prompt: the second request gets one token only."""
    requests = [Request(100.0, 4, 5), Request(110.0, 8, 1)]
    found = serve(InFlightBatching(requests, SMALL), PlainClock(), power_grid=True)
    assert (found.requests, found.input_tokens, found.output_tokens) == (2, 12, 6)
    assert (found.duration_s, found.idle_s) == (11, 5)
    assert (found.energy_j, found.idle_energy_j) == (6 * 10 + 5 * 3, 15)
    assert found.iterations == 6
    assert found.idle_share == pytest.approx(5 / 11)
    assert (found.mean_batch, found.max_batch) == (1, 1)
    assert found.max_sequence_tokens == 9
    assert found.first_token.mean_s == 1
    assert found.end_to_end.mean_s == (5 + 1) / 2
    assert found.per_output_token.mean_s == 1  # the request of one token has none
    assert found.energy_per_token_j == pytest.approx(75 / 6)
    assert found.tokens_per_j == pytest.approx(6 / 75)
    assert found.throughput_tokens_per_s == pytest.approx(6 / 11)
    assert found.mean_power_w == pytest.approx(75 / 11)
    assert window_energy_j(found.power, 0, 11) == pytest.approx(75)
    assert window_energy_j(found.power, 5, 10) == pytest.approx(15, rel=0.05)


def test_requests_of_one_token_have_no_time_per_token():
    assert serve(InFlightBatching([Request(0, 3, 1)], SMALL), PlainClock()).per_output_token is None


@pytest.mark.parametrize("lengths", [(64, 256), (512, 256), (2048, 2048), (4096, 64)])
@pytest.mark.parametrize("engine", ["tensorrt-llm", "vllm"])
def test_identical_requests_at_once_take_what_simulate_says(lengths, engine):
    """The same physics twice."""
    deployment = deploy("llama-3.1-8b", "h100-sxm", engine=engine)
    run = simulate(deployment, requests=300, input_tokens=lengths[0], output_tokens=lengths[1])
    requests = [Request(0.0, *lengths)] * 300
    found = serve(InFlightBatching(requests, deployment.bounds), StepCosts.of(deployment))
    assert found.iterations == run.iterations
    assert found.output_tokens == run.output_tokens
    assert found.duration_s == pytest.approx(run.duration_s, rel=1e-9)
    assert found.energy_j == pytest.approx(run.energy_j, rel=1e-9)
    assert found.clock_share == pytest.approx(run.clock_share, rel=1e-9)
    assert found.host_bound_share == pytest.approx(run.host_bound_share, rel=1e-9)


def poisson(requests, rate_per_s):
    lengths = Lengths(mean=256, stdev=128)
    return generated(requests, lengths, lengths, max_seq_len=8192, rate_per_s=rate_per_s)


def test_rare_requests_are_served_one_by_one_and_the_rest_is_idle():
    found = serve(InFlightBatching(poisson(200, 0.01), BOUNDS), CLOCK)
    assert found.idle_share > 0.9
    assert found.mean_batch < 1.1
    assert found.mean_power_w < 1.2 * CONSTANTS.board.active_power_w


def test_load_raises_batch_latency_and_efficiency():
    runs = [serve(InFlightBatching(poisson(2000, rate), BOUNDS), CLOCK) for rate in (2, 10, 40)]
    for name in ("mean_batch", "tokens_per_j", "mean_power_w"):
        values = [getattr(run, name) for run in runs]
        assert values == sorted(values)
    waits_s = [run.end_to_end.p99_s for run in runs]
    assert waits_s == sorted(waits_s)


@pytest.mark.slow(reason="every allocation of 17,000 requests is traced")
@pytest.mark.parametrize("rate_per_s", [20.0, 500.0])
def test_memory_does_not_grow_with_the_trace(rate_per_s):
    """Also where requests come faster than they can be served, and the queue has no end."""

    def peak_bytes(requests):
        tracemalloc.start()
        serve(InFlightBatching(poisson(requests, rate_per_s), BOUNDS), CLOCK, power_grid=True)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(100)  # what is made once
    assert peak_bytes(12_000) < 1.3 * peak_bytes(5000)


def test_progress_is_told_how_many_have_ended():
    told = []
    serve(
        InFlightBatching([Request(0.0, 4, n) for n in (1, 2, 9)], SMALL),
        PlainClock(),
        progress=told.append,
    )
    assert told == [1, 2, 3]


def test_nothing_to_serve_is_refused():
    with pytest.raises(ValueError, match="there are no requests"):
        serve(InFlightBatching([], SMALL), PlainClock())
