"""A record's energies in closed form."""

import numpy as np
import pytest

from sweetspot.engines.base import Run
from sweetspot.measure.result import energies
from sweetspot.metering.meter import Readings
from sweetspot.metering.trace import PowerTrace
from sweetspot.metering.window import Window


def test_energies_of_a_ramp_in_closed_form():
    """Power 3t W: E(1, 5) = 1.5 (25 - 1) J."""
    t_s = np.array([0.0, 0.5, 2.0, 7.0])
    run = Run(
        start_s=1.0, end_s=5.0, requests=2, input_tokens=20, output_tokens=12, max_concurrency=2
    )
    found = energies(run, Window(Readings(trace=PowerTrace(t_s, 3 * t_s)), 1.0, 5.0))
    assert found["energy_j"] == pytest.approx(36)
    assert found["energy_per_token_j"] == pytest.approx(3)
    assert found["tokens_per_j"] == pytest.approx(1 / 3)
    assert found["duration_s"] == pytest.approx(4)
    assert found["mean_power_w"] == pytest.approx(9)
    assert found["throughput_tokens_per_s"] == pytest.approx(3)
    assert (found["max_concurrency"], found["energy_source"]) == (2, "integration")
