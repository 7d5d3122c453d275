"""Lengths that are worth their time: few carry Eq. 5, and every beginning is worth the most."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.config import PAPER_LENGTHS, parse_experiment
from sweetspot.energy_models import form
from sweetspot.plan.lengths import FEW, few, informative_first, times_s
from sweetspot.plan.plan import plan

EQ5 = form("memory_flops")
GRID = [(inputs, outputs) for inputs in PAPER_LENGTHS for outputs in PAPER_LENGTHS]
AXIS = st.lists(st.integers(1, 100_000), min_size=1, max_size=6, unique=True)


def variance(lengths, table5):
    """Return the mean relative variance of a fit over the grid, mean of the paper's surfaces."""
    whole, part = (EQ5.design_matrix(*np.array(each, float).T) for each in (GRID, lengths))
    found = []
    for coefficients in table5:
        at_all, at_part = (terms / (terms @ coefficients)[:, None] for terms in (whole, part))
        scale = np.linalg.norm(at_all, axis=0)
        at_all, at_part = at_all / scale, at_part / scale
        found.append(np.trace(np.linalg.solve(at_part.T @ at_part, at_all.T @ at_all)))
    return np.mean(found) / len(GRID)


@pytest.fixture(scope="module")
def surfaces():
    from sweetspot import published

    return published.table5()[[term.name for term in EQ5.terms]].to_numpy(float)


@given(AXIS, AXIS, st.sampled_from([1, 50, 1000]))
def test_few_are_of_the_grid_and_tell_all_terms_where_it_does(inputs, outputs, requests):
    chosen = few(inputs, outputs, requests)
    assert len(chosen) == len(set(chosen)) <= len(inputs) * len(outputs)
    assert {each for each, _ in chosen} <= set(inputs)
    assert {each for _, each in chosen} <= set(outputs)
    if min(len(inputs), len(outputs)) > 2:
        assert len(chosen) == min(FEW, len(inputs) * len(outputs))
        assert len({each for each, _ in chosen}) > 2
        assert len({each for _, each in chosen}) > 2


@given(st.permutations(PAPER_LENGTHS), st.permutations(PAPER_LENGTHS))
def test_few_hang_on_no_order(inputs, outputs):
    assert set(few(inputs, outputs, 1000)) == set(few(PAPER_LENGTHS, PAPER_LENGTHS, 1000))


def test_few_of_the_papers_grid_take_a_ninth_of_its_time_and_hardly_lose(surfaces):
    chosen = few(PAPER_LENGTHS, PAPER_LENGTHS, 1000)
    assert times_s(chosen, 1000).sum() / times_s(GRID, 1000).sum() == pytest.approx(1 / 9, abs=0.01)
    # mean absolute error of a normal variable: 0.8 of its deviation, here at 2 % noise
    lost = 0.8 * 2 * (variance(chosen, surfaces) ** 0.5 - variance(GRID, surfaces) ** 0.5)
    assert lost < 0.5


@pytest.mark.parametrize("share", [0.02, 0.05, 0.1, 0.2])
def test_every_beginning_is_worth_more_than_as_much_time_of_a_random_order(surfaces, share):
    def within(order):
        spent = np.cumsum(times_s(order, 1000))
        return order[: np.searchsorted(spent, share * spent[-1])]

    ours = variance(within(informative_first(GRID, 1000)), surfaces)
    rng = np.random.default_rng(5)
    for _ in range(10):
        other = within([GRID[k] for k in rng.permutation(len(GRID))])
        other_matrix = EQ5.design_matrix(*np.array(other, float).T) if len(other) else None
        if other_matrix is None or np.linalg.matrix_rank(other_matrix) < len(EQ5.terms):
            continue
        assert ours < variance(other, surfaces)


def test_experiment_of_few_measures_them_and_sweeps_that_are_no_grid_whole():
    experiment = parse_experiment(
        {"engine": "simulator", "measure": {"design": "few"}, "models": ["opt-1.3b"]}
    )
    planned = plan(experiment)
    by_sweep = {}
    for cell in planned.cells:
        for sweep in planned.sweeps[cell.id]:
            by_sweep.setdefault((sweep, cell.model, cell.max_batch_size, cell.requests), []).append(
                (cell.input_tokens, cell.output_tokens)
            )
    assert set(by_sweep["grid", "opt-1.3b", 1024, 1000]) == set(
        few(PAPER_LENGTHS, PAPER_LENGTHS, 1000)
    )
    assert len(by_sweep["batch", "llama-3.2-1b", 64, 128]) == len(PAPER_LENGTHS)
