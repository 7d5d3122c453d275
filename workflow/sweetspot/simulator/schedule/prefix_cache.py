"""Beginnings of prompts that are still in the KV cache when another prompt begins with them.

A log names them by blocks of `PREFIX_BLOCK` tokens, each by all tokens up to its end. A block can
be reused from when the prompt that has it is processed. It stays as long as a request in flight
has it, and then as long as the KV cache has room that no request needs: the least recently used
goes first, of one prompt its last. Reused are whole blocks of the engine, and never a prompt's last
token, from which its first output token comes.

Simpler here than in engines: requests that share a beginning hold it once each, so that no more of
them run at once than without; answers are not reused.

Source: https://docs.vllm.ai/en/latest/design/prefix_caching/ and
https://nvidia.github.io/TensorRT-LLM/latest/features/kvcache.html (reuse across requests).
"""

from collections import Counter, OrderedDict
from itertools import takewhile

from sweetspot.simulator.deployment.scheduler_limits import SchedulerLimits
from sweetspot.simulator.schedule.queue import Running

PREFIX_BLOCK = 512
"""Tokens of a block of a log. Source: Mooncake's traces, whose hash_ids stand for so many."""


class PrefixCache:
    """What of prompts is in the KV cache: held by requests in flight, or kept while it has room."""

    def __init__(self, limits: SchedulerLimits) -> None:
        """Begin with an empty cache."""
        self._unit = limits.tokens_per_block
        self._layer_blocks = limits.layer_blocks_of(PREFIX_BLOCK)
        self._held: Counter[int] = Counter()  # by how many requests
        self._kept: OrderedDict[int, None] = OrderedDict()  # the least recently used first

    def match(self, running: Running) -> int:
        """Return how many tokens of a prompt need not be processed if it begins now."""
        request, held, kept = running.request, self._held, self._kept
        tokens = request.cached_tokens
        if request.prefix:
            known = takewhile(lambda block: block in held or block in kept, request.prefix)
            tokens = PREFIX_BLOCK * sum(1 for _ in known)
        most = min(request.input_tokens, running.prompt_tokens - 1)
        return min(tokens, most) // self._unit * self._unit

    def admit(self, running: Running) -> None:
        """Take note that a request begins with what was matched."""
        self._hold(running, -(-running.prompt_done // PREFIX_BLOCK))

    def complete(self, running: Running) -> None:
        """Take note that a request's prompt is processed whole."""
        self._hold(running, len(running.request.prefix))

    def release(self, running: Running) -> None:
        """Take note that a request is no longer in flight: what it had is kept, for now."""
        for block in reversed(running.request.prefix[: running.prefix_held]):
            self._held[block] -= 1
            if not self._held[block]:
                del self._held[block]
                self._kept[block] = None
        running.prefix_held = 0

    def trim(self, free_blocks: int) -> None:
        """Let go what finds no room in so many blocks of the KV cache."""
        while len(self._kept) * self._layer_blocks > free_blocks:
            self._kept.popitem(last=False)

    def _hold(self, running: Running, blocks: int) -> None:
        for block in running.request.prefix[running.prefix_held : blocks]:
            self._held[block] += 1
            self._kept.pop(block, None)
        running.prefix_held = max(running.prefix_held, min(blocks, len(running.request.prefix)))
