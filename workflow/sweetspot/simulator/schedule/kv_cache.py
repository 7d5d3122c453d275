"""Blocks of the KV cache: promised for a request's whole life, or taken as its tokens come.

Source: TensorRT-LLM, cpp/tensorrt_llm/batch_manager: scheduledBlocksManager.h and
kvCacheManager.cpp (getRemainingBlocksToCompletion, getNeededBlocksOneStep).
"""

from sweetspot.errors import EngineError
from sweetspot.simulator.deployment.scheduler_limits import SchedulerLimits
from sweetspot.simulator.schedule.queue import Running
from sweetspot.simulator.schedule.requests import Request


def require_cache(number: int, request: Request, limits: SchedulerLimits) -> None:
    """Refuse a request, counted from 1, that does not even fit in an empty cache.

    Raises:
        EngineError: says how many tokens fit.
    """
    if limits.layer_blocks_of(request.input_tokens + request.output_tokens) > limits.layer_blocks:
        raise EngineError(
            f"request {number} of {request.input_tokens} + {request.output_tokens} tokens does not"
            f" fit in the KV cache ({limits.kv_blocks * limits.tokens_per_block} tokens); shorten"
            " it, raise kv_cache_memory_fraction or lower max_num_tokens"
        )


class PromisedBlocks:
    """GUARANTEED_NO_EVICT: a request is admitted with the blocks of all its I + O tokens.

    Attributes:
        left: blocks that nobody has.
    """

    def __init__(self, limits: SchedulerLimits) -> None:
        """Begin with an empty cache."""
        self._blocks_of, self.left = limits.layer_blocks_of, limits.layer_blocks

    @property
    def short(self) -> bool:
        """Whether the next iteration needs more blocks than there are: never."""
        return False

    def fits(self, running: Running) -> bool:
        """Say whether a request may be admitted."""
        if not running.promised_blocks:
            request = running.request
            running.promised_blocks = self._blocks_of(request.input_tokens + request.output_tokens)
        return running.promised_blocks <= self.left

    def admit(self, running: Running) -> None:
        """Promise the blocks; it fits."""
        self.left -= running.promised_blocks

    def begin_decode(self, running: Running, iteration: int) -> None:
        """Take note that the request decodes from `iteration` on: its blocks are there."""

    def free(self, running: Running, context: int, iteration: int) -> None:
        """Take back the blocks of a request that has ended."""
        self.left += running.promised_blocks

    def steps(self, most: int, iteration: int) -> int:
        """Return how many iterations can run before blocks are short, `most` at most."""
        return most

    def advance(self, steps: int, iteration: int) -> None:
        """Take note of iterations of decode: their blocks are there."""

    def fill_windows(self, requests: int, iteration: int) -> None:
        """Take note that the windows of so many requests are full: nothing was promised beyond."""


class GrowingBlocks:
    """MAX_UTILIZATION: a request has the blocks of its tokens, and new ones when they are full.

    A request in decode crosses into a new block at every iteration that is congruent to its phase,
    and takes one for each layer, but for those whose window is full. So the blocks by phase say
    how many any number of iterations needs.

    Attributes:
        left: blocks that nobody has; below 0 where the next iteration needs more than there are.
    """

    def __init__(self, limits: SchedulerLimits) -> None:
        """Begin with an empty cache."""
        self._blocks_of, self.left = limits.layer_blocks_of, limits.layer_blocks
        self._windows = limits.windows
        self._tokens_per_block = limits.tokens_per_block
        self._by_phase = [0] * limits.tokens_per_block
        self._per_cycle = 0  # their sum

    @property
    def short(self) -> bool:
        """Whether the next iteration needs more blocks than there are."""
        return self.left < 0

    def fits(self, running: Running) -> bool:
        """Say whether a request may be admitted: its prompt's blocks are free."""
        return self._blocks_of(running.prompt_tokens) <= self.left

    def admit(self, running: Running) -> None:
        """Take the prompt's blocks."""
        self.left -= self._blocks_of(running.prompt_tokens)

    def begin_decode(self, running: Running, iteration: int) -> None:
        """Take the blocks of the first output token, fed in `iteration`, if they are new."""
        context = running.prompt_tokens + 1
        self.left -= self._blocks_of(context) - self._blocks_of(running.prompt_tokens)
        self._cross(self._crossing(context), context, iteration)

    def free(self, running: Running, context: int, iteration: int) -> None:
        """Take back the blocks of a request that has ended or is paused.

        Args:
            running: the request.
            context: tokens that its decode reads in `iteration`; 0 if it has not begun decode.
            iteration: the next one.
        """
        if context:
            self._cross(-self._crossing(context), context, iteration)
        self.left += self._blocks_of(context or running.prompt_tokens)

    def steps(self, most: int, iteration: int) -> int:
        """Return how many iterations can run before blocks are short, `most` at most.

        The next one, `iteration`, always can: `short` was asked before.
        """
        unit = self._tokens_per_block
        if self._per_cycle * -(-most // unit) <= self.left:
            return most
        cycles = self.left // self._per_cycle
        steps, free = 1 + cycles * unit, self.left - cycles * self._per_cycle
        while steps < most:
            free -= self._by_phase[(iteration + steps) % unit]
            if free < 0:
                return steps
            steps += 1
        return most

    def advance(self, steps: int, iteration: int) -> None:
        """Take the blocks that decode needs after `steps` iterations from `iteration` on."""
        unit = self._tokens_per_block
        cycles, rest = divmod(steps, unit)
        self.left -= cycles * self._per_cycle
        for entered in range(iteration + 1, iteration + 1 + rest):
            self.left -= self._by_phase[entered % unit]

    def fill_windows(self, requests: int, iteration: int) -> None:
        """Take note that the windows of so many requests are full, `iteration` being next.

        From then on their sliding layers overwrite what they have.
        """
        windows = self._windows
        self._cross(-requests * windows.sliding_layers, windows.tokens, iteration)

    def _crossing(self, context: int) -> int:
        """Return how many blocks a request of this context takes when it crosses into new ones."""
        windows = self._windows
        return windows.layers if context < windows.tokens else windows.full_layers

    def _cross(self, blocks: int, context: int, iteration: int) -> None:
        """Take note of so many blocks more a crossing, of requests that read `context` tokens.

        They feed a block's first token where their context, which grows by one an iteration, is 1
        more than whole blocks.
        """
        self._by_phase[(iteration - context + 1) % self._tokens_per_block] += blocks
        self._per_cycle += blocks
