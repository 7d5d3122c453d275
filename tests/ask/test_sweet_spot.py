"""The sweet spot of a simulated workload: its range, what is recommended in it, and its bounds."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from sweetspot.ask.predict import predict
from sweetspot.ask.workload import Workload
from sweetspot.catalog import model_ids
from sweetspot.config import PAPER_LENGTHS
from sweetspot.energy_models import form, sweet_spot_output_tokens
from sweetspot.errors import SweetspotError

LLAMA = ("llama-3.1-8b", "h100-sxm", 512, 64)


def energy_j(workload: Workload, output_tokens: int, requests: int | None = None) -> float:
    """Return that of an output token."""
    run = replace(workload, requests=requests or workload.requests).simulate(output_tokens)
    return run.energy_j / run.output_tokens


def asked(model, gpu, *numbers, **options):
    """Return a prediction; what cannot be served is no example."""
    try:
        return predict(model, gpu, *numbers, **options)
    except SweetspotError:
        assume(False)


questions = st.tuples(
    st.sampled_from(model_ids()),
    st.sampled_from(["h100-sxm", "h200-sxm", "l40s", "a100-40gb"]),
    st.integers(16, 4000),
    st.just(1),
    st.integers(1, 3000),
    st.sampled_from([1, 16, 130, 256, 1024]),
)
engines = st.fixed_dictionaries(
    {"engine": st.sampled_from(["tensorrt-llm", "vllm", "transformers"])},
    optional={"kv_cache_memory_fraction": st.just(0.05)},
)


@given(question=questions, options=engines, more=st.sampled_from([0.9, 1.1]))
@example(question=(*LLAMA, 600, 1024), options={}, more=1.1)
@example(question=(*LLAMA, 820, 1024), options={}, more=0.9)
@settings(max_examples=settings.default.max_examples // 8)
def test_recommended_length_is_off_cliffs_and_moves_less_than_its_range(question, options, more):
    found = asked(*question, **options)
    spot, workload = found.sweet_spot, found.workload
    assert spot.range2_low <= spot.output_tokens <= spot.range2_high
    near = range(
        max(1, int(0.97 * spot.output_tokens) + 1),
        min(spot.longest_output_tokens, int(1.03 * spot.output_tokens)) + 1,
    )
    batches = [min(workload.requests, workload.batch(each)) for each in near]
    for length, (at_once, after) in zip(near, pairwise(batches), strict=False):
        if at_once != after:  # elsewhere nothing jumps
            step = energy_j(workload, length + 1) / energy_j(workload, length) - 1
            assert abs(step) <= 0.01
    if "kv_cache_memory_fraction" in options:
        return  # of a few requests at once, what N changes can be more
    *lengths, requests, batch = question
    other = asked(*lengths, max(1, round(more * requests)), batch, **options)
    width = spot.range2_high - spot.range2_low
    assert abs(other.sweet_spot_output_tokens - spot.output_tokens) < width


def test_number_of_requests_moves_it_little():
    """Between which the least of the sawtooth jumps from 480 to 807."""
    spots = [predict(*LLAMA, requests).sweet_spot for requests in (600, 820, 1000, 20000)]
    assert all(550 < spot.output_tokens < 700 for spot in spots)
    assert all(spot.lost_percent < 2 for spot in spots)
    assert all(470 < spot.range2_low < 495 and spot.range2_high == 864 for spot in spots)
    assert all(spot.eq6_tokens == pytest.approx(635, abs=4) for spot in spots)
    (cliff,) = spots[2].cliffs
    assert (cliff.output_tokens, cliff.waves, cliff.waves_after) == (832, 3, 4)
    assert cliff.step_percent == pytest.approx(5.9, abs=0.05)
    assert spots[2].notes == [
        "waves of requests: from 833 output tokens on 4 waves instead of 3, 5.9 % more a token"
    ]


@pytest.mark.parametrize("requests", [100, 1000])
def test_range_is_within_two_percent_with_whole_waves(requests):
    found = predict(*LLAMA, requests)
    spot, workload = found.sweet_spot, found.workload

    def whole_j(output_tokens):
        at_once = workload.batch(output_tokens)
        full = min(-(-requests // at_once), 4) * at_once
        return energy_j(workload, output_tokens, requests if requests <= at_once else full)

    least_j = min(whole_j(each) for each in range(64, 2000, 16))
    inside = [whole_j(each) for each in (spot.range2_low, spot.output_tokens, spot.range2_high)]
    outside = [whole_j(each) for each in (spot.range2_low - 2, spot.range2_high + 2)]
    assert max(inside) <= 1.0205 * least_j
    assert min(outside) > 1.0195 * least_j


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ((*LLAMA, 450), {}),
        ((*LLAMA, 600), {}),
        (("opt-6.7b", "l40s", 512, 64, 100), {"engine": "vllm"}),
        (("llama-3.2-1b", "h100-sxm", 64, 64, 64, 64), {}),
        (("gemma-2-9b", "h100-pcie", 4096, 64, 10, 8), {}),
    ],
)
def test_least_for_these_requests_is_below_all_of_a_grid(question, options):
    """And the recommended one costs as much more as is said."""
    found = predict(*question, **options)
    spot, workload = found.sweet_spot, found.workload
    least_j = energy_j(workload, spot.least_output_tokens)
    grid = {int(each) for each in np.geomspace(16, 4000, 60)}
    assert least_j <= 1.001 * min(energy_j(workload, each) for each in grid)
    assert 1 / spot.tokens_per_j == pytest.approx((1 + spot.lost_percent / 100) * least_j)
    assert workload.waves(spot.least_output_tokens) == spot.least_waves
    if spot.lost_percent > 2:
        assert f"than at {spot.least_output_tokens}, in " in spot.notes[-1]


def test_length_that_was_asked_for_changes_nothing():
    short, long = (predict("llama-3.1-8b", "h100-sxm", 8000, o).sweet_spot for o in (192, 2000))
    assert short == long
    assert not short.at_bound
    assert short.longest_output_tokens == 131_072 - 8000


@pytest.mark.parametrize(
    ("model", "input_tokens", "options", "longest", "bound"),
    [
        ("opt-1.3b", 8000, {}, 192, "max_seq_len 8192"),
        ("llama-3.1-8b", 512, {"max_seq_len": 700}, 188, "max_seq_len 700"),
        ("opt-6.7b", 64, {"kv_cache_memory_fraction": 0.001}, 64, "what the KV cache holds"),
    ],
)
def test_bound_that_ends_the_search_is_said(model, input_tokens, options, longest, bound):
    spot = predict(model, "h100-sxm", input_tokens, 8, 100, **options).sweet_spot
    assert (spot.longest_output_tokens, spot.bound) == (longest, bound)
    assert spot.at_bound
    assert spot.range2_high == longest
    assert f"the bound of the search: {bound} allows no more than {longest} o" in spot.notes[0]


def test_range_that_ends_at_the_bound_is_said():
    spot = predict(*LLAMA, 1, max_seq_len=4096).sweet_spot
    assert not spot.at_bound
    assert spot.range2_high == spot.longest_output_tokens == 4096 - 512
    assert spot.notes == ["the range ends with what max_seq_len 4096 allows at this input"]


def test_many_waves_are_answered_from_as_many_as_matter():
    """Also where one more is a cliff, as each reads all weights for the three that fit."""
    few, many = (
        predict("gemma-2-9b", "a100-40gb", 200, 1, n, kv_cache_memory_fraction=0.02).sweet_spot
        for n in (300, 100_000)
    )
    assert (few.range2_low, few.range2_high) == (many.range2_low, many.range2_high)
    assert few.output_tokens == many.output_tokens
    assert many.cliffs[-1].output_tokens == many.range2_high
    assert many.cliffs[-1].step_percent > 25


def test_prompt_of_one_token_is_best_answered_with_one():
    spot = predict("granite-8b", "l40s", 1, 8, 229, engine="vllm").sweet_spot
    assert (spot.output_tokens, spot.at_bound) == (1, True)
    assert "costs more with each output token, from the first on" in spot.notes[0]


def test_one_length_is_all_there_is():
    spot = predict("llama-3.2-1b", "h100-sxm", 131_071, 1, 3, 4).sweet_spot
    assert (spot.output_tokens, spot.range2_low, spot.range2_high) == (1, 1, 1)
    assert (spot.at_bound, spot.eq6_tokens) == (True, None)


def test_eq6_is_that_of_the_papers_grid():
    """There Eq. 5 is fitted to several input lengths, here around the sweet spot of one."""
    eq5 = form("memory_flops")
    lengths = [(i, o) for i in (64, 512, 4096) for o in PAPER_LENGTHS]
    energies = [predict(*LLAMA[:2], *each).energy_per_token_j for each in lengths]
    coefficients, *_ = np.linalg.lstsq(eq5.design_matrix(*np.transpose(lengths)), energies)
    found = predict(*LLAMA).sweet_spot.eq6_tokens
    assert found == pytest.approx(sweet_spot_output_tokens(coefficients, 512), rel=0.05)


def test_batch_that_fits_a_graph_is_a_cliff_downwards():
    """TensorRT-LLM pads 129 to 256 requests to 256; longer answers leave room for 128."""
    spot = predict("opt-6.7b", "h100-sxm", 512, 64, 5000, cuda_graphs="tensorrt-llm").sweet_spot
    first = spot.cliffs[0]
    assert first.step_percent < -4
    assert first.output_tokens == spot.range2_low - 1
    assert f"from {spot.range2_low} output tokens on" in first.words
    assert " % less a token" in first.words


def test_interval_is_around_the_recommended_lengths_efficiency():
    found = predict(*LLAMA)
    spot = found.sweet_spot
    there = predict(*LLAMA[:3], spot.output_tokens)
    assert spot.tokens_per_j == found.sweet_spot_tokens_per_j == there.tokens_per_j
    ends = (1 / there.energy_per_token_high_j, 1 / there.energy_per_token_low_j)
    assert (spot.low_tokens_per_j, spot.high_tokens_per_j) == pytest.approx(ends)
    assert json.loads(json.dumps(spot.notes)) == spot.notes
