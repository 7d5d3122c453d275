"""What a sliding layer reads of the requests in decode."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.simulator.deployment.windows import NEVER
from sweetspot.simulator.schedule.decoding import SlidingReads


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
