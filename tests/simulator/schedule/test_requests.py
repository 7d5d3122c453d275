"""Generated requests: what was asked for, again and again, and refusals."""

from itertools import islice
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.errors import InputError
from sweetspot.simulator.schedule.requests import MAX_GENERATED, Lengths, Request, Shape, generated

FIXED = Lengths(mean=100)


def test_fixed_lengths_at_once_are_all_alike():
    found = list(generated(5000, FIXED, Lengths(mean=7), max_seq_len=200))
    assert found == [Request(0.0, 100, 7)] * 5000


def test_poisson_arrivals_have_the_rate_and_its_spread():
    found = generated(40_000, FIXED, FIXED, max_seq_len=200, rate_per_s=8.0, seed=3)
    gaps_s = np.diff([0.0, *(request.arrival_s for request in found)])
    assert (gaps_s >= 0).all()
    assert gaps_s.mean() == pytest.approx(1 / 8, rel=0.02)
    assert gaps_s.std() == pytest.approx(1 / 8, rel=0.03)


@pytest.mark.parametrize("shape", get_args(Shape))
def test_drawn_lengths_have_their_mean_and_stdev(shape):
    lengths = Lengths(mean=400, stdev=100, shape=shape)
    found = list(generated(40_000, lengths, lengths, max_seq_len=10**6, seed=1))
    for drawn in zip(*(request[1:3] for request in found), strict=True):
        assert np.mean(drawn) == pytest.approx(400, rel=0.02)
        stdev = 400 if shape == "exponential" else 100
        assert np.std(drawn) == pytest.approx(stdev, rel=0.03)
    inputs, outputs = np.array([request[1:3] for request in found]).T
    assert abs(np.corrcoef(inputs, outputs)[0, 1]) < 0.02


@given(
    st.integers(2, 300),
    st.sampled_from(get_args(Shape)),
    st.floats(1, 100),
    st.floats(1, 500),
    st.integers(0, 9),
)
def test_lengths_stay_within_the_longest_sequence(longest, shape, mean, stdev, seed):
    lengths = Lengths(mean=min(mean, longest - 1), stdev=stdev, shape=shape)
    for _, prompt, answer, *_ in generated(200, lengths, lengths, max_seq_len=longest, seed=seed):
        assert prompt >= 1
        assert answer >= 1
        assert prompt + answer <= longest


def test_seed_decides_everything_and_the_rate_no_length():
    drawn = Lengths(mean=50, stdev=20)

    def requests(**options):
        return list(generated(5000, drawn, drawn, max_seq_len=999, **options))

    assert requests(seed=4, rate_per_s=2.0) == requests(seed=4, rate_per_s=2.0)
    assert requests(seed=4, rate_per_s=2.0) != requests(seed=5, rate_per_s=2.0)
    slow, fast = requests(rate_per_s=2.0), requests(rate_per_s=4.0)
    assert [r[1:] for r in slow] == [r[1:] for r in fast]
    assert [r.arrival_s for r in slow] == pytest.approx([2 * r.arrival_s for r in fast])


def test_requests_are_drawn_as_they_are_asked_for():
    found = generated(MAX_GENERATED, FIXED, FIXED, max_seq_len=200, rate_per_s=1.0)
    assert len(list(islice(found, 5000))) == 5000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"requests": 0}, "requests must be an integer from 1 to 1000000000, not 0"),
        ({"requests": 10**9 + 1}, "requests must be an integer from 1 to 1000000000, not"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"rate_per_s": 0.0}, "rate must be .* above 0, not 0.0"),
        ({"rate_per_s": float("nan")}, "rate must be"),
        ({"max_seq_len": 1}, "max_seq_len must be at least 2"),
        ({"max_seq_len": 100}, "input lengths of 100 tokens .* do not fit in max_seq_len 100"),
        ({"max_seq_len": 199}, "requests of 200 tokens are longer than max_seq_len 199"),
    ],
)
def test_number_out_of_range_is_refused_at_once(change, message):
    arguments = {"requests": 3, "max_seq_len": 300} | change
    with pytest.raises(InputError, match=message):
        generated(arguments.pop("requests"), FIXED, FIXED, **arguments)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"mean": 0.5}, "mean length must be at least 1 token, not 0.5"),
        ({"mean": float("nan")}, "mean length"),
        ({"mean": float("inf")}, "mean length"),
        ({"mean": 5, "stdev": -1}, "stdev of lengths must be 0 to 1e"),
        ({"mean": 5, "stdev": float("inf")}, "stdev of lengths"),
        ({"mean": 5, "stdev": 1e200}, "stdev of lengths"),
    ],
)
def test_impossible_lengths_are_refused(numbers, message):
    with pytest.raises(InputError, match=message):
        Lengths(**numbers)
