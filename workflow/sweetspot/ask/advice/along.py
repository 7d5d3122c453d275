"""Energy along the output length at one input length: of boards kept full, or by somebody's fit."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from sweetspot.ask.rates import Row
from sweetspot.ask.sweet_spot import find_sweet_spot
from sweetspot.ask.workload import Workload
from sweetspot.errors import InputError
from sweetspot.simulator.constants.intervals import Interval
from sweetspot.simulator.deployment.deployment import Deployment

if TYPE_CHECKING:
    from sweetspot.ask.advice.own_fit import OwnFit

ROWS = 12
WAVES = 4
"""Whole batches that boards kept full are simulated with, so that no last batch of a few says more
about their number than about the model."""
MANY = 10_000
"""Requests: so many that their number says nothing about the sweet spot."""
_DOUBLINGS = 4  # to each side of the sweet spot, where no range is asked for


@dataclass(frozen=True, kw_only=True)
class Along:
    """Energy against the output length.

    Attributes:
        input_tokens: of each request.
        simulated: whether it is; else it is fitted to measurements.
        sweet_spot_tokens: output length with the least energy per token.
        range2_low, range2_high: lengths around it that cost at most 2 % more.
        rows: of lengths, the shortest first: energy of an output token with its interval, of a
            token of either kind and of a request, and how much more it is than at the sweet spot.
        asked_output_tokens: the length that was asked for or is observed; None where none is.
        lost_percent: how much more an output token costs at that length than at the sweet spot;
            None where no length was asked for, or the fit does not reach there.
        lost_per_request_j: what that is of a request's energy.
        notes: what to know of the sweet spot, in sentences.
        found: all that is known of it, by name.
    """

    input_tokens: int
    simulated: bool
    sweet_spot_tokens: int
    range2_low: int
    range2_high: int
    rows: tuple[Row, ...]
    asked_output_tokens: int | None
    lost_percent: float | None
    lost_per_request_j: float | None
    notes: tuple[str, ...]
    found: Row


def along(
    deployment: Deployment,
    input_tokens: int,
    output_range: tuple[int, int] | None,
    asked: int | None,
) -> Along:
    """Return what output tokens cost, as simulated of boards that are kept full.

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
    if output_range and output_range[1] > spot.longest_output_tokens:
        raise InputError(
            f"output_range ends at {output_range[1]}, and {spot.bound} allows"
            f" {spot.longest_output_tokens} at this input; end it there"
        )
    known = deployment.intervals.energy
    lengths = _lengths(output_range, spot.output_tokens, (1, spot.longest_output_tokens), asked)
    energies = workload.energies_per_token_j((n, WAVES * workload.batch(n)) for n in lengths)
    of = dict(zip(lengths, energies, strict=True))
    return Along(
        input_tokens=input_tokens,
        simulated=True,
        sweet_spot_tokens=spot.output_tokens,
        range2_low=spot.range2_low,
        range2_high=spot.range2_high,
        **_rows(input_tokens, spot.output_tokens, of, lambda _: known, asked),
        notes=tuple(spot.notes),
        found=asdict(spot) | {"notes": spot.notes},
    )


def along_fit(
    own: "OwnFit",
    input_tokens: int,
    output_range: tuple[int, int] | None,
    asked: int | None,
) -> Along:
    """Return what output tokens cost by a fit, at lengths that were measured or lie between.

    Args:
        own: the fit.
        input_tokens: of each request.
        output_range: shortest and longest output; None: all that was measured.
        asked: a length that is among them, if the fit reaches there.

    Raises:
        InputError: the fit has no least energy, or a length lies beyond what was measured.
    """
    shortest, longest = own.outputs
    ends = output_range or own.outputs
    if not all(own.holds((input_tokens, each)) for each in ends):
        measured = own.form.input_tokens
        raise InputError(
            f"{own.words} are of {measured.min():g} to {measured.max():g} input and {shortest} to"
            f" {longest} output tokens, not of {input_tokens} and {ends[0]} to {ends[1]}; ask for"
            " lengths within, or leave the cells out"
        )
    from sweetspot.analysis.fit_warnings import fit_warnings

    exact, low, high = own.sweet_spot(input_tokens)
    spot = round(exact)
    notes = [
        f"sweet spot and energies along the output length: Eq. 5 fitted to {own.words}",
        *(f"of that fit: {doubt}" for doubt in fit_warnings(own.group)),
    ]
    if not shortest <= exact <= longest:
        spot = min(max(spot, shortest), longest)
        notes.append(
            f"Eq. 6 says {exact:.0f} output tokens, beyond what was measured: compared is with"
            f" {spot}"
        )
    reached = asked if asked and own.holds((input_tokens, asked)) else None
    lengths = _lengths(output_range, spot, own.outputs, reached)
    of = {each: own.energy_per_token_j((input_tokens, each)) for each in lengths}

    def interval(length: int) -> Interval:
        return own.interval((input_tokens, length))

    return Along(
        input_tokens=input_tokens,
        simulated=False,
        sweet_spot_tokens=spot,
        range2_low=round(low),
        range2_high=round(high),
        **_rows(input_tokens, spot, of, interval, reached),
        notes=tuple(notes),
        found={"eq6_tokens": exact, "range2_low": low, "range2_high": high, "notes": notes},
    )


def _rows(
    input_tokens: int,
    spot: int,
    energies_j: dict[int, float],
    interval: Callable[[int], Interval],
    asked: int | None,
) -> Row:
    """Return the rows, and what is lost at the length that was asked for."""
    least_j = energies_j[spot]
    rows = []
    for length, energy_j in energies_j.items():
        low_j, high_j = interval(length).around(energy_j)
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
    lost_j = None if asked is None else energies_j[asked] - least_j
    return {
        "rows": tuple(rows),
        "asked_output_tokens": asked,
        "lost_percent": None if lost_j is None else 100 * lost_j / least_j,
        "lost_per_request_j": None if lost_j is None or asked is None else lost_j * asked,
    }


def _lengths(
    asked_range: tuple[int, int] | None,
    spot: int,
    there_are: tuple[int, int],
    asked: int | None,
) -> Sequence[int]:
    """Return a readable number of lengths: of a range, or powers of two around the sweet spot."""
    also = {spot} if asked is None else {spot, asked}
    if asked_range is None:
        middle = round(np.log2(spot))
        powers = (2**each for each in range(max(0, middle - _DOUBLINGS), middle + _DOUBLINGS + 1))
        return sorted({each for each in powers if there_are[0] <= each <= there_are[1]} | also)
    low, high = asked_range
    if not 1 <= low <= high:
        raise InputError(f"output_range must be like 64:4096, not {low}:{high}")
    return sorted({round(each) for each in np.geomspace(low, high, ROWS)} | also)
