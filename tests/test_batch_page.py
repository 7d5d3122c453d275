"""docs/batch-form.md: its notebook is played, and its errors are those of the evidence."""

import re

import shown

PAGE = shown.read("docs/batch-form.md")


def test_example_prints_what_is_shown(monkeypatch):
    monkeypatch.chdir(shown.ROOT)  # it reads data/
    (block,) = shown.blocks("python", PAGE)
    shown.play(block)


def test_evidence_has_the_errors_that_the_page_shows():
    evidence = shown.read("docs/batch-evidence.md")
    [printed] = re.findall(r"(?ms)leave_one_cell_out_percent\n(.*?)>>>", PAGE)
    errors = re.findall(r"\d\.\d\d$", printed, re.MULTILINE)
    [row] = re.findall(r"^\| batch5 +\|.*$", evidence, re.MULTILINE)
    assert re.findall(r"\d\.\d\d", row) == errors
