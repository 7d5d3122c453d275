"""Repeats of a cell, averaged before a fit; what they say of the noise stays beside the means."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweetspot.energy_models import Array

Places = NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class CellMeans:
    """The cells of one fit, (n,) each: one entry per (I, O), in order of I, then of O.

    Attributes:
        energy_per_token_j: mean of the cell's repeats.
        repeats: how many there are.
        spread_j2: sum of their squared deviations from the mean, in J².
    """

    input_tokens: Array
    output_tokens: Array
    energy_per_token_j: Array
    repeats: Array
    spread_j2: Array

    @property
    def observations(self) -> int:
        """Rows that were averaged."""
        return int(self.repeats.sum())

    @cached_property
    def input_places(self) -> Places:
        """(n,), which of the input lengths a cell has, in their order, from 0 up."""
        return _places(self.input_tokens)

    @cached_property
    def output_places(self) -> Places:
        """(n,), which of the output lengths."""
        return _places(self.output_tokens)


def cell_means(input_tokens: Array, output_tokens: Array, energy_per_token_j: Array) -> CellMeans:
    """Average the rows of equal lengths, at least one row in all.

    Repeats of a cell share whatever a form misses there, so as rows of their own they would count
    the same evidence several times: three times the same 49 rows nearly halve every standard
    error. A cell counts once, however many repeats it has.
    """
    # Energies are ordered, too: sums, and so all results, are the same for any order of rows.
    order = np.lexsort((energy_per_token_j, _short(output_tokens), _short(input_tokens)))
    inputs, outputs, energies = (
        np.asarray(column, dtype=np.float64)[order]
        for column in (input_tokens, output_tokens, energy_per_token_j)
    )
    new = (np.diff(inputs) != 0) | (np.diff(outputs) != 0)
    starts = np.concatenate([[0], np.flatnonzero(new) + 1])
    repeats = np.diff(np.append(starts, len(order)))
    means = np.add.reduceat(energies, starts) / repeats
    deviations = energies - np.repeat(means, repeats)
    return CellMeans(
        inputs[starts],
        outputs[starts],
        means,
        repeats.astype(np.float64),
        np.add.reduceat(deviations**2, starts),
    )


def _places(lengths: Array) -> Places:
    short = _short(lengths)
    if short.dtype != np.uint16:
        return np.unique(short, return_inverse=True)[1]
    known = np.bincount(short) > 0
    return (np.cumsum(known) - 1)[short]


def _short(lengths: Array) -> Array | NDArray[np.uint16]:
    """Return lengths as integers of 16 bits where they are such: a million are sorted at once."""
    if lengths.min() < 0 or lengths.max() >= 2**16:
        return lengths
    short = lengths.astype(np.uint16)
    return short if (short == lengths).all() else lengths
