"""Candidates for a load: who is on the front, what misses a target, overload, replicas."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sweetspot
from sweetspot.ask.candidates import Candidate, fewest
from sweetspot.ask.choose import ranked
from sweetspot.errors import InputError
from sweetspot.simulator.schedule.requests import Lengths, generated

LENGTHS = {"input_tokens": 800, "output_tokens": 100}
LOAD = LENGTHS | {"rate_per_s": 4, "requests": 200}
PLAIN = Candidate(
    model="m", gpu="g", tensor_parallel=1, max_batch_size=8, weights="model", replicas=1, gpus=1
)


def goals(candidate):
    """Return what is better where it is less."""
    return (
        candidate.energy_per_request_j,
        candidate.e2e_p95_s,
        -candidate.throughput_per_gpu_tokens_per_s,
    )


def is_better(one, other):
    pairs = list(zip(goals(one), goals(other), strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


few = st.integers(1, 4).map(float)  # so few values that many are equal


@st.composite
def candidates(draw):
    kind = draw(st.sampled_from(["meets", "misses", "overloaded", "impossible"]))
    if kind == "impossible":
        return replace(PLAIN, reason="does not fit")
    found = replace(
        PLAIN, energy_per_request_j=draw(few), throughput_per_gpu_tokens_per_s=draw(few)
    )
    if kind == "overloaded":
        return replace(found, overloaded=True, offered_per_s=4.0, served_per_s=draw(few))
    over = {"tpot_p95_s": draw(few)} if kind == "misses" else {}
    return replace(found, e2e_p95_s=draw(few), over=over, meets=kind == "meets")


@given(st.lists(candidates(), min_size=1, max_size=12))
def test_nothing_on_the_front_has_a_better_one_and_all_else_has(asked):
    found = ranked(asked, "e2e_p95_s")
    assert [each.number for each in found] == list(range(1, len(asked) + 1))
    meeting = [each for each in found if each.meets]
    for each in found:
        better = [other for other in meeting if each.meets and is_better(other, each)]
        if each.on_front:
            assert not better
        elif each.meets and each.same_as is not None:
            twin = found[each.same_as - 1]
            assert twin.on_front
            assert goals(twin) == goals(each)
        elif each.meets:
            assert found[each.dominated_by - 1] in better
            assert found[each.dominated_by - 1].on_front


@given(st.lists(candidates(), min_size=1, max_size=12))
def test_the_best_takes_the_least_of_what_serves_within_the_targets(asked):
    found = ranked(asked, "e2e_p95_s")
    least_j = min((each.energy_per_request_j for each in asked if each.meets), default=None)
    assert found[0].on_front is (least_j is not None)
    if least_j is not None:
        assert found[0].energy_per_request_j == least_j
    assert all(each.meets for each in found if each.on_front)
    kinds = [(bool(c.reason), c.overloaded, bool(c.over), not c.on_front) for c in found]
    assert kinds == sorted(kinds)


@given(st.integers(1, 200), st.integers(1, 200))
def test_as_few_replicas_as_meet_are_found_in_few_looks(needed, served):
    """So many serve the load, and so many are within the targets."""
    looks = []

    def of(count):
        looks.append(count)
        overloaded = count < served
        rates = (float(served), float(count)) if overloaded else (None, None)
        return replace(
            PLAIN,
            replicas=count,
            overloaded=overloaded,
            offered_per_s=rates[0],
            served_per_s=rates[1],
            mean_batch=5.0,
            over={"tpot_p95_s": 1.0} if count < needed else {},
        )

    found = fewest(of)
    assert found.replicas == max(needed, served)
    assert not found.no_number_meets
    assert len(looks) == len(set(looks)) <= 18


def test_where_no_number_of_replicas_meets_the_fewest_that_serve_are_said():
    found = fewest(
        lambda count: replace(
            PLAIN,
            replicas=count,
            overloaded=count < 5,
            offered_per_s=5.0,
            served_per_s=float(count),
            mean_batch=8 / count,
            over={"tpot_p95_s": 1.0},
        )
    )
    assert found.no_number_meets
    assert found.replicas == 5


def test_power_is_no_reason_to_try_more_replicas():
    looks = []
    found = fewest(
        lambda count: (
            looks.append(count)
            or replace(PLAIN, replicas=count, mean_batch=5.0, over={"max_power_w": 0.1})
        )
    )
    assert looks == [1]
    assert not found.no_number_meets


def test_mean_power_beyond_the_budget_is_said_by_how_much():
    asked = {"replicas": [1, 2], "power_limit_w": [300, None], **LOAD, "requests": 60}
    free = {
        (each.replicas, each.power_limit_w): each
        for each in sweetspot.choose("llama-3.1-8b", **asked).candidates
    }
    assert len(free) == 4
    for each in free.values():  # at their rate, each request takes its energy
        steady_w = each.load.served.steady.mean_power_w
        assert each.mean_power_w == pytest.approx(each.replicas * steady_w)
        assert each.mean_power_w == pytest.approx(4 * each.energy_per_request_j)
    budget_w = free[1, None].mean_power_w / 1.1
    choice = sweetspot.choose("llama-3.1-8b", max_power_w=budget_w, **asked)
    within = {(each.replicas, each.power_limit_w) for each in choice.candidates if each.meets}
    assert within == {(1, 300)}
    assert (choice.best.replicas, choice.best.power_limit_w) == (1, 300)
    missed = next(c for c in choice.candidates if (c.replicas, c.power_limit_w) == (1, None))
    assert missed.over == {"max_power_w": pytest.approx(0.1)}
    assert choice.table["max_power_w_over"].max() > 0.1
    backlog = sweetspot.choose("llama-3.1-8b", max_power_w=budget_w, requests=100, **LENGTHS)
    assert backlog.best is None


def test_limited_board_is_that_of_predict():
    chosen = sweetspot.choose("llama-3.1-8b", power_limit_w=300, **LOAD).best
    board = chosen.load.deployment.gpu
    answer = sweetspot.predict(
        "llama-3.1-8b", "h100-sxm", **LENGTHS, requests=10, power_limit_w=300
    )
    assert board.settings == "power limit 300 W"
    assert board.power_limit_w == answer.power_limit_w == 300
    assert chosen.load.deployment.intervals.energy.factor > 1.3  # no such board was compared


def test_load_beyond_the_most_replicas_says_how_many_it_needs():
    asked = LENGTHS | {"rate_per_s": 1e6, "requests": 100, "max_batch_size": 4}
    (found,) = sweetspot.choose("llama-3.1-8b", replicas="auto", **asked).candidates
    assert (found.replicas, found.overloaded, found.no_number_meets) == (1024, True, True)
    assert found.replicas_needed == pytest.approx(1024 * 1e6 / found.served_per_s, abs=1)
    enough = 2 * found.replicas_needed
    (served,) = sweetspot.choose("llama-3.1-8b", replicas=enough, **asked).candidates
    assert not served.overloaded
    assert served.replicas_needed is None


def test_candidate_is_what_simulate_says():
    (found,) = sweetspot.choose("llama-3.1-8b", **LOAD).candidates
    lengths = (Lengths(mean=LOAD["input_tokens"]), Lengths(mean=LOAD["output_tokens"]))
    requests = generated(200, *lengths, max_seq_len=8192, rate_per_s=4)
    answer = sweetspot.simulate_load("llama-3.1-8b", "h100-sxm", requests)
    served = answer.served
    assert found.energy_per_request_j == pytest.approx(served.steady.mean_power_w / 4)
    assert found.throughput_per_gpu_tokens_per_s == pytest.approx(4 * 100)
    assert found.ttft_p95_s == served.first_token.p95_s
    assert found.tpot_p95_s == served.per_output_token.p95_s
    assert found.e2e_p95_s == served.end_to_end.p95_s
    assert found.idle_share == served.idle_share > 0
    factor = answer.energy_per_token_high_j / served.energy_per_token_j
    assert found.energy_per_request_high_j == pytest.approx(factor * found.energy_per_request_j)
    assert found.mean_power_w == pytest.approx(served.steady.mean_power_w)


def test_overload_is_said_and_no_latency_of_its_queue():
    choice = sweetspot.choose("llama-3.1-8b", max_batch_size=[1, 1024], **LOAD | {"requests": 500})
    serves, overloaded = choice.candidates
    assert choice.best is serves
    assert serves.served_per_s is None
    assert overloaded.overloaded
    assert overloaded.offered_per_s == 4
    assert 1 < overloaded.served_per_s < 1.5  # one at a time takes 0.8 s
    assert (overloaded.ttft_p95_s, overloaded.e2e_p95_s, overloaded.energy_kwh) == (
        None,
        None,
        None,
    )
    assert not overloaded.meets
    assert overloaded.told_apart is None


def test_run_is_long_enough_for_its_requests_in_flight():
    (found,) = sweetspot.choose(
        "llama-3.2-1b", "l4", input_tokens=20, output_tokens=300, rate_per_s=25
    ).candidates
    in_flight = 25 * found.load.served.end_to_end.mean_s
    assert 2000 < 20 * in_flight <= found.requests < 40 * in_flight


def test_more_requests_do_not_change_who_wins():
    """H200 against L40S and one model against a smaller one are clear cases."""
    orders = [
        [
            (each.model, each.gpu)
            for each in sweetspot.choose(
                ["llama-3.1-8b", "llama-3.2-1b"],
                ["h200-sxm", "l40s"],
                e2e_p95_s=10,
                seed=seed,
                **LOAD | {"requests": requests},
            ).candidates
        ]
        for requests, seed in ((100, 0), (500, 0), (200, 1))
    ]
    assert orders[0] == orders[1] == orders[2]
    assert orders[0][0] == ("llama-3.2-1b", "l40s")


def test_target_that_is_missed_is_said_by_how_much():
    free = sweetspot.choose("llama-3.1-8b", "l40s", **LOAD).best
    target_s = free.tpot_p95_s / 1.25
    choice = sweetspot.choose("llama-3.1-8b", "l40s", tpot_p95_s=target_s, e2e_p95_s=60, **LOAD)
    (missed,) = choice.candidates
    assert choice.best is None
    assert choice.front == ()
    assert missed.over == {"tpot_p95_s": pytest.approx(0.25)}
    row = choice.table.iloc[0]
    assert row["tpot_p95_s_over"] == pytest.approx(0.25)
    assert row["e2e_p95_s_over"] == 0


def test_replicas_share_the_load():
    one, two = sweetspot.choose(
        "llama-3.1-8b", replicas=[1, 2], price_per_kwh=0.5, pue=1.5, **LOAD
    ).candidates
    assert (two.gpus, two.replicas) == (2, 2)
    assert two.mean_batch < one.mean_batch
    assert two.throughput_per_gpu_tokens_per_s == pytest.approx(
        one.throughput_per_gpu_tokens_per_s / 2, rel=0.02
    )
    assert two.dominated_by is None  # it answers sooner
    day_j = 86400 * 4 * two.energy_per_request_j
    assert two.energy_kwh == pytest.approx(1.5 * day_j / 3.6e6)
    assert two.cost == pytest.approx(0.5 * two.energy_kwh)
    assert two.gco2e is None


def test_automatic_replicas_are_the_fewest_that_meet():
    asked = {"tpot_p95_s": 0.03, **LOAD}
    (found,) = sweetspot.choose("llama-3.1-8b", "l40s", replicas="auto", **asked).candidates
    fewer = sweetspot.choose("llama-3.1-8b", "l40s", replicas=found.replicas - 1, **asked)
    assert found.meets
    assert found.replicas > 1
    assert fewer.best is None


def test_what_cannot_be_is_a_candidate_with_its_reason():
    choice = sweetspot.choose(
        ["llama-3.1-8b", "opt-1.3b"],
        ["a100-80gb", "l4"],
        tensor_parallel=[1, 3],
        weights=["model", "fp8"],
        rate_per_s=0.1,
        input_tokens=8000,
        output_tokens=300,
        requests=5,
    )
    reasons = {
        (each.model, each.gpu, each.tensor_parallel, each.weights): each.reason
        for each in choice.candidates
    }
    assert len(reasons) == 16
    assert "a100-80gb has no FP8" in reasons["llama-3.1-8b", "a100-80gb", 1, "fp8"]
    assert "cannot be shared" in reasons["llama-3.1-8b", "l4", 3, "model"]
    assert "8300 tokens are beyond the 8192" in reasons["opt-1.3b", "l4", 1, "model"]
    assert reasons["llama-3.1-8b", "a100-80gb", 1, "model"] == ""
    assert [bool(each.reason) for each in choice.candidates] == [False] * 3 + [True] * 13
    assert choice.table["energy_per_request_j"].notna().sum() == 3


def test_backlog_has_full_batches_and_only_times_between_tokens():
    choice = sweetspot.choose("llama-3.1-8b", max_batch_size=[8, 64], **LENGTHS, requests=400)
    large, small = choice.candidates
    assert (large.max_batch_size, small.max_batch_size) == (64, 8)
    assert small.mean_batch == pytest.approx(8, rel=0.05)
    assert (small.ttft_p95_s, small.e2e_p95_s) == (None, None)
    assert small.tpot_p95_s < large.tpot_p95_s
    assert large.energy_kwh == pytest.approx(large.energy_per_request_j / 3600)  # of 1000
    steady = large.load.served.steady
    assert large.energy_per_request_j == pytest.approx(100 * steady.energy_per_token_j)
    assert choice.told_of == "1000 requests"
    assert len(choice.front) == 2


def test_log_is_served_as_cost_does_and_shared_out_in_turn(tmp_path):
    log = tmp_path / "log.csv"
    rows = [f"{t},{100 + t % 7},{20 + t % 5}" for t in range(60)]
    log.write_text("\n".join(["arrival_s,input_tokens,output_tokens", *rows, "60,9000,10"]) + "\n")
    asked = {"replicas": [1, 2], "trace": log}
    choice = sweetspot.choose(["llama-3.1-8b", "opt-1.3b"], **asked)
    assert "left out: 1 of more than 8192 tokens" in " ".join(choice.notes)  # as OPT cannot
    one, two = (
        next(c for c in choice.candidates if (c.model, c.replicas) == ("llama-3.1-8b", n))
        for n in (1, 2)
    )
    limits = sweetspot.Limits(max_seq_len=8192)
    costs = sweetspot.cost(log, "llama-3.1-8b", "h100-sxm", limits=limits).total
    assert one.energy_per_request_j == pytest.approx(costs["energy_per_request_j"], rel=1e-3)
    assert (one.requests, two.requests) == (60, 30)
    assert two.energy_per_request_j > 1.5 * one.energy_per_request_j  # they mostly wait
    per_day = 86400 * costs["energy_j"] / costs["duration_s"]
    assert one.energy_kwh == pytest.approx(per_day / 3.6e6, rel=1e-3)
    first = sweetspot.choose("opt-1.3b", trace=log, requests=10)
    assert first.best.requests == 10


def test_candidates_are_told_apart_by_more_than_both_may_be_off():
    choice = sweetspot.choose("llama-3.1-8b", max_batch_size=[64, 56, 16], **LENGTHS, requests=300)
    best, near, far = choice.candidates
    assert (near.told_apart, far.told_apart) == (False, True)
    factor = best.energy_per_request_high_j / best.energy_per_request_j
    assert near.energy_per_request_j < factor * best.energy_per_request_j


def test_what_is_named_twice_is_tried_once_and_numbers_may_be_of_numpy():
    choice = sweetspot.choose(
        "opt-1.3b", ["h100", "h100-sxm"], max_batch_size=2 ** np.arange(3, 5), **LOAD
    )
    assert [each.max_batch_size for each in choice.candidates] == [8, 16]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"rate_per_s": 0.0}, "rate must be a number of requests per second above 0, not 0.0"),
        ({"input_tokens": None}, "give input_tokens and output_tokens of requests, or a trace"),
        ({"trace": "log.csv"}, "a trace says what requests come; leave out lengths and rate"),
        ({"rate_per_s": None, "ttft_p95_s": 1.0}, "are of requests that come over time; give rate"),
        ({"rate_per_s": None, "replicas": 2}, "are of requests that come over time; give rate"),
        ({"tpot_p95_s": 0.0}, "tpot_p95_s must be a number of seconds above 0, not 0.0"),
        ({"max_power_w": 0.0}, "max_power_w must be a number of W above 0, not 0.0"),
        ({"max_power_w": float("nan")}, "max_power_w must be a number of W above 0, not nan"),
        ({"power_limit_w": [300, -1]}, "power_limit_w must be more than 0, not -1.0"),
        ({"power_limit_w": []}, "power_limit_w must name at least one"),
        ({"replicas": 0}, "replicas must be a positive integer, or 'auto' alone, not 0"),
        ({"replicas": "all"}, "replicas must be a positive integer, or 'auto' alone, not 'all'"),
        ({"requests": 0}, "requests must be a positive integer, not 0"),
        ({"gpus": []}, "gpus must name at least one"),
        ({"tensor_parallel": 9}, "tensor_parallel must be an integer from 1 to 8, not 9"),
        ({"max_batch_size": 0}, "max_batch_size must be a positive integer, not 0"),
        ({"weights": "fp4"}, "weights must be 'model' or 'fp8', not 'fp4'"),
        ({"engine": "llm"}, "unknown engine 'llm'"),
        ({"input_tokens": 0}, "the mean length must be at least 1 token, not 0"),
        ({"pue": 0.5}, "pue must be a number of at least 1, not 0.5"),
    ],
)
def test_question_that_makes_no_sense_is_refused(asked, message):
    with pytest.raises(InputError, match=message):
        sweetspot.choose(**{"models": "opt-1.3b", **LOAD} | asked)


def test_rates_and_targets_in_another_unit_are_doubted_as_in_a_log():
    right = {"gco2_per_kwh": 380, "pue": 1.2, "tpot_p95_s": 0.05, "ttft_p95_s": 1, "e2e_p95_s": 20}
    assert sweetspot.choose("llama-3.2-1b", **right, **LOAD).notes == ()
    slips = {"gco2_per_kwh": 0.38, "pue": 120, "tpot_p95_s": 50}
    co2, pue, tpot = sweetspot.choose("llama-3.2-1b", **slips, **LOAD).notes
    assert "give g, not kg" in co2
    assert "a PUE of 120 is beyond that of any site" in pue
    assert tpot == (
        "Warning: TPOT of 50 s is more than anybody waits for; give s, not ms: 0.05 would be 50 ms"
    )
