"""Numbers in a text, and how often an interval holds; what is only assumed says so."""

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
    return f"{100 * level:.0f} %, {models} model{'s' * (models > 1)}"
