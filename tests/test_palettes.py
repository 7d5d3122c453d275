"""Colours that can be told apart, and families by their names."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from sweetspot.palettes import PALETTES, family_of

# Source: G. M. Machado, M. M. Oliveira and L. A. F. Fernandes, "A Physiologically-based Model for
# Simulation of Color Vision Deficiency", 2009: deuteranomaly of severity 1.0, on linear RGB
DEUTERANOPIA = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)
# Source: IEC 61966-2-1, white point D65
XYZ_OF_RGB = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
WHITE = XYZ_OF_RGB.sum(axis=1)
LEAST_DISTANCE = 15  # in CIELAB, where 2.3 is just noticeable and 10 seen at a glance


def lab(color, seen_by=None):
    """Return a colour in CIELAB, where distances are as the eye sees them."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    if seen_by is not None:
        linear = np.clip(seen_by @ linear, 0, 1)
    shares = XYZ_OF_RGB @ linear / WHITE
    x, y, z = np.where(shares > 216 / 24389, np.cbrt(shares), (24389 / 27 * shares + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("seen_by", [None, DEUTERANOPIA], ids=["normal", "deuteranopia"])
@pytest.mark.parametrize("palette", PALETTES)
def test_palette_entries_are_told_apart(palette, seen_by):
    assert len(PALETTES[palette]) == len(set(PALETTES[palette])) == 8
    for one, other in combinations(PALETTES[palette], 2):
        distance = np.linalg.norm(lab(one, seen_by) - lab(other, seen_by))
        assert distance >= LEAST_DISTANCE, (one, other)


def test_simulated_eye_is_that_of_a_deuteranope():
    grey = lab("0.5") - lab("0.5", DEUTERANOPIA)
    assert np.linalg.norm(grey) < 0.1  # what has no hue stays as it is
    seen = np.linalg.norm(lab("#D55E00", DEUTERANOPIA) - lab("#DE8F05", DEUTERANOPIA))
    assert seen < LEAST_DISTANCE < np.linalg.norm(lab("#D55E00") - lab("#DE8F05"))


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("llama-3.2-1b", "llama"),
        ("meta-llama/Llama-3.1-8B", "llama"),
        ("Mixtral-8x7B", "mistral"),
        ("facebook/opt-1.3b", "opt"),
        ("my-optimised-net", "my-optimised-net"),
    ],
)
def test_family_follows_from_the_name(model, family):
    assert family_of(model) == family
