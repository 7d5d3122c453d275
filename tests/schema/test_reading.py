"""Data as instances of what they are to be, or all that is wrong with them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest

from sweetspot.errors import InputError
from sweetspot.schema.keys import Becomes, FiniteFloat, Matching, NonEmpty, Range, Said
from sweetspot.schema.mistakes import MistakesError, wrong
from sweetspot.schema.reading import AS_TEXT, Checked, Leniency, converted


def upper(name: str) -> str:
    if name == "none":
        raise InputError("there is no such name")
    return name.upper()


@dataclass(frozen=True, kw_only=True)
class Part(Checked):
    count: Annotated[int, Range(gt=0), Said("must be a positive integer")] = 1
    share: Annotated[float | None, Range(gt=0, le=1), "A share."] = None
    on: bool = False
    mode: Literal["a", "b"] = "a"
    columns: Literal[1, 2] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mode == "b" and not self.on:
            raise wrong("mode b is on")


@dataclass(frozen=True, kw_only=True)
class Whole:
    name: Annotated[str, Becomes(upper)]
    part: Part = field(default_factory=Part)
    parts: Annotated[tuple[Part, ...], NonEmpty()] = (Part(),)
    named: dict[Annotated[str, Matching("[a-z]+")], list[FiniteFloat]] = field(default_factory=dict)
    by_size: Mapping[int, str | float] = field(default_factory=dict)
    place: Path | None = None


def refusal(data, leniency=Leniency(), kind=Whole):  # noqa: B008 - immutable
    with pytest.raises(MistakesError) as caught:
        converted(kind, data, leniency)
    return str(caught.value)


def test_data_become_instances_of_what_they_are_to_be():
    data = {
        "name": "x",
        "part": {"count": 3, "share": 1},
        "parts": [{}, Part(on=True)],
        "named": {"lengths": (1, 2.5)},
        "by_size": {"64": "s", 128: 2},
        "place": "a/b",
    }
    assert converted(Whole, data) == Whole(
        name="X",
        part=Part(count=3, share=1.0),
        parts=(Part(), Part(on=True)),
        named={"lengths": [1.0, 2.5]},
        by_size={64: "s", 128: 2.0},
        place=Path("a/b"),
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": "5"}, "part.count must be a positive integer, not '5'"),
        ({"count": True}, "part.count must be a positive integer, not True"),
        ({"count": 5.0}, "part.count must be a positive integer, not 5.0"),
        ({"share": True}, "part.share must be a number, not True"),
        ({"share": "0.5"}, "part.share must be a number, not '0.5'"),
        ({"share": 10**400}, "part.share must be a number, not 1000"),
        ({"share": float("nan")}, "part.share must be more than 0, not nan"),
        ({"share": 2}, "part.share must be at most 1, not 2.0"),
        ({"on": 1}, "part.on must be true or false, not 1"),
        ({"columns": True}, "part.columns must be 1 or 2, not True"),
        ({"columns": "2"}, "part.columns must be 1 or 2, not '2'"),
        ({"mode": "b"}, "part: mode b is on"),
        ({"colour": 1}, "unknown key in part 'colour'; did you mean 'columns'? known: columns,"),
    ],
)
def test_value_of_another_kind_is_refused(change, message):
    assert refusal({"name": "x", "part": change}).startswith(message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "none"}, "name: there is no such name"),
        ({"name": "\ud800"}, "name must be text that UTF-8 can hold"),
        ({"name": 7}, "name must be text, not 7; write it in quotes"),
        ({"name": ["x"]}, "name must be text, not ['x']"),
        ({"name": None}, "name must be text, not None"),
        ({"parts": []}, "parts is empty; it needs at least one entry"),
        ({"parts": {}}, "parts must be a list, such as [a, b], not {}"),
        ({"parts": [{}, {"mode": "b"}]}, "parts.1: mode b is on"),
        ({"named": {"B": []}}, "named: name must match [a-z]+, not 'B'"),
        ({"named": {"b": [1, float("inf")]}}, "named.b must be a finite number, not inf"),
        (
            {"by_size": {2**63: 1}},
            "by_size: name must be an integer of at most 9223372036854775807",
        ),
        ({"by_size": {"s": 1}}, "by_size: name must be an integer, not 's'"),
        ({"by_size": {"1": []}}, "by_size.1 must be a number, not []"),
    ],
)
def test_value_inside_of_another_is_refused_by_its_path(change, message):
    assert refusal({"name": "x"} | change).startswith(message)


def test_all_mistakes_are_named():
    assert refusal({"part": {"count": 0}, "named": {"A": [], "b": [None]}}) == (
        "part.count must be a positive integer, not 0; named: name must match [a-z]+, not 'A';"
        " named.b must be a number, not None; name is missing"
    )
    assert refusal([]) == "the whole of it must be a section with keys of its own, not []"


def test_values_may_be_text_where_that_is_let_through():
    data = {"count": " 64".strip(), "share": "0.5", "on": "True", "columns": "2"}
    assert converted(Part, data, AS_TEXT) == Part(count=64, share=0.5, on=True, columns=2)
    for name, value in (("count", "64.0"), ("share", "half"), ("on", "1"), ("columns", "3")):
        assert refusal({name: value}, AS_TEXT, Part).endswith(f", not {value!r}")


def test_numbers_of_numpy_become_pythons_own():
    found = converted(Part, {"count": np.int64(3), "share": np.float32(0.5), "on": np.bool_(True)})
    assert [type(found.count), type(found.share), type(found.on)] == [int, float, bool]


def test_other_keys_are_ignored_where_that_is_let_through():
    assert converted(Part, {"colour": 1}, Leniency(other_keys=True)) == Part()


def test_checked_section_is_checked_however_it_is_made():
    assert Part(share=1).share.__class__ is float
    with pytest.raises(MistakesError, match="count must be a positive integer, not 0"):
        Part(count=0)
