"""Static batching, as Hugging Face Transformers' `generate`: a batch runs until its last is done.

A batch is taken from what has arrived when the one before it has ended, first come first served,
as many as `max_batch_size`, the KV cache and, with their prompts, `max_num_tokens` hold. Prompts
are padded to the longest and processed in one iteration; then all decode, ended or not, until
the request with the most output tokens has got its last. Answers are returned together. Padded,
all are alike, so that the windows of sliding layers fill at once.

Source: transformers, GenerationMixin.generate (padding on the left; finished sequences are fed
the padding token until all are finished).
"""

from collections.abc import Iterable
from math import inf

from sweetspot.errors import EngineError
from sweetspot.simulator.deployment.scheduler_limits import SchedulerLimits
from sweetspot.simulator.schedule.kv_cache import require_cache
from sweetspot.simulator.schedule.queue import Queue
from sweetspot.simulator.schedule.requests import Request
from sweetspot.simulator.schedule.segments import Finished, Segment


class StaticBatching:
    """A `Scheduler` whose memory holds one batch and one request that has not arrived."""

    def __init__(self, requests: Iterable[Request], limits: SchedulerLimits) -> None:
        """Begin with nothing in flight; `requests` are in the order of arrival.

        Raises:
            ValueError: later: requests are out of order.
            EngineError: a request could never run. It is read, and refused, when its turn comes.
        """
        self.pauses = self.cached_tokens = 0  # nobody is paused, nothing kept
        self._limits = limits
        self._queue = Queue(requests, self._require_possible)
        self._batch: list[Request] = []
        self._prompt_tokens = self._decode_steps = 0
        self._context = 0  # tokens that each request reads next
        self._first_token_s: float | None = None

    @property
    def replaces(self) -> bool:
        """Never: all of a batch have ended before others begin."""
        return False

    def is_full(self, now_s: float) -> bool:
        """Return whether a request that has arrived waits for the next batch."""
        return self._queue.head(now_s) is not None

    def plan(self, now_s: float) -> Segment | None:
        """Return what runs next; None when every request has ended."""
        windows = self._limits.windows
        if self._batch:
            sequences, attended = len(self._batch), windows.attended(self._context)
            filling = windows.tokens - attended  # iterations until the window is full
            return Segment(
                min(self._decode_steps, filling) if filling else self._decode_steps,
                inf,
                sequences,
                sequences * self._context,
                sliding_context=sequences * attended,
                sliding_decodes=sequences if filling else 0,
            )
        self._fill(now_s)
        if not self._batch:
            following = self._queue.next
            return None if following is None else Segment(0, following.request.arrival_s)
        sequences, length = len(self._batch), self._prompt_tokens
        return Segment(
            iterations=1,
            wake_s=inf,
            prompt_tokens=sequences * length,
            prompt_pairs=sequences * (length * (length + 1) // 2),
            prompts=sequences,
            prompts_finished=sequences,
            sliding_pairs=sequences * windows.pairs(0, length),
        )

    def advance(self, iterations: int, now_s: float) -> list[Finished]:
        """Take note that this many iterations of the plan ran until `now_s`."""
        if not self._batch:
            return []
        if self._first_token_s is None:
            self._first_token_s = now_s
            self._context = self._prompt_tokens + 1
        else:
            self._decode_steps -= iterations
            self._context += iterations
        if self._decode_steps:
            return []
        finished = [Finished(request, self._first_token_s, now_s) for request in self._batch]
        self._batch = []
        self._first_token_s = None
        return finished

    def _fill(self, now_s: float) -> None:
        """Take the next batch from the queue."""
        prompt = answer = 0
        while (head := self._queue.head(now_s)) is not None:
            longest = max(prompt, head.request.input_tokens)
            most = max(answer, head.request.output_tokens)
            sequences = len(self._batch) + 1
            if sequences > self._limits.max_concurrency(longest + most):
                break
            if sequences * longest > self._limits.max_num_tokens:
                break
            prompt, answer = longest, most
            self._queue.take()
            self._batch.append(head.request)
        self._prompt_tokens, self._decode_steps = prompt, answer - 1

    def _require_possible(self, number: int, request: Request) -> None:
        require_cache(number, request, self._limits)
        if request.input_tokens > self._limits.max_num_tokens:
            raise EngineError(
                f"request {number} has a prompt of {request.input_tokens} tokens, more than"
                f" max_num_tokens {self._limits.max_num_tokens}; raise that limit"
            )
