"""Tables in Markdown: what a reader of Markdown makes of them is what was put in."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.markdown import table

HEADER = ("name", "tokens/J")
ROWS = [("llama-3.2-1b", "48.9"), ("–", "2")]


def cells_of(text):
    """Return what stands between bars that are not escaped, line by line."""
    lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.split("\n")]
    return [tuple(cell.strip().replace(r"\|", "|") for cell in line) for line in lines]


def test_plain_table_stands_as_it_is():
    assert table(HEADER, ROWS) == (
        "| name | tokens/J |\n| --- | --- |\n| llama-3.2-1b | 48.9 |\n| – | 2 |"
    )


def test_aligned_table_has_columns_of_one_width():
    assert table(HEADER, ROWS, right=(False, True)) == (
        "| name         |   tokens/J |\n"
        "|:-------------|-----------:|\n"
        "| llama-3.2-1b |       48.9 |\n"
        "| –            |          2 |"
    )


TEXT = st.text(alphabet="ab|\n\r \u2028*", max_size=6)


@pytest.mark.parametrize("right", [None, (True, False)])
@given(rows=st.lists(st.tuples(TEXT, TEXT), max_size=4))
def test_no_bar_and_no_line_end_leaves_its_cell(rows, right):
    title, _, *body = cells_of(table(HEADER, rows, right))
    assert title == HEADER
    assert body == [tuple(" ".join(text.splitlines()).strip() for text in row) for row in rows]
