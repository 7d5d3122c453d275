"""A window of readings: inside its trace, and worked out once."""

import pytest

from sweetspot.metering import window as module
from sweetspot.metering.window import Window


@pytest.fixture
def readings(readings_of):
    return readings_of(300, counter_j=lambda t: 360 * t, temperature_c=lambda t: 40 + t)


@pytest.mark.parametrize("span_s", [(-0.1, 5), (5, 20.1), (5, 5), (7, 5)])
def test_window_outside_of_its_trace_is_refused(readings, span_s):
    with pytest.raises(ValueError, match="not inside the trace"):
        Window(readings, *span_s)


def test_window_works_energy_and_conditions_out_once(readings, monkeypatch):
    calls = []

    def counting(name):
        function = getattr(module, name)

        def called(*arguments):
            calls.append(name)
            return function(*arguments)

        return called

    for name in ("window_energy", "conditions"):
        monkeypatch.setattr(module, name, counting(name))
    window = Window(readings, 2, 14)
    drift, disagreement = window.broken_gates(10)
    assert drift == "the GPU went from 42 to 54 °C (10 °C allowed)"
    assert disagreement.startswith("energy counter and integrated power differ by +20%")
    assert window.conditions.temperature_end_c == 54
    assert window.energy.counter_j == pytest.approx(360 * 12)
    assert window.remarks == (
        "energy counter and integrated power differ by +20.0%",
        "this GPU does not report why its clocks are low, so that was not checked",
    )
    assert sorted(calls) == ["conditions", "window_energy"]


def test_window_counts_the_energy_of_its_protocol(readings_of):
    readings = readings_of(300, power_usage_w=310, counter_j=lambda t: 300 * t)
    assert Window(readings, 2, 14).energy.source == "counter"
    assert Window(readings, 2, 14, "paper").energy.source == "plain sum"
