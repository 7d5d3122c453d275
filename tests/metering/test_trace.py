"""Power traces: closed forms, conservation, steps, refusals, files."""

import gzip
import tracemalloc

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sweetspot.errors import InputError
from sweetspot.metering.meter import Readings
from sweetspot.metering.samples import CHANNELS
from sweetspot.metering.trace import PowerTrace, read_trace, window_energy_j, write_trace

UNEVEN_S = np.array([0.0, 0.5, 2.0, 7.0, 10.0])
RAMP = PowerTrace(UNEVEN_S, 3.0 * UNEVEN_S)  # 3t W, so E(a, b) = 1.5 (b² - a²) J
STEPS = PowerTrace([0, 2, 2, 5, 5, 5, 8], [100, 100, 300, 300, 900, 50, 50])

GAPS = st.sampled_from([0.0, 0.001, 0.1, 0.5, 3.0])  # 0.0 makes a step
SAMPLES = st.lists(st.tuples(GAPS, st.floats(0, 1000)), min_size=2, max_size=15)
FRACTIONS = st.floats(0, 1)


@st.composite
def traces(draw):
    gaps, powers = zip(*draw(SAMPLES), strict=True)
    times = draw(st.sampled_from([0.0, -3.0, 1000.0])) + np.cumsum(gaps)
    assume(times[-1] - times[0] >= 0.001)
    return PowerTrace(times, powers)


def at(trace, fraction):
    """A time inside the trace; exactly its ends, and its samples, come up too."""
    span = trace.t_s[-1] - trace.t_s[0]
    return float(np.clip(trace.t_s[0] + fraction * span, trace.t_s[0], trace.t_s[-1]))


def summed_by_segment(trace, start, end):
    """Every segment clipped to the window on its own, by the formula of a straight line."""
    total = 0.0
    for t0, t1, p0, p1 in zip(
        trace.t_s[:-1], trace.t_s[1:], trace.power_w[:-1], trace.power_w[1:], strict=True
    ):
        left, right = max(t0, start), min(t1, end)
        if right > left:
            middle = p0 + (p1 - p0) * ((left + right) / 2 - t0) / (t1 - t0)
            total += middle * (right - left)
    return total


@pytest.mark.parametrize(("a", "b", "joules"), [(0, 10, 150.0), (1, 3, 12.0), (2.5, 2.6, 0.765)])
def test_ramp_matches_closed_form(a, b, joules):
    assert window_energy_j(RAMP, a, b) == pytest.approx(joules, rel=1e-12)


@pytest.mark.parametrize(
    ("a", "b", "joules"),
    [
        (0, 8, 200 + 900 + 150),
        (0, 2, 200),  # ends at the step: the value before it
        (2, 5, 900),  # starts and ends at steps: the inner values, not the 900 W spike
        (5, 8, 150),
        (1.5, 2.5, 50 + 150),
        (4, 6, 300 + 50),
    ],
)
def test_steps_count_on_the_side_of_the_window(a, b, joules):
    assert window_energy_j(STEPS, a, b) == pytest.approx(joules, rel=1e-12)


@given(traces(), FRACTIONS, FRACTIONS)
def test_energy_is_the_sum_over_segments(trace, f, g):
    start, end = sorted((at(trace, f), at(trace, g)))
    assume(start < end)
    expected = summed_by_segment(trace, start, end)
    assert window_energy_j(trace, start, end) == pytest.approx(expected, rel=1e-9, abs=1e-7)


@given(traces(), st.integers(0, 14), FRACTIONS)
def test_adjacent_windows_conserve_energy(trace, index, f):
    start, end = trace.t_s[0], trace.t_s[-1]
    for cut in (at(trace, f), trace.t_s[index % trace.t_s.size]):
        if start < cut < end:
            parts = window_energy_j(trace, start, cut) + window_energy_j(trace, cut, end)
            assert parts == pytest.approx(window_energy_j(trace, start, end), rel=1e-9, abs=1e-9)


