"""InfluxDB for real, where it is installed."""

import os
import shutil

import pytest
from influxd import influxd as running


@pytest.fixture(scope="module")
def influxd(tmp_path_factory):
    """A running InfluxDB of Debian's: its port, and its process."""
    if not shutil.which("influxd"):
        if os.environ.get("CI"):
            pytest.fail("no influxd; scripts/telemetry.sh installs it")
        pytest.skip("no influxd here (Debian: influxdb)")
    with running(tmp_path_factory.mktemp("influx")) as found:
        yield found
