"""Statements of IoTDB's dialects, of names that are odd."""

import pytest

from sweetspot.errors import InputError
from sweetspot.telemetry.iotdb.layouts import Examon, Table, Tree
from sweetspot.telemetry.sample import Source

ODD = Source(gpu_uuid="GPU-'; DROP", gpu_name="H200", host="node-1.x")


def test_names_end_no_statement():
    statement = Table('a"b').select(ODD, 1, 2)
    assert "FROM \"a\"\"b\".gpu WHERE gpu_uuid = 'GPU-''; DROP' AND" in statement
    assert "FROM root.sweetspot.node_1_x.GPU____DROP WHERE" in Tree().select(ODD, 1, 2)


@pytest.mark.parametrize(
    "path", ["", "sweetspot", "root", "root.", "root.a-b", "root.1a", "root.a;"]
)
def test_path_that_is_none_is_refused(path):
    with pytest.raises(InputError, match="must be root and names of letters"):
        Tree(path)


@pytest.mark.parametrize("path", ["", "root", "root.{node}.a", "root.{host", "root.{host}; DROP"])
def test_template_that_is_none_is_refused(path):
    with pytest.raises(InputError, match="must be that of a device"):
        Examon(path)
