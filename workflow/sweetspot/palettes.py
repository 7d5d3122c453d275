"""Colours of models: one a family, the same in all figures and pages."""

import re
from collections.abc import Iterable, Mapping
from itertools import cycle

# Eight each, so that any two are told apart under deuteranopia, too (a test says by how much);
# the first are the families', and the palest on white come last.
PALETTES: Mapping[str, tuple[str, ...]] = {
    # Source: seaborn's palette of this name, without its vermilion and its grey, which
    # deuteranopes see as its orange and its green
    "colorblind": (
        "#0173B2",
        "#DE8F05",
        "#029E73",
        "#CC78BC",
        "#CA9161",
        "#56B4E9",
        "#FBAFE4",
        "#ECE133",
    ),
    # Source: M. Okabe and K. Ito, "Color Universal Design", 2008
    "okabe_ito": (
        "#0072B2",
        "#E69F00",
        "#009E73",
        "#CC79A7",
        "#D55E00",
        "#56B4E9",
        "#000000",
        "#F0E442",
    ),
}
_FAMILIES = ("llama", "opt", "qwen", "gemma", "granite", "falcon")
"""Those with a colour of their own, in the palette's order."""

_FAMILY = re.compile(
    "llama|qwen|gemma|granite|falcon|mistral|mixtral|deepseek|nemotron|olmo"
    "|(?<![a-z])(opt|phi|gpt|glm)(?![a-z])"  # short enough to stand within other words
)


def family_of(model: str) -> str:
    """Return who a model's relatives are, by its name; one of no known family is its own."""
    found = _FAMILY.search(model.lower())
    return found.group().replace("mixtral", "mistral") if found else model


def family_colours(palette: str, families: Iterable[str]) -> dict[str, str]:
    """Return the colour of each family, as #RRGGBB; those with one of their own come first.

    Others take, in the order of their names, what those that are there leave.
    """
    there = set(families)
    own = dict(zip(_FAMILIES, PALETTES[palette], strict=False))
    known = {family: own[family] for family in _FAMILIES if family in there}
    left = [colour for colour in PALETTES[palette] if colour not in known.values()]
    return known | dict(zip(sorted(there - set(known)), cycle(left), strict=False))
