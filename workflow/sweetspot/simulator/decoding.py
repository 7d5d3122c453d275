"""The requests in decode: how many, how much cache they read, and when the next one ends."""

from heapq import heappop, heappush

from sweetspot.simulator.waiting import Running


class Decoding:
    """All of them get one token an iteration, so each has an iteration at which it will end.

    Attributes:
        iteration: the next one, counted from 0.
        count: requests in decode.
        context: KV-cache tokens that they read in the next iteration, all together.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.iteration = self.count = self.context = 0
        # (ends at, index, request); one that has left before its end leaves its entry behind
        self._ends: list[tuple[int, int, Running]] = []

    def begin(self, running: Running, output_left: int) -> None:
        """Take in a request whose prompt has just ended and which lacks so many output tokens."""
        running.ends_at = self.iteration + output_left
        heappush(self._ends, (running.ends_at, running.index, running))
        self.count += 1
        self.context += running.prompt_tokens + 1

    def advance(self, iterations: int) -> None:
        """Take note that this many iterations ran."""
        self.context += iterations * self.count
        self.iteration += iterations

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
        running.ends_at = -1
        context = running.request.input_tokens + running.generated
        self.count -= 1
        self.context -= context
        return context
