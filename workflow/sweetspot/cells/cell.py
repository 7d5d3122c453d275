"""Cells, and the order in which a sweep lists them."""

from dataclasses import dataclass
from typing import Literal

# A million requests take the simulator seconds, and more change nothing: the batch is full.
MAX_REQUESTS = 1_000_000

Status = Literal["ok", "failed", "invalid"]
"""What became of a cell; only numbers of ok ones are used."""


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Cell:
    """One measurement: `requests` identical requests to one engine, sent all at once.

    Attributes:
        model: model id.
        engine: engine id ("simulator", "tensorrt-llm", ...).
        max_batch_size: the engine's limit of requests in flight.
        requests: N, how many requests the run has.
        input_tokens: I, prompt length of each request.
        output_tokens: O, generated tokens of each request.
        repeat: 0 for the first measurement of this cell, 1 for the second, ...
    """

    model: str
    engine: str
    max_batch_size: int
    requests: int
    input_tokens: int
    output_tokens: int
    repeat: int = 0

    @property
    def id(self) -> str:
        """Readable name; the same in paths, rows, logs and plots."""
        return (
            f"{self.model}/b{self.max_batch_size}/n{self.requests}"
            f"/i{self.input_tokens}_o{self.output_tokens}/r{self.repeat}"
        )

    @property
    def total_output_tokens(self) -> int:
        """N·O, the tokens that the run's energy is divided by."""
        return self.requests * self.output_tokens
