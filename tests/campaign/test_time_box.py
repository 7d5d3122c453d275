"""The end of time: a cell that does not end by itself is cut off, once, and nothing stays set."""

import signal
import time

import pytest

from sweetspot.campaign.time_box import OutOfTimeError, ended_after, sigterm_interrupts


def test_body_that_takes_too_long_is_cut_off():
    with pytest.raises(OutOfTimeError), ended_after(0.1):
        time.sleep(60)  # which would end without an error


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_time_that_is_over_ends_the_body_at_once(seconds):
    with pytest.raises(OutOfTimeError), ended_after(seconds):
        time.sleep(60)


def test_nothing_stays_set_after_a_body_in_time():
    before = signal.getsignal(signal.SIGALRM)
    with ended_after(30):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert signal.getsignal(signal.SIGALRM) == before


def test_sigterm_ends_the_body_as_an_interrupt_does():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), sigterm_interrupts():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before
