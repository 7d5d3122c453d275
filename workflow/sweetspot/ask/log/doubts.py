"""What of a log can hardly be: times and lengths in another unit than they were read in."""

from sweetspot.ask.load import Simulated
from sweetspot.ask.log.read import RequestLog
from sweetspot.cells.units import beyond_usual, take_apart
from sweetspot.logs.columns import Columns
from sweetspot.logs.times import UNITS

_FEW = 10  # requests say nothing of a rate
# No log of one server has more than a thousand requests a second, or one a day.
_POSSIBLE_PER_S, _USUAL_PER_S = (1 / 86400, 1000.0), (0.01, 200.0)
_NOT_TOKENS = {"char", "chars", "character", "characters", "byte", "bytes", "word", "words"}
_TOO_LONG = 0.05  # of the requests
_MOSTLY = 0.5
_LONG_PROMPTS = 100  # input tokens for each output token


def doubts(log: RequestLog, load: Simulated) -> list[str]:
    """Return warnings, each with the value met and what to do.

    Args:
        log: read to its end.
        load: what its requests took.
    """
    found = [*_of_lengths(log), *_of_times(log, load)]
    if unusual := beyond_usual(load.served.energy_per_token_j):
        found.append(f"{unusual}{_reason(load)}")
    return found


def _reason(load: Simulated) -> str:
    served = load.served
    waiting = served.idle_energy_j / served.energy_j
    if waiting > _MOSTLY:
        return (
            f": {100 * waiting:.1f} % of the energy is of boards that wait for requests; look at"
            " the unit of the times, or serve more on them"
        )
    if served.input_tokens > _LONG_PROMPTS * served.output_tokens:
        return (
            f": {served.input_tokens / served.output_tokens:.0f} input tokens come with each of"
            " them; look at the unit of both lengths, or read J per request"
        )
    return ""


def _of_lengths(log: RequestLog) -> list[str]:
    found = [
        f"Warning: {name!r} is read as tokens, which its name does not say; count tokens, or divide"
        " characters by 4, about what a token of English has"
        for name in (log.columns.input_tokens, log.columns.output_tokens)
        if _NOT_TOKENS & set(take_apart(name).words)
    ]
    left = sum(each.count for each in log.left_out.too_long)
    if left > _FEW and left > _TOO_LONG * log.requests:
        found.append(
            f"Warning: {100 * left / log.requests:.0f} % of the requests are too long and left out,"
            " and all that is said is of the others; look whether lengths are characters or bytes,"
            " or choose a model of a longer context"
        )
    return found


def _of_times(log: RequestLog, load: Simulated) -> list[str]:
    columns, served = log.columns, load.served
    if columns.arrival is None or served.requests <= _FEW:
        return []
    if not served.arrivals_s:
        return [
            f"Warning: all {served.requests} requests have the same {columns.arrival}, so that they"
            " come at once; name another column with --columns arrival_s=COLUMN"
        ]
    rate_per_s = (served.requests - 1) / served.arrivals_s
    if _within(rate_per_s, _USUAL_PER_S):
        return []
    likely = _likely(rate_per_s, log)
    if _within(rate_per_s, _POSSIBLE_PER_S) and not (log.unit_is_assumed and likely):
        return []
    often = f"{rate_per_s:.3g} requests/s"
    if rate_per_s < 1:
        often = f"a request in {1 / rate_per_s:.3g} s"
    return [f"Warning: {often} on average can hardly be; {likely or _other(columns)}"]


def _likely(rate_per_s: float, log: RequestLog) -> str:
    """Return in which unit the rate would be usual, in words; empty where in none."""
    if log.unit_s is None:
        return ""
    for unit_s, name in UNITS.items():
        there_per_s = rate_per_s * log.unit_s / unit_s
        if unit_s != log.unit_s and _within(there_per_s, _USUAL_PER_S):
            return (
                f"in {name} it would be {there_per_s:.3g} requests/s: --columns"
                f" arrival_{name}={log.columns.arrival}"
            )
    return ""


def _other(columns: Columns) -> str:
    return f"look at {columns.arrival!r}, or name another column with --columns arrival_s=COLUMN"


def _within(value: float, bounds: tuple[float, float]) -> bool:
    return bounds[0] <= value <= bounds[1]
