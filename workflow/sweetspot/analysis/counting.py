"""Section 4 of the paper: work counted product by product, and the coefficients that follow.

A product of an (m, k) with a (k, n) matrix takes 2mkn FLOPs; it reads mk and kn elements and writes
mn. A layer of the Transformer that the paper counts is eight such products: queries, keys, values
and output, scores and weighted sum of every head, and two of a feed-forward network that is four
times as wide. The prompt passes them once with I rows, each of the O steps of decoding with one row
and I + t tokens in the cache. Softmax, norms and biases are left out.

Summed over all layers and steps and divided by O this is Eq. 4, of the FLOPs, and Eq. 5, of the
memory operations, whose weights of the prompt make the term that neither I nor O is in.

Source: arXiv 2602.05695, section 4. Its sums of FLOPs are these. Of its memory operations this is a
reading: its formulas may count an operand more or less, which changes coefficients, not terms.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from sweetspot.energy_models import form

_FFN_WIDTH = 4
BYTES = 2  # of an element in 16 bits


@dataclass(frozen=True, slots=True)
class Shape:
    """What the paper's count knows of a model; heads divide the hidden size."""

    layers: int
    hidden: int
    heads: int


class Count(NamedTuple):
    """Work, or what a coefficient multiplies of it: whole numbers.

    Attributes:
        flops: two for each multiplication with its addition.
        weights: elements of weight matrices that are read.
        others: elements of activations and of the KV cache that are read or written.
    """

    flops: int
    weights: int
    others: int

    def energy_j(self, *, flop_j: float, byte_j: float, sharing: float = 1) -> float:
        """Return its energy; `sharing` requests in flight use one reading of the weights."""
        return self.flops * flop_j + (self.weights / sharing + self.others) * BYTES * byte_j


class _Product(NamedTuple):
    """As many products as `times` of (rows, inner) with (inner, columns)."""

    rows: int
    inner: int
    columns: int
    times: int = 1
    of_weights: bool = True

    @property
    def work(self) -> Count:
        right = self.inner * self.columns * self.times
        others = (self.rows * self.inner + self.rows * self.columns) * self.times
        if not self.of_weights:
            return Count(2 * self.rows * right, 0, others + right)
        return Count(2 * self.rows * right, right, others)


def count(shape: Shape, input_tokens: int, output_tokens: int) -> Count:
    """Return the work of one request, summed over prompt and steps one by one."""
    steps = [(1, input_tokens + t) for t in range(1, output_tokens + 1)]
    return _sum(
        product.work
        for rows, context in [(input_tokens, input_tokens), *steps]
        for product in _layer(shape, rows, context)
    )


def coefficients(shape: Shape) -> dict[str, Count]:
    """Return what multiplies each term of Eq. 5, by its coefficient's name: the sum in closed form.

    With only their FLOPs these are the coefficients of Eq. 4.
    """
    layers, hidden, heads = shape.layers, shape.hidden, shape.heads
    weights = 3 * _FFN_WIDTH * layers * hidden**2
    of_each = [
        # Every step: projections, feed-forward network, and the last token's own keys and values
        Count(2 * weights + 2 * layers * hidden, weights, layers * (21 * hidden + heads)),
        Count(4 * layers * hidden, 0, 2 * layers * heads),  # the prompt's tokens with each other
        Count(4 * layers * hidden, 0, 2 * layers * (hidden + heads)),  # a step with the prompt's
        Count(2 * weights, 0, 22 * layers * hidden),  # a token of the prompt
        Count(2 * layers * hidden, 0, layers * (hidden + heads)),  # a step with earlier ones
        Count(0, weights, 0),  # a prompt's reading of the weights
    ]
    return dict(zip((term.name for term in form("memory_flops").terms), of_each, strict=True))


def _layer(shape: Shape, rows: int, context: int) -> tuple[_Product, ...]:
    """Return one layer's products for `rows` tokens that attend to `context` tokens."""
    hidden, of_head, wide = shape.hidden, shape.hidden // shape.heads, _FFN_WIDTH * shape.hidden
    times = shape.heads * shape.layers
    return (
        _Product(rows, hidden, hidden, 4 * shape.layers),
        _Product(rows, of_head, context, times, of_weights=False),
        _Product(rows, context, of_head, times, of_weights=False),
        _Product(rows, hidden, wide, shape.layers),
        _Product(rows, wide, hidden, shape.layers),
    )


def _sum(counts: Iterable[Count]) -> Count:
    return Count(*map(sum, zip(*counts, strict=True)))
