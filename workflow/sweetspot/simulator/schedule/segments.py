"""What schedulers and clocks hand each other.

A scheduler plans a segment: iterations in which the same requests run. A clock says how long they
take and what they cost, and may end them early, when a request arrives that could join. The
scheduler learns how far it came, answers with the requests that have ended, and plans again.
"""

from typing import NamedTuple, Protocol

from sweetspot.simulator.schedule.requests import Request


class Segment(NamedTuple):
    """Iterations that differ only in the KV cache that decode reads, as in `identical.Schedule`.

    The j-th (j = 0, 1, ...) reads `decode_context + j * decodes` tokens, in a sliding layer
    `sliding_context + j * sliding_decodes`. One with prompts has one iteration. One of no
    iterations is a wait: nothing is in flight until `wake_s`.

    Attributes:
        iterations: how many at most.
        wake_s: if this time comes, the segment ends with the iteration in which it does; infinite
            where no arrival can change anything.
    """

    iterations: int
    wake_s: float
    decodes: int = 0
    decode_context: int = 0
    prompt_tokens: int = 0
    prompt_pairs: int = 0
    prompt_context: int = 0
    prompts: int = 0
    prompts_finished: int = 0
    sliding_context: int = 0
    sliding_decodes: int = 0
    sliding_pairs: int = 0
    sliding_prompt_context: int = 0


class Ran(NamedTuple):
    """What came of a segment: iterations made, and what they took together.

    `full_clock_s` is how long the GPU's clock cycles would take at its highest clock, `host_s` how
    long it waited for the host.
    """

    iterations: int
    duration_s: float
    energy_j: float
    full_clock_s: float = 0.0
    host_s: float = 0.0


class Finished(NamedTuple):
    """A request that has got its last token; times are on the clock of its arrival."""

    request: Request
    first_token_s: float
    end_s: float


class Clock(Protocol):
    """What an iteration takes."""

    def run(self, segment: Segment, now_s: float) -> Ran:
        """Return what the segment takes if it begins at `now_s`."""
        ...


class Scheduler(Protocol):
    """Who runs when.

    Attributes:
        pauses: how often a request lost its KV cache.
        cached_tokens: of the prompts of requests that have ended, from a prefix cache.
    """

    pauses: int
    cached_tokens: int

    @property
    def replaces(self) -> bool:
        """Whether a request is still to come that may take the place of one that ends."""
        ...

    def is_full(self, now_s: float) -> bool:
        """Return whether a request that has arrived finds no room in the batch as planned."""
        ...

    def plan(self, now_s: float) -> Segment | None:
        """Return what runs next; None when every request has ended."""
        ...

    def advance(self, iterations: int, now_s: float) -> list[Finished]:
        """Take note that this many iterations of the plan ran until `now_s`."""
        ...
