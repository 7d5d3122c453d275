"""Writes that are left to threads: none is forgotten, and none fails unseen."""

import pytest

from sweetspot.measure.keeping import MOST_BEHIND, keeping


def test_all_writes_are_done_at_the_end():
    done = []
    with keeping(behind=True) as keep:
        for each in range(3 * MOST_BEHIND):
            keep(lambda each=each: done.append(each))
    assert sorted(done) == list(range(3 * MOST_BEHIND))


def fail():
    raise OSError("disk full")


def keep_all(writes):
    with keeping(behind=True) as keep:
        for each in writes:
            keep(each)


@pytest.mark.parametrize("after", [0, MOST_BEHIND])
def test_failed_write_is_raised(after):
    with pytest.raises(OSError, match="disk full"):
        keep_all([fail, *[int] * after])


def test_measured_cell_is_durable_before_the_next_begins():
    done = []
    with keeping(behind=False) as keep:
        keep(lambda: done.append(1))
        assert done == [1]
