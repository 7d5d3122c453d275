"""The paper's count of work: step by step it is the closed form, and that is Eqs. 4 and 5."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot import published
from sweetspot.analysis.counting import Count, Shape, coefficients, count
from sweetspot.catalog import catalog_entry

SHAPES = st.builds(
    lambda layers, heads, of_head: Shape(layers, heads * of_head, heads),
    *(st.integers(1, 48), st.integers(1, 64), st.integers(1, 256)),
)


@given(SHAPES, st.integers(1, 5000), st.integers(1, 40))
def test_steps_summed_one_by_one_are_the_closed_form(shape, inputs, outputs):
    """In whole numbers: e·O = alpha0·O + alpha1·I² + alpha2·I·O + alpha3·I + alpha4·O² + alpha5."""
    terms = (outputs, inputs**2, inputs * outputs, inputs, outputs**2, 1)
    closed = coefficients(shape).values()
    summed = count(shape, inputs, outputs)
    for index, kind in enumerate(Count._fields):
        total = sum(each[index] * term for each, term in zip(closed, terms, strict=True))
        assert total == summed[index], kind


@given(SHAPES, st.integers(1, 5000), st.integers(1, 40))
def test_flops_are_the_paper_s_sum(shape, inputs, outputs):
    """4Ld·(6Id + I² + 6Od + IO + O(O+1)/2), after its section 4.1.3."""
    depth, width = shape.layers, shape.hidden
    attended = inputs**2 + inputs * outputs + outputs * (outputs + 1) // 2
    expected = 4 * depth * width * (6 * (inputs + outputs) * width + attended)
    assert count(shape, inputs, outputs).flops == expected


def test_only_memory_operations_have_the_term_without_lengths():
    counted = coefficients(Shape(32, 4096, 32))
    assert [name for name, each in counted.items() if each.flops == 0] == ["alpha5"]
    assert counted["alpha5"].weights == 12 * 32 * 4096**2


def test_every_step_attends_half_as_much_to_outputs_as_to_inputs():
    """Counted alpha2 is 2·alpha4 whatever a FLOP or a byte costs; Table 5 has 1.5 to 1.9."""
    counted = coefficients(Shape(16, 2048, 32))
    assert counted["alpha2"].flops == 2 * counted["alpha4"].flops
    assert counted["alpha2"].others == 2 * counted["alpha4"].others
    printed = published.table5()
    ratios = printed["alpha2"] / printed["alpha4"]
    assert (ratios.min(), ratios.max()) == pytest.approx((1.5, 1.9), abs=0.02)


def test_weights_are_counted_as_plain_models_have_them():
    """OPT is the architecture that the paper counts: embeddings, biases and norms are the rest."""
    model = catalog_entry("opt-6.7b").architecture
    weights = coefficients(Shape(model.layers, model.hidden, model.heads))["alpha0"].weights
    assert weights == pytest.approx(model.parameters, rel=0.04)
    assert weights < model.parameters


def test_energy_of_a_count_shares_the_weights_only():
    work = Count(flops=10, weights=6, others=1)
    assert work.energy_j(flop_j=2, byte_j=3) == 10 * 2 + (6 + 1) * 2 * 3
    assert work.energy_j(flop_j=2, byte_j=3, sharing=3) == 10 * 2 + (2 + 1) * 2 * 3
