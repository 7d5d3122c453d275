"""The steady state of a run: when it begins and ends, and where there is none."""

import pytest

from sweetspot.simulator.cost.step_costs import StepCosts
from sweetspot.simulator.deployment.deployment import deploy
from sweetspot.simulator.deployment.scheduler_limits import SchedulerLimits
from sweetspot.simulator.schedule.in_flight import InFlightBatching
from sweetspot.simulator.schedule.requests import Lengths, Request, generated
from sweetspot.simulator.schedule.segments import Ran
from sweetspot.simulator.schedule.static import StaticBatching
from sweetspot.simulator.serve import serve

LLAMA = deploy("llama-3.1-8b", "h200-sxm", engine="vllm")
TWO = SchedulerLimits(max_batch_size=2, max_num_tokens=64, kv_blocks=99, tokens_per_block=4)


class PlainClock:
    """Every iteration takes 1 s and 10 J, every second of a wait 3 J."""

    def run(self, segment, now_s):
        wait_s = segment.wake_s - now_s
        if not segment.iterations:
            return Ran(0, wait_s, 3 * wait_s)
        made = segment.iterations if wait_s > segment.iterations else max(1, -int(-wait_s // 1))
        return Ran(made, float(made), 10.0 * made)


def test_full_batch_is_steady_until_the_last_request_is_admitted():
    """Two of three are in flight at once, full from the start; the third joins after 5 s."""
    found = serve(InFlightBatching([Request(0.0, 4, 5)] * 3, TWO), PlainClock())
    steady = found.steady
    assert (steady.begin_s, steady.end_s) == (0, 5)
    assert (steady.output_tokens, steady.energy_j, steady.mean_batch) == (10, 50, 2)
    assert steady.energy_per_token_j == 5
    assert steady.throughput_tokens_per_s == 2
    assert steady.mean_power_w == 10


def test_batch_that_never_fills_is_steady_from_its_first_end():
    """Alone in flight, each; the waits between belong to it: 2 s of work in each 10 s."""
    requests = [Request(10.0 * n, 4, 2) for n in range(5)]
    steady = serve(InFlightBatching(requests, TWO), PlainClock()).steady
    assert (steady.begin_s, steady.end_s) == (2, 40)
    assert steady.output_tokens == 3 * 2
    assert steady.energy_j == 3 * 2 * 10 + 4 * 8 * 3
    assert steady.mean_batch == 1


@pytest.mark.parametrize("scheduler", [InFlightBatching, StaticBatching])
def test_requests_that_begin_and_end_together_have_no_steady_state(scheduler):
    assert serve(scheduler([Request(0.0, 4, 5)] * 2, TWO), PlainClock()).steady is None


def test_static_batches_have_no_steady_state():
    assert serve(StaticBatching([Request(0.0, 4, 5)] * 9, TWO), PlainClock()).steady is None


@pytest.mark.parametrize("rate_per_s", [20.0, 200.0])
def test_steady_state_does_not_depend_on_how_long_the_run_is(rate_per_s):
    """At 20 requests/s the batch holds all, at 200 it overflows; ramps weigh less in a long run."""

    def steady(requests):
        lengths = Lengths(mean=256, stdev=128)
        load = generated(requests, lengths, lengths, max_seq_len=8192, rate_per_s=rate_per_s)
        found = serve(InFlightBatching(load, LLAMA.bounds), StepCosts.of(LLAMA))
        assert found.steady.throughput_tokens_per_s > found.throughput_tokens_per_s
        return found.steady

    short, long = steady(4000), steady(8000)
    assert short.energy_per_token_j == pytest.approx(long.energy_per_token_j, rel=0.03)
    assert short.mean_batch == pytest.approx(long.mean_batch, rel=0.05)


def test_loaded_server_with_nothing_to_do_draws_what_the_board_does_with_clocks_up():
    requests = [Request(60.0 * n, 64, 16) for n in range(10)]
    found = serve(InFlightBatching(requests, LLAMA.bounds), StepCosts.of(LLAMA))
    assert found.idle_share > 0.99
    waiting_w = LLAMA.constants.board.active_power_w
    assert found.idle_energy_j / found.idle_s == pytest.approx(waiting_w)
    assert found.steady.mean_power_w == pytest.approx(126, rel=0.02)