@given(traces(), st.floats(0, 50), st.sampled_from([-8.0, 0.25, 1024.0]))
def test_energy_scales_with_power_and_ignores_the_time_origin(trace, factor, shift):
    start, end = trace.t_s[0], trace.t_s[-1]
    energy = window_energy_j(trace, start, end)
    scaled = PowerTrace(trace.t_s, factor * trace.power_w)
    assert window_energy_j(scaled, start, end) == pytest.approx(factor * energy, rel=1e-9)
    moved = PowerTrace(trace.t_s + shift, trace.power_w)
    assert window_energy_j(moved, *moved.t_s[[0, -1]]) == pytest.approx(energy, rel=1e-9, abs=1e-7)


@given(traces(), FRACTIONS)
def test_sample_on_the_line_changes_nothing(trace, f):
    cut, start, end = at(trace, f), trace.t_s[0], trace.t_s[-1]
    assume(cut not in trace.t_s)
    index = np.searchsorted(trace.t_s, cut)
    on_line = np.interp(cut, trace.t_s, trace.power_w)
    refined = PowerTrace(np.insert(trace.t_s, index, cut), np.insert(trace.power_w, index, on_line))
    energy = window_energy_j(trace, start, end)
    assert window_energy_j(refined, start, end) == pytest.approx(energy, rel=1e-9, abs=1e-9)


@given(traces(), FRACTIONS, FRACTIONS)
def test_mean_power_lies_between_least_and_most(trace, f, g):
    start, end = sorted((at(trace, f), at(trace, g)))
    assume(end - start > 1e-6)
    mean = window_energy_j(trace, start, end) / (end - start)
    assert trace.power_w.min() - 1e-6 <= mean <= trace.power_w.max() + 1e-6


@pytest.mark.parametrize(("a", "b"), [(-0.1, 5), (5, 10.1), (5, 5), (6, 5), (np.nan, 5)])
def test_window_outside_trace_is_refused(a, b):
    with pytest.raises(ValueError, match="not inside the trace"):
        window_energy_j(RAMP, a, b)


@pytest.mark.parametrize(
    ("t_s", "power_w", "message"),
    [
        ([0], [1], "two or more samples"),
        ([0, 1], [1, 2, 3], "two or more samples"),
        ([[0, 1]], [[1, 2]], "two or more samples"),
        ([0, np.nan], [1, 1], "finite"),
        ([0, 1], [1, np.inf], "finite"),
        ([1, 0], [1, 1], "must not decrease"),
        ([0, 1], [1, -0.1], "must not be negative"),
    ],
)
def test_impossible_trace_is_refused(t_s, power_w, message):
    with pytest.raises(ValueError, match=message):
        PowerTrace(t_s, power_w)


def test_trace_cannot_be_changed_from_outside():
    times = np.array([0.0, 1.0])
    trace = PowerTrace(times, [5, 5])
    times[1] = 9
    assert trace.t_s[1] == 1
    with pytest.raises(ValueError, match="read-only"):
        trace.power_w[0] = 0


