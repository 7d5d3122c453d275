"""Sliding windows against counting token by token and request by request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.simulator.deployment.windows import NEVER, NO_WINDOWS, SlidingReads, Windows

windows_of = st.integers(1, 60).map(lambda n: Windows(tokens=n, full_layers=1, sliding_layers=1))


@given(windows=windows_of, done=st.integers(0, 100), chunk=st.integers(0, 100))
def test_pairs_are_counted_query_by_query(windows, done, chunk):
    seen = [min(position, windows.tokens) for position in range(done + 1, done + chunk + 1)]
    assert windows.pairs(done, chunk) == sum(seen)


@given(windows=windows_of, done=st.integers(0, 100))
def test_first_query_of_a_chunk_sees_what_is_before_it_and_itself(windows, done):
    assert windows.seen_before(done) + 1 == windows.seen(done + 1)


def test_no_windows_see_everything():
    assert NO_WINDOWS.seen(10**9) == 10**9
    assert NO_WINDOWS.pairs(10, 5) == 11 + 12 + 13 + 14 + 15
    assert NO_WINDOWS.layers == 1


@given(st.data(), st.integers(1, 30))
def test_reads_are_those_of_every_single_request(data, window):
    """Requests come with any context, are read in steps, and leave at their end or before."""
    reads, here, iteration = SlidingReads(window), [], 0
    for _ in range(data.draw(st.integers(1, 30))):
        for _ in range(data.draw(st.integers(0, 3))):
            request = [data.draw(st.integers(1, 40)), iteration + data.draw(st.integers(1, 40))]
            reads.begin(request[0], iteration, request[1])
            here.append(request)
        for request in [r for r in here if data.draw(st.booleans()) or r[1] == iteration]:
            reads.leave(request[0], iteration, request[1])
            here.remove(request)
        assert reads.context == sum(min(context, window) for context, _ in here)
        assert reads.filling == sum(context < window for context, _ in here)
        full_at = [iteration + window - context for context, _ in here if context < window]
        ends = [end for context, end in here if context < window]
        due = [at for at, end in zip(full_at, ends, strict=True) if at <= end]
        assert reads.next_full() == min(due, default=NEVER)
        most = min([reads.next_full(), *(end for _, end in here), iteration + 9])
        steps = data.draw(st.integers(1, most - iteration))
        before = reads.filling
        iteration += steps
        for request in here:
            request[0] += steps
        filled = reads.advance(steps, iteration)
        assert filled == before - sum(context < window for context, _ in here)


@pytest.mark.parametrize(("context", "filling"), [(6, 1), (7, 0), (8, 0)])
def test_window_as_long_as_the_context_is_full(context, filling):
    reads = SlidingReads(7)
    reads.begin(context, 0, 99)
    assert (reads.filling, reads.context) == (filling, min(context, 7))
    assert reads.next_full() == (1 if filling else NEVER)
