"""In-flight batching of any requests, stepped from event to event.

The rules are those of `identical.py`, whose closed form for identical requests this generalises:
decode first, then prompts, first come first served; a prompt that is cut ends the iteration's
prompts. (TensorRT-LLM lets a later prompt of less than a block slip in behind it.)

- GUARANTEED_NO_EVICT admits a request when all its tokens fit in the KV cache.
- MAX_UTILIZATION admits it when its prompt does. When decode then needs more blocks than there
  are, the request admitted last is paused: its cache is dropped and it waits, ahead of all who
  have not begun, until its prompt and the tokens it had generated fit and are processed anew.
- Without chunked prefill a prompt waits until it fits whole in what decode leaves of
  `max_num_tokens`.

Source: TensorRT-LLM, cpp/tensorrt_llm/batch_manager/{capacityScheduler,microBatchScheduler}.cpp
(MaxUtilizationScheduler, GuaranteedNoEvictScheduler) and LlmRequest::pause.
"""

from collections.abc import Iterable
from enum import StrEnum
from math import inf

from sweetspot.errors import EngineError
from sweetspot.simulator.deployment.scheduler_limits import SchedulerLimits
from sweetspot.simulator.schedule.decoding import Decoding
from sweetspot.simulator.schedule.kv_cache import GrowingBlocks, PromisedBlocks, require_cache
from sweetspot.simulator.schedule.prefix_cache import PrefixCache
from sweetspot.simulator.schedule.queue import Queue, Running
from sweetspot.simulator.schedule.requests import Request
from sweetspot.simulator.schedule.segments import Finished, Segment


class Policy(StrEnum):
    """Which requests are admitted."""

    GUARANTEED_NO_EVICT = "guaranteed-no-evict"
    MAX_UTILIZATION = "max-utilization"


