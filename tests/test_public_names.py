"""What `import sweetspot` promises is there, typed, loaded late, and nothing else is promised."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import sweetspot


def test_every_promised_name_is_there_and_nothing_else_is_listed():
    assert dir(sweetspot) == sorted(set(sweetspot.__all__))
    for name in sweetspot.__all__:
        assert getattr(sweetspot, name) is not None


def test_type_checkers_see_what_is_there():
    tree = ast.parse(Path(sweetspot.__file__).read_text(encoding="utf-8"))
    [typed] = [
        node.body
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    seen = {
        alias.asname or alias.name: getattr(import_module(statement.module), alias.name)
        for statement in typed
        for alias in statement.names
    }
    assert seen == {
        name: getattr(sweetspot, name) for name in sweetspot.__all__ if name != "__version__"
    }


def test_functions_are_the_packages():
    assert sweetspot.predict is import_module("sweetspot.ask.predict").predict
    assert sweetspot.models()[0] == "llama-3.2-1b"
    assert sweetspot.gpus()[0] == "h100-sxm"


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'sweetspot' has no attribute 'predictt'"):
        _ = sweetspot.predictt


def test_star_import_gives_the_promised_names():
    names = {}
    exec("from sweetspot import *", names)  # noqa: S102 - the statement is the test
    assert set(sweetspot.__all__) <= set(names)


def test_import_loads_nothing_until_a_name_is_used():
    code = (
        "import sys; before = set(sys.modules); import sweetspot; dir(sweetspot)\n"
        "print(set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'sweetspot'}"
