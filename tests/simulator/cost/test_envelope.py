"""Sums of lines, of their positive parts and products, and of the largest of several: added up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.simulator.cost.envelope import Line, ranges

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


@given(whole_lines, counts)
def test_positive_part_is_exact_where_the_root_is_an_iteration(found, count):
    summed = line(*found).sum_of_positive_part(np.array([0.0]), np.array([float(count)]))
    assert summed == np.maximum(values(line(*found), 0, count), 0).sum()


@given(st.lists(whole_lines, min_size=1, max_size=8), counts)
def test_ranges_are_where_each_line_is_the_largest(lines, count):
    """Also of lines that are equal, equally steep, flat, or meet at an iteration."""
    found = ranges([line(*each) for each in lines], np.array([float(count)]))
    largest = [max(first + growth * j for first, growth in lines) for j in range(count)]
    covered = {}
    for (first, growth), (begin, end) in zip(lines, found, strict=True):
        for j in range(int(begin.item()), int(end.item())):
            assert j not in covered
            covered[j] = first + growth * j
    assert [covered[j] for j in range(count)] == largest
    assert len(covered) == count


@given(st.lists(any_lines, min_size=1, max_size=8), counts)
def test_ranges_leave_no_gap_whatever_the_rounding(lines, count):
    found = ranges([line(*each) for each in lines], np.array([float(count)]))
    edges = sorted((begin.item(), end.item()) for begin, end in found if end > begin)
    assert [0.0, *(end for _, end in edges)] == [*(begin for begin, _ in edges), float(count)]
    summed = sum(line(*each).sum(*part).item() for each, part in zip(lines, found, strict=True))
    largest = [max(first + growth * j for first, growth in lines) for j in range(count)]
    assert summed == pytest.approx(sum(largest), abs=1e-7)


def test_segments_have_ranges_of_their_own():
    """A line that is one for all segments, and one of each."""
    flat, steep = Line(np.array([5.0, 0.0, 9.0]), np.array([0.0, 0.0, 0.0])), Line(0.0, 1.0)
    (begin, end), (then, last) = ranges([flat, steep], np.array([10.0, 10.0, 4.0]))
    assert begin.tolist() == [0, 0, 0]
    assert end.tolist() == then.tolist() == [6, 1, 4]  # equal at 5 and at 0: the flatter one's
    assert last.tolist() == [10, 10, 4]
