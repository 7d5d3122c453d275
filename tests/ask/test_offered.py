"""What a load takes: how much of it is served, whether a queue grows, and energy at a rate."""

import pytest

import sweetspot
from sweetspot.ask.lengths import Drawn
from sweetspot.ask.offered import Arrivals, Backlog, energy_per_request_j
from sweetspot.explorer.grid import Axes, at_a_rate
from sweetspot.simulator.deployment.deployment import deploy
from sweetspot.simulator.schedule.requests import Lengths, generated

MODEL, BOARD = "llama-3.1-8b", "h100-sxm"
ALIKE = Drawn(inputs=Lengths(mean=256), outputs=Lengths(mean=256))
MIXED = Drawn(inputs=Lengths(mean=200, stdev=60), outputs=Lengths(mean=100, stdev=30))


def deployed(**limits):
    return deploy(MODEL, BOARD, limits=sweetspot.Limits(max_seq_len=8192, **limits))


def test_what_is_served_hardly_depends_on_what_comes_or_for_how_long():
    """A backlog says it, too. Counting what only fills the batch as served adds up to 7 %."""
    lengths = Drawn(inputs=Lengths(mean=200, stdev=60), outputs=Lengths(mean=400, stdev=120))
    server, backlog, found = deployed(max_batch_size=256), Backlog(lengths=lengths), []
    for rate_per_s, requests in ((60, None), (200, 1024), (1000, 1024), (200, 4000)):
        offered = Arrivals(rate_per_s=rate_per_s, lengths=lengths, requests=requests)
        come_per_s, served_per_s = offered.overload(offered.serve(server, 1).served, 1)
        assert come_per_s == rate_per_s
        found.append(served_per_s)
    expected_per_s = backlog.requests_per_s(backlog.serve(server, 1).served, 1)
    assert found == pytest.approx([expected_per_s] * len(found), rel=0.02)


@pytest.mark.parametrize("requests", [700, 1400])
def test_what_is_served_of_few_batches_is_not_their_decode_alone(requests):
    """Long runs serve 41.0 a second; between the ramps of 700, 616 of them decode, 84 come."""
    lengths = Drawn(inputs=Lengths(mean=512), outputs=Lengths(mean=200))
    offered = Arrivals(rate_per_s=80, lengths=lengths, requests=requests)
    assert 0.9 * 41.0 < offered.overload(offered.serve(deployed(), 1).served, 1).served_per_s < 41.0


def test_overload_is_counted_in_batches_where_these_are_large():
    """As many as fill a large batch twice are too few to say what it serves."""
    found = Arrivals(rate_per_s=200, lengths=MIXED).serve(deployed(max_batch_size=512), 1).served
    assert found.requests >= 8 * found.max_batch > 2000


@pytest.mark.parametrize("rate_per_s", [22, 24.3])
def test_overload_is_one_verdict_of_who_chooses_and_who_simulates(rate_per_s):
    """It serves 23.6 requests/s; at 3 % more the last of 8000 waits for 3 % of the time."""
    asked = {"input_tokens": 800, "output_tokens": 300}
    (chosen,) = sweetspot.choose(MODEL, rate_per_s=rate_per_s, requests=8000, **asked).candidates
    lengths = (Lengths(mean=800), Lengths(mean=300))
    requests = generated(8000, *lengths, max_seq_len=8192, rate_per_s=rate_per_s)
    simulated = sweetspot.simulate_load(MODEL, BOARD, requests).served.overload()
    assert chosen.overloaded == (simulated is not None) == (rate_per_s > 24)
    if simulated:
        assert chosen.served_per_s == simulated.served_per_s < rate_per_s < simulated.come_per_s
        assert chosen.ttft_p95_s is None


@pytest.mark.parametrize("seed", [3, 4])
def test_no_more_is_served_than_a_board_can_where_a_short_run_cannot_tell(seed):
    """8.1 requests/s are: of 200 the last waits, which of so few may be chance."""
    lengths, server = (
        Drawn(inputs=Lengths(mean=512), outputs=Lengths(mean=128)),
        deployed(max_batch_size=8),
    )
    offered = Arrivals(rate_per_s=8.54, lengths=lengths, requests=200, seed=seed)
    served = offered.serve(server, 1).served
    assert offered.overload(served, 1) is None
    assert offered.requests_per_s(served, 1) == pytest.approx(8.1, rel=0.03)


def test_energy_at_a_rate_is_that_of_a_long_run_and_one_for_who_chooses_and_who_explores():
    """How many of 300 come in their time scatters by 6 %; the power that they draw, by 0.5 %."""
    server = deployed(max_batch_size=256)
    long, *others = (
        Arrivals(rate_per_s=16, lengths=ALIKE, requests=requests, seed=seed)
        for requests, seed in ((8000, 0), (None, 0), (300, 1), (300, 2))
    )
    expected_j, *found_j = (
        energy_per_request_j(each, each.serve(server, 1).served, 1) for each in (long, *others)
    )
    grid = at_a_rate(server, 16, Axes((256,), (256,)))
    found_j.append(256 * grid["energy_per_token_j"][0][0])
    assert found_j == pytest.approx([expected_j] * 4, rel=0.01)
    assert grid["throughput_tokens_per_s"][0][0] == 16 * 256
