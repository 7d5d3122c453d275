"""`sweetspot explore`: the page's path, and a browser only where it has somewhere to open."""

import webbrowser

import pytest

from sweetspot.cli import main
from sweetspot.explorer import explore
from sweetspot.explorer.grid import Axes

ASKED = ("explore", "--model", "llama-3.2-1b", "--gpu", "h100")


@pytest.fixture(autouse=True)
def few_lengths(monkeypatch):
    monkeypatch.setattr(explore, "AXES", Axes((64,), (32,)))
    monkeypatch.setattr(explore, "SEARCHED", ())
    monkeypatch.setattr(explore, "RATES_PER_S", ())


@pytest.fixture
def opened(monkeypatch):
    """Return what a browser was asked to open."""
    found = []
    monkeypatch.setattr(webbrowser, "open", found.append)
    return found


@pytest.mark.parametrize(
    ("display", "more", "opens"), [(":0", (), True), (":0", ("--no-open",), False), ("", (), False)]
)
def test_page_is_written_and_opened_where_that_can_be_seen(
    monkeypatch, tmp_path, capsys, opened, display, more, opens
):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", display)
    path = tmp_path / "new" / "page.html"
    assert main([*ASKED, "--out", str(path), *more]) == 0
    assert capsys.readouterr() == (f"{path}\n", "")
    assert "llama-3.2-1b" in path.read_text()
    assert opened == ([path.as_uri()] if opens else [])


def test_bad_input_is_one_line_before_anything_is_written(tmp_path, capsys, opened):
    cells = tmp_path / "cells.csv"
    cells.write_text("a,b\n1,2\n")
    for more in (
        ("--cells", str(cells)),
        ("--cells", str(cells), "--out", str(cells)),
        ("--gpu", "nothing"),
    ):
        assert main([*ASKED, "--out", str(tmp_path / "page.html"), *more]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
    assert not (tmp_path / "page.html").exists()
    assert cells.read_text() == "a,b\n1,2\n"
    assert opened == []
