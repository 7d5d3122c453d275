"""Cells of a cluster's own power: the paper's sum, trapezoids, and what sampling may miss."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_memory import InMemory

from sweetspot.cells.observations import read_observations
from sweetspot.telemetry.cluster.cells import metered_cell, metered_cells, table_of
from sweetspot.telemetry.cluster.windows import CellWindow, read_windows
from sweetspot.telemetry.kept import read_folder
from sweetspot.telemetry.replay import replay
from sweetspot.telemetry.sample import COLUMNS, MS, Sample, Source

START_NS = 1_790_000_000 * 10**9
BOARD = Source(gpu_uuid="gpu_0", gpu_name="", host="node-1")


def window(seconds=20.0, **changes):
    of = {
        "model": "tiny",
        "engine": "vllm",
        "gpu": "h200-sxm",
        "source": BOARD,
        "input_tokens": 16,
        "output_tokens": 8,
        "requests": 10,
        "max_batch_size": 8,
        "repeat": 0,
        "passes": 4,
        "start_ns": START_NS,
        "end_ns": START_NS + round(seconds * 1e9),
    }
    return CellWindow(**of | changes)


def store_of(power_w, interval_s=0.5, phase_s=0.1, seconds=20.0, without=()):
    """Return a store that has a curve at its samples, from a minute before to a minute after."""
    store = InMemory(MS)
    times = np.arange(-60 + phase_s, seconds + 60, interval_s)
    samples = [
        Sample(
            START_NS // MS + round(t * 1000),
            tuple(power_w(t) if name == "power_w" else math.nan for name in COLUMNS),
        )
        for number, t in enumerate(times)
        if number not in without
    ]
    store.send(BOARD, samples)
    return store


def wave(t):
    return 400 + 150 * math.sin(0.4 * t)


def wave_j(seconds):
    return 400 * seconds + 150 / 0.4 * (1 - math.cos(0.4 * seconds))


def test_steady_power_is_exact_but_for_the_edges():
    cell = metered_cell(window(), store_of(lambda _: 300.0))
    assert cell.energy_integration_j == pytest.approx(300 * 20 / 4, rel=1e-9)
    assert cell.energy_source == "plain sum"
    assert cell.energy_j == cell.energy_sum_500ms_j == 300 * 20 / 4
    assert cell.sampling_error_j == pytest.approx(0.25 * 600 / 4)
    assert (cell.power_samples, cell.interval_s) == (40, 0.5)
    assert cell.energy_per_token_j == pytest.approx(cell.energy_j / 80)
    assert cell.throughput_tokens_per_s == 4 * 80 / 20


@given(
    phase_s=st.floats(0, 0.499),
    seconds=st.floats(5, 25),
    lost=st.sets(st.integers(120, 150), max_size=6),
)
def test_slow_power_is_within_the_sampling_error(phase_s, seconds, lost):
    store = store_of(wave, phase_s=phase_s, seconds=seconds, without=lost)
    cell = metered_cell(window(seconds), store)
    truth_j = wave_j(seconds) / 4
    assert abs(cell.energy_integration_j - truth_j) < cell.sampling_error_j
    if not lost:  # the plain sum alone has no word for a gap
        assert abs(cell.energy_j - truth_j) < cell.sampling_error_j
        assert cell.sampling_error < 1.2 * 0.5 / seconds * 550 / 250


def test_samples_further_apart_than_the_papers_are_integrated_at_a_larger_error():
    cell = metered_cell(window(), store_of(wave, interval_s=5.0))
    assert cell.energy_source == "integration"
    assert cell.energy_sum_500ms_j is None
    fine = metered_cell(window(), store_of(wave))
    assert cell.sampling_error_j > 8 * fine.sampling_error_j


def test_clock_that_is_late_by_a_little_is_the_papers():
    assert metered_cell(window(), store_of(wave, interval_s=0.502)).energy_source == "plain sum"


@pytest.mark.parametrize(
    ("store", "reason"),
    [
        (
            InMemory(MS),
            "only 0 power samples in 20.000 s, 3 needed, and none around: gpu and host have",
        ),
        (store_of(wave, interval_s=15.0), "only 2 power samples"),
        (store_of(wave, without=range(130)), "is not inside the trace"),
    ],
    ids=["none", "rare", "begins late"],
)
def test_window_without_enough_samples_is_an_invalid_cell(store, reason):
    cell = metered_cell(window(), store)
    assert (cell.status, cell.energy_j) == ("invalid", None)
    assert reason in cell.reason


def test_table_is_what_fits_take():
    store = store_of(wave)
    windows = [window(output_tokens=tokens) for tokens in (8, 16, 32)]
    table = table_of(metered_cells(windows, store))
    rows = [line.split(",") for line in table.splitlines()]
    assert rows[0].index("sampling_error_j")
    import pandas as pd

    found = read_observations(pd.DataFrame(rows[1:], columns=rows[0]))
    assert found.cells["output_tokens"].tolist() == [8, 16, 32]
    wanted = [cell.energy_per_token_j for cell in metered_cells(windows, store)]
    assert found.cells["energy_per_token_j"].tolist() == pytest.approx(wanted, rel=1e-12)
    assert not [note for note in found.notes if "Warning" in note]


def test_cells_of_a_runs_records_are_near_those_that_its_meter_gave(metered_run, memory):
    folder = metered_run()
    found = read_folder(folder)
    replay(found, memory)
    cells = metered_cells(read_windows(folder), memory)
    assert [(cell.model, cell.output_tokens) for cell in cells] == [("tiny", 8), ("tiny", 9)]
    for cell, kept in zip(cells, found.kept, strict=True):
        record = kept.record
        assert cell.energy_integration_j == pytest.approx(record.energy_integration_j, rel=1e-4)
        # power that jumps between its samples is in no error of sampling
        assert abs(cell.energy_j - record.energy_j) < 1.1 * cell.sampling_error_j
        assert cell.device == "GPU-1"


def test_cell_whose_record_is_invalid_is_so_by_any_power(metered_run, memory):
    why = "the model ran on the CPU while the GPU was metered"
    folder = metered_run(status="invalid", reason=why)
    replay(read_folder(folder), memory)
    cells = metered_cells(read_windows(folder), memory)
    assert [(cell.status, cell.reason) for cell in cells] == [("invalid", why)] * 2
    assert all(cell.energy_j > 0 for cell in cells)
