"""Units in the names of columns, and the words that are left of a name without them.

Names are those that strangers give: "energy_per_token_mj", "Energy (Wh)", "avg power [W]",
"J/token", "promptTokens", "latency_ms".
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

USUAL_J_PER_TOKEN = (1e-3, 30.0)
"""Joules per output token that are usual, of any model, board and load."""


def beyond_usual(energy_per_token_j: float) -> str:
    """Return that an energy is not usual, as a warning without its reason; empty if it is."""
    least_j, most_j = USUAL_J_PER_TOKEN
    if least_j <= energy_per_token_j <= most_j:
        return ""
    return (
        f"Warning: {energy_per_token_j:.3g} J per output token is beyond what is usual,"
        f" {least_j:g} to {most_j:g} J"
    )


class Unit(NamedTuple):
    """One unit: what it measures, and how many J, W or s it is."""

    dimension: str
    factor: float


_PREFIXES = {"": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "µ": 1e-6, "u": 1e-6}
_WORDS = {"": "", "m": "milli", "k": "kilo", "M": "mega", "µ": "micro", "u": "micro"}


def _units() -> dict[str, Unit]:
    units: dict[str, Unit] = {}
    for prefix, factor in _PREFIXES.items():
        for symbol, word, dimension, base in (
            ("J", "joule", "energy", 1.0),
            ("Wh", "watthour", "energy", 3600.0),
            ("Ws", "wattsecond", "energy", 1.0),
            ("W", "watt", "power", 1.0),
        ):
            unit = Unit(dimension, factor * base)
            units |= {prefix + symbol: unit}
            units |= {_WORDS[prefix] + word + plural: unit for plural in ("", "s")}
    for names, seconds in (
        ("s sec secs second seconds", 1.0),
        ("ms msec msecs millisecond milliseconds", 1e-3),
        ("us µs usec microsecond microseconds", 1e-6),
        ("ns nanosecond nanoseconds", 1e-9),
        ("min mins minute minutes", 60.0),
        ("h hr hrs hour hours", 3600.0),
    ):
        units |= {name: Unit("time", seconds) for name in names.split()}
    return units


UNITS = _units()
# MJ is mega where case means something; in `energy_mj` or ENERGY_MJ nobody means megajoules
_CASELESS = {name.lower(): unit for name, unit in UNITS.items() if name[:1] != "M"}


class Name(NamedTuple):
    """The name of a column, taken apart.

    Attributes:
        words: what it is of, in lower case, without its unit and without what it is per.
        unit: the unit as it is written; empty where none is.
        measure: what the unit is, None where none is or where it is not understood.
        per: the words after "per" or "/", without a unit.
        per_unit: the unit that it is per, as `measure`: of "tokens/J".
    """

    words: tuple[str, ...]
    unit: str
    measure: Unit | None
    per: tuple[str, ...]
    per_unit: Unit | None


def unit_of(text: str, *, shouting: bool = False) -> Unit | None:
    """Return the unit of this name; None if there is no such one.

    Args:
        text: such as "mJ" or "joules".
        shouting: whether it stands in a name of capital letters, so that case says nothing.
    """
    if not shouting and text in UNITS:
        return UNITS[text]
    return _CASELESS.get(text.lower())


def take_apart(column: str) -> Name:
    """Return the words, the unit and the denominator of a column's name."""
    text = unicodedata.normalize("NFKC", column).replace("μ", "µ").strip()
    shouting = text.isupper() and len(text) > 3
    brackets = re.findall(r"[(\[{]([^)\]}]*)[)\]}]", text)
    pieces = _pieces(re.sub(r"[(\[{][^)\]}]*[)\]}]", " ", text), shouting=shouting)
    name = _split(pieces, shouting=shouting)
    for bracket in brackets:
        inner = _split(_pieces(bracket, shouting=shouting), shouting=shouting)
        if inner.measure or inner.per_unit:
            # "Energy per token (mJ)" and "Energy (J/token)" have the denominator on either side
            words = tuple(w for w in inner.words if w not in name.words)
            per, per_unit = (inner.per, inner.per_unit) if inner.per or inner.per_unit else name[3:]
            name = Name(name.words + words, inner.unit, inner.measure, per, per_unit)
        elif inner.words not in ((), ("tokens",), ("token",), ("count",), ("n",), ("#",)):
            name = name._replace(words=name.words + inner.words)
    return name


def _pieces(text: str, *, shouting: bool) -> list[str]:
    """Return the words of a text, "/" as "per"."""
    # "1k" and "1,000" of "J/1k tokens" stay whole
    found = re.findall(r"/|[^\W_]+", re.sub(r"(?<=\d),(?=\d{3})", "", text))
    pieces: list[str] = []
    for piece in found:
        if piece == "/":
            pieces.append("per")
        elif unit_of(piece, shouting=shouting):
            pieces.append(piece)
        else:
            pieces += re.sub(r"(?<=[a-z])(?=[A-Z])", " ", piece).split()
    return _joined(pieces)


def _joined(pieces: Sequence[str]) -> list[str]:
    """Put "watt hours" and "kilo watt hours" together."""
    joined: list[str] = []
    for piece in pieces:
        whole = joined[-1] + piece if joined else ""
        if joined and joined[-1].lower().endswith(("watt", "kilo", "milli")) and unit_of(whole):
            joined[-1] = whole
        else:
            joined.append(piece)
    return joined


def _split(pieces: list[str], *, shouting: bool) -> Name:
    lower = [piece.lower() for piece in pieces]
    if "per" not in lower[1:]:
        left, unit, measure = _without_unit(pieces, shouting=shouting)
        return Name(tuple(left), unit, measure, (), None)
    at = lower.index("per", 1)
    left, unit, measure = _without_unit(pieces[:at], shouting=shouting)
    right, behind, per_unit = _without_unit(pieces[at + 1 :], shouting=shouting)
    if not right:  # tokens per J, tokens per s
        return Name(tuple(left), unit, measure, (), per_unit)
    if right[-1] == "per" and per_unit and per_unit.dimension == "power":  # tokens per s per W
        inner = unit_of(right[0])
        if len(right) == 2 and inner and inner.dimension == "time":
            joules = Unit("energy", inner.factor * per_unit.factor)
            return Name(tuple(left), unit, measure, (), joules)
    if not measure:  # energy per token mJ
        unit, measure = behind, per_unit
    return Name(tuple(left), unit, measure, tuple(right), None)


def _without_unit(pieces: Sequence[str], *, shouting: bool) -> tuple[list[str], str, Unit | None]:
    """Return the words in lower case without the unit that ends them, and that unit."""
    unit = unit_of(pieces[-1], shouting=shouting) if pieces else None
    words = [piece.lower() for piece in pieces]
    if not unit:
        return words, "", None
    rest = words[:-1]
    return rest[:-1] if rest[-1:] == ["in"] else rest, pieces[-1], unit
