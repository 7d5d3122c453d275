"""What bounds a batch: the engine's limits, and the KV cache that the boards have room for."""

from dataclasses import dataclass

from sweetspot.simulator.deployment.cuda_graphs import NO_GRAPHS, CudaGraphs
from sweetspot.simulator.deployment.windows import NO_WINDOWS, Windows


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerLimits:
    """What bounds the batch, and how the engine runs it.

    Attributes:
        kv_blocks: size of the KV cache in blocks of tokens_per_block, each of them in all layers.
        windows: what sliding layers see and keep of a sequence.
        graphs: which steps are padded.
        static_batching: whether identical requests run in batches that end together.
    """

    max_batch_size: int
    max_num_tokens: int
    kv_blocks: int
    tokens_per_block: int
    windows: Windows = NO_WINDOWS
    graphs: CudaGraphs = NO_GRAPHS
    static_batching: bool = False

    @property
    def layer_blocks(self) -> int:
        """Size of the KV cache in blocks of single layers, or of all where none slides."""
        return self.kv_blocks * self.windows.layers

    @property
    def cache_tokens(self) -> int | None:
        """Tokens of the longest sequence that the KV cache holds; None where any is held."""
        windows = self.windows
        if not windows.sliding_layers:
            return self.kv_blocks * self.tokens_per_block
        kept = -(-windows.tokens // self.tokens_per_block)
        if self.layer_blocks < windows.layers * kept:  # not one window in all layers
            return self.layer_blocks // windows.layers * self.tokens_per_block
        if not windows.full_layers:
            return None
        left = self.layer_blocks - windows.sliding_layers * kept
        return left // windows.full_layers * self.tokens_per_block

    def layer_blocks_of(self, tokens: int) -> int:
        """Return the blocks that a sequence of so many tokens takes, counted in the same way."""
        windows, blocks = self.windows, -(-tokens // self.tokens_per_block)
        if not windows.sliding_layers:
            return blocks
        kept = -(-windows.attended(tokens) // self.tokens_per_block)
        return windows.full_layers * blocks + windows.sliding_layers * kept

    def max_concurrency(self, sequence_tokens: int) -> int:
        """Return how many sequences of that final length may be in flight; 0 if not even one."""
        blocks_per_request = self.layer_blocks_of(sequence_tokens)
        return min(self.max_batch_size, self.layer_blocks // blocks_per_request)

    def max_batch(self, input_tokens: int, output_tokens: int) -> int:
        """Return how many such requests may run at once; 0 if not even one.

        The prompts of a static batch are processed together.
        """
        found = self.max_concurrency(input_tokens + output_tokens)
        if self.static_batching:
            found = min(found, self.max_num_tokens // input_tokens)
        return found
