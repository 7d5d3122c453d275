"""What attention looks back on: every token in a full layer, the last ones in a sliding layer."""

from dataclasses import dataclass

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

    def attended(self, context: int) -> int:
        """Return the tokens of a context that a sliding layer attends to."""
        return min(context, self.tokens)

    def attended_before(self, done: int) -> int:
        """Return the tokens before a chunk that a sliding layer attends to in it."""
        return min(done, self.tokens - 1)

    def pairs(self, done: int, chunk: int) -> int:
        """Return a sliding layer's query-key pairs of a chunk that follows `done` tokens."""
        rising = min(max(self.tokens - done, 0), chunk)  # queries that see all before them
        return rising * done + rising * (rising + 1) // 2 + (chunk - rising) * self.tokens


NO_WINDOWS = Windows(tokens=NEVER, full_layers=1, sliding_layers=0)