class InFlightBatching:
    """A `Scheduler` whose memory holds the requests in flight and one that has not arrived."""

    def __init__(
        self,
        requests: Iterable[Request],
        limits: SchedulerLimits,
        *,
        policy: Policy = Policy.GUARANTEED_NO_EVICT,
        chunked_prefill: bool = True,
        prefix_cache: bool = False,
    ) -> None:
        """Begin with nothing in flight.

        Args:
            requests: in the order of arrival.
            limits: what bounds the batch.
            policy: who is admitted.
            chunked_prefill: whether a prompt may be cut at a multiple of tokens_per_block.
            prefix_cache: whether what a prompt has in common with earlier ones is not processed
                anew.

        Raises:
            ValueError: max_num_tokens does not hold a batch and a block; later: requests are out
                of order.
            EngineError: a request could never run. It is read, and refused, when its turn comes.
        """
        if limits.max_num_tokens < max(limits.max_batch_size, limits.tokens_per_block):
            raise ValueError("max_num_tokens must hold max_batch_size and one block")
        self.pauses = self.cached_tokens = 0
        self._limits, self._policy, self._chunked = limits, policy, chunked_prefill
        blocks = GrowingBlocks if policy is Policy.MAX_UTILIZATION else PromisedBlocks
        self._blocks: GrowingBlocks | PromisedBlocks = blocks(limits)
        self._prefixes = PrefixCache(limits) if prefix_cache else None
        self._queue = Queue(requests, self._require_possible)
        self._in_flight: dict[int, Running] = {}  # in the order of admission
        self._decoding = Decoding(limits.windows)
        self._cut: Running | None = None  # the one prompt of which a part is processed
        self._prompts_ending: list[Running] = []

    @property
    def replaces(self) -> bool:
        """Whether a request is still to be admitted."""
        return self._queue.next is not None or self._queue.head(inf) is not None

    def is_full(self, now_s: float) -> bool:
        """Return whether the request whose turn it is finds no room."""
        head = self._queue.head(now_s)
        return head is not None and not self._has_room(head)

    def plan(self, now_s: float) -> Segment | None:
        """Return what runs next; None when every request has ended."""
        while self._blocks.short:
            self._pause_last()
        if self._prefixes is not None:
            self._prefixes.trim(self._blocks.left)
        decoding, sliding, windows = self._decoding, self._decoding.sliding, self._limits.windows
        decodes, context = decoding.count, decoding.context
        budget = self._limits.max_num_tokens - decodes
        tokens = pairs = earlier = prompts = sliding_pairs = sliding_earlier = 0
        while (running := self._turn(now_s)) and (chunk := self._chunk(running, budget)):
            if running is not self._cut:
                self._admit(running)
            done = running.prompt_done
            pairs += chunk * done + chunk * (chunk + 1) // 2
            earlier += done
            if sliding is not None:
                sliding_pairs += windows.pairs(done, chunk)
                sliding_earlier += windows.attended_before(done)
            tokens += chunk
            prompts += 1
            budget -= chunk
            running.prompt_done = done + chunk
            if running.prompt_done < running.prompt_tokens:
                self._cut = running
                break
            self._cut = None
            self._prompts_ending.append(running)
        if tokens:
            ending = len(self._prompts_ending)
            planned = Segment(1, inf, decodes, context, tokens, pairs, earlier, prompts, ending)
        elif decodes:
            steps = self._blocks.steps(decoding.even_steps(), decoding.iteration)
            planned = Segment(steps, self._wake_s(now_s), decodes, context)
        else:
            following = self._queue.next
            return None if following is None else Segment(0, following.request.arrival_s)
        if sliding is None:
            return planned
        return planned._replace(
            sliding_context=sliding.context,
            sliding_decodes=sliding.filling,
            sliding_pairs=sliding_pairs,
            sliding_prompt_context=sliding_earlier,
        )

    def advance(self, iterations: int, now_s: float) -> list[Finished]:
        """Take note that this many iterations of the plan ran until `now_s`."""
        decoding = self._decoding
        self._blocks.advance(iterations, decoding.iteration)
        if filled := decoding.advance(iterations):
            self._blocks.fill_windows(filled, decoding.iteration)
        blocks, iteration = self._blocks, decoding.iteration
        finished = []
        for running in self._prompts_ending:
            if running.first_token_s is None:
                running.first_token_s = now_s
            if self._prefixes is not None:
                self._prefixes.complete(running)
            output_left = running.request.output_tokens - running.generated - 1
            if output_left:
                decoding.begin(running, output_left)
                blocks.begin_decode(running, iteration)
            else:
                self._free(running, 0)
                finished.append(self._finish(running, now_s))
        self._prompts_ending.clear()
        while (ended := decoding.pop_ended()) is not None:
            self._free(ended, decoding.leave(ended))
            finished.append(self._finish(ended, now_s))
        return finished

    def _turn(self, now_s: float) -> Running | None:
        """Return the request whose prompt may run; None if none may."""
        if self._cut is not None:
            return self._cut
        head = self._queue.head(now_s)
        if head is None or not self._has_room(head):
            return None
        if self._prefixes is not None:
            head.prompt_done = head.cached_tokens = self._prefixes.match(head)
        return head

    def _chunk(self, running: Running, budget: int) -> int:
        """Return how many tokens of its prompt may run; 0 if it has to wait."""
        left = running.prompt_tokens - running.prompt_done
        if left <= budget:
            return left
        unit = self._limits.tokens_per_block
        return budget // unit * unit if self._chunked else 0

    def _has_room(self, running: Running) -> bool:
        return len(self._in_flight) < self._limits.max_batch_size and self._blocks.fits(running)

    def _admit(self, head: Running) -> None:
        self._queue.take()
        self._blocks.admit(head)
        if self._prefixes is not None:
            self._prefixes.admit(head)
            self._prefixes.trim(self._blocks.left)
        self._in_flight[head.index] = head

    def _wake_s(self, now_s: float) -> float:
        """Return when a request arrives that could join those in decode; infinite if none could."""
        if self._cut is not None or self._queue.head(now_s) is not None:
            return inf  # whoever comes waits behind this one
        following = self._queue.next
        if following is None or not self._has_room(following):
            return inf
        return following.request.arrival_s

    def _pause_last(self) -> None:
        """Drop the cache of the request that was admitted last."""
        running = self._in_flight.popitem()[1]
        if running is self._cut:
            self._cut = None
            context = 0
        else:
            context = self._decoding.leave(running)
        self._free(running, context)
        running.prompt_tokens = running.request.input_tokens + running.generated
        running.prompt_done = 0
        self._queue.put_back(running)
        self.pauses += 1

    def _free(self, running: Running, context: int) -> None:
        """Take back what a request has of the KV cache, whose decode would read `context` next."""
        self._blocks.free(running, context, self._decoding.iteration)
        if self._prefixes is not None:
            self._prefixes.release(running)

    def _finish(self, running: Running, now_s: float) -> Finished:
        self.cached_tokens += running.cached_tokens
        del self._in_flight[running.index]
        assert running.first_token_s is not None  # noqa: S101 - every prompt has ended
        return Finished(running.request, running.first_token_s, now_s)

    def _require_possible(self, number: int, request: Request) -> None:
        require_cache(number, request, self._limits)
        if self._chunked:
            return
        # One that is paused has its output, but for the last token, to process as well.
        growing = self._policy is Policy.MAX_UTILIZATION
        whole = request.input_tokens + (request.output_tokens - 1 if growing else 0)
        if whole > self._limits.max_num_tokens:
            raise EngineError(
                f"request {number} may have a prompt of {whole} tokens, more than max_num_tokens"
                f" {self._limits.max_num_tokens}; without chunked prefill it cannot run"
            )
