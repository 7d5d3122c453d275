"""Sliding windows against counting token by token and request by request."""

from hypothesis import given
from hypothesis import strategies as st

from sweetspot.simulator.deployment.scheduler_limits import SchedulerLimits
from sweetspot.simulator.deployment.windows import NO_WINDOWS, Windows

windows_of = st.integers(1, 60).map(lambda n: Windows(tokens=n, full_layers=1, sliding_layers=1))


@given(windows=windows_of, done=st.integers(0, 100), chunk=st.integers(0, 100))
def test_pairs_are_counted_query_by_query(windows, done, chunk):
    seen = [min(position, windows.tokens) for position in range(done + 1, done + chunk + 1)]
    assert windows.pairs(done, chunk) == sum(seen)


@given(windows=windows_of, done=st.integers(0, 100))
def test_first_query_of_a_chunk_sees_what_is_before_it_and_itself(windows, done):
    assert windows.attended_before(done) + 1 == windows.attended(done + 1)


def test_no_windows_see_everything():
    assert NO_WINDOWS.attended(10**9) == 10**9
    assert NO_WINDOWS.pairs(10, 5) == 11 + 12 + 13 + 14 + 15
    assert NO_WINDOWS.layers == 1


@given(
    st.integers(1, 40),
    st.sampled_from([1, 16, 64]),
    st.integers(1, 400),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_longest_sequence_of_a_cache_is_the_last_that_fits(blocks, unit, window, full, sliding):
    windows = (
        Windows(tokens=window, full_layers=full, sliding_layers=sliding) if sliding else NO_WINDOWS
    )
    limits = SchedulerLimits(
        max_batch_size=1,
        max_num_tokens=8192,
        kv_blocks=blocks,
        tokens_per_block=unit,
        windows=windows,
    )
    longest = limits.cache_tokens
    if longest is None:
        assert limits.layer_blocks_of(10**9) <= limits.layer_blocks
        return
    assert limits.layer_blocks_of(longest) <= limits.layer_blocks
    assert limits.layer_blocks_of(longest + 1) > limits.layer_blocks
