"""What attention looks back on: every token in a full layer, the last ones in a sliding layer."""

from collections import Counter
from dataclasses import dataclass
from heapq import heappop, heappush

NEVER = 2**62
"""An iteration that never comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """How far layers look back.

    Attributes:
        tokens: that a sliding layer attends to, the one being processed among them; what is older
            is overwritten in the KV cache.
        full_layers, sliding_layers: of the model; 1 and 0 stand for any in which none slides.
    """

    tokens: int
    full_layers: int
    sliding_layers: int

    @property
    def layers(self) -> int:
        """All layers."""
        return self.full_layers + self.sliding_layers

    def seen(self, context: int) -> int:
        """Return the tokens of a context that a sliding layer attends to."""
        return min(context, self.tokens)

    def seen_before(self, done: int) -> int:
        """Return the tokens before a chunk that a sliding layer attends to in it."""
        return min(done, self.tokens - 1)

    def pairs(self, done: int, chunk: int) -> int:
        """Return a sliding layer's query-key pairs of a chunk that follows `done` tokens."""
        rising = min(max(self.tokens - done, 0), chunk)  # queries that see all before them
        return rising * done + rising * (rising + 1) // 2 + (chunk - rising) * self.tokens


NO_WINDOWS = Windows(tokens=NEVER, full_layers=1, sliding_layers=0)


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
