"""Finished cells become files: a measured one before the next begins, simulated ones beside it."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

AT_ONCE = 8
"""Writes that wait for the disk together, which makes them durable together."""
MOST_BEHIND = 32
"""Cells that are done and not yet durable, at most: what a kill costs."""

Keep = Callable[[Callable[[], None]], None]


@contextmanager
def keeping(*, behind: bool) -> Iterator[Keep]:
    """Yield a function that runs a write; at the end all are done.

    A cell is simulated in less time than a disk takes to say that its files are durable, so with
    `behind` its writes are left to threads, and what one raises comes with a later cell.
    """
    if not behind:
        yield lambda write: write()
        return
    waiting: deque[Future[None]] = deque()
    with ThreadPoolExecutor(AT_ONCE) as pool:

        def keep(write: Callable[[], None]) -> None:
            if len(waiting) == MOST_BEHIND:
                waiting.popleft().result()
            waiting.append(pool.submit(write))

        yield keep
        for each in waiting:
            each.result()