@given(trace=traces())
@settings(max_examples=settings.default.max_examples // 2)
def test_file_keeps_every_bit(tmp_path_factory, trace):
    folder = tmp_path_factory.mktemp("trace")
    for name in ("a.csv.gz", "b.csv.gz"):
        write_trace(folder / name, Readings(trace))
    read, samples = read_trace(folder / "a.csv.gz")
    assert read.t_s.tolist() == trace.t_s.tolist()
    assert read.power_w.tolist() == trace.power_w.tolist()
    assert samples is None
    assert (folder / "a.csv.gz").read_bytes() == (folder / "b.csv.gz").read_bytes()


def test_file_is_plain_csv_inside_gzip(tmp_path):
    write_trace(tmp_path / "p.csv.gz", Readings(PowerTrace([0, 0.5], [100, 120.25])))
    content = gzip.decompress((tmp_path / "p.csv.gz").read_bytes())
    assert content == b"t_s,power_w\n0.0,100.0\n0.5,120.25\n"


def test_file_holds_all_channels_and_nothing_for_those_that_lack(tmp_path, readings_of):
    readings = readings_of(lambda t: 300 + t, sm_mhz=1500, counter_j=lambda t: t / 3, duration_s=1)
    write_trace(tmp_path / "p.csv.gz", readings)
    header, first, *_ = gzip.decompress((tmp_path / "p.csv.gz").read_bytes()).decode().splitlines()
    assert header.startswith("t_s,power_w,look_s,power_instant_w,power_average_w,power_usage_w,")
    assert first == "0.0,300.0,,300.0,,,0.0,,1500.0,,,,,,,,,"
    trace, samples = read_trace(tmp_path / "p.csv.gz")
    assert trace.power_w.tolist() == readings.trace.power_w.tolist()
    for channel in CHANNELS:
        found, expected = getattr(samples, channel), getattr(readings.samples, channel)
        assert np.array_equal(found, expected, equal_nan=True)


@pytest.mark.parametrize(
    ("bomb", "message"),
    [
        (b"t_s,power_w\n" + b"0,0\n" * 10_001, "it has more than 10000 samples"),
        (b"t_s,power_w\n" + b"0" * 10**8, "a line has more than 4096 bytes"),
        (b"0" * 10**8, "its first line is not"),
    ],
    ids=["lines", "line", "header"],
)
def test_trace_that_is_large_only_unpacked_is_refused_before_it_is(
    tmp_path, monkeypatch, bomb, message
):
    monkeypatch.setattr("sweetspot.metering.trace.MAX_SAMPLES", 10_000)
    path = tmp_path / "p.csv.gz"
    path.write_bytes(gzip.compress(bomb, compresslevel=1))
    del bomb
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=message):
            read_trace(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000


@pytest.mark.parametrize("newer", ["utc_s", "host_counter_j"])
def test_trace_of_an_earlier_version_lacks_what_came_later(tmp_path, readings_of, newer):
    readings = readings_of(300.0, sm_mhz=1500, utc_s=1.0, host_counter_j=2.0)
    write_trace(tmp_path / "p.csv.gz", readings)
    rows = gzip.decompress((tmp_path / "p.csv.gz").read_bytes()).decode().splitlines()
    place = rows[0].split(",").index(newer)
    earlier = "".join(",".join(row.split(",")[:place]) + "\n" for row in rows)
    (tmp_path / "earlier.csv").write_text(earlier)
    _, samples = read_trace(tmp_path / "earlier.csv")
    assert np.isnan(getattr(samples, newer)).all()
    assert samples.sm_mhz.tolist() == readings.samples.sm_mhz.tolist()


def test_torn_last_line_is_left_out(tmp_path):
    (tmp_path / "spool.csv").write_text("t_s,power_w\n0.0,100.0\n0.5,120.25\n1.0,1")
    trace, _ = read_trace(tmp_path / "spool.csv")
    assert trace.power_w.tolist() == [100, 120.25]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.csv", b"t_s,power_w\n0.0,100.0\n"),  # one sample
        ("p.csv", b""),
        ("p.csv", b"time,watts\n0.0,100.0\n1.0,100.0\n"),
        ("p.csv", b"t_s,power_w\n0.0,100.0\n1.0\n"),
        ("p.csv", b"t_s,power_w\n0.0,100.0\n1.0,x\n"),
        ("p.csv", b"t_s,power_w\n1.0,100.0\n0.0,100.0\n"),
        ("p.csv.gz", b"t_s,power_w\n0.0,100.0\n1.0,100.0\n"),
        ("p.csv.gz", gzip.compress(b"t_s,power_w\n0.0,100.0\n1.0,100.0\n", mtime=0)[:-12]),
        ("nowhere/p.csv", None),
    ],
)
def test_file_that_is_not_a_trace_is_an_input_error(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=r"p\.csv.* is not a power trace: "):
        read_trace(tmp_path / name)
