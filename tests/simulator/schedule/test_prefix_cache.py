"""What a prefix cache spares: exact counts, its room, and what stays as it is without repeats."""

from dataclasses import asdict
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweetspot.catalog import catalog_entry, gpu
from sweetspot.simulator.constants.calibration_file import load_calibration
from sweetspot.simulator.cost.step_costs import StepCosts
from sweetspot.simulator.deployment.scheduler_limits import SchedulerLimits
from sweetspot.simulator.schedule.in_flight import InFlightBatching, Policy
from sweetspot.simulator.schedule.prefix_cache import PREFIX_BLOCK
from sweetspot.simulator.schedule.requests import Request
from sweetspot.simulator.serve import serve

H100 = gpu("h100-sxm")
CONSTANTS = load_calibration(H100).constants
LLAMA = catalog_entry("llama-3.1-8b").architecture
UNIT = 64
FEW = settings(max_examples=settings.default.max_examples // 5)


def limits_of(kv_tokens):
    return SchedulerLimits(
        max_batch_size=8, max_num_tokens=2112, kv_blocks=kv_tokens // UNIT, tokens_per_block=UNIT
    )


class Recording:
    """A clock that keeps the segments it ran."""

    def __init__(self, limits):
        self.clock = StepCosts(LLAMA, H100, CONSTANTS, limits)
        self.segments = []

    def run(self, segment, now_s):
        self.segments.append(segment)
        return self.clock.run(segment, now_s)


def served(requests, *, kv_tokens=2**20, prefix_cache=True, **how):
    """Return what was served, and the prompts' tokens and pairs that were processed."""
    limits = limits_of(kv_tokens)
    clock = Recording(limits)
    scheduler = InFlightBatching(requests, limits, prefix_cache=prefix_cache, **how)
    found = serve(scheduler, clock)
    return found, *(
        sum(getattr(each, name) for each in clock.segments)
        for name in ("prompt_tokens", "prompt_pairs")
    )


@st.composite
def conversations(draw, gaps_s):
    """Draw prompts that go on where others of few kinds began."""
    requests, arrival_s = [], 0.0
    for _ in range(draw(st.integers(1, 12))):
        arrival_s += draw(gaps_s)
        prompt = draw(st.integers(1, 4 * PREFIX_BLOCK))
        common, kind = draw(st.integers(0, 4)), draw(st.integers(0, 1))
        blocks = range(-(-prompt // PREFIX_BLOCK))
        own = 100 * (len(requests) + 1)
        prefix = tuple(10 * kind + n if n < common else own + n for n in blocks)
        requests.append(Request(arrival_s, prompt, draw(st.integers(1, 40)), prefix))
    return requests


@FEW
@given(conversations(st.floats(0, 0.5)), st.sampled_from(Policy), st.booleans())
def test_prompts_without_repeats_cost_what_they_cost_without_a_cache(requests, policy, chunked):
    firsts = accumulate((len(r.prefix) for r in requests), initial=0)
    alone = [
        r._replace(prefix=tuple(range(first, first + len(r.prefix))))
        for r, first in zip(requests, firsts, strict=False)
    ]
    how = {"kv_tokens": 4096, "policy": policy, "chunked_prefill": chunked}
    found, *_ = served(alone, **how)
    expected, *_ = served(alone, prefix_cache=False, **how)
    # one that is paused may find its own prompt again
    assert asdict(found) == asdict(expected) or found.pauses
    assert found.cached_tokens == 0 or found.pauses


@FEW
@given(conversations(st.floats(0, 0.5)), st.sampled_from([4096, 8192, 2**20]))
def test_cached_tokens_are_those_that_are_not_processed(requests, kv_tokens):
    found, tokens, pairs = served(requests, kv_tokens=kv_tokens)
    _, all_tokens, all_pairs = served(requests, kv_tokens=kv_tokens, prefix_cache=False)
    assert tokens == all_tokens - found.cached_tokens
    assert pairs <= all_pairs
    assert found.output_tokens == sum(r.output_tokens for r in requests)


@FEW
@given(conversations(st.just(60.0)))
def test_one_at_a_time_never_takes_more_energy_or_time(requests):
    found, *_ = served(requests)
    without, *_ = served(requests, prefix_cache=False)
    assert found.energy_j <= without.energy_j * (1 + 1e-12)
    for name in ("first_token", "end_to_end"):
        assert getattr(found, name).mean_s <= getattr(without, name).mean_s * (1 + 1e-12)
    assert (found.energy_j < without.energy_j) == (found.cached_tokens > 0)


@FEW
@given(st.integers(1, 4 * PREFIX_BLOCK))
def test_all_but_the_last_token_of_the_same_prompt_is_cached_in_whole_blocks(prompt):
    prefix = tuple(range(-(-prompt // PREFIX_BLOCK)))
    twice = [Request(60.0 * n, prompt, 2, prefix) for n in range(2)]
    found, *_ = served(twice)
    assert found.cached_tokens == (prompt - 1) // UNIT * UNIT


PROMPT = 2 * PREFIX_BLOCK


def said(arrival_s, kind, output_tokens=UNIT):
    return Request(arrival_s, PROMPT, output_tokens, (10 * kind, 10 * kind + 1))


@pytest.mark.parametrize(
    ("kv_tokens", "cached"),
    [
        (2 * (PROMPT + UNIT), PROMPT - UNIT),  # two prompts fit with their answers
        (2 * PROMPT + UNIT, PROMPT - UNIT),  # or what is kept beside one that runs
        (2 * PROMPT, PREFIX_BLOCK),  # of one prompt the end goes first
        (PROMPT + UNIT, 0),
    ],
)
def test_what_finds_no_room_beside_requests_in_flight_goes(kv_tokens, cached):
    """A prompt comes again after another one."""
    requests = [said(0.0, 0), said(60.0, 1), said(120.0, 0)]
    found, *_ = served(requests, kv_tokens=kv_tokens)
    assert found.cached_tokens == cached


def test_least_recently_used_prompt_goes_first():
    room = 2 * PROMPT + UNIT  # one runs, another is kept
    order = [0, 1, 0, 2, 0]  # 1 goes for 2
    found, *_ = served([said(60.0 * n, k) for n, k in enumerate(order)], kv_tokens=room)
    assert found.cached_tokens == 2 * (PROMPT - UNIT)
    again = [*order, 1]
    found, *_ = served([said(60.0 * n, k) for n, k in enumerate(again)], kv_tokens=room)
    assert found.cached_tokens == 2 * (PROMPT - UNIT)


def test_prompt_is_reused_from_when_it_is_processed():
    at_once, *_ = served([said(0.0, 0), said(0.0, 0)])
    assert at_once.cached_tokens == 0
    in_decode, *_ = served([said(0.0, 0, 500), said(0.5, 0)])
    assert in_decode.max_batch == 2
    assert in_decode.cached_tokens == PROMPT - UNIT


def test_cached_tokens_of_a_log_are_taken_as_they_are():
    requests = [Request(60.0 * n, 1000, 2, (), cached) for n, cached in enumerate((0, 640, 9999))]
    found, tokens, _ = served(requests)
    assert found.cached_tokens == 640 + 960
    assert tokens == 3000 - found.cached_tokens
