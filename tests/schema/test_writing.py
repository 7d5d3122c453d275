"""The JSON of dataclasses."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.schema.writing import json_text, plain


@dataclass(frozen=True)
class Inner:
    power_w: Annotated[float | None, "Of a board."] = None
    count: int = 1


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    parts: tuple[Inner, ...] = ()
    named: dict[int, str] = field(default_factory=dict)
    place: Path = Path("a/b")


def test_sections_become_mappings_and_paths_text():
    data = Outer(Inner(700), (Inner(),), {64: "é\n"})
    assert plain(data) == {
        "inner": {"power_w": 700.0, "count": 1},
        "parts": [{"power_w": None, "count": 1}],
        "named": {"64": "é\n"},
        "place": "a/b",
    }
    assert plain(data, without_none=True)["parts"] == [{"count": 1}]
    assert json_text(data) == (
        '{"inner":{"power_w":700.0,"count":1},"parts":[{"power_w":null,"count":1}],'
        '"named":{"64":"é\\n"},"place":"a/b"}'
    )
    assert json_text(data, indent=1) == json.dumps(plain(data), indent=1, ensure_ascii=False)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0001, "0.0001"),
        (1e-5, "0.00001"),
        (-1.25e-5, "-0.0000125"),
        (2e-6, "2e-6"),
        (-1.5e-9, "-1.5e-9"),
        (1e-10, "1e-10"),
        (1e16, "1e+16"),
        (float("inf"), "null"),
    ],
)
def test_numbers_are_written_as_keys_of_records_have_had_them(value, text):
    assert json_text(value) == text


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(codec="utf-8")),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner)
        ),
        max_leaves=9,
    ),
    st.sampled_from([None, 1, 2]),
)
def test_what_is_written_is_read_again(value, indent):
    assert json.loads(json_text(value, indent)) == value
