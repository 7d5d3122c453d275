"""What to measure next and when to stop: it hangs on what was measured, and on nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sweetspot.config import PAPER_LENGTHS, Adaptive, parse_experiment
from sweetspot.errors import InputError
from sweetspot.plan.adaptive import Next, Stop, next_cells, upper_f
from sweetspot.plan.lengths import EQ5, carries_eq5, informative_first, typical_energy_per_token_j
from sweetspot.plan.plan import plan

GRID = [(inputs, outputs) for inputs in PAPER_LENGTHS for outputs in PAPER_LENGTHS]


def surfaces():
    """Return (13, k) coefficients of the paper's models, Llama 3.1 8B first."""
    from sweetspot import published

    rows = published.table5().sort_values("model", key=lambda names: names != "llama-3.1-8b")
    return rows[[term.name for term in EQ5.terms]].to_numpy(float)


@pytest.fixture(scope="module")
def surface():
    """The energies of one of the paper's models, by lengths."""
    energies = EQ5.energy_per_token_j(surfaces()[0], *np.array(GRID, float).T)
    return dict(zip(GRID, energies.tolist(), strict=True))


def noisy(surface, seed, noise=0.02):
    rng = np.random.default_rng(seed)
    return {at: float(e * (1 + noise * rng.standard_normal())) for at, e in surface.items()}


def measure(energies, target, *, measured=None, failing=()):
    """Measure until the rule stops; return what was measured, in order, and why it stopped."""
    measured = dict(measured or {})
    tried = set(measured)
    while True:
        found = next_cells(measured, [each for each in GRID if each not in tried], 1000, target)
        if isinstance(found, Stop):
            return measured, found
        chosen = found.lengths[0]
        tried.add(chosen)
        if chosen not in failing:
            measured[chosen] = energies[chosen]


@pytest.mark.parametrize("error_percent", [0.4, 1.5, 20.0])
@pytest.mark.parametrize("seed", range(3))
def test_rule_never_stops_before_it_can_tell_its_error(surface, seed, error_percent):
    measured, found = measure(noisy(surface, seed), Adaptive(error_percent=error_percent))
    assert carries_eq5(measured)
    if found.is_enough:
        assert found.expected.error_percent <= error_percent
    else:
        assert len(measured) == len(GRID)


@pytest.mark.parametrize("seed", range(3))
def test_stricter_target_goes_on_where_a_looser_one_has_stopped(surface, seed):
    energies = noisy(surface, seed)
    before = []
    for error_percent in (10, 4, 2, 1.5, 1.2, 0.9):
        measured = list(measure(energies, Adaptive(error_percent=error_percent))[0])
        assert measured[: len(before)] == before
        before = measured
    assert len(before) > 15


@given(st.permutations(GRID), st.integers(0, 20))
def test_decision_hangs_on_no_order(surface, candidates, count):
    energies = noisy(surface, 4)
    known = [(each, energies[each]) for each in candidates[:count]]
    found = next_cells(dict(known), candidates[count:], 1000, Adaptive())
    assert found == next_cells(dict(reversed(known)), sorted(candidates[count:]), 1000, Adaptive())


def test_order_is_that_of_information_whatever_is_measured(surface):
    energies, order = noisy(surface, 1), informative_first(GRID, 1000)
    measured, _ = measure(energies, Adaptive())
    assert tuple(measured) == order[: len(measured)]


