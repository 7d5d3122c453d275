"""Answers of workers: what is one, and that nothing else passes for one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.engines.worker.answers import Loaded, Ran, Refused, parse_answer

RAN = {
    "ok": True,
    "start_s": 1.0,
    "end_s": 2.5,
    "passes": 3,
    "requests": 12,
    "input_tokens": 192,
    "output_tokens": 96,
    "max_concurrency": None,
    "remarks": ["a remark"],
}
REFUSED = {"ok": False, "kind": "error", "error": "no", "usable": False}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def line(answer):
    return json.dumps(answer).encode()


def test_each_answer_is_read_as_what_it_is():
    assert parse_answer(line(RAN), Ran).model_dump() == RAN
    assert parse_answer(line({"ok": True, "facts": {"a": "b"}}), Loaded).facts == {"a": "b"}
    assert parse_answer(line(REFUSED), Ran) == parse_answer(line(REFUSED), Loaded)
    assert isinstance(parse_answer(line(REFUSED), Ran), Refused)


@pytest.mark.parametrize("key", RAN)
def test_no_key_of_an_answer_may_be_missing(key):
    answer = {name: value for name, value in RAN.items() if name != key}
    with pytest.raises(ValueError, match=f"which is no answer .*{key}"):
        parse_answer(line(answer), Ran)


def test_answer_to_another_order_is_none():
    with pytest.raises(ValueError, match="which is no answer"):
        parse_answer(line(RAN), Loaded)


@given(st.sampled_from(sorted(RAN)), JSON)
def test_answer_with_any_value_changed_is_valid_or_refused(key, value):
    try:
        answer = parse_answer(line(RAN | {key: value}), Ran)
    except ValueError:
        return
    assert isinstance(answer, Ran)
    assert type(getattr(answer, key)) in (type(value), float)  # a whole number may be a time


@given(st.binary() | JSON.map(line))
def test_any_other_line_is_refused_with_its_beginning(anything):
    with pytest.raises(ValueError, match=r"which is no answer \(") as error:
        parse_answer(anything, Ran)
    assert len(str(error.value)) < 1000
