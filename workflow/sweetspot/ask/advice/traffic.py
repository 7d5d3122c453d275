"""The requests that advice is asked for: alike or of a table, kept coming or at a rate; or a log.

What is asked at full load is asked of whole batches: as many requests as fill them, so that no last
batch of a few says more about their number than about the model.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from math import ceil, isfinite
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from sweetspot.ask.load import Simulated, simulate_deployed
from sweetspot.ask.log.columns import find_columns
from sweetspot.ask.log.read import RequestLog
from sweetspot.ask.log.rows import LogFile
from sweetspot.cells.columns import GivenColumns
from sweetspot.errors import InputError
from sweetspot.simulator.deployment.deployment import Deployment
from sweetspot.simulator.schedule.requests import Request
from sweetspot.simulator.serve import Served
from sweetspot.simulator.steady import Steady

DAY_S = 86400.0
WAVES = 4
"""Whole batches that a board kept full is simulated with."""
_LEAST = 2000  # requests, where they come over time or are of many lengths
_TURNS = 8  # times the requests in flight: so many make the ramps a small part
_MOST = 8000
_COUNTS = ("count", "requests", "number", "n", "frequency", "weight", "share")


@dataclass(frozen=True, slots=True)
class Cut:
    """What requests are cut to; None: nothing is."""

    input_tokens: int | None = None
    output_tokens: int | None = None

    def of(self, requests: Iterable[Request]) -> Iterable[Request]:
        """Return the requests cut."""
        if self.input_tokens is None and self.output_tokens is None:
            return requests
        return self._each(requests)

    def _each(self, requests: Iterable[Request]) -> Iterator[Request]:
        most_in, most_out = self.input_tokens, self.output_tokens
        for arrival_s, inputs, outputs, *_ in requests:
            yield Request(
                arrival_s,
                inputs if most_in is None else min(inputs, most_in),
                outputs if most_out is None else min(outputs, most_out),
            )


UNCUT = Cut()


class Traffic(Protocol):
    """What comes."""

    @property
    def is_full(self) -> bool:
        """Whether boards are kept full."""

    @property
    def are_alike(self) -> bool:
        """Whether all requests have the same lengths."""

    @property
    def words(self) -> str:
        """What comes, in words."""

    def with_cut(self, cut: Cut) -> Self:
        """Return the same requests cut."""

    def served(self, deployment: Deployment, replicas: int) -> Simulated:
        """Return what one of so many servers takes, to which an equal share comes."""

    def counted(self, served: Served) -> Served | Steady:
        """Return the part of a server's run that its power and throughput are taken from."""

    def requests_per_s(self, served: Served, servers: int) -> float:
        """Return how many come to all servers, or are served by them where they are kept full."""

    def offered_per_s(self, served: Served, servers: int) -> float:
        """Return how many come to all servers, also where more come than are served."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Drawn:
    """Requests of given lengths, at a rate (Poisson) or so that boards are kept full.

    Attributes:
        inputs, outputs: (n,) lengths that there are.
        shares: (n,) of the requests; they add up to 1.
        rate_per_s: of all servers; None: they are kept full.
        cut: what requests are cut to.
        what: the lengths in words.
    """

    inputs: np.ndarray
    outputs: np.ndarray
    shares: np.ndarray
    rate_per_s: float | None
    what: str
    cut: Cut = UNCUT

    @classmethod
    def alike(cls, input_tokens: int, output_tokens: int, rate_per_s: float | None) -> Self:
        """Return requests that are all alike."""
        return cls(
            inputs=np.array([input_tokens]),
            outputs=np.array([output_tokens]),
            shares=np.ones(1),
            rate_per_s=rate_per_s,
            what=f"requests of {input_tokens} input and {output_tokens} output tokens",
        )

    @property
    def is_full(self) -> bool:
        """Whether boards are kept full."""
        return self.rate_per_s is None

    @property
    def are_alike(self) -> bool:
        """Whether all requests have the same lengths."""
        return len(self.inputs) == 1

    @property
    def words(self) -> str:
        """What comes, in words."""
        return f"{self.what}, {came(self.rate_per_s)}"

    def with_cut(self, cut: Cut) -> Self:
        """Return the same requests cut."""
        return replace(self, cut=cut)

    def served(self, deployment: Deployment, replicas: int) -> Simulated:
        """Return what one of so many servers takes, to which an equal share comes."""
        (inputs, outputs), rate = self._means, self.rate_per_s
        at_once = deployment.bounds.max_batch(inputs, outputs) or 1
        if rate is None:
            count = WAVES * at_once if self.are_alike else max(_LEAST, 2 * WAVES * at_once)
            return self._run(deployment, count, None)
        answer = self._run(deployment, _LEAST, rate / replicas)
        in_flight = min(at_once, rate / replicas * answer.served.end_to_end.mean_s)
        count = min(_MOST, ceil(_TURNS * in_flight))
        if count > _LEAST:
            answer = self._run(deployment, count, rate / replicas)
        return answer

    def counted(self, served: Served) -> Served | Steady:
        """Return the steady state; all of whole batches, which have none of their own."""
        return served if self.is_full and self.are_alike else served.steady or served

    def requests_per_s(self, served: Served, servers: int) -> float:
        """Return the rate, or how fast they are served."""
        if self.rate_per_s is not None:
            return self.rate_per_s
        tokens_per_s = servers * self.counted(served).throughput_tokens_per_s
        return tokens_per_s * served.requests / served.output_tokens

    def offered_per_s(self, served: Served, servers: int) -> float:
        """Return the rate."""
        return self.requests_per_s(served, servers)

    @property
    def _means(self) -> tuple[int, int]:
        cut = next(iter(self.cut.of([Request(0.0, *self._uncut)])))
        return cut.input_tokens, cut.output_tokens

    @property
    def _uncut(self) -> tuple[int, int]:
        return round(self.shares @ self.inputs), round(self.shares @ self.outputs)

    def _run(self, deployment: Deployment, count: int, rate_per_s: float | None) -> Simulated:
        requests = self.cut.of(self._requests(count, rate_per_s))
        return simulate_deployed(deployment, requests)

    def _requests(self, count: int, rate_per_s: float | None) -> Iterator[Request]:
        """Yield so many, each length as often as its share says, in an order that is drawn once."""
        generator = np.random.default_rng(0)
        gaps_s = generator.exponential(1.0, count)
        at = np.searchsorted(np.cumsum(self.shares), (np.arange(count) + 0.5) / count)
        at = generator.permutation(np.minimum(at, len(self.shares) - 1))
        arrivals_s = np.zeros(count) if rate_per_s is None else np.cumsum(gaps_s) / rate_per_s
        lengths = self.inputs[at].tolist(), self.outputs[at].tolist()
        yield from map(Request, arrivals_s.tolist(), *lengths)


@dataclass(eq=False, slots=True, kw_only=True)
class Logged:
    """The requests of a log at its times; of several servers, each gets every n-th.

    Attributes:
        path: of the log.
        max_seq_len: longest sequence that every model can hold; longer ones are left out.
        columns: as of `cost`.
        cut: what requests are cut to.
        notes: how the log was understood, as soon as it has been served once.
    """

    path: str | os.PathLike[str]
    max_seq_len: int
    columns: Mapping[str, str] | None = None
    cut: Cut = UNCUT
    notes: tuple[str, ...] = ()

    @property
    def is_full(self) -> bool:
        """They come when they come."""
        return False

    @property
    def are_alike(self) -> bool:
        """They have the lengths that they have."""
        return False

    @property
    def words(self) -> str:
        """What comes, in words."""
        return f"the requests of {self.path}, at their times"

    def with_cut(self, cut: Cut) -> Self:
        """Return the same requests cut."""
        return replace(self, cut=cut)

    def served(self, deployment: Deployment, replicas: int) -> Simulated:
        """Return what one of so many servers takes."""
        with RequestLog(self.path, max_seq_len=self.max_seq_len, columns=self.columns) as log:
            share = islice(self.cut.of(log), 0, None, replicas)
            answer = simulate_deployed(deployment, share)
        self.notes = tuple(log.notes)
        return answer

    def counted(self, served: Served) -> Served:
        """Return all of it, as `cost` does."""
        return served

    def requests_per_s(self, served: Served, servers: int) -> float:
        """Return the mean rate of the log, until its last request has ended."""
        return servers * served.requests / served.duration_s

    def offered_per_s(self, served: Served, servers: int) -> float:
        """Return the mean rate at which they come."""
        return servers * served.requests / served.arrivals_s


def came(rate_per_s: float | None) -> str:
    """Return how requests come, in words."""
    return "boards kept full" if rate_per_s is None else f"{rate_per_s:g} a second"


def read_lengths(
    path: str | os.PathLike[str],
    *,
    max_seq_len: int,
    rate_per_s: float | None,
    columns: Mapping[str, str] | None = None,
) -> Drawn:
    """Return requests of the lengths in a file: a line a request, or a histogram.

    Args:
        path: as a log's; times are not looked at, and a column `count`, `share` or the like says
            how often a line's lengths are.
        max_seq_len: longest sequence that every model can hold.
        rate_per_s: of the requests.
        columns: as of `cost`.

    Raises:
        InputError: the file is not understood, or holds a request that cannot be served.
    """
    file = LogFile(Path(path))
    try:
        found = find_columns(file.names, GivenColumns(columns), str(path))
        taken = (found.input_tokens, found.output_tokens)
        named = {each.lower(): each for each in file.names if each not in taken}
        count = next((named[each] for each in _COUNTS if each in named), None)
        rows = [_line(file, row, max_seq_len) for row in file.rows([*taken, count])]
    finally:
        file.close()
    if not rows:
        raise InputError(f"{path} holds no lengths, only a header")
    inputs, outputs, times = (np.array(each) for each in zip(*rows, strict=True))
    if not times.sum() > 0:
        raise InputError(f"{path}: the column {count} adds up to 0; say how often lengths are")
    shares = times / times.sum()
    mean_in, mean_out = shares @ inputs, shares @ outputs
    return Drawn(
        inputs=inputs,
        outputs=outputs,
        shares=shares,
        rate_per_s=rate_per_s,
        what=f"requests of the lengths in {path}, on average {mean_in:.4g} input and {mean_out:.4g}"
        " output tokens",
    )


def _line(file: LogFile, row: list[Any], max_seq_len: int) -> tuple[int, int, float]:
    """Return a line's lengths and how often they are."""
    try:
        inputs, outputs = (float(each) for each in row[:2])
        times = 1.0 if row[2] is None else float(row[2])
    except (TypeError, ValueError) as error:
        raise file.refusal("lengths and counts must be numbers") from error
    if not (inputs.is_integer() and outputs.is_integer() and inputs >= 1 and outputs >= 1):
        raise file.refusal("lengths must be whole numbers of at least 1 token")
    if not (times >= 0 and isfinite(times)):
        raise file.refusal("a count must be a number of at least 0")
    if inputs + outputs > max_seq_len:
        raise file.refusal(f"more than {max_seq_len} tokens, the longest sequence")
    return int(inputs), int(outputs), times
