"""How far a run is in words: all of it where there is room, what matters most where not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.progress.state import Outcome, State
from sweetspot.progress.words import cell_line, in_words

FULL = State(
    cells=798,
    done=312,
    failed=1,
    running=2,
    power_w=812.4,
    energy_j=4.5e6,
    left_s=11520.0,
)


def test_overdue_estimate_is_left_out():
    assert in_words(State(cells=9, done=1, left_s=0.1)) == "1/9 cells done"


def test_line_has_all_where_there_is_room():
    assert in_words(FULL) == (
        "312/798 cells done, 1 FAILED, 2 running, 812 W now, 1.25 kWh, about 3.2 h left"
    )


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (79, "312/798 cells done, 1 FAILED, 2 running, 812 W now, 1.25 kWh, about 3.2 h left"),
        (77, "312/798 cells done, 1 FAILED, 2 running, 812 W now, about 3.2 h left"),
        (50, "312/798 cells done, 1 FAILED, about 3.2 h left"),
        (39, "312/798 cells done, 1 FAILED"),
        (12, "312/798 cell"),
    ],
)
def test_narrow_line_keeps_what_matters_most(width, shown):
    assert in_words(FULL, width) == shown


STATES = st.builds(
    State,
    cells=st.none() | st.integers(0, 10**6),
    done=st.integers(0, 10**6),
    failed=st.integers(0, 10**6),
    running=st.integers(0, 10**4),
    jobs_failed=st.integers(0, 10**4),
    power_w=st.none() | st.floats(0, 1e6),
    energy_j=st.floats(0, 1e12),
    simulated=st.booleans(),
    left_s=st.none() | st.floats(0, 1e8),
    files=st.sampled_from(["", "3 of 15 tables and figures"]),
)


@given(STATES, st.integers(0, 200))
def test_line_is_never_wider_than_asked_and_has_the_failures_where_they_fit(state, width):
    line = in_words(state, width)
    assert len(line) <= width
    assert line.isprintable()
    if width >= 80 and state.failed:
        assert f"{state.failed} FAILED" in line


def test_line_of_a_cell_says_its_numbers_or_why_it_has_none():
    ok = Outcome(
        cell="m/b1024/n10/i64_o64/r0",
        status="ok",
        reason="",
        simulated=False,
        window_j=100.0,
        per_token_j=0.012345,
        power_w=412.3,
        duration_s=33.14,
    )
    assert cell_line(ok, FULL) == (
        "cell ok m/b1024/n10/i64_o64/r0: 0.01235 J/token, 412 W, 33.1 s"
        " (312 of 798, about 3.2 h left)"
    )
    failed = Outcome(
        cell="m/b1024/n10/i64_o64/r0",
        status="failed",
        reason="no memory\nfor \x1b[2Jthis",
        simulated=False,
        window_j=0.0,
        per_token_j=None,
        power_w=None,
        duration_s=None,
    )
    assert cell_line(failed, State(cells=None, done=3)) == (
        "cell failed m/b1024/n10/i64_o64/r0: no memory for \\x1b[2Jthis (3)"
    )
