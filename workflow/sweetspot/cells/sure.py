"""How often an interval of simulated numbers holds, in words; what is only assumed says so."""

ASSUMED = "until more is measured"


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
