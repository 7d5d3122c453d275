"""The requests that wait: those paused, and those that have arrived, first come first served."""

from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from math import inf

from sweetspot.simulator.schedule.requests import Request


class Running:
    """One request and how far it is.

    Attributes:
        index: its place in the order of arrival.
        prompt_tokens: to process before it decodes: its prompt and, after a pause, also the tokens
            that it had generated.
        prompt_done: how many of them have been processed.
        generated: output tokens it had when it last was in no decode.
        first_token_s: when it got its first token; None before.
        promised_blocks: of the KV cache; 0 before it is asked for, or if none are promised.
        cached_tokens: of its prompt, that were in the prefix cache when it was last admitted.
        prefix_held: blocks of its prefix that it has in the prefix cache, where there is one.
        ends_at: iteration at which it will have got its last token; -1 if not in decode.
    """

    __slots__ = (
        "cached_tokens",
        "ends_at",
        "first_token_s",
        "generated",
        "index",
        "prefix_held",
        "promised_blocks",
        "prompt_done",
        "prompt_tokens",
        "request",
    )

    def __init__(self, index: int, request: Request) -> None:
        """Take a request that waits."""
        self.index = index
        self.request = request
        self.prompt_tokens = request.input_tokens
        self.prompt_done = 0
        self.generated = 0
        self.first_token_s: float | None = None
        self.promised_blocks = self.cached_tokens = self.prefix_held = 0
        self.ends_at = -1


class Queue:
    """Reads requests only as they arrive, so that a trace is never in memory as a whole."""

    def __init__(
        self, requests: Iterable[Request], require_possible: Callable[[int, Request], None]
    ) -> None:
        """Read the first request.

        Args:
            requests: in the order of arrival.
            require_possible: raises for a request (with its number, from 1) that could never run.
        """
        self._source = iter(requests)
        self._numbers = count(1)
        self._require_possible = require_possible
        self._paused: deque[Running] = deque()
        self.next: Running | None = None
        self._read()

    def head(self, now_s: float) -> Running | None:
        """Return the request whose turn it is; None if none waits."""
        if self._paused:
            return self._paused[0]
        found = self.next
        return found if found is not None and found.request.arrival_s <= now_s else None

    def take(self) -> None:
        """Remove the head."""
        if self._paused:
            self._paused.popleft()
        else:
            self._read()

    def put_back(self, running: Running) -> None:
        """Let a paused request wait; whoever is paused later arrived earlier and goes first."""
        self._paused.appendleft(running)

    def _read(self) -> None:
        before_s = -inf if self.next is None else self.next.request.arrival_s
        request = next(self._source, None)
        if request is None:
            self.next = None
            return
        number = next(self._numbers)
        arrival_s, input_tokens, output_tokens, _, _ = request
        if not arrival_s >= before_s:
            raise ValueError(f"request {number} arrives before the one ahead of it")
        if input_tokens < 1 or output_tokens < 1:
            raise ValueError(f"request {number} must have at least 1 token each way")
        self._require_possible(number, request)
        self.next = Running(number, request)
