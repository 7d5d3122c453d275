"""The page /metrics: names, units, what is stale, and the server that shows it."""

import math
import urllib.error
import urllib.request

import pytest

from sweetspot.errors import TelemetryError
from sweetspot.telemetry.prometheus import page as page_module
from sweetspot.telemetry.prometheus.page import Metric, Page
from sweetspot.telemetry.prometheus.server import MetricsServer, PrometheusSink
from sweetspot.telemetry.sample import COLUMNS, Sample, Source

BOARD = Source(gpu_uuid="GPU-1", gpu_name='NVIDIA "H200"', host="node\\1")
LABELS = r'{UUID="GPU-1",modelName="NVIDIA \"H200\"",Hostname="node\\1"}'


def sample(**values):
    return Sample(0, tuple(values.get(name, math.nan) for name in COLUMNS))


def shown(text):
    """Return the values of a page by metric and labels."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def asked(url):
    # loopback, whatever proxy the machine has
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def test_readings_have_the_exporters_names_and_units():
    page = Page()
    page.see(BOARD, sample(power_w=310.0, power_average_w=300.0, counter_j=2.5, utilisation=0.5))
    page.see(BOARD, sample(power_w=320.0, power_instant_w=320.0, sm_mhz=1980.0))
    assert shown(page.text()) == {
        f"DCGM_FI_DEV_POWER_USAGE{LABELS}": 300.0,  # of the look before: it is read once a second
        f"DCGM_FI_DEV_POWER_USAGE_INSTANT{LABELS}": 320.0,
        f"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{LABELS}": 2500.0,
        f"DCGM_FI_DEV_SM_CLOCK{LABELS}": 1980.0,
        f"DCGM_FI_DEV_GPU_UTIL{LABELS}": 50.0,
        f"sweetspot_samples_total{LABELS}": 2.0,
    }
    assert "# TYPE DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION counter\n" in page.text()


def test_board_that_is_no_longer_metered_is_not_shown(monkeypatch):
    page = Page()
    page.see(BOARD, sample(power_w=310.0))
    later_s = page_module.monotonic() + page_module.FRESH_S
    monkeypatch.setattr(page_module, "monotonic", lambda: later_s)
    page.say({Metric("sweetspot_output_tokens_total", "counter", "Tokens."): 12})
    assert shown(page.text()) == {"sweetspot_output_tokens_total": 12.0}


def test_sink_serves_what_it_was_sent_until_it_is_closed():
    sink = PrometheusSink("127.0.0.1", 0)
    sink.send(BOARD, [sample(power_w=310.0), sample(power_w=320.0)])
    url = sink._server.url
    kind, text = asked(url)
    assert kind.startswith("text/plain; version=0.0.4")
    assert shown(text)[f"DCGM_FI_DEV_POWER_USAGE{LABELS}"] == 320.0
    with pytest.raises(urllib.error.HTTPError, match="404"):
        asked(url.replace("/metrics", "/else"))
    sink.close()
    with pytest.raises(urllib.error.URLError, match="refused"):
        asked(url)


def test_port_that_is_taken_is_said_in_one_line():
    server = MetricsServer("127.0.0.1", 0)
    sink = PrometheusSink("127.0.0.1", server.port)
    with pytest.raises(TelemetryError, match=f"127.0.0.1:{server.port}: Address already in use"):
        sink.send(BOARD, [sample(power_w=310.0)])
    server.close()


def test_simulated_samples_are_not_shown_as_what_is_metered_now():
    sink = PrometheusSink("127.0.0.1", 0)
    simulated = Source(gpu_uuid="SIM-1", gpu_name="h200-sxm", host="", simulated=True)
    with pytest.raises(TelemetryError, match="not what is simulated"):
        sink.send(simulated, [sample(power_w=310.0)])
