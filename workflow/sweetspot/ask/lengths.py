"""How long requests are: drawn from distributions, or as a table says how often; and cut."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sweetspot.cells.columns import GivenColumns
from sweetspot.errors import InputError
from sweetspot.logs.columns import find_columns
from sweetspot.logs.rows import LogFile
from sweetspot.simulator.schedule.requests import Lengths, Request, generated

_COUNTS = ("count", "requests", "number", "n", "frequency", "weight", "share")
_ANY = Lengths(mean=1)  # where only arrivals are drawn


@dataclass(frozen=True, slots=True)
class Cut:
    """What requests are cut to, in tokens; None: nothing is."""

    input_tokens: int | None = None
    output_tokens: int | None = None

    def of(self, requests: Iterable[Request]) -> Iterable[Request]:
        """Return the requests cut; what their prompts have in common is then left out."""
        if self.input_tokens is None and self.output_tokens is None:
            return requests
        return self._each(requests)

    def lengths(self, input_tokens: int, output_tokens: int) -> tuple[int, int]:
        """Return input and output tokens cut."""
        most_in, most_out = self.input_tokens, self.output_tokens
        return (
            input_tokens if most_in is None else min(input_tokens, most_in),
            output_tokens if most_out is None else min(output_tokens, most_out),
        )

    def _each(self, requests: Iterable[Request]) -> Iterator[Request]:
        for arrival_s, inputs, outputs, *_ in requests:
            yield Request(arrival_s, *self.lengths(inputs, outputs))


UNCUT = Cut()


class RequestLengths(Protocol):
    """How long requests are."""

    @property
    def words(self) -> str:
        """What they are."""

    @property
    def means(self) -> tuple[int, int]:
        """Input and output tokens of a mean request, rounded."""

    @property
    def are_alike(self) -> bool:
        """Whether all requests have the same."""

    def too_long(self, max_seq_len: int) -> str:
        """Return why they are longer than a sequence can be; empty where they are not."""

    def requests(
        self, count: int, *, max_seq_len: int, rate_per_s: float | None, seed: int
    ) -> Iterator[Request]:
        """Return so many; arguments and errors are those of `generated`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Lengths of distributions, or all alike."""

    inputs: Lengths
    outputs: Lengths

    @property
    def words(self) -> str:
        """What they are."""
        each = (
            f"{lengths.mean:g}" + f" ± {lengths.stdev:g} ({lengths.shape})" * bool(lengths.stdev)
            for lengths in (self.inputs, self.outputs)
        )
        return "{} input and {} output tokens".format(*each)

    @property
    def means(self) -> tuple[int, int]:
        """Input and output tokens of a mean request, rounded."""
        return round(self.inputs.mean), round(self.outputs.mean)

    @property
    def are_alike(self) -> bool:
        """Whether all requests have the same."""
        return self.inputs.stdev == self.outputs.stdev == 0

    def too_long(self, max_seq_len: int) -> str:
        """Return why they are longer than a sequence can be; empty where they are not."""
        if self.are_alike:
            tokens, what = sum(self.means), "requests"
        else:  # drawn ones are clipped
            tokens, what = max(self.means) + 1, "mean lengths"
        if tokens <= max_seq_len:
            return ""
        return f"{what} of {tokens} tokens are beyond the {max_seq_len} that it is simulated for"

    def requests(
        self, count: int, *, max_seq_len: int, rate_per_s: float | None, seed: int
    ) -> Iterator[Request]:
        """Return so many; arguments and errors are those of `generated`."""
        return generated(
            count,
            self.inputs,
            self.outputs,
            max_seq_len=max_seq_len,
            rate_per_s=rate_per_s,
            seed=seed,
        )


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Tabled:
    """Lengths of a table.

    Attributes:
        path: of the table.
        inputs, outputs: (n,) lengths that there are, in tokens.
        shares: (n,) of the requests; they add up to 1.
    """

    path: str | os.PathLike[str]
    inputs: np.ndarray
    outputs: np.ndarray
    shares: np.ndarray

    @property
    def words(self) -> str:
        """What they are."""
        mean_in, mean_out = self._exact_means
        return (
            f"the lengths in {self.path}, on average {mean_in:.4g} input and {mean_out:.4g} output"
            " tokens"
        )

    @property
    def means(self) -> tuple[int, int]:
        """Input and output tokens of a mean request, rounded."""
        mean_in, mean_out = self._exact_means
        return round(mean_in), round(mean_out)

    @property
    def are_alike(self) -> bool:
        """Whether all requests have the same."""
        return len(self.inputs) == 1

    def too_long(self, max_seq_len: int) -> str:
        """Return why they are longer than a sequence can be; empty where they are not."""
        longest = int((self.inputs + self.outputs).max())
        if longest <= max_seq_len:
            return ""
        return f"requests of {longest} tokens are beyond the {max_seq_len} that it is simulated for"

    def requests(
        self, count: int, *, max_seq_len: int, rate_per_s: float | None, seed: int
    ) -> Iterator[Request]:
        """Return so many, each length as often as its share says, in an order that is drawn once.

        They come when requests of other lengths would; arguments and errors are those of
        `generated`.
        """
        come = generated(
            count, _ANY, _ANY, max_seq_len=max_seq_len, rate_per_s=rate_per_s, seed=seed
        )
        at = np.searchsorted(np.cumsum(self.shares), (np.arange(count) + 0.5) / count)
        at = np.minimum(at, len(self.shares) - 1)  # shares may add up to a little less than 1
        at = np.random.default_rng(seed).permutation(at)
        lengths = zip(self.inputs[at].tolist(), self.outputs[at].tolist(), strict=True)
        return (
            Request(one.arrival_s, inputs, outputs)
            for one, (inputs, outputs) in zip(come, lengths, strict=True)
        )

    @property
    def _exact_means(self) -> tuple[float, float]:
        return float(self.shares @ self.inputs), float(self.shares @ self.outputs)


def read_lengths(
    path: str | os.PathLike[str],
    *,
    max_seq_len: int,
    columns: Mapping[str, str] | None = None,
) -> Tabled:
    """Return the lengths in a file: a line a request, or a histogram.

    Args:
        path: as a log's; times are not looked at, and a column `count`, `share` or the like says
            how often a line's lengths are.
        max_seq_len: longest sequence that every model can hold.
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
    return Tabled(path=path, inputs=inputs, outputs=outputs, shares=times / times.sum())


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
