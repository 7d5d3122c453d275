"""docs/explorer.md: its commands and its notebook give what they are said to, of fewer lengths."""

import pytest
import shown

from sweetspot.explorer import explore
from sweetspot.explorer.grid import Axes

PAGE = shown.read("docs/explorer.md")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the page's measurements, and no display."""
    (cells,) = shown.blocks("csv", PAGE)
    (tmp_path / "my.csv").write_text(cells, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(explore, "AXES", Axes((64,), (32, 64)))
    monkeypatch.setattr(explore, "RATE_AXES", Axes((64,), (32,)))
    monkeypatch.setattr(explore, "SEARCHED", ())
    return tmp_path


def test_commands_write_the_pages_that_are_shown(folder, capsys):
    for command, output in shown.commands(PAGE).items():
        assert shown.said(command, capsys) == output
        assert (folder / output.strip()).stat().st_size


@pytest.mark.usefixtures("folder")
def test_notebook_prints_what_is_shown():
    (block,) = shown.blocks("python", PAGE)
    shown.play(block)


def test_page_says_what_is_simulated():
    text = " ".join(PAGE.split())
    inputs, outputs = explore.AXES
    assert f"ten, {inputs[0]} to {inputs[-1]}" in text
    assert f"{len(outputs)}, {outputs[0]} to {outputs[-1]}" in text
    assert (len(inputs), explore.MOST_PAIRS, explore.REQUESTS) == (10, 10, (100, 1000))
    assert (explore.RATES_PER_S, explore.RATE_BATCH_LIMIT) == ((1, 4, 16), 256)
    assert "100 and 1000 requests at once; 1, 4 and 16 requests/s" in text
    assert "32, 256 and 1024; of a rate 256" in text
    assert explore.BATCH_LIMITS == (32, 256, 1024)
    assert f"from {explore.SEARCHED[0]} to {explore.SEARCHED[-1]}" in text