@pytest.mark.parametrize("seed", range(3))
def test_half_of_a_run_is_gone_on_with_as_if_it_had_never_ended(surface, seed):
    energies = noisy(surface, seed)
    whole, found = measure(energies, Adaptive())
    half = dict(list(whole.items())[: len(whole) // 2])
    assert measure(energies, Adaptive(), measured=half) == (whole, found)


def test_lengths_that_fail_are_passed_over(surface):
    failing = informative_first(GRID, 1000)[2:12:3]
    measured, found = measure(noisy(surface, 2), Adaptive(), failing=failing)
    assert found.is_enough
    assert not set(failing) & set(measured)


def test_where_all_fail_it_ends_without_an_error():
    assert next_cells({}, [], 1000, Adaptive()) == Stop(False, None)
    measured, found = measure({}, Adaptive(), failing=GRID)
    assert (measured, found.expected) == ({}, None)


def test_expected_number_of_lengths_before_and_in_between(surface):
    before = next_cells({}, GRID, 1000, Adaptive())
    assert before.expected is None
    assert before.needed == 16  # as in the study on known surfaces (docs/few-cells.md)
    counts = [next_cells({}, GRID, 1000, Adaptive(error_percent=each)).needed for each in (1, 2, 4)]
    assert counts == sorted(counts, reverse=True)
    energies = noisy(surface, 0)
    measured = {each: energies[each] for each in before.lengths[:10]}
    between = next_cells(measured, GRID, 1000, Adaptive())
    assert isinstance(between, Next)
    assert 10 + between.needed == pytest.approx(len(measure(energies, Adaptive())[0]), abs=3)


def test_surface_that_is_not_eq5s_takes_more_lengths():
    rng = np.random.default_rng(3)
    typical = dict(zip(GRID, typical_energy_per_token_j(GRID).tolist(), strict=True))
    near = noisy(typical, 3)
    far = {at: e * np.exp(0.1 * rng.standard_normal()) for at, e in typical.items()}
    assert len(measure(far, Adaptive())[0]) > 2 * len(measure(near, Adaptive())[0])


def test_sweet_spot_is_known_long_before_the_surface(surface):
    target = Adaptive(error_percent=None, spot_factor=1.1)
    for seed in range(3):
        measured, found = measure(noisy(surface, seed), target)
        assert found.expected.spot_factor <= 1.1
        assert len(measured) < len(measure(noisy(surface, seed), Adaptive())[0])


def test_error_and_sweet_spot_that_are_said_hold_where_cells_scatter_more_than_is_thought():
    at, target, held, spots = np.array(GRID, float).T, Adaptive(error_percent=4), [], []
    for model, values in enumerate(surfaces()[::2]):
        truth = EQ5.energy_per_token_j(values, *at)
        for seed in range(3):
            energies = noisy(dict(zip(GRID, truth, strict=True)), [model, seed], 0.05)
            measured, found = measure(energies, target)
            said, fit = found.expected, fitted(measured)
            held.append(
                100 * np.mean(np.abs(EQ5.energy_per_token_j(fit, *at) / truth - 1))
                <= said.error_percent
                <= 4
            )
            off = np.median(np.abs(np.log(spot_tokens(fit) / spot_tokens(values))))
            spots.append(np.exp(off) <= said.spot_factor)
    assert np.mean(held) >= 0.85
    assert np.mean(spots) >= 0.85


def fitted(energies):
    """Return the coefficients of a relative fit."""
    known = np.array(list(energies.values()))
    design = EQ5.design_matrix(*np.array(list(energies), float).T) / known[:, None]
    scale = np.sqrt(np.mean(design**2, axis=0))
    return np.linalg.lstsq(design / scale, np.ones(len(known)), rcond=None)[0] / scale


def spot_tokens(values):
    """Return the output lengths of least energy at the paper's input lengths."""
    inputs = np.array(PAPER_LENGTHS, float)
    return np.sqrt((values[1] * inputs**2 + values[3] * inputs + values[5]) / values[4])


@pytest.mark.parametrize("freedom", [2, 3, 4, 7, 15, 44])
@pytest.mark.parametrize("parts", [1, 1.7, 3, 6])
def test_quantile_of_f_is_about_that_of_scipy(parts, freedom):
    ratio = np.sqrt(upper_f(parts, freedom) / stats.f.ppf(0.95, parts, freedom))
    assert 0.985 < ratio < {2: 1.14, 3: 1.04}.get(freedom, 1.015)


def test_plan_measures_in_any_case_what_carries_eq5_and_other_sweeps_whole():
    experiment = parse_experiment(
        {"engine": "simulator", "measure": {"design": "adaptive", "repeats": 2}}
    )
    for block in plan(experiment).blocks:
        of_grid = [c for c in block.cells if c.requests == 1000 and c.max_batch_size == 1024]
        if block.candidates:
            assert carries_eq5({(c.input_tokens, c.output_tokens) for c in of_grid})
            assert not set(block.cells) & set(block.candidates)
            assert {c.repeat for c in block.candidates} == {0, 1}
            assert block.adaptive == Adaptive()
        else:
            assert block.adaptive is None
    one = next(b for b in plan(experiment).blocks if b.id == "opt-1.3b/b1024")
    assert (len(one.cells), len(one.cells) + len(one.candidates)) == (14, 98)


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ({"measure": {"design": "adaptive", "block": "cell"}}, "block must be model, not cell"),
        ({"adaptive": {"error_percent": None}}, "neither error_percent nor spot_factor"),
    ],
)
def test_design_that_cannot_decide_is_refused(config, what):
    with pytest.raises(InputError, match=what):
        parse_experiment(config)
