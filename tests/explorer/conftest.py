"""Fewer lengths, so that a page's grids take no time."""

import pytest

from sweetspot.explorer import explore
from sweetspot.explorer.grid import Axes


@pytest.fixture
def few_lengths(monkeypatch):
    monkeypatch.setattr(explore, "AXES", Axes((64,), (32, 256)))
    monkeypatch.setattr(explore, "SEARCHED", ())
    monkeypatch.setattr(explore, "RATE_AXES", Axes((64,), (32,)))
