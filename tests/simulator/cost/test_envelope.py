"""Sums of lines, of their positive parts and products, and where they are positive: added up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.simulator.cost.envelope import Line, edges

# Quarters, so that sums are exact and ties are ties; any numbers beside.
quarters = st.integers(-400, 400).map(lambda n: n / 4)
floats = st.floats(-1e3, 1e3)
whole_lines = st.tuples(quarters, quarters)
any_lines = st.tuples(floats, floats)
counts = st.integers(0, 60)


def line(first, growth):
    return Line(np.array([first]), np.array([growth]))


def values(found, begin, end):
    """Return a line's values, one by one."""
    j = np.arange(begin, end)
    return found.first + found.growth * j


@given(st.one_of(whole_lines, any_lines), st.one_of(whole_lines, any_lines), counts, counts)
def test_sums_are_those_of_the_values(one, other, begin, length):
    first, second = line(*one), line(*other)
    end = begin + length
    edges = np.array([float(begin)]), np.array([float(end)])
    each, beside = values(first, begin, end), values(second, begin, end)
    scale = 1e-12 * (1 + 1e3 * (end + 1) ** 2)
    assert first.sum(*edges) == pytest.approx(each.sum(), abs=scale)
    assert first.sum_of_positive_part(*edges) == pytest.approx(np.maximum(each, 0).sum(), abs=scale)
    assert first.sum_of_product(second, *edges) == pytest.approx(
        (each * beside).sum(), rel=1e-9, abs=1e3 * (end + 1) * scale
    )


@given(any_lines, quarters, st.sampled_from([0.0, 0.5]), counts)
def test_lines_known_to_be_flat_are_as_others_without_growth(one, first, growth, length):
    flat, zero = Line(np.array([first]), 0.0), line(first, 0.0)
    assert (flat.flat, zero.flat) == (True, False)
    other, end = line(one[0], growth), np.array([float(length)])
    begin = np.zeros(1)
    for by in (other, flat, zero):
        assert flat.sum_of_product(by, begin, end) == zero.sum_of_product(by, begin, end)
    assert flat.sum(begin, end) == zero.sum(begin, end)
    assert edges(flat, end) == edges(zero, end)
    assert other.plus(2.0, flat) == other.plus(2.0, zero)
    assert tuple(flat.plus(2.0, other)) == tuple(zero.plus(2.0, other))


@given(whole_lines, counts)
def test_positive_part_is_exact_where_the_root_is_an_iteration(found, count):
    summed = line(*found).sum_of_positive_part(np.array([0.0]), np.array([float(count)]))
    assert summed == np.maximum(values(line(*found), 0, count), 0).sum()


@given(st.one_of(whole_lines, any_lines), counts)
def test_edge_is_where_a_line_becomes_positive_or_ceases_to_be(found, count):
    edge = int(edges(line(*found), np.array([float(count)])).item())
    positive = (values(line(*found), 0, count) > 0).tolist()
    first, last = [True] * edge, [False] * (count - edge)
    assert positive == (first + last if found[1] < 0 else [not x for x in first + last])


def test_segments_have_edges_of_their_own():
    """A line of each segment, and one for all; at 5 and at 0 they are not positive yet."""
    first = np.array([-5.0, 0.0, -9.0])
    assert edges(Line(first, 1.0), np.array([10.0, 10.0, 4.0])).tolist() == [6, 1, 4]
    assert edges(Line(-first, -1.0), np.array([10.0, 10.0, 4.0])).tolist() == [5, 0, 4]
