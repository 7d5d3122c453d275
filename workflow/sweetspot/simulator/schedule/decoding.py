"""The requests in decode: how many, how much cache they read, and until when that rises evenly."""

from collections import Counter
from heapq import heappop, heappush

from sweetspot.simulator.deployment.windows import NEVER, Windows
from sweetspot.simulator.schedule.queue import Running


class SlidingReads:
    """What a sliding layer reads of the requests in decode.

    A request's window fills by one token an iteration until it is full; then it stays full.

    Attributes:
        context: tokens read in the next iteration, all requests together.
        filling: requests whose window is not yet full, so that they read one more each time.
    """

    def __init__(self, window_tokens: int) -> None:
        """Begin with no request."""
        self.context = self.filling = 0
        self._window_tokens = window_tokens
        self._full_at: list[int] = []  # iterations at which windows are full, earliest first
        self._filled: Counter[int] = Counter()  # how many are, at each of them

    def begin(self, context: int, iteration: int, ends_at: int) -> None:
        """Take in a request that reads `context` tokens in `iteration` and ends at `ends_at`."""
        window = self._window_tokens
        if context >= window:
            self.context += window
            return
        self.context += context
        self.filling += 1
        full_at = iteration + window - context
        if full_at <= ends_at:
            if not self._filled[full_at]:
                heappush(self._full_at, full_at)
            self._filled[full_at] += 1

    def leave(self, context: int, iteration: int, ends_at: int) -> None:
        """Let a request go that would read `context` tokens in `iteration`."""
        window = self._window_tokens
        if context >= window:
            self.context -= window
            return
        self.context -= context
        self.filling -= 1
        full_at = iteration + window - context
        if full_at <= ends_at:
            self._filled[full_at] -= 1

    def advance(self, iterations: int, iteration: int) -> int:
        """Take note that this many ran, so that `iteration` is next; return how many filled up.

        They may not run past `next_full`.
        """
        self.context += iterations * self.filling
        filled = 0
        while self._full_at and self._full_at[0] <= iteration:
            filled += self._filled.pop(heappop(self._full_at), 0)
        self.filling -= filled
        return filled

    def next_full(self) -> int:
        """Return the iteration at which the next window is full; NEVER if none will be."""
        while self._full_at and not self._filled[self._full_at[0]]:
            del self._filled[heappop(self._full_at)]
        return self._full_at[0] if self._full_at else NEVER


class Decoding:
    """All of them get one token an iteration, so each has an iteration at which it will end.

    Attributes:
        iteration: the next one, counted from 0.
        count: requests in decode.
        context: KV-cache tokens that they read in the next iteration, all together.
        sliding: what a sliding layer reads of it; None where none slides.
    """

    def __init__(self, windows: Windows) -> None:
        """Begin with none."""
        self.iteration = self.count = self.context = 0
        self.sliding = SlidingReads(windows.tokens) if windows.sliding_layers else None
        # (ends at, index, request); one that has left before its end leaves its entry behind
        self._ends: list[tuple[int, int, Running]] = []

    def begin(self, running: Running, output_left: int) -> None:
        """Take in a request whose prompt has just ended and which lacks so many output tokens."""
        running.ends_at = self.iteration + output_left
        heappush(self._ends, (running.ends_at, running.index, running))
        self.count += 1
        context = running.prompt_tokens + 1
        self.context += context
        if self.sliding is not None:
            self.sliding.begin(context, self.iteration, running.ends_at)

    def advance(self, iterations: int) -> int:
        """Take note that this many iterations ran, and return how many windows are now full."""
        self.context += iterations * self.count
        self.iteration += iterations
        return 0 if self.sliding is None else self.sliding.advance(iterations, self.iteration)

    def even_steps(self) -> int:
        """Return how many iterations differ only in what they read, which rises evenly.

        A request must be here. They last until one ends or fills its window.
        """
        until = self.next_end()
        if self.sliding is not None:
            until = min(until, self.sliding.next_full())
        return until - self.iteration

    def next_end(self) -> int:
        """Return the iteration at which the next request ends; there must be one."""
        while self._ends[0][2].ends_at != self._ends[0][0]:
            heappop(self._ends)
        return self._ends[0][0]

    def pop_ended(self) -> Running | None:
        """Return a request that has its last token, so that it is no longer here; None if none."""
        if not self.count or self.next_end() > self.iteration:
            return None
        return heappop(self._ends)[2]

    def leave(self, running: Running) -> int:
        """Let a request go, at its end or before, and return what it would read next."""
        left = running.ends_at - self.iteration
        running.generated = running.request.output_tokens - left
        context = running.request.input_tokens + running.generated
        if self.sliding is not None:
            self.sliding.leave(context, self.iteration, running.ends_at)
        running.ends_at = -1
        self.count -= 1
        self.context -= context
        return context
