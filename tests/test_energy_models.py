"""The six forms and Eq. 6 against the paper's own numbers and the counting behind them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot import published
from sweetspot.energy_models import FORMS, form, sweet_spot_output_tokens
from sweetspot.errors import InputError

ALPHAS = [f"alpha{i}" for i in range(6)]
GRID = published.GRID
PAPER = published.table5().to_dict("records")


@pytest.mark.parametrize("row", PAPER, ids=lambda row: row["model"])
def test_sweet_spot_rounded_to_the_nearest_token_is_the_printed_one(row):
    estimate = sweet_spot_output_tokens(
        [row[name] for name in ALPHAS], row["estimated_input_tokens"]
    )
    assert round(estimate) == row["estimated_output_tokens"]


@given(
    coefficients=st.lists(st.floats(1e-6, 1.0), min_size=6, max_size=6),
    input_tokens=st.integers(1, 8192),
    away=st.floats(0.01, 0.99) | st.floats(1.01, 100.0),
)
def test_sweet_spot_is_the_minimum_of_eq5(coefficients, input_tokens, away):
    best = sweet_spot_output_tokens(coefficients, input_tokens)
    energies = form("memory_flops").energy_per_token_j(
        coefficients, [input_tokens] * 2, [best, best * away]
    )
    assert energies[0] <= energies[1] * (1 + 1e-12)


@pytest.mark.parametrize(
    ("alpha4", "alpha5"),
    [(0.0, 1.0), (-1e-6, 1.0), (-1e-6, -1.0), (1e-6, -1.0), (1e-6, 0.0), (np.nan, 1.0)],
)
def test_sweet_spot_without_a_minimum_is_nan(alpha4, alpha5):
    assert np.isnan(sweet_spot_output_tokens([1, 0, 1, 0, alpha4, alpha5], 64))


@given(
    layers=st.integers(1, 60),
    hidden=st.integers(64, 8192),
    inputs=st.integers(1, 300),
    outputs=st.integers(1, 300),
)
def test_flops_of_all_steps_have_the_form_of_eq4(layers, hidden, inputs, outputs):
    """Section 4.1: prefill, then one decode step a token, each counted matrix by matrix."""
    d = hidden
    qkv, projection, ffn = 6 * inputs * d**2, 2 * inputs * d**2, 16 * inputs * d**2
    prefill = qkv + 2 * inputs**2 * d + 2 * inputs**2 * d + projection + ffn
    steps = (8 * d**2 + 4 * (inputs + t) * d + 16 * d**2 for t in range(1, outputs + 1))
    total = layers * (prefill + sum(steps))
    half_pairs = outputs * (outputs + 1) // 2
    work = 6 * inputs * d + inputs**2 + 6 * outputs * d + inputs * outputs + half_pairs
    assert total == 4 * layers * d * work
    per_token = 4 * layers * d * np.array([6 * d + 0.5, 1, 1, 6 * d, 0.5])
    predicted = form("flops").energy_per_token_j(per_token, [inputs], [outputs])[0]
    assert predicted == pytest.approx(total / outputs, rel=1e-12)


def test_eq5_is_eq4_and_a_share_of_every_request():
    inputs, outputs = np.array([64, 512]), np.array([128, 64])
    eq4 = form("flops").design_matrix(inputs, outputs)
    eq5 = form("memory_flops").design_matrix(inputs, outputs)
    assert eq5[:, :5] == pytest.approx(eq4)
    assert eq5[:, 5] == pytest.approx(1 / outputs)


def test_baseline4_is_a_request_linear_in_both_lengths_and_their_product():
    energy_per_token_j = form("baseline4").energy_per_token_j([2.0, 3.0, 5.0], [64], [128])[0]
    assert energy_per_token_j * 128 == pytest.approx(2 * 64 + 3 * 128 + 5 * 64 * 128)


@pytest.mark.parametrize("each", FORMS, ids=lambda each: each.id)
def test_stated_lengths_are_enough_to_tell_the_terms_apart_and_fewer_are_not(each):
    def enough(input_lengths, output_lengths):
        chosen = [(i, o) for i in GRID[:input_lengths] for o in GRID[:output_lengths]]
        if len(chosen) < each.min_cells:
            return False
        design = each.design_matrix(*np.array(chosen).T)
        return np.linalg.matrix_rank(design / np.linalg.norm(design, axis=0)) == len(each.terms)

    assert enough(each.input_lengths, each.output_lengths)
    assert not enough(each.input_lengths - 1, each.output_lengths)
    assert not enough(each.input_lengths, each.output_lengths - 1)


@pytest.mark.parametrize("each", FORMS, ids=lambda each: each.id)
def test_forms_are_the_columns_of_table3(each):
    assert each.id in published.table3().columns
    assert form(each.id) is each


def test_unknown_form_is_refused_with_the_nearest_name():
    with pytest.raises(InputError, match="did you mean 'baseline4'"):
        form("baseline_4")
