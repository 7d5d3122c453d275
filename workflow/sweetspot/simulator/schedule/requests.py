"""Requests that a server gets: when they arrive and how long they are."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from sweetspot.errors import InputError

Shape = Literal["normal", "lognormal", "exponential"]

# Numbers drawn in one call: few enough to take no memory, many enough to hide the call.
CHUNK = 4096

MAX_GENERATED = 1_000_000_000
"""As many take the simulator a day; a number beyond it is a slip."""

MAX_STDEV = 1e9
"""Far beyond any context; its square is still a number."""


class Request(NamedTuple):
    """One request. Plain tuple fields, as a trace has millions of them.

    Attributes:
        arrival_s: when it comes.
        input_tokens: of its prompt.
        output_tokens: of its answer.
        prefix: names of its prompt's blocks of 512 tokens, each by all tokens up to its end, so
            that prompts that begin alike begin with the same names; for a prefix cache.
        cached_tokens: of its prompt, where no blocks are named; for a prefix cache.
    """

    arrival_s: float
    input_tokens: int
    output_tokens: int
    prefix: tuple[int, ...] = ()
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """How prompts or answers are long: all `mean` tokens, or drawn around it.

    Attributes:
        mean: of the distribution, in tokens, before rounding and clipping.
        stdev: its standard deviation in tokens; 0: all alike. Exponential lengths have their mean
            for it, whatever stands here but 0.
        shape: normal as `prepare_dataset.py token-norm-dist` of TensorRT-LLM, or skewed as lengths
            of real requests are.

    Raises:
        InputError: mean below 1 or stdev below 0, or one of them is not finite.
    """

    mean: float
    stdev: float = 0.0
    shape: Shape = "normal"

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        if not 1 <= self.mean < float("inf"):
            raise InputError(f"the mean length must be at least 1 token, not {self.mean:g}")
        if not 0 <= self.stdev <= MAX_STDEV:
            raise InputError(
                f"the stdev of lengths must be 0 to {MAX_STDEV:g} tokens, not {self.stdev:g}"
            )

    def draw(self, generator: np.random.Generator, count: int) -> np.ndarray:
        """Return `count` lengths, not yet whole numbers and not yet clipped."""
        if self.stdev == 0:
            return np.full(count, float(self.mean))
        if self.shape == "exponential":
            return generator.exponential(self.mean, count)
        if self.shape == "lognormal":
            # the parameters that give this mean and stdev
            variance = np.log1p((self.stdev / self.mean) ** 2)
            return generator.lognormal(np.log(self.mean) - variance / 2, np.sqrt(variance), count)
        return generator.normal(self.mean, self.stdev, count)


def generated(
    requests: int,
    input_lengths: Lengths,
    output_lengths: Lengths,
    *,
    max_seq_len: int,
    rate_per_s: float | None = None,
    seed: int = 0,
) -> Iterator[Request]:
    """Yield requests, all at once or as a Poisson process; equal arguments give equal requests.

    Lengths are rounded and clipped: a prompt to 1 .. max_seq_len - 1 tokens, its answer to what is
    then left of max_seq_len.

    Args:
        requests: how many.
        input_lengths: of prompts.
        output_lengths: of answers.
        max_seq_len: longest sequence, I + O.
        rate_per_s: mean arrivals per second; None: all arrive at 0 s.
        seed: of arrivals and lengths, each from a stream of its own, so that two rates send the
            same requests.

    Raises:
        InputError: a number is out of range.
    """
    if not 1 <= requests <= MAX_GENERATED:
        raise InputError(f"requests must be an integer from 1 to {MAX_GENERATED}, not {requests}")
    if seed < 0:
        raise InputError(f"seed must be 0 or more, not {seed}")
    if rate_per_s is not None and not 0 < rate_per_s < float("inf"):
        raise InputError(f"rate must be a number of requests per second above 0, not {rate_per_s}")
    if max_seq_len < 2:
        raise InputError(f"max_seq_len must be at least 2, not {max_seq_len}")
    for name, lengths in (("input", input_lengths), ("output", output_lengths)):
        if lengths.mean >= max_seq_len:
            raise InputError(
                f"{name} lengths of {lengths.mean:g} tokens on average do not fit in max_seq_len"
                f" {max_seq_len}; shorten them or raise max_seq_len"
            )
    if input_lengths.stdev == output_lengths.stdev == 0:
        sequence = round(input_lengths.mean) + round(output_lengths.mean)
        if sequence > max_seq_len:
            raise InputError(
                f"requests of {sequence} tokens are longer than max_seq_len {max_seq_len};"
                " shorten them or raise max_seq_len"
            )
    return _drawn(requests, input_lengths, output_lengths, max_seq_len, rate_per_s, seed)


def _drawn(
    requests: int,
    input_lengths: Lengths,
    output_lengths: Lengths,
    max_seq_len: int,
    rate_per_s: float | None,
    seed: int,
) -> Iterator[Request]:
    streams = np.random.SeedSequence(seed).spawn(3)
    gaps, inputs, outputs = (np.random.default_rng(stream) for stream in streams)
    now_s = 0.0
    for begin in range(0, requests, CHUNK):
        count = min(CHUNK, requests - begin)
        prompts = np.clip(np.rint(input_lengths.draw(inputs, count)), 1, max_seq_len - 1)
        answers = np.clip(np.rint(output_lengths.draw(outputs, count)), 1, max_seq_len - prompts)
        arrivals_s = np.full(count, now_s)
        if rate_per_s is not None:
            arrivals_s += np.cumsum(gaps.exponential(1 / rate_per_s, count))
            now_s = float(arrivals_s[-1])
        yield from map(
            Request,
            arrivals_s.tolist(),
            prompts.astype(np.int64).tolist(),
            answers.astype(np.int64).tolist(),
        )
