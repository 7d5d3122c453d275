"""A cell's id is readable, path-safe and says everything."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.cells.cell import Cell

CELL = Cell(
    model="llama-3.2-1b",
    engine="simulator",
    max_batch_size=1024,
    requests=1000,
    input_tokens=64,
    output_tokens=256,
)
numbers = st.integers(1, 10**6)


def test_id_is_the_documented_one():
    assert CELL.id == "llama-3.2-1b/b1024/n1000/i64_o256/r0"
    assert CELL.total_output_tokens == 256_000


@pytest.mark.parametrize(
    "name", [f.name for f in fields(Cell) if f.name not in ("model", "engine")]
)
@given(a=numbers, b=numbers)
def test_ids_differ_where_cells_differ(name, a, b):
    first, second = replace(CELL, **{name: a}), replace(CELL, **{name: b})
    assert (first.id == second.id) == (a == b)
    assert (first == second) == (a == b)
