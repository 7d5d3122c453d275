"""Expected times: the simulator's, scaled by what was seen, nearest cells first."""

from dataclasses import replace

import pytest

from sweetspot.campaign.cost import (
    LOAD_S,
    OVERHEAD_S,
    PLAIN_LOAD_S,
    Asked,
    Costs,
    Seen,
    costs,
    largest_that_fits,
    load_s,
    shares_s,
)
from sweetspot.campaign.design import design
from sweetspot.cells.cell import Cell
from sweetspot.config import Measure, parse_experiment
from sweetspot.plan.busy import run_s

LENGTHS = [64, 512, 4096]


@pytest.fixture(scope="module")
def block():
    sweep = {"input_tokens": LENGTHS, "output_tokens": LENGTHS, "requests": [1000, 50]}
    config = {"engine": "vllm", "models": ["llama-3.2-1b"], "sweeps": {"grid": sweep}}
    (found,) = design(parse_experiment(config)).blocks
    return found


@pytest.fixture(scope="module")
def known(block):
    return costs(block, block.settings.metering)


def cell(block, requests, inputs, outputs):
    (found,) = (
        c
        for c in block.cells
        if (c.requests, c.input_tokens, c.output_tokens) == (requests, inputs, outputs)
    )
    return found


def test_nothing_seen_is_the_simulators_time_with_its_window(block, known):
    metering = block.settings.metering
    long, short = cell(block, 1000, 4096, 4096), cell(block, 50, 64, 64)
    expected_s = known.expected_s([long, short], [])
    simulated_s = run_s(block, [long, short])
    assert expected_s[long] == pytest.approx(simulated_s[long] + known.extra_s[long])
    # repeated to fill its window
    assert simulated_s[short] < metering.min_window_s / 2
    window_s = expected_s[short] - known.extra_s[short]
    assert metering.min_window_s <= window_s < metering.min_window_s + simulated_s[short]


def test_warm_up_is_expected_to_take_as_long_as_its_first_tokens(block, known):
    short, long = cell(block, 1000, 64, 64), cell(block, 1000, 64, 4096)
    longer = cell(block, 1000, 4096, 64)
    assert OVERHEAD_S < known.extra_s[short] == known.extra_s[long] < known.extra_s[longer]


def test_slow_engine_is_expected_to_be_slow_everywhere(block, known):
    centre = cell(block, 1000, 512, 512)
    seen = [Seen(cell=centre, duration_s=4 * known.duration_s[centre], extra_s=None)]
    far = cell(block, 1000, 4096, 4096)
    plain_s, slow_s = (known.expected_s([far], each)[far] for each in ([], seen))
    assert slow_s - plain_s == pytest.approx(3 * known.duration_s[far])


def test_near_cells_tell_more_than_far_ones(block, known):
    short, long = cell(block, 1000, 64, 64), cell(block, 1000, 4096, 4096)
    seen = [
        Seen(cell=short, duration_s=10 * known.duration_s[short], extra_s=10.0),
        Seen(cell=long, duration_s=2 * known.duration_s[long], extra_s=2.0),
    ]
    beside = cell(block, 1000, 512, 4096)
    ratio = {
        c: known.expected_s([c], seen)[c] / (known.duration_s[c] + known.extra_s[c])
        for c in (long, beside)
    }
    assert ratio[long] == pytest.approx(2, rel=0.1)
    assert 2 < ratio[beside] < 4.5


def test_very_same_cell_counts_eleven_times_as_much_as_one_an_octave_away():
    same, beside = (
        Cell(
            model="m",
            engine="vllm",
            max_batch_size=8,
            requests=10,
            input_tokens=input_tokens,
            output_tokens=64,
            repeat=0,
        )
        for input_tokens in (512, 1024)
    )
    known = Costs(
        Measure(min_window_s=0).metering, {same: 100.0, beside: 100.0}, {same: 0.0, beside: 0.0}
    )
    seen = [Seen(cell=same, duration_s=200.0, extra_s=None)]
    seen += [Seen(cell=beside, duration_s=800.0, extra_s=None)]
    found_s = known.expected_s([same], seen)[same]
    assert found_s == pytest.approx(100 * 2 ** (11 / 12) * 8 ** (1 / 12))


def test_what_failed_or_was_not_timed_tells_nothing(block, known):
    centre = cell(block, 1000, 512, 512)
    untimed = [Seen(cell=centre, duration_s=known.duration_s[centre], extra_s=None)]
    assert known.expected_s([centre], untimed) == pytest.approx(known.expected_s([centre], []))


def test_largest_n_whose_grid_fits_with_its_margin_is_taken():
    def grid_s(requests):
        return requests * 1.0

    assert largest_that_fits([50, 100, 500], grid_s, 120) == 100
    assert largest_that_fits([50, 100, 500], grid_s, 100) == 50  # 100 s and no margin
    assert largest_that_fits([50, 100, 500], grid_s, 10_000) == 500
    assert largest_that_fits([50, 100, 500], grid_s, 1) == 50  # none fits


@pytest.mark.parametrize(
    ("asked", "shares"),
    [
        ([(50, 50), (50, 50), (50, 50)], [20, 20, 20]),
        (
            [(50, 50), (6, 6), (50, 50)],
            [27, 6, 27],
        ),  # what a small one does not need is the others'
        ([(10, 10), (10, 10)], [10, 10]),
        ([(10, 100), (30, 30)], [30, 30]),  # all come to their least first
        ([(10, 100), (10, 15), (10, 100)], [22.5, 15, 22.5]),
        ([(5, 100)], [60]),
        ([(5, 10, 90), (5, 10, 20), (5, 10, 10)], [30, 20, 10]),  # what no grid can use fills
    ],
)
def test_shares_are_what_each_needs_and_equal_parts_of_the_rest(asked, shares):
    assert shares_s([Asked(*each[:2], each[-1]) for each in asked], 60) == pytest.approx(shares)


def test_load_is_expected_to_take_as_long_as_before_or_as_others_took(block):
    assert load_s(block, {}) == LOAD_S
    assert load_s(block, {"other": 20.0}) == 30
    assert load_s(block, {"other": 20.0, block.id: 12.0}) == 12
    options = {**block.settings.options, "compilation": "none"}
    plain = replace(block, settings=replace(block.settings, options=options))
    assert load_s(plain, {}) == PLAIN_LOAD_S
