"""Thinned traces: small, and with the energy of what they were made of."""

import csv
import gzip
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.campaign.traces import HEADER, CellTrace, pack_traces, thinned
from sweetspot.metering.trace import PowerTrace, window_energy_j

STEPS = st.lists(
    st.tuples(st.floats(0, 2).map(lambda x: round(x, 3)), st.floats(0, 1000)),
    min_size=2,
    max_size=60,
)


def trace_of(steps):
    gaps_s, power_w = np.array(steps).T
    return PowerTrace(np.cumsum(gaps_s) - 5, power_w)


@given(STEPS.filter(lambda steps: sum(gap for gap, _ in steps[1:]) > 0.1), st.floats(0, 3))
def test_buckets_keep_the_energy_and_the_span(steps, bucket_s):
    trace = trace_of(steps)
    edges_s, power_w = thinned(trace, bucket_s)
    assert (edges_s[0], edges_s[-1]) == (trace.t_s[0], trace.t_s[-1])
    assert (np.diff(edges_s) > 0).all()
    energy_j = window_energy_j(trace, trace.t_s[0], trace.t_s[-1])
    assert power_w @ np.diff(edges_s) == pytest.approx(energy_j, rel=1e-9, abs=1e-9)
    assert (np.diff(edges_s)[:-1] >= bucket_s).all()


def rows_of(content):
    return list(csv.DictReader(io.StringIO(gzip.decompress(content).decode())))


def noisy(cell, seconds):
    t_s = np.arange(-3, seconds, 0.1)
    power_w = 400 + np.random.default_rng(len(cell)).normal(0, 30, t_s.size)
    return CellTrace(cell, PowerTrace(t_s, power_w))


def test_small_campaign_keeps_every_sample():
    traces = [noisy("a", 20), noisy("bb", 10)]
    content, bucket_s = pack_traces(traces)
    rows = rows_of(content)
    assert bucket_s == 0
    assert tuple(rows[0]) == HEADER
    assert [r["cell"] for r in rows] == ["a"] * 229 + ["bb"] * 129
    assert (rows[0]["start_s"], rows[0]["end_s"]) == ("-3.0000", "-2.9000")


def test_large_campaign_is_thinned_until_it_fits_and_keeps_its_energy():
    traces = [noisy("a" * n, 300) for n in range(1, 9)]
    whole, _ = pack_traces(traces)
    content, bucket_s = pack_traces(traces, max_bytes=len(whole) // 10)
    assert len(content) <= len(whole) // 10
    assert bucket_s > 0.5
    for each in traces:
        rows = [row for row in rows_of(content) if row["cell"] == each.cell]
        energy_j = sum(
            (float(r["end_s"]) - float(r["start_s"])) * float(r["mean_power_w"]) for r in rows
        )
        trace = each.trace
        expected_j = window_energy_j(trace, trace.t_s[0], trace.t_s[-1])
        assert energy_j == pytest.approx(expected_j, rel=1e-4)


def test_equal_traces_give_equal_files():
    assert pack_traces([noisy("a", 5)]) == pack_traces([noisy("a", 5)])
