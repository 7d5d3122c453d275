"""The tree of errors, and how an unknown name is answered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.errors import (
    EngineError,
    InputError,
    MeterError,
    SweetspotError,
    TooFewCellsError,
    unknown_name,
)


def test_tree_is_the_one_in_the_docstring():
    assert issubclass(TooFewCellsError, InputError)
    for kind in (InputError, EngineError, MeterError):
        assert kind.__bases__ == (SweetspotError,)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lama", "unknown model 'lama'; did you mean 'llama'? known: llama, opt, qwen"),
        ("LAMA", "unknown model 'LAMA'; did you mean 'llama'? known: llama, opt, qwen"),
        ("q", "unknown model 'q'; did you mean 'qwen'? known: llama, opt, qwen"),
        ("xyz", "unknown model 'xyz'; known: llama, opt, qwen"),
        ("", "unknown model ''; known: llama, opt, qwen"),
    ],
)
def test_unknown_name_is_answered_with_the_nearest_and_all(name, message):
    error = unknown_name("model", name, iter(["qwen", "opt", "llama"]))
    assert isinstance(error, InputError)
    assert str(error) == message


@given(name=st.text(), known=st.lists(st.text(min_size=1), min_size=1, unique=True))
def test_every_known_name_is_listed(name, known):
    message = str(unknown_name("key", name, known))
    assert repr(name) in message
    assert message.endswith(", ".join(sorted(known)))
