"""Energy along the output length at one input length, of boards that are kept full."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sweetspot.ask.advice.traffic import WAVES
from sweetspot.ask.rates import Row
from sweetspot.ask.sweet_spot import SweetSpot, find_sweet_spot
from sweetspot.ask.workload import Workload
from sweetspot.errors import InputError
from sweetspot.simulator.deployment.deployment import Deployment

ROWS = 12
MANY = 10_000
"""Requests: so many that their number says nothing about the sweet spot."""
_DOUBLINGS = 4  # to each side of the sweet spot, where no range is asked for


@dataclass(frozen=True, kw_only=True)
class Along:
    """Energy against the output length. All of it is simulated.

    Attributes:
        input_tokens: of each request.
        spot: the length with the least energy per token, and the range around it.
        energy_at_spot_j: J per output token there.
        rows: of lengths, the shortest first: energy of an output token with its interval, of a
            token of either kind and of a request, and how much more it is than at the sweet spot.
        asked_output_tokens: the length that was asked for or is observed; None where none is.
        lost_percent: how much more an output token costs at that length than at the sweet spot.
        lost_per_request_j: what that is of a request's energy.
    """

    input_tokens: int
    spot: SweetSpot
    energy_at_spot_j: float
    rows: tuple[Row, ...]
    asked_output_tokens: int | None
    lost_percent: float | None
    lost_per_request_j: float | None


def along(
    deployment: Deployment,
    input_tokens: int,
    output_range: tuple[int, int] | None,
    asked: int | None,
) -> Along:
    """Return what output tokens cost at some lengths.

    Args:
        deployment: what serves.
        input_tokens: of each request.
        output_range: shortest and longest output; None: around the sweet spot.
        asked: a length that is among them.

    Raises:
        InputError: the range makes no sense, or holds lengths that cannot be served.
    """
    workload = Workload(deployment, MANY, input_tokens)
    spot = find_sweet_spot(workload)
    lengths = sorted(
        {*_lengths(spot, output_range), spot.output_tokens, *([asked] if asked else [])}
    )
    energies = _kept_full(workload, lengths)
    least_j = energies[lengths.index(spot.output_tokens)]
    interval = deployment.intervals.energy
    rows = []
    for length, energy_j in zip(lengths, energies, strict=True):
        low_j, high_j = interval.around(energy_j)
        rows.append(
            {
                "output_tokens": length,
                "energy_per_token_j": energy_j,
                "energy_per_token_low_j": low_j,
                "energy_per_token_high_j": high_j,
                "energy_per_total_token_j": energy_j * length / (input_tokens + length),
                "energy_per_request_j": energy_j * length,
                "above_least_percent": 100 * (energy_j / least_j - 1),
            }
        )
    lost_j = None if asked is None else energies[lengths.index(asked)] - least_j
    return Along(
        input_tokens=input_tokens,
        spot=spot,
        energy_at_spot_j=least_j,
        rows=tuple(rows),
        asked_output_tokens=asked,
        lost_percent=None if lost_j is None else 100 * lost_j / least_j,
        lost_per_request_j=None if lost_j is None or asked is None else lost_j * asked,
    )


def _lengths(spot: SweetSpot, asked: tuple[int, int] | None) -> Sequence[int]:
    """Return a readable number of lengths: of a range, or powers of two around the sweet spot."""
    if asked is None:
        near = range(1 - _DOUBLINGS, _DOUBLINGS + 1)
        middle = round(np.log2(spot.output_tokens))
        powers = [2 ** (middle + each) for each in near if middle + each >= 0]
        return [each for each in powers if each <= spot.longest_output_tokens]
    low, high = asked
    if not 1 <= low <= high:
        raise InputError(f"output_range must be like 64:4096, not {low}:{high}")
    if high > spot.longest_output_tokens:
        raise InputError(
            f"output_range ends at {high}, and {spot.bound} allows {spot.longest_output_tokens} at"
            " this input; end it there"
        )
    return sorted({round(each) for each in np.geomspace(low, high, ROWS)})


def _kept_full(workload: Workload, lengths: Sequence[int]) -> list[float]:
    return workload.energies_per_token_j(
        (length, WAVES * workload.batch(length)) for length in lengths
    )
