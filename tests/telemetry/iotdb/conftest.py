"""Apache's client of IoTDB, from a folder of its own, and a server made of it."""

import os
import sys
import warnings
from contextlib import ExitStack
from importlib import import_module

import pytest
from shown import ROOT

from sweetspot.config.telemetry import TelemetrySink


@pytest.fixture(scope="session")
def client():
    """Load what needs Apache's client, and return the module of the server."""
    folder = ROOT / ".venv-iotdb"
    if not (folder / "ready").exists():
        why = "no client of IoTDB: `make .venv-iotdb/ready`"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    before = list(warnings.filters)
    sys.path.append(str(folder))
    try:
        import_module("sweetspot.telemetry.iotdb.session")
        assert warnings.filters == before  # the client itself would show all deprecations
        return import_module("iotdb_server")
    finally:
        sys.path.remove(str(folder))


@pytest.fixture(scope="session")
def secret():
    return "planted-4e07"


@pytest.fixture
def opened(client, secret):
    """Make a sink and a store of what listens at a port; they are closed in the end."""
    from sweetspot.telemetry.connect import open_sink, open_store

    with ExitStack() as made:

        def at(port, scheme="iotdb", makers=(open_sink, open_store), **options):
            who = {"user": "root", "password_env": "HERE"}
            where = TelemetrySink(url=f"{scheme}://127.0.0.1:{port}", **who, **options)
            both = [make(where, {"HERE": secret}) for make in makers]
            for each in both:
                made.callback(each.close)
            return both

        yield at
