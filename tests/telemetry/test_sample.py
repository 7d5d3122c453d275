"""Times that stores tell samples apart by."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sweetspot.telemetry.sample import MS, Stamps, round_half_up, stamped


def test_stamps_of_a_step_move_the_second_sample_by_one_unit():
    samples = stamped([(7.0, 100.0), (7.5, 100.0), (7.5, 200.0), (8.0, 200.0)], 1000.25, MS)
    assert [each.at for each in samples] == [1_000_250, 1_000_750, 1_000_751, 1_001_250]
    assert samples[2].values == (7.5, 200.0)


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=50).map(sorted),
    st.floats(0, 4e9),
    st.sampled_from([1, MS]),
)
def test_stamps_increase_and_are_those_of_a_replay(times, utc_s, unit_ns):
    stamps = Stamps(times[0], utc_s, unit_ns)
    live = [stamps.at(t_s) for t_s in times]
    assert live == [each.at for each in stamped(([t] for t in times), utc_s, unit_ns)]
    assert all(earlier < later for earlier, later in pairwise(live))


def test_rounding_keeps_nanoseconds_of_today():
    now_ns = 1_764_000_000_123_456_789
    assert round_half_up(now_ns, 1) == now_ns
    assert round_half_up(now_ns, MS) == 1_764_000_000_123
