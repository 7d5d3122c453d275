"""Clustered conformal intervals: coverage by simulation, and what no interval may promise."""

from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.simulator.conformal import NOMINAL_LEVEL, interval, radius, supported_level

SCORES = st.lists(st.floats(0, 2), min_size=1, max_size=8)
CLUSTERS = st.lists(SCORES, min_size=1, max_size=15).map(
    lambda found: {str(k): each for k, each in enumerate(found)}
)


def drawn(rng, clusters):
    """Return clustered log ratios: a model's own bias, and as much again from cell to cell."""
    biases = rng.normal(0, 0.1, clusters)
    return {str(k): rng.normal(bias, 0.1, rng.integers(1, 30)) for k, bias in enumerate(biases)}


@pytest.mark.parametrize(("clusters", "level"), [(3, 0.75), (5, 0.8), (13, 0.9), (40, 0.9)])
def test_a_new_cell_of_a_new_model_is_covered_at_the_stated_rate(clusters, level):
    rng = np.random.default_rng(clusters)
    covered = []
    for _ in range(2000):
        # the new model is one of the same draw, and so is its cell
        *known, new = drawn(rng, clusters + 1).values()
        found = interval({str(k): each.tolist() for k, each in enumerate(known)}, "draws")
        covered.append(abs(rng.choice(new)) <= log(found.factor) + 1e-4)
    assert level - 0.02 <= np.mean(covered)  # at least what is said ...
    assert np.mean(covered) <= level + 1 / (clusters + 1) + 0.03  # ... and not much more


def test_cells_counted_as_if_independent_would_cover_too_few():
    """Pooled, 400 cells of 4 models promise 90 %, and a fifth model is covered less often."""
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(1000):
        biases = rng.normal(0, 0.2, 5)
        cells = np.abs(rng.normal(biases[:, None], 0.02, (5, 100)))
        covered.append(cells[4, 0] <= np.quantile(cells[:4], 0.9))
    assert np.mean(covered) < 0.85


@given(CLUSTERS, st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_radius_grows_with_the_level(scores, one, other):
    most = supported_level(len(scores), nominal=1)
    low, high = sorted((one * most, other * most))
    assert radius(scores, low) <= radius(scores, high)


@given(CLUSTERS, st.floats(0.01, 0.99))
def test_taking_evidence_of_no_error_away_never_narrows(scores, share):
    level = share * supported_level(len(scores), nominal=1)
    assert radius(scores | {"exact": [0.0]}, level) <= radius(scores, level)


@given(CLUSTERS)
def test_an_interval_is_symmetric_in_the_logarithm(scores):
    over = interval(scores, "")
    under = interval({model: [-each for each in errors] for model, errors in scores.items()}, "")
    assert over == under
    low, high = over.around(3.0)
    assert low * high == pytest.approx(9.0)


@given(CLUSTERS, st.integers(1, 5))
def test_repeated_cells_of_a_model_promise_nothing_more(scores, times):
    repeated = {model: errors * times for model, errors in scores.items()}
    assert interval(repeated, "").factor == pytest.approx(interval(scores, "").factor, abs=1e-4)


@pytest.mark.parametrize(
    ("clusters", "level"), [(1, 1 / 2), (2, 2 / 3), (8, 8 / 9), (9, 0.9), (500, 0.9)]
)
def test_no_level_is_beyond_what_the_models_support(clusters, level):
    assert supported_level(clusters) == pytest.approx(level)
    found = interval({str(k): [0.1] * 1000 for k in range(clusters)}, "")
    assert found.level == pytest.approx(level, abs=1e-4)
    assert found.models == clusters
    with pytest.raises(ValueError, match="support no level"):
        radius({str(k): [0.1] for k in range(clusters)}, clusters / (clusters + 1) + 0.001)


def test_the_highest_level_of_few_models_reaches_their_worst_cell():
    found = interval({"a": [0.01, -0.3], "b": [0.02]}, "two")
    assert found.factor == pytest.approx(exp(0.3), abs=1e-4)
    assert found.rests_on == "3 cells of 2 models: two"


def test_planted_errors_give_the_factor_that_was_planted():
    """Nine of ten models within 5 %, one at 50 %: at 80 % the tenth is left outside."""
    scores = {str(k): [0.05] for k in range(9)} | {"odd": [0.5]}
    assert radius(scores, 0.8) == 0.05
    assert radius(scores, NOMINAL_LEVEL) == 0.5


def test_no_factor_is_below_what_was_asked_for():
    assert interval({"a": [0.01]}, "", at_least=1.4).factor == 1.4
