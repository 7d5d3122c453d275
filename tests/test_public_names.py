"""What `import sweetspot` promises is there, and nothing else is promised."""

import sys
from types import ModuleType

import pytest

import sweetspot


def test_every_promised_name_is_there():
    for name in sweetspot.__all__:
        assert getattr(sweetspot, name) is not None
    assert len(set(sweetspot.__all__)) == len(sweetspot.__all__)


def test_every_public_name_is_promised():
    """Names of the package itself; submodules appear on it as they are imported."""
    helpers = {"TYPE_CHECKING", "Any"}
    own = {
        name
        for name, value in vars(sweetspot).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert own - helpers <= set(sweetspot.__all__)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'sweetspot' has no attribute 'predictt'"):
        _ = sweetspot.predictt


def test_star_import_gives_the_promised_names():
    names = {}
    exec("from sweetspot import *", names)  # noqa: S102 - the statement is the test
    assert set(sweetspot.__all__) <= set(names)
    assert names["predict"] is sys.modules["sweetspot.ask.predict"].predict
