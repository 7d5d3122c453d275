"""Requests of a log that are longer than what is deployed serves: left out and counted."""

from dataclasses import dataclass
from typing import Self

from sweetspot.ask.load import Scheduling
from sweetspot.simulator.deployment.deployment import Deployment


@dataclass(frozen=True, slots=True, kw_only=True)
class Longest:
    """What a request, or its prompt, may have.

    Attributes:
        tokens: at most.
        of: "" for a whole request, or "with a prompt ".
        why: what bounds it, and what would raise that, in words.
    """

    tokens: int
    of: str = ""
    why: str

    @classmethod
    def context(cls, tokens: int) -> Self:
        """Return the bound of whole sequences."""
        return cls(tokens=tokens, why="the model's context, or --max-seq-len")

    def length(self, input_tokens: int, output_tokens: int) -> int:
        """Return the length that is bounded."""
        return input_tokens if self.of else input_tokens + output_tokens


@dataclass(slots=True)
class TooLong:
    """How many requests are beyond a bound.

    Attributes:
        most: the bound.
        count: of them.
        tokens: of the longest.
        where: file and line of that.
    """

    most: Longest
    count: int = 0
    tokens: int = 0
    where: str = ""

    @property
    def note(self) -> str:
        """What was left out, in words."""
        return (
            f"left out: {self.count} {self.most.of}of more than {self.most.tokens} tokens"
            f" ({self.most.why}); the longest has {self.tokens} ({self.where})"
        )


def longest_served(
    deployment: Deployment, scheduling: Scheduling | None, *, chunked_prefill: bool
) -> list[Longest]:
    """Return how long a request can be, beside its context, that is served at all.

    Args:
        deployment: with its KV cache.
        scheduling: who runs when; None for the engine's own.
        chunked_prefill: whether prompts may be cut.
    """
    bounds, limits = deployment.bounds, deployment.limits
    found = []
    cache = bounds.cache_tokens
    if cache is not None and cache < limits.max_seq_len:
        why = "all that the KV cache holds; more boards or FP8 hold more"
        found.append(Longest(tokens=cache, why=why))
    static = deployment.traits.static_batching if scheduling is None else scheduling == "static"
    if static or not chunked_prefill:
        most = limits.max_num_tokens
        why = "--max-num-tokens, as no prompt is cut"
        found.append(Longest(tokens=most, of="with a prompt ", why=why))
        if scheduling == "max-utilization":
            why = "--max-num-tokens and 1, as a paused request is processed whole"
            found.append(Longest(tokens=most + 1, why=why))
    return found
