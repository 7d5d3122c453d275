"""The time that a campaign has, and its end where a cell does not end by itself."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn


class OutOfTimeError(KeyboardInterrupt):
    """The time is up; goes through everything that an interrupt from the keyboard goes through."""


@dataclass(frozen=True, slots=True)
class TimeBox:
    """A time to be done by, in s on the clock `now`."""

    end_s: float
    now: Callable[[], float]

    @property
    def left_s(self) -> float:
        """How much time is left, in s; negative after the end."""
        return self.end_s - self.now()


@contextmanager
def ended_after(seconds: float) -> Iterator[None]:
    """Raise OutOfTimeError in the body if it takes longer; in the main thread only."""

    def ring(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise OutOfTimeError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3))  # 0 would switch it off
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM, which a batch system sends first, end the body as Ctrl-C does."""

    def interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
