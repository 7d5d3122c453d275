"""A record's energies in closed form."""

import numpy as np
import pytest

from sweetspot.catalog import gpu
from sweetspot.cells.cell import Cell
from sweetspot.engines.base import Run, Steady
from sweetspot.measure.result import energies, result_of
from sweetspot.metering.meter import Readings
from sweetspot.metering.samples import CHANNELS, Samples
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


@pytest.mark.parametrize(
    ("end_s", "lost", "is_metered"),
    [(2.25, (), False), (2.35, (), True), (2.45, (22, 23), False)],
)
def test_steady_part_is_said_where_power_was_read_three_times_in_it(end_s, lost, is_metered):
    t_s = np.linspace(0, 5, 51)
    instant_w = np.full(t_s.size, 300.0)
    instant_w[list(lost)] = np.nan
    nothing = dict.fromkeys(CHANNELS, np.full(t_s.size, np.nan))
    samples = Samples(**nothing | {"t_s": t_s, "power_instant_w": instant_w})
    readings = Readings(PowerTrace(t_s, np.full(t_s.size, 300.0)), samples=samples, interval_s=0.1)
    cell = Cell(
        model="m",
        engine="endpoint",
        max_batch_size=4,
        requests=2,
        input_tokens=8,
        output_tokens=4,
        repeat=0,
    )
    run = Run(
        start_s=1.0,
        end_s=4.0,
        requests=2,
        input_tokens=16,
        output_tokens=8,
        steady=Steady(start_s=2.05, end_s=end_s, output_tokens=6.0),
    )
    found = result_of(run, cell, readings, None, gpu("h100-sxm"))
    expected = pytest.approx(300 * (end_s - 2.05) / 6) if is_metered else None
    assert found.get("steady_energy_per_token_j") == expected
