"""Numbers in a text, and how sure they and their ratios are; what is only assumed says so."""

from math import exp, hypot, log

from sweetspot.words import counted

ASSUMED = "until more is measured"


def digits(value: float, spec: str = ".4g") -> str:
    """Return a number in the digits of a format, a large one without a power of ten: 36300."""
    text = format(value, spec)
    return f"{float(text):.0f}" if "e+" in text else text


def assumption(factor: float) -> str:
    """Return what an interval of a factor rests on that no measurement made this wide."""
    return f"±{100 * (factor - 1):.0f} % {ASSUMED}"


def often(level: float, models: int, rests_on: str = "") -> str:
    """Return how often an interval holds and on how much it rests, as in `90 %, 13 models`.

    Args:
        level: probability that a measured number lies within.
        models: on how many models that rests.
        rests_on: the same in words; where they say that the interval is an assumption, no model
            judged it.
    """
    if ASSUMED in rests_on:
        return "assumed"
    return f"{100 * level:.0f} %, {counted(models, 'model')}"


def factor_of_ratio(one: float, other: float) -> float:
    """Return how far the ratio of two numbers may be off that are off by these factors.

    As of errors that say nothing of one another: their logarithms add up to the root of the sum of
    squares.
    """
    return exp(hypot(log(one), log(other)))
